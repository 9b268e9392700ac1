"""Events to an MQTT broker, found by Home Assistant of itself."""

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.sinks.names import plain_name
from maskedskipunet.monitor.sinks.secrets import Secret
from maskedskipunet.monitor.sinks.sink import Attachments, AwayError
from maskedskipunet.records.outbox import Delivery

if TYPE_CHECKING:
    from paho.mqtt.client import Client

KEEP_ALIVE_S = 30
AT_LEAST_ONCE = 1


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where a broker is and who we are there. ca_file: whom to trust instead of the system's authorities."""

    host: str
    port: int
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    ca_file: Path | None = None


class MqttSink:
    """Publishes each message at `TOPIC/CAMERA/event`, and whether something goes on there at `TOPIC/CAMERA/state`.

    All with quality of service 1: a message is delivered when the broker has said that it has it. `TOPIC/availability`
    is `online`, and `offline` when we have gone, said by the broker if need be (last will). State and availability are
    retained. discovery: the prefix under which Home Assistant looks for devices; empty: none. cameras: those that are
    announced at once, others are with their first event.
    Raises ConfigError when paho-mqtt is not installed.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        topic: str = "maskedskipunet",
        discovery: str = "homeassistant",
        cameras: Sequence[str] = (),
        timeout_s: float = 10.0,
    ) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            cure = "Install it with pip install 'maskedskipunet[mqtt]'"
            raise ConfigError("MQTT needs paho-mqtt", "sinks", cure) from error
        self.broker, self.topic, self.discovery, self.timeout_s = broker, topic, discovery, timeout_s
        self._cameras = [*cameras]
        # The same at each connection: then the broker says the last will of the one before at once, and not later.
        self._client_id = f"maskedskipunet-{uuid4().hex[:12]}"
        self._client: Client | None = None
        self._connected = threading.Event()
        self._refusal = ""

    def send(self, delivery: Delivery, files: Attachments) -> None:
        camera, deadline_s = str(delivery.message["camera"]), time.monotonic() + self.timeout_s
        client = self._connect()
        messages = [
            (f"{self._of(camera)}/event", json.dumps(delivery.message), False),
            (f"{self._of(camera)}/state", "OFF" if delivery.phase == "end" else "ON", True),
        ]
        if camera not in self._cameras:
            messages[:0] = self._announcement(camera)
        try:
            sent = [client.publish(topic, text, AT_LEAST_ONCE, retain) for topic, text, retain in messages]
            for one in sent:
                one.wait_for_publish(max(0.0, deadline_s - time.monotonic()))
            if not all(one.is_published() for one in sent):
                raise AwayError("the broker does not confirm in time")
        except (ValueError, RuntimeError, AwayError) as error:
            self._hang_up()  # with all that is half sent, or the library would send it besides us
            raise AwayError("the connection to the broker broke off") from error
        if camera not in self._cameras:
            self._cameras.append(camera)

    def close(self) -> None:
        if self._client is not None and self._client.is_connected():
            self._client.publish(self._availability, "offline", AT_LEAST_ONCE, True).wait_for_publish(self.timeout_s)
            self._client.disconnect()
        self._hang_up()

    @property
    def _availability(self) -> str:
        return f"{self.topic}/availability"

    def _of(self, camera: str) -> str:
        return f"{self.topic}/{plain_name(camera)}"

    def _connect(self) -> "Client":
        if self._client is None:
            try:
                self._client = self._new_client()
                self._client.connect(self.broker.host, self.broker.port, KEEP_ALIVE_S)
            except ConfigError as error:
                self._client = None
                raise AwayError(error.what) from error
            except (OSError, ValueError) as error:
                self._client = None
                raise AwayError(f"the broker cannot be reached ({type(error).__name__})") from error
            self._client.loop_start()
        if not self._connected.wait(self.timeout_s):
            self._hang_up()
            raise AwayError(self._refusal or "the broker does not answer")
        return self._client

    def _new_client(self) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id)
        if self.broker.username is not None:
            password = self.broker.password
            client.username_pw_set(self.broker.username, None if password is None else password.reveal())
        if self.broker.tls:
            client.tls_set(ca_certs=None if self.broker.ca_file is None else str(self.broker.ca_file))
        client.will_set(self._availability, "offline", AT_LEAST_ONCE, retain=True)
        client.connect_timeout = self.timeout_s
        client.reconnect_delay_set(1, 60)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, client: "Client", _: object, flags: object, reason: Any, properties: object) -> None:
        """In the library's thread, at each connection, also after the broker was away."""
        if reason.is_failure:
            self._refusal = f"the broker refuses us ({reason})"
            return
        for camera in [*self._cameras]:
            for topic, text, retain in self._announcement(camera):
                client.publish(topic, text, AT_LEAST_ONCE, retain)
        client.publish(self._availability, "online", AT_LEAST_ONCE, retain=True)
        self._refusal = ""
        self._connected.set()

    def _on_disconnect(self, client: object, _: object, flags: object, reason: object, properties: object) -> None:
        self._connected.clear()

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            if isinstance(open_socket := client.socket(), socket.socket):
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
            client.disconnect()
            client.loop_stop()
        self._connected.clear()

    def _announcement(self, camera: str) -> list[tuple[str, str, bool]]:
        """Topic, text and whether it is retained of what makes a camera known to Home Assistant."""
        if not self.discovery:
            return []
        name = plain_name(camera)
        device = {"identifiers": [f"{self.topic}_{name}"], "name": camera, "manufacturer": "maskedskipunet"}
        told: Mapping[str, object] = {
            "name": "Anomaly",
            "unique_id": f"{self.topic}_{name}_anomaly",
            "device_class": "problem",
            "state_topic": f"{self._of(camera)}/state",
            "payload_on": "ON",
            "payload_off": "OFF",
            "json_attributes_topic": f"{self._of(camera)}/event",
            "availability_topic": self._availability,
            "device": device,
            "origin": {"name": "maskedskipunet"},
        }
        return [(f"{self.discovery}/binary_sensor/{self.topic}/{name}/config", json.dumps(told), True)]
