"""Sends events by e-mail, with their pictures."""

import smtplib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar, Literal
from uuid import uuid4

from maskedskipunet.detection.calibration import describe_share
from maskedskipunet.detection.events import Phase
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.kinds import describe_kind
from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.connection_errors import ca_file_fault, reason_of, tls_context
from maskedskipunet.notify.deadline import hang_up_after
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.settings import (
    Settings,
    SinkContext,
    host_faults,
    port_faults,
    secret_faults,
    timeout_faults,
)
from maskedskipunet.notify.sink import Attachments, RefusedError, RetryLaterError, Sink
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.view.reasons import describe_reason

Security = Literal["starttls", "ssl", "none"]
STATE_SUBJECTS = {
    "lost": "the camera cannot be reached",
    "frozen": "the picture is frozen",
    "dark": "the picture is black or covered",
    "defocused": "the picture is out of focus",
    "moved": "the camera was moved",
    "night": "the camera has switched to night",
    "slow": "the camera gives too few frames a second",
    "drift": "what is normal there has changed",
}
_TITLES = {"new": "something unusual", "update": "still unusual", "end": "over"}


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """The mail server.

    security: encryption of the connection. ca_file: certificates to trust instead of the system's.
    """

    host: str
    port: int
    security: Security = "starttls"
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None


class MailSink:
    """Sends each message as a mail. Message-ID comes from the message's key, so that one sent twice is shown once.

    timeout_s: limit of a whole try in seconds.
    """

    def __init__(self, server: MailServer, *, sender: str, to: Sequence[str], timeout_s: float = 30.0) -> None:
        self.server, self.sender, self.to, self.timeout_s = server, sender, tuple(to), timeout_s

    def send(self, delivery: Delivery, files: Attachments) -> None:
        if delivery.message.get("has_picture") and files.picture is None and not delivery.attempts:
            raise RetryLaterError("the picture is not written yet")
        self._deliver(mail_of(delivery, files, self.sender, self.to))

    def send_report(self, subject: str, text: str, picture: Path) -> None:
        """Send a mail with a JPEG that is no message of the records. Raises RetryLaterError or RefusedError."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.to), subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<report.{uuid4().hex}@maskedskipunet>"
        mail.set_content(text)
        mail.add_attachment(picture.read_bytes(), maintype="image", subtype="jpeg", filename=picture.name)
        self._deliver(mail)

    def _deliver(self, mail: EmailMessage) -> None:
        """Hand a mail to the server. Raises RetryLaterError or RefusedError, with a reason that holds no secret."""
        try:
            self._submit(mail)
        except ConfigError as error:
            raise RetryLaterError(error.what) from error
        except smtplib.SMTPAuthenticationError as error:
            raise RetryLaterError(f"the server refuses the login ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise RefusedError(f"no recipient is accepted ({', '.join(map(str, codes))})") from None
        except smtplib.SMTPResponseException as error:
            fault = f"the server answers {error.smtp_code}"
            raise (RetryLaterError if error.smtp_code < 500 else RefusedError)(fault) from None
        except (smtplib.SMTPException, OSError) as error:
            raise RetryLaterError(f"the server cannot be reached: {reason_of(error)}") from None

    def close(self) -> None:
        return None

    def _submit(self, mail: EmailMessage) -> None:
        with self._connected() as server, hang_up_after(self.timeout_s, lambda: server.sock):
            if self.server.security == "starttls":
                server.starttls(context=tls_context(self.server.ca_file))
            if self.server.username is not None:
                password = self.server.password
                server.login(self.server.username, "" if password is None else password.reveal())
            server.send_message(mail)

    def _connected(self) -> smtplib.SMTP:
        host, port = self.server.host, self.server.port
        if self.server.security == "ssl":
            context = tls_context(self.server.ca_file)
            return smtplib.SMTP_SSL(host, port, timeout=self.timeout_s, context=context)
        return smtplib.SMTP(host, port, timeout=self.timeout_s)


def mail_of(delivery: Delivery, files: Attachments, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the mail of a message."""
    message = delivery.message
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"], text = _OF_KIND[delivery.kind](delivery)
    mail["Date"] = format_datetime(datetime.fromisoformat(str(message["updated_at"])))
    mail["Message-ID"] = f"<{delivery.key.replace(':', '.')}@maskedskipunet>"
    mail.set_content(text)
    if files.picture is not None:
        name = f"{delivery.event_id}.jpg"
        mail.add_attachment(files.picture.read_bytes(), maintype="image", subtype="jpeg", filename=name)
    return mail


