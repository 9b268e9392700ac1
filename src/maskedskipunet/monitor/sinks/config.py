"""What a configuration says of each kind of sink, checked as a whole."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.sinks.mail import Security
from maskedskipunet.monitor.sinks.secrets import HOW, Secret, is_reference
from maskedskipunet.monitor.sinks.webhook import KEY_HEADER, SIGNATURE_HEADER, header_value
from maskedskipunet.monitor.sinks.words import ca_file_fault
from maskedskipunet.records.routes import BETWEEN, FAULTS, PHASES, Route, StateChoice

LONGEST_TIMEOUT_S = 300.0
_OURS = {"content-length", "content-type", "host", "transfer-encoding", KEY_HEADER.lower(), SIGNATURE_HEADER.lower()}
_SECRET_HEADERS = re.compile(r"auth|cookie|key|pass|secret|token", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every kind of sink has: nothing, but its faults told together."""

    phases: ClassVar[tuple[Phase, ...]] = PHASES  # that are told where the configuration does not say
    states: ClassVar[tuple[StateChoice, ...]] = ()
    events_per_hour: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        if faults := [*self.faults()]:
            raise ConfigError(BETWEEN.join(faults), "sink", "Correct the setting")

    def faults(self) -> Iterator[str]:
        """Yield all that cannot be, each in a few words."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class LineSettings(Settings):
    """JSON lines on standard output."""


@dataclass(frozen=True, kw_only=True)
class ClipFolderSettings(Settings):
    """path: the folder that gets the copies."""

    phases: ClassVar[tuple[Phase, ...]] = ("end",)

    path: Path


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
        """Raises ConfigError where it is a secret that is not there, or no address."""
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
        yield from _secret_faults(self.secret)
        yield from _secret_faults(self.password)
        yield from _timeout_faults(self.timeout_s)
        yield from _header_faults(self.headers)
        if (self.username is None) != (self.password is None):
            yield "username and password belong together"
        if self.username is not None and "authorization" in map(str.lower, self.headers):
            yield "give a login or a header Authorization, not both"
        if fault := ca_file_fault(self.ca_file):
            yield fault


@dataclass(frozen=True, kw_only=True)
class MqttSettings(Settings):
    """The broker, the topic that ours begin with, and Home Assistant's topics.

    discovery: the prefix of its discovery, empty for none. birth: where it says that it has started.
    """

    states: ClassVar[tuple[StateChoice, ...]] = FAULTS

    host: str
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    ca_file: Path | None = None
    topic: str = "maskedskipunet"
    discovery: str = "homeassistant"
    birth: str = "homeassistant/status"
    timeout_s: float = 10.0

    def faults(self) -> Iterator[str]:
        yield from _host_faults(self.host)
        yield from _port_faults(self.port)
        yield from _secret_faults(self.password)
        yield from _timeout_faults(self.timeout_s)
        if self.password is not None and self.username is None:
            yield "a password needs a username"
        if fault := ca_file_fault(self.ca_file):
            yield fault
        if self.ca_file is not None and not self.tls:
            yield "ca_file needs tls: true"
        topics = (("topic", self.topic), ("discovery", self.discovery or "none"), ("birth", self.birth or "none"))
        for name, value in topics:
            if not value or set(value) & set("+#\0") or value.startswith(("/", "$")) or value.endswith("/"):
                yield f"{name} is not an MQTT topic"


@dataclass(frozen=True, kw_only=True)
class MailSettings(Settings):
    """The server, how the connection to it is kept private, and who writes to whom."""

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
        yield from _host_faults(self.host)
        yield from _port_faults(self.port)
        yield from _secret_faults(self.password)
        yield from _timeout_faults(self.timeout_s)
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


@dataclass(frozen=True, kw_only=True)
class MetricsSettings(Settings):
    """The address at which metrics are served; loopback by default."""

    states: ClassVar[tuple[StateChoice, ...]] = ("all",)

    host: str = "127.0.0.1"
    port: int | None = None

    def faults(self) -> Iterator[str]:
        yield from _port_faults(self.port)
        try:
            ip_address(self.host)
        except ValueError:
            yield "host is not an IP address"


Kind = Literal["lines", "folder", "webhook", "mqtt", "mail", "metrics"]
SETTINGS: Mapping[Kind, type[Settings]] = {
    "lines": LineSettings,
    "folder": ClipFolderSettings,
    "webhook": WebhookSettings,
    "mqtt": MqttSettings,
    "mail": MailSettings,
    "metrics": MetricsSettings,
}


@dataclass(frozen=True)
class SinkConfig:
    """One sink: what it is told and how it is reached. Its name is the route's."""

    route: Route
    settings: Settings


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


def _secret_faults(secret: Secret | None) -> list[str]:
    return [] if secret is None else secret.faults()


def _header_faults(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            yield f"{name[:40]!r} is not the name of a header"
        elif name.lower() in _OURS:
            yield f"header {name} is set by the sink itself"
        elif _SECRET_HEADERS.search(name) and not is_reference(value):
            yield f"header {name}: {HOW}"
        else:
            try:
                header_value(name, value)
            except ConfigError as error:
                yield error.what


def _timeout_faults(timeout_s: float) -> Iterator[str]:
    if not (isfinite(timeout_s) and 0 < timeout_s <= LONGEST_TIMEOUT_S):
        yield f"timeout_s must be above 0, at most {LONGEST_TIMEOUT_S:.0f}"


def _port_faults(port: int | None) -> Iterator[str]:
    if port is not None and not 0 < port < 65536:
        yield "port must be 1 to 65535"


def _host_faults(host: str) -> Iterator[str]:
    if not host or not host.isprintable() or set(host) & set(" /@"):
        yield "host is not the name of a machine"


def _is_mail_address(name: str) -> bool:
    user, _, host = name.rpartition("@")
    return bool(user and host) and name.isprintable() and not set(name) & set(" ,;<>")
