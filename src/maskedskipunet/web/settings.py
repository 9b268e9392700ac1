"""Where the page is served and what it shows."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from maskedskipunet.errors import ConfigError

PORT = 8420
BUSY_TIMEOUT_S = 5.0  # a person waits no longer for another process that writes


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """Settings of the page: what it shows, and where it is served.

    records: the folder of `watch`. model: the run that learns what is answered as normal; None: answers are kept, and
    nothing learns. runs: the folder of runs that is shown. host: the IP address to listen at. host_names: names that
    browsers reach the page by besides this machine's own, as behind a server that adds TLS; with any, somebody has to
    log in. busy_timeout_s: how long a request waits for another process that writes.
    """

    records: Path
    model: Path | None = None
    runs: Path | None = None
    host: str = "127.0.0.1"
    port: int = PORT
    host_names: tuple[str, ...] = ()
    busy_timeout_s: float = BUSY_TIMEOUT_S

    def __post_init__(self) -> None:
        try:
            ip_address(self.host)
        except ValueError as error:
            cure = "Use 127.0.0.1, or 0.0.0.0 for all of this machine's addresses"
            raise ConfigError(f"{self.host[:80]!r} is no IP address", "host", cure) from error
        if not 0 <= self.port < 65536:
            raise ConfigError(f"{self.port} is no port", "port", "Use 1 to 65535")

    @property
    def is_loopback(self) -> bool:
        """True if only this machine can reach the page."""
        return ip_address(self.host).is_loopback

    @property
    def needs_login(self) -> bool:
        """True if everybody has to log in, even while there are no users."""
        return not self.is_loopback or bool(self.host_names)

    @property
    def url(self) -> str:
        """The address that a browser on this machine opens."""
        address = ip_address(self.host)
        host = "127.0.0.1" if address.is_unspecified else self.host
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"
