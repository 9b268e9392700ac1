"""A receiver of webhooks that dies, comes back, and answers whatever it is told to."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Receiver:
    """Keeps what is posted, and answers 200 or what the next of its steps says; it may be down at times.

    certificate: with its key, where it speaks HTTPS. requests: the headers and body of each. handled: each message
    once, by its key, as a careful receiver does.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.certificate = certificate
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}/hook?token=hunter2"
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.handled: dict[str, Any] = {}
        self.steps: list[tuple[int, dict[str, str]]] = []

    @contextmanager
    def up(self) -> Iterator[None]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    return  # the sender was killed in the midst of it
                receiver.requests.append((dict(self.headers), body))
                status, headers = receiver.steps.pop(0) if receiver.steps else (200, {})
                if status == 200:
                    receiver.handled.setdefault(self.headers["Idempotency-Key"], json.loads(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
