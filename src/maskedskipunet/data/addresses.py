"""Addresses of cameras, which may hold a password and never show it."""

import errno
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from maskedskipunet.errors import ConfigError, VideoError

AddressKind = Literal["stream", "file", "usb"]

LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_GIVEN_IN_PATH = re.compile(r"([^/&;=]+)=[^/&;]*")  # some cameras take user=NAME&password=WORD in the path


@dataclass(frozen=True, slots=True, repr=False)
class CameraAddress:
    """A stream, a file or a USB camera. What it shows of itself holds no user, no password and no query.

    `secret_url` is the whole address, for the library that opens it and for nothing else.

    >>> CameraAddress.parse("rtsp://me:word@camera:554/live?token=abc")
    CameraAddress('rtsp://camera:554/live')
    """

    kind: AddressKind
    secret_url: str

    @classmethod
    def parse(cls, text: str, where: str = "source", environment: Mapping[str, str] | None = None) -> "CameraAddress":
        """Parse `rtsp://`, `rtsps://`, `http://` or `https://`; `usb:0` or `/dev/video0`; else a file, or `file://`.

        `${NAME}` is taken from the environment, so that a password need stand in no file and no command line.
        Raises ConfigError, whose message shows nothing that could be a secret.
        """
        environment = os.environ if environment is None else environment
        if (usb := re.fullmatch(r"usb:(\d+)|/dev/video(\d+)", text)) is not None:
            return cls("usb", usb[1] or usb[2])
        scheme, separator, _ = text.partition("://")
        if not separator:
            return cls._of_file(text, where)
        if scheme.lower() == "file":
            return cls._of_file(unquote(text[len("file://") :]), where)
        if scheme.lower() not in STREAM_SCHEMES:
            raise ConfigError(
                "no such kind of stream", where, f"Use {', '.join(STREAM_SCHEMES)}, usb:NUMBER or a file's path"
            )
        url = _filled(text, where, environment)
        if any(not sign.isprintable() or sign.isspace() for sign in url):
            raise ConfigError("the address holds a blank or a control character", where, "Write it as %20, for example")
        rest = url.partition("://")[2]
        if rest.count("@") > 1 or "@" in rest[len(re.split("[/?#]", rest, maxsplit=1)[0]) :]:
            # A password with a # or / in it would be taken for the host, and shown as such.
            raise ConfigError(
                "the address holds an @ too many, or too late", where, "Write # / ? @ in a password as %23 %2F %3F %40"
            )
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname)
            _ = parts.port
        except ValueError:
            named = False
        if not named:
            raise ConfigError("the address names no host, or a port that cannot be", where, "Use rtsp://HOST:PORT/PATH")
        return cls("stream", url)

    @classmethod
    def _of_file(cls, text: str, where: str) -> "CameraAddress":
        if not text or "\0" in text:
            raise ConfigError("the path is empty or no path", where, "Name a video file or a stream")
        return cls("file", text)

    @property
    def path(self) -> Path:
        """The path of a file's address."""
        assert self.kind == "file", "only a file has a path"
        return Path(self.secret_url)

    def require_there(self) -> None:
        """Require that a file exists and that the needed library is installed; a camera may still appear later.

        Raises ConfigError or VideoError.
        """
        if self.kind == "usb":
            require_opencv()
        if self.kind != "file":
            return
        try:
            mode = self.path.stat().st_mode
        except OSError as error:
            fault = "no such file" if error.errno in LEADS_NOWHERE else str(error.strerror)
            cure = "Check the path; streams begin with rtsp:// or http://"
            raise VideoError(fault, str(self.path), cure) from error
        if stat.S_ISDIR(mode):
            raise ConfigError("a folder cannot be watched", str(self.path), "Name a video file, or score the folder")

    @property
    def scheme(self) -> str:
        """The scheme of a stream's address, such as rtsp."""
        return urlsplit(self.secret_url).scheme.lower()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Parts of the address that must be shown nowhere, longest first: the user and password, and the query."""
        if self.kind != "stream":
            return ()
        parts = urlsplit(self.secret_url)
        login = parts.netloc.rpartition("@")[0]
        given = [match[0] for match in _GIVEN_IN_PATH.finditer(parts.path)]
        found = {login, parts.query, parts.fragment, *given} - {""}
        return tuple(sorted(found, key=len, reverse=True))

    def __str__(self) -> str:
        if self.kind == "file":
            return self.secret_url
        if self.kind == "usb":
            return f"usb:{self.secret_url}"
        parts = urlsplit(self.secret_url)
        host_and_path = parts.netloc.rpartition("@")[2]
        path = _GIVEN_IN_PATH.sub(r"\1=***", parts.path)
        return f"{parts.scheme}://{host_and_path}{path}"

    def __repr__(self) -> str:
        return f"CameraAddress({str(self)!r})"


def require_opencv() -> None:
    """Raise ConfigError where OpenCV, which reads USB cameras, is not installed."""
    try:
        is_installed = find_spec("cv2") is not None
    except ValueError:  # it is loaded, by whoever left out what it came from
        is_installed = True
    if not is_installed:
        raise ConfigError(
            "USB cameras are read by OpenCV, which is not installed (the extra `usb`)",
            "usb",
            "Install it with `pip install 'maskedskipunet[usb]'`, in a clone with `uv sync --extra usb`",
        )


def _filled(text: str, where: str, environment: Mapping[str, str]) -> str:
    """Return the address with the environment's values in it, encoded, so that a password may hold any sign."""
    if missing := [name for name in _VARIABLE.findall(text) if name not in environment]:
        verb = "is" if len(missing) == 1 else "are"
        fault = f"{' and '.join(missing)} {verb} not set in the environment"
        raise ConfigError(fault, where, "Set it, or write it out")
    return _VARIABLE.sub(lambda match: quote(environment[match[1]], safe=""), text)
