"""Connections to an MQTT broker."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.connection_errors import reason_of
from maskedskipunet.notify.discovery import OFFLINE, ONLINE
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import RetryLaterError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

KEEP_ALIVE_S = 30
AT_LEAST_ONCE = 1


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The address of a broker and the login there. ca_file: certificates to trust instead of the system's."""

    host: str
    port: int
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    ca_file: Path | None = None


class BrokerConnection:
    """A connection that reconnects by itself, and whose end the broker announces at `presence`.

    presence: the topic of its last will; empty: none. The client id is the same for each connection, so that the broker
    publishes the last will of the one before at once. on_open, on_closed, on_message: called in the library's thread.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        presence: str,
        timeout_s: float,
        on_open: Callable[["Client"], None],
        on_closed: Callable[[], None] = lambda: None,
        on_message: Callable[[str, bytes, bool], None] = lambda topic, payload, retained: None,
    ) -> None:
        self.broker, self.presence, self.timeout_s = broker, presence, timeout_s
        self._on_open, self._on_closed, self._on_message = on_open, on_closed, on_message
        self._client_id = f"maskedskipunet-{uuid4().hex[:12]}"
        self.client: Client | None = None
        self._answered = threading.Event()
        self._is_open = False
        self._refusal = ""

    def open(self) -> "Client":
        """Return the connected client. Raises RetryLaterError if the broker cannot be reached or refuses."""
        if self.client is None:
            try:
                self.client = self._new_client()
                self.client.connect(self.broker.host, self.broker.port, KEEP_ALIVE_S)
            except ConfigError as error:
                self.client = None
                raise RetryLaterError(error.what) from error
            except (OSError, ValueError) as error:
                self.client = None
                raise RetryLaterError(f"the broker cannot be reached: {reason_of(error)}") from error
            self.client.loop_start()
        if not self._answered.wait(self.timeout_s) or not self._is_open:
            refusal = self._refusal
            self.hang_up()
            raise RetryLaterError(refusal or "the broker does not answer")
        return self.client

    def close(self) -> None:
        """Announce the end and disconnect, if there is a connection."""
        if self.client is not None and self.client.is_connected():
            if self.presence:
                goodbye = self.client.publish(self.presence, OFFLINE, AT_LEAST_ONCE, True)
                with suppress(ValueError, RuntimeError):
                    goodbye.wait_for_publish(self.timeout_s)
            self.client.disconnect()
        self.hang_up()

    def hang_up(self) -> None:
        """Drop the connection and all that is half sent, which the library would otherwise send once more."""
        client, self.client = self.client, None
        if client is not None:
            client.on_disconnect = None
            if isinstance(open_socket := client.socket(), socket.socket):
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
            client.disconnect()
            client.loop_stop()
        self._is_open, self._refusal = False, ""
        self._answered.clear()

    def _new_client(self) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id)
        if self.broker.username is not None:
            password = self.broker.password
            client.username_pw_set(self.broker.username, None if password is None else password.reveal())
        if self.broker.tls:
            client.tls_set(ca_certs=None if self.broker.ca_file is None else str(self.broker.ca_file))
        if self.presence:
            client.will_set(self.presence, OFFLINE, AT_LEAST_ONCE, retain=True)
        client.connect_timeout = self.timeout_s
        client.reconnect_delay_set(1, 60)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._receive
        return client

    def _connected(self, client: "Client", _: object, flags: object, reason: Any, properties: object) -> None:
        """Handle a connection, also after the broker was unavailable."""
        if reason.is_failure:
            self._refusal = f"the broker refuses the connection ({reason})"
        else:
            self._on_open(client)
            if self.presence:
                client.publish(self.presence, ONLINE, AT_LEAST_ONCE, retain=True)
            self._is_open, self._refusal = True, ""
        self._answered.set()

    def _disconnected(self, client: object, _: object, flags: object, reason: object, properties: object) -> None:
        if self._is_open:  # else the refusal stands until it was reported
            self._is_open = False
            self._answered.clear()
            self._on_closed()

    def _receive(self, client: object, _: object, message: Any) -> None:
        self._on_message(message.topic, message.payload, message.retain)


class SharedPresence:
    """Publishes at one topic whether any of several watches is online. Each has its own connection for its last will.

    A watch that sees another go offline publishes that it is itself online.
    """

    def __init__(self, broker: Broker, topic: str, timeout_s: float) -> None:
        self.topic = topic
        self._connection = BrokerConnection(
            broker, presence=topic, timeout_s=timeout_s, on_open=self._subscribe, on_message=self._on_message
        )

    def open(self) -> None:
        """Connect. Raises RetryLaterError as a connection does."""
        self._connection.open()

    def close(self) -> None:
        if self._connection.client is not None:
            self._connection.client.on_message = None
        self._connection.close()

    def _subscribe(self, client: "Client") -> None:
        client.subscribe(self.topic, AT_LEAST_ONCE)

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if payload == OFFLINE.encode() and not retained and self._connection.client is not None:
            self._connection.client.publish(self.topic, ONLINE, AT_LEAST_ONCE, retain=True)
