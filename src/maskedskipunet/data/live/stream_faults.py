"""Describes faults of streams precisely; FFmpeg calls many of them "Invalid data" or "I/O error"."""

import errno
import socket
from urllib.parse import urlsplit

import av

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.web import NOTHING_CAME, WEB_SCHEMES
from maskedskipunet.data.web_login import Challenge, read_challenges
from maskedskipunet.errors import LoginError, VideoError

RTSP_PORT = 554
ASK_S = 5.0  # for what a camera offers as a login
MAX_ANSWER_BYTES = 1 << 16

_CHECK = "Check address, user and password"
_REFUSED = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
_NO_TRANSPORT = (
    av.error.HTTPBadRequestError,
    av.error.HTTPOtherClientError,
    av.error.HTTPServerError,
    av.error.InvalidDataError,
)


def is_refused_transport(error: Exception) -> bool:
    """Return whether a camera may accept UDP after refusing TCP: it answers, and refuses no login."""
    return isinstance(error, _NO_TRANSPORT) or getattr(error, "errno", None) == errno.EPROTONOSUPPORT


def opening_error(error: Exception, address: CameraAddress) -> VideoError:
    """Return the error for a stream that cannot be opened, without secret parts of its address."""
    where = str(address)
    if isinstance(error, _REFUSED):
        fault, cure = _login_fault(error, address)
        return LoginError(f"cannot open the stream ({fault})", where, cure)
    if isinstance(error, av.error.HTTPNotFoundError):
        cure = "Check the path; the camera's manual has it"
        return VideoError(f"cannot open the stream ({stream_fault(error)})", where, cure)
    fault = stream_fault(error)
    number = getattr(error, "errno", None)
    if number == errno.EIO and not _is_known(address):
        return VideoError("cannot open the stream (its name cannot be resolved)", where, "Check the host's name")
    if number == errno.EPROTONOSUPPORT:
        fault = "it sends its pictures neither over TCP nor over UDP"
    elif address.scheme in ("rtsp", "rtsps") and isinstance(error, av.error.InvalidDataError):
        fault = "it does not speak RTSP, or closes the connection"
    elif isinstance(error, av.error.InvalidDataError) or (number == errno.EIO and address.scheme in WEB_SCHEMES):
        fault = "it sends no known video, or the stream ends"
    elif number == errno.EIO:
        fault = "the connection is lost"
    elif isinstance(error, av.error.EOFError):
        fault = "it closes the connection without an answer"
    return VideoError(f"cannot open the stream ({fault})", where, _CHECK)


def stream_fault(error: Exception) -> str:
    """Return what went wrong in a few words, and without the address that the library's own text holds."""
    if isinstance(error, av.error.ExitError):  # what an interrupted wait ends in
        return NOTHING_CAME
    reason = getattr(error, "strerror", None) or type(error).__name__
    return reason.removeprefix("Server returned ").partition(" (")[0]


def _login_fault(error: Exception, address: CameraAddress) -> tuple[str, str]:
    """Return what to say of a refused login, and the cure."""
    fault = stream_fault(error)
    offered = _offered(address)
    known = [offer for offer in offered if offer.scheme == "basic" or offer.algorithm == "MD5"]
    if offered and not known:
        schemes = " or ".join(str(offer) for offer in offered)
        return f"{fault}, it asks for {schemes}, which FFmpeg does not know", "Set the camera's RTSP login to MD5 too"
    if not urlsplit(address.secret_url).username:
        return f"{fault}, it asks for a user and password", "Write the address as rtsp://USER:PASSWORD@HOST/"
    return fault, "Check user and password"


def _offered(address: CameraAddress) -> list[Challenge]:
    """Return the logins that an RTSP camera offers, asked for without one, which locks no account; none if that
    fails.
    """
    parts = urlsplit(address.secret_url)
    if address.scheme != "rtsp":
        return []
    url = f"rtsp://{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname or "", parts.port or RTSP_PORT), timeout=ASK_S) as camera:
            camera.sendall(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer and len(answer) < MAX_ANSWER_BYTES:
                if not (more := camera.recv(4096)):
                    break
                answer += more
    except OSError:
        return []
    lines = (line.partition(":") for line in answer.decode(errors="replace").splitlines())
    return read_challenges([value for name, _, value in lines if name.strip().lower() == "www-authenticate"])


def _is_known(address: CameraAddress) -> bool:
    """Return whether an address is known for the host's name."""
    parts = urlsplit(address.secret_url)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or RTSP_PORT)
    except OSError:
        return False
    return True