def _of_event(delivery: Delivery) -> tuple[str, str]:
    """Return the subject and the text of an event's mail."""
    message = delivery.message
    share = message["normal_share"]
    rare = "" if share is None else f"Reached by: {describe_share(share)}\n"
    why = (
        "" if (reason := message.get("reason")) is None else f"Why: {describe_reason(EventReason.from_dict(reason))}\n"
    )
    text = (
        f"Camera: {message['camera']}\nBegan: {message['began_at']}\n{why}"
        f"Seconds: {message['end_s'] - message['start_s']:.1f}\nHighest score: {message['top_score']:.4g}\n{rare}"
        f"Event: {delivery.event_id}\n"
    )
    if message.get("of_kind", 1) > 1:
        text += f"Of its kind: {describe_kind(message['of_kind'], str(message['kind_began_at']))}\n"
    return f"{message['camera']}: {_TITLES[delivery.phase]}", text


def _of_state(delivery: Delivery) -> tuple[str, str]:
    message = delivery.message
    subject = STATE_SUBJECTS.get(str(message["state"]), str(message["state"]))
    over = "" if delivery.phase != "end" else f"Over: {message['updated_at']}\n"
    text = f"Camera: {message['camera']}\nBegan: {message['began_at']}\n{over}Details: {message['detail']}\n"
    return f"{message['camera']}: {'no longer: ' if over else ''}{subject}", text


def _of_test(delivery: Delivery) -> tuple[str, str]:
    return "maskedskipunet: test message", f"{delivery.message['text']}\n"


_OF_KIND = {"event": _of_event, "state": _of_state, "test": _of_test}


_PORTS: Mapping[Security, int] = {"starttls": 587, "ssl": 465, "none": 25}


@dataclass(frozen=True, kw_only=True)
class MailSettings(Settings):
    """The mail server, the encryption of the connection, sender and recipients."""

    phases: ClassVar[tuple[Phase, ...]] = ("new",)
    events_per_hour: ClassVar[int | None] = 12

    host: str
    sender: str
    to: tuple[str, ...]
    port: int | None = None
    security: Security = "starttls"
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    timeout_s: float = 30.0

    def faults(self) -> Iterator[str]:
        yield from host_faults(self.host)
        yield from port_faults(self.port)
        yield from secret_faults(self.password)
        yield from timeout_faults(self.timeout_s)
        if (self.username is None) != (self.password is None):
            yield "username and password belong together"
        if self.password is not None and self.security == "none":
            yield "a password is not sent without starttls or ssl"
        if fault := ca_file_fault(self.ca_file):
            yield fault
        if self.ca_file is not None and self.security == "none":
            yield "ca_file needs starttls or ssl"
        if not self.to:
            yield "to names no recipient"
        yield from (f"{name} is not a mail address" for name in (self.sender, *self.to) if not _is_mail_address(name))

    def build(self, context: SinkContext) -> Sink:
        server = MailServer(
            host=self.host,
            port=self.port or _PORTS[self.security],
            security=self.security,
            username=self.username,
            password=self.password,
            ca_file=self.ca_file,
        )
        return MailSink(server, sender=self.sender, to=self.to, timeout_s=self.timeout_s)


def _is_mail_address(name: str) -> bool:
    user, _, host = name.rpartition("@")
    return bool(user and host) and name.isprintable() and not set(name) & set(" ,;<>")
