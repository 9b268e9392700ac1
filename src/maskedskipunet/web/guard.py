"""What every request passes first: the name it was sent to, where it comes from, how much it carries, and what headers
its answer has.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 256_000
BODY_TIMEOUT_S = 20.0  # for all of a request's body
LONGEST_PATH = 2000
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = SAFE_METHODS | {"POST"}

_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
        b"connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Guard:
    """Refuses what no browser of the page's own sends, before anything else looks at it.

    names: of the host that requests may be sent to, without ports; None: any. A page on this machine alone must know
    them, or another site could have its own name lead here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] | None) -> None:
        self._app = app
        self._names = None if names is None else OWN_NAMES | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page uses no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        if (refusal := self._refusal(scope, headers)) is not None:
            await _answer(send, *refusal, is_for_programs=scope["path"].startswith("/api/"))
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message.get("headers", ())}
                added = [pair for pair in (*_HEADERS, (b"cache-control", b"no-store")) if pair[0] not in own]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, _Bounded(receive), send_guarded)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._names is not None and _without_port(host) not in self._names:
            return 421, "This page is not served under that name. Start it with --host-name NAME to add one."
        if scope["method"] not in METHODS:
            return 405, "This page knows GET and POST."
        path = scope["path"]
        if len(path) > LONGEST_PATH or _CONTROL.search(path) or "\\" in path:
            return 400, "That is no address of this page."
        if scope["method"] not in SAFE_METHODS and _is_foreign(headers, host):
            return 403, "This change was asked for by another site, and was refused."
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            return 413, "That is more than this page takes."
        return None


class _Bounded:
    """Receives a request's body up to a number of bytes and within a time; beyond, the client counts as gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left_bytes, self._is_whole = receive, MOST_BODY_BYTES, False

    async def __call__(self) -> Message:
        if self._is_whole:  # what comes now is that the client leaves, which may take as long as it likes
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), BODY_TIMEOUT_S)
        except TimeoutError:
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self._left_bytes -= len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._left_bytes < 0:
                return {"type": "http.disconnect"}
        return message


def _is_foreign(headers: dict[bytes, bytes], host: str) -> bool:
    """Return whether a browser says that another site asks for a change."""
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        return True
    origin = headers.get(b"origin")
    return origin is not None and urlsplit(origin.decode("latin-1")).netloc.lower() != host


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host) if not host.endswith("]") else host


async def _answer(send: Send, status: int, text: str, *, is_for_programs: bool) -> None:
    """Refuse in words; in JSON, as all faults of the API are, where a program asks."""
    body, kind = text.encode(), b"text/plain; charset=utf-8"
    if is_for_programs:
        body, kind = json.dumps({"what": text, "where": "", "cure": ""}).encode(), b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
