"""Events by POST to an address, signed."""

import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.sinks.deadline import hang_up_after
from maskedskipunet.monitor.sinks.secrets import Secret
from maskedskipunet.monitor.sinks.sink import Attachments, AwayError, RefusedError
from maskedskipunet.records.outbox import Delivery

SIGNATURE_HEADER = "X-MaskedSkipUNet-Signature"
KEY_HEADER = "Idempotency-Key"
TRY_LATER = frozenset({408, 425, 429})


class WebhookSink:
    """Posts each message as JSON. A status of 200 to 299 means that it was taken; nothing else of an answer is read.

    url: tells the address, http or https. secret: what bodies are signed with; None: not signed. timeout_s: seconds
    for a whole try. clock: the time now in seconds since 1970, for the signature.
    408, 425, 429 and 500 and above, no connection and no answer: the receiver is away; Retry-After is heeded. Redirects
    are not followed: like all else, they are a refusal of the one message.
    """

    def __init__(
        self,
        url: Callable[[], str],
        *,
        secret: Secret | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url, self.secret, self.timeout_s, self.clock = url, secret, timeout_s, clock

    def send(self, delivery: Delivery, files: Attachments) -> None:
        try:
            address = urlsplit(self.url())
            body = json.dumps(delivery.message).encode()
            headers = self._headers(delivery, body)
        except ConfigError as error:  # the secret has gone
            raise AwayError(error.what) from error
        connection = _connection(address.scheme, address.hostname or "", address.port, self.timeout_s)
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        try:
            with hang_up_after(self.timeout_s, lambda: connection.sock):
                connection.request("POST", target, body, headers)
                with connection.getresponse() as answer:
                    status, asked = answer.status, answer.headers.get("Retry-After")
        except (OSError, HTTPException) as error:
            raise AwayError(_words(error)) from None  # its own words may hold the address
        finally:
            connection.close()
        if status in TRY_LATER or status >= 500:
            raise AwayError(f"it answers {status}", retry_after_s(asked, self.clock()))
        if not 200 <= status < 300:
            raise RefusedError(f"it answers {status}" + (", a redirect, which is not followed" if status < 400 else ""))

    def close(self) -> None:
        return None

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", KEY_HEADER: delivery.key, "User-Agent": "maskedskipunet"}
        if self.secret is not None:
            headers[SIGNATURE_HEADER] = signature(self.secret.reveal(), int(self.clock()), body)
        return headers


def signature(secret: str, unix_s: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of the time, a dot and the body, so that neither can be changed nor replayed.

    >>> signature("key", 1772355600, b"{}")[:24]
    't=1772355600,v1=acc894d2'
    """
    digest = hmac.new(secret.encode(), f"{unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix_s},v1={digest}"


def retry_after_s(asked: str | None, now_unix_s: float) -> float:
    """The seconds that a Retry-After asks for, as a number or a date; 0 for none or nonsense.

    >>> retry_after_s("120", 0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 0), retry_after_s("soon", 0)
    (120.0, 60.0, 0.0)
    """
    if asked is None:
        return 0.0
    if asked.strip().isascii() and asked.strip().isdigit():
        return float(asked.strip()[:9])
    try:
        date = parsedate_to_datetime(asked)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(now_unix_s, UTC)).total_seconds())


def _connection(scheme: str, host: str, port: int | None, timeout_s: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return HTTPConnection(host, port, timeout=timeout_s)


def _words(error: OSError | HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate cannot be verified"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers there"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return f"the connection failed ({type(error).__name__})"
