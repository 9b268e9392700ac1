"""Serves the page until it is ended."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from maskedskipunet.errors import ConfigError
from maskedskipunet.records.users import has_users
from maskedskipunet.web.app import create_app
from maskedskipunet.web.page import Page, open_page
from maskedskipunet.web.settings import PageSettings

log = logging.getLogger(__name__)
MOST_CONNECTIONS = 300
LAST_WORDS_S = 3


def serve(settings: PageSettings, version: str = "", *, on_ready: Callable[[str], None] = lambda line: None) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    on_ready: receives a line when browsers can reach the page.
    Raises RecordsError where there are no records, ConfigError for an address that cannot be had, and for one that
    others can reach where nobody has to log in.
    """
    with open_page(settings) as page:
        require_login(page)
        listener = _listen(settings)
        with listener:
            server = uvicorn.Server(_config(page, version))
            on_ready(f"the page is at {_url(settings, listener)}")
            server.run(sockets=[listener])


def require_login(page: Page) -> None:
    """Raise ConfigError where others can reach the page and there is nobody who could log in."""
    if page.settings.needs_login and not has_users(page.records):
        folder = page.settings.records
        cure = f"Add one with `maskedskipunet users add NAME --role editor --records {folder}`"
        raise ConfigError("others can reach the page, and there is no user", "serve", cure)


def _config(page: Page, version: str) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(page, version),
        log_level="warning",
        access_log=False,  # addresses of events say what people look at
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=LAST_WORDS_S,
        timeout_keep_alive=15,
        ws="none",
        lifespan="off",
    )


def _listen(settings: PageSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)  # who comes before the server runs waits for it
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(f"the address cannot be used ({error.strerror})", where, "Name another --port") from error
    return listener


def _url(settings: PageSettings, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return settings.url.replace(f":{settings.port}/", f":{port}/")
