"""Posts events to an address, signed."""

import hashlib
import hmac
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.connection_errors import ca_file_fault, reason_of, tls_context
from maskedskipunet.notify.deadline import hang_up_after
from maskedskipunet.notify.secrets import CURE, Secret, is_reference
from maskedskipunet.notify.settings import Settings, SinkContext, secret_faults, timeout_faults
from maskedskipunet.notify.sink import Attachments, RefusedError, RetryLaterError, Sink
from maskedskipunet.records.outbox import Delivery

SIGNATURE_HEADER = "X-MaskedSkipUNet-Signature"
KEY_HEADER = "Idempotency-Key"
TRY_LATER = frozenset({408, 425, 429})


class WebhookSink:
    """Posts each message as JSON. A status of 200 to 299 means that it was accepted; the rest of an answer is ignored.

    url: returns the address, http or https. secret: signs the bodies; None: no signature. timeout_s: limit of a whole
    try in seconds. clock: seconds since 1970, for the signature. headers: sent with each message, by name; a value may
    refer to a secret. login: user and password of HTTP basic authentication. ca_file: certificates to trust instead of
    the system's.
    Status 408, 425, 429, 500 and above, no connection and no answer mean: retry later, after Retry-After if given.
    Redirects are not followed: like every other status, they refuse this message.
    """

    def __init__(
        self,
        url: Callable[[], str],
        *,
        secret: Secret | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
        headers: Mapping[str, str] | None = None,
        login: tuple[str, Secret] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.url, self.secret, self.timeout_s, self.clock = url, secret, timeout_s, clock
        self.headers, self.login, self.ca_file = headers or {}, login, ca_file

    def send(self, delivery: Delivery, files: Attachments) -> None:
        try:
            address = urlsplit(self.url())
            body = json.dumps(delivery.message).encode()
            headers = self._headers(delivery, body)
        except ConfigError as error:  # the secret is no longer there
            raise RetryLaterError(error.what) from error
        connection = self._connection(address)
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        try:
            with hang_up_after(self.timeout_s, lambda: connection.sock):
                connection.request("POST", target, body, headers)
                with connection.getresponse() as answer:
                    status, retry_after = answer.status, answer.headers.get("Retry-After")
        except (OSError, HTTPException) as error:
            raise RetryLaterError(reason_of(error)) from None  # its own text may hold the address
        finally:
            connection.close()
        if status in TRY_LATER or status >= 500:
            raise RetryLaterError(f"it answers {status}", retry_after_s(retry_after, self.clock()))
        if not 200 <= status < 300:
            raise RefusedError(f"it answers {status}" + (", a redirect, which is not followed" if status < 400 else ""))

    def close(self) -> None:
        return None

    def _connection(self, address: SplitResult) -> HTTPConnection:
        host, port = address.hostname or "", address.port
        if address.scheme != "https":
            return HTTPConnection(host, port, timeout=self.timeout_s)
        try:
            return HTTPSConnection(host, port, timeout=self.timeout_s, context=tls_context(self.ca_file))
        except OSError as error:  # the file of certificates is no longer there
            raise RetryLaterError(f"ca_file cannot be read ({reason_of(error)})") from error

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", KEY_HEADER: delivery.key, "User-Agent": "maskedskipunet"}
        headers |= {name: header_value(name, value) for name, value in self.headers.items()}
        if self.login is not None:
            username, password = self.login
            basic = b64encode(f"{username}:{password.reveal()}".encode()).decode()
            headers["Authorization"] = f"Basic {basic}"
        if self.secret is not None:
            headers[SIGNATURE_HEADER] = signature(self.secret.reveal(), int(self.clock()), body)
        return headers


def header_value(name: str, value: str) -> str:
    """Return a header's value, its secret read where it names one. Raises ConfigError for one that no
    header can have.
    """
    revealed = Secret(value).reveal() if is_reference(value) else value
    if not (revealed.isascii() and revealed.isprintable()):
        raise ConfigError(
            f"the value of header {name} holds characters that no header has", "headers", "Use plain text"
        )
    return revealed


def signature(secret: str, unix_s: int, body: bytes) -> str:
    """Return `t=SECONDS,v1=HEX`: HMAC-SHA256 of the time, a dot and the body, so that neither can be changed or
    replayed.

    >>> signature("key", 1772355600, b"{}")[:24]
    't=1772355600,v1=acc894d2'
    """
    digest = hmac.new(secret.encode(), f"{unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix_s},v1={digest}"


def retry_after_s(retry_after: str | None, now_unix_s: float) -> float:
    """Return the seconds that a Retry-After asks for, as a number or a date; 0 for none or nonsense.

    >>> retry_after_s("120", 0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 0), retry_after_s("soon", 0)
    (120.0, 60.0, 0.0)
    """
    if retry_after is None:
        return 0.0
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after.strip()[:9])
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(now_unix_s, UTC)).total_seconds())


_OURS = {"content-length", "content-type", "host", "transfer-encoding", KEY_HEADER.lower(), SIGNATURE_HEADER.lower()}
_SECRET_HEADERS = re.compile(r"auth|cookie|key|pass|secret|token", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(Settings):
    """url: http or https, or where it is named as a secret is. secret: that bodies are signed with.

    headers: sent with each message; a value may be named as a secret is. username, password: of HTTP's basic login.
    ca_file: whose certificates are trusted instead of the system's.
    """

    url: str
    secret: Secret | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    timeout_s: float = 10.0

    def address(self) -> str:
        """Raise ConfigError if it is a secret that is not there, or no address."""
        address = Secret(self.url).reveal() if is_reference(self.url) else self.url
        if fault := _address_fault(address):
            raise ConfigError(fault, "url", "Write https://HOST/PATH")
        return address

    def faults(self) -> Iterator[str]:
        try:
            self.address()
        except ConfigError as error:
            yield error.what
        else:
            if self.ca_file is not None and not self.address().startswith("https:"):
                yield "ca_file needs an https address"
        yield from secret_faults(self.secret)
        yield from secret_faults(self.password)
        yield from timeout_faults(self.timeout_s)
        yield from _header_faults(self.headers)
        if (self.username is None) != (self.password is None):
            yield "username and password belong together"
        if self.username is not None and "authorization" in map(str.lower, self.headers):
            yield "give a login or a header Authorization, not both"
        if fault := ca_file_fault(self.ca_file):
            yield fault

    def build(self, context: SinkContext) -> Sink:
        return WebhookSink(
            self.address,
            secret=self.secret,
            timeout_s=self.timeout_s,
            headers=self.headers,
            login=None if self.username is None or self.password is None else (self.username, self.password),
            ca_file=self.ca_file,
        )


def _address_fault(address: str) -> str | None:
    """Return what is wrong with an address, without any of it: it may be a secret."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "url is not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "url is not an http or https address"
    if not address.isascii() or not address.isprintable() or " " in address:
        return "url holds characters that no address has"
    if "@" in parts.netloc:
        return "url holds a user or password, which do not belong in an address"
    return None


def _header_faults(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            yield f"{name[:40]!r} is not the name of a header"
        elif name.lower() in _OURS:
            yield f"header {name} is set by the sink itself"
        elif _SECRET_HEADERS.search(name) and not is_reference(value):
            yield f"header {name}: {CURE}"
        else:
            try:
                header_value(name, value)
            except ConfigError as error:
                yield error.what
