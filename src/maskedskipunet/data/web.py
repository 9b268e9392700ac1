"""One way to ask a web server for something: files, cameras and single pictures alike, with a login, in time."""

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected, responses
from socket import gaierror
from typing import cast
from urllib.error import URLError
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit
from urllib.request import (
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.web_login import Login, read_challenges
from maskedskipunet.errors import LoginError, VideoError

WEB_SCHEMES = ("http", "https")
NOTHING_CAME = "nothing was received for too long"
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_LEFT_AS_IS = "/?#[]@!$&'()*+,;=%:~"

log = logging.getLogger(__name__)
_reported_hosts: set[str] = set()  # servers of which it was said that they are not checked


class _Response(HTTPResponse):
    """A response with an adjustable timeout for each further part."""

    set_wait: Callable[[float], None] | None = None


class _Connection(HTTPConnection):
    response_class = _Response

    def getresponse(self) -> HTTPResponse:
        connected = self.sock
        response = super().getresponse()
        if isinstance(response, _Response) and connected is not None:
            response.set_wait = connected.settimeout
        return response


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._given = context

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req, context=self._given)


class WebAddress:
    """The content of a web address. It can be requested repeatedly, for instance for a camera's single pictures.

    open_s: how long to wait for a connection and an answer. read_s: for each further part of it. fault: what it is
    called when it does not answer, such as `cannot fetch it`.
    """

    def __init__(self, address: CameraAddress, *, open_s: float, read_s: float, fault: str) -> None:
        self.address = address
        self._fault = fault
        self._open_s, self._read_s = open_s, read_s
        parts = urlsplit(address.secret_url)
        user, _, host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        self.login = Login(unquote(name), unquote(password)) if user else None
        self._url = urlunsplit((parts.scheme, host, quote(parts.path or "/", _LEFT_AS_IS), parts.query, ""))
        self._opener = _opener(ssl.create_default_context())
        self._is_checked = True

    def open(self) -> HTTPResponse:
        """Return the server's answer, of which only the headers have come. It is for the caller to close.

        Raises LoginError if the user or the password is refused or missing, VideoError for whatever else the
        server does not give; neither holds a secret of the address.
        """
        url, fault = self._url, ""
        for _ in range(MAX_REDIRECTS + 1):
            response, fault = self._ask(url)
            if response is None:
                break
            if response.status not in _REDIRECTS:
                if isinstance(response, _Response) and response.set_wait is not None:
                    response.set_wait(self._read_s)
                return response
            leads_to = urljoin(url, response.headers.get("Location", ""))
            response.close()
            if urlsplit(leads_to).scheme not in WEB_SCHEMES:  # a server leads to no file of ours
                fault = _status(response.status)
                break
            url = leads_to
        else:
            fault = "it redirects too often"
        # Raised out here: the library's own errors hold the address, and no traceback shall show it.
        raise VideoError(f"{self._fault} ({fault})", str(self.address), "Check the address, user and password")

    def strong_answer(self) -> str | None:
        """Return the Authorization header for a client that knows Basic and MD5 alone, where neither will do; else
        None.
        """
        if self.login is None or self.login.scheme in ("", "Basic", "Digest by MD5"):
            return None
        return self.login.answer("GET", _path_of(self._url))

    def _ask(self, url: str) -> tuple[HTTPResponse | None, str]:
        """Return the answer to one request, with the login it needs, or what went wrong."""
        login = self.login if self._may_send_login(url) else None
        answered = False
        for _ in range(3):
            try:
                response = self._send(url, None if login is None else login.answer("GET", _path_of(url)))
            except (OSError, HTTPException, ValueError) as error:
                return None, web_fault(error)
            if response.status < 400:
                return response, ""
            refusal = _status(response.status)
            offered = read_challenges(response.headers.get_all("WWW-Authenticate") or [])
            response.close()
            if response.status not in (401, 403):
                return None, refusal
            is_stale = any(challenge.fields.get("stale", "").lower() == "true" for challenge in offered)
            if response.status == 403 or login is None or (answered and not is_stale):
                break  # the same password once more could lock the account
            if not login.take(offered):
                refusal += f", it asks for {' or '.join(str(challenge) for challenge in offered)}, not known here"
                break
            answered = True
        cure = "Write the address as http://USER:PASSWORD@HOST/" if self.login is None else "Check user and password"
        raise LoginError(f"{self._fault} ({refusal})", str(self.address), cure)

    def _may_send_login(self, url: str) -> bool:
        """Return whether the login may be sent there: to no other server than the address names, and no less safely."""
        to, own = urlsplit(url), urlsplit(self._url)
        return to.hostname == own.hostname and (to.scheme == own.scheme or to.scheme == "https")

    def _send(self, url: str, authorization: str | None) -> HTTPResponse:
        request = Request(url, headers={"User-Agent": "maskedskipunet"})
        if authorization is not None:
            request.add_unredirected_header("Authorization", authorization)
        try:
            return cast(HTTPResponse, self._opener.open(request, timeout=self._open_s))
        except URLError as error:
            if not self._is_checked or not isinstance(error.reason, ssl.SSLError):
                raise
        # Cameras sign their certificates themselves, and old ones by means that are no longer trusted.
        self._is_checked = False
        self._opener = _opener(_lenient_context())
        response = self._send(url, authorization)
        if (host := urlsplit(url).netloc) not in _reported_hosts:
            _reported_hosts.add(host)
            log.warning("%s: its certificate cannot be checked; the connection is encrypted nevertheless", self.address)
        return response


def _status(code: int) -> str:
    return f"{code} {responses.get(code, '')}".strip()  # the server's own words may hold where it leads


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _opener(context: ssl.SSLContext) -> OpenerDirector:
    """Return an opener for the web alone: a server may redirect to another one, but not to a local file."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), _Http(), _Https(context), UnknownHandler()):  # none that follows or raises
        opener.add_handler(handler)
    return opener


def _lenient_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(ssl.SSLError, ValueError):  # where the system forbids it
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def web_fault(error: Exception) -> str:
    """Return what went wrong with a request, in a few words and without the address."""
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return NOTHING_CAME
    if isinstance(error, RemoteDisconnected):
        return "it closes the connection without an answer"
    if isinstance(error, gaierror):
        return "its name cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection, {error.reason or 'not TLS'}"
    if isinstance(error, HTTPException):  # no answer at all, or one in another language
        return "its answer is not HTTP"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
