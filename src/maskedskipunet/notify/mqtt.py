"""Publishes events and health to an MQTT broker; Home Assistant discovers the cameras by itself."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.notify.connection_errors import ca_file_fault
from maskedskipunet.notify.discovery import OFF, ON, ONLINE, Discovery, Topics
from maskedskipunet.notify.mqtt_client import AT_LEAST_ONCE, Broker, BrokerConnection, SharedPresence
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.settings import (
    Settings,
    SinkContext,
    host_faults,
    port_faults,
    secret_faults,
    timeout_faults,
)
from maskedskipunet.notify.sink import Attachments, RetryLaterError, Sink
from maskedskipunet.records.identity import watch_id
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.recorded import iso_time
from maskedskipunet.records.states import State
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import FAULTS, StateChoice, Subscription

if TYPE_CHECKING:
    from paho.mqtt.client import Client


@dataclass(frozen=True)
class CurrentState:
    """The current state of a camera. is_alarm: an event is open. states: faults of the camera itself."""

    is_alarm: bool
    states: tuple[State, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """Settings of the published topics.

    topic: the beginning of all topics. discovery: the prefix under which Home Assistant looks for devices; empty: none.
    birth: the topic at which Home Assistant publishes `online` when it has started. health: publish faults of cameras.
    watch_id: identifies this watch among several under one topic; empty if it is the only one.
    """

    topic: str = "maskedskipunet"
    discovery: str = "homeassistant"
    birth: str = "homeassistant/status"
    health: bool = False
    watch_id: str = ""
    timeout_s: float = 10.0


class MqttSink:
    """Publishes the messages of events at `TOPIC/CAMERA/event`, and whether one is open at `TOPIC/CAMERA/state`.

    Faults of a camera are at `TOPIC/CAMERA/health`, and their begin and end at `TOPIC/CAMERA/health/event`. All
    messages have quality of service 1: a message is delivered when the broker has acknowledged it. States, health and
    availability are retained; they are published when the connection opens, before any event, and again when it comes
    back or Home Assistant has started. `TOPIC/WATCH/availability` is `online`, and `offline` when this watch has ended,
    published by the broker if necessary (last will); `TOPIC/availability` is `online` while any watch is.
    cameras: those to announce. read_states: returns the current states of these cameras and of those of earlier
    watches; None: the states follow from the messages. is_trial: only delivers messages, and publishes nothing else.
    Raises ConfigError when paho-mqtt is not installed.
    """

    def __init__(
        self,
        broker: Broker,
        config: MqttConfig | None = None,
        *,
        cameras: Sequence[str] = (),
        read_states: Callable[[], Mapping[str, CurrentState]] | None = None,
        is_trial: bool = False,
    ) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            cure = "Install it with pip install 'maskedskipunet[mqtt]'"
            raise ConfigError("MQTT needs paho-mqtt", "sinks", cure) from error
        self.config = config = config or MqttConfig()
        self.topics = Topics(config.topic, config.watch_id)
        self._discovery = Discovery(config.discovery, self.topics, config.health)
        self._cameras, self._read_states, self._is_trial = [*cameras], read_states, is_trial
        self._last_known = {camera: CurrentState(False) for camera in cameras}  # used when there is no read_states
        self._described = self._discovery.of(self._cameras) if config.discovery and not is_trial else {}
        self._round = 0  # counts connections and starts of Home Assistant: each publishes everything again
        self._published: dict[str, tuple[int, str]] = {}  # retained messages, and their round, by topic
        self._former: Set[str] = frozenset()  # cameras no longer watched
        self._wake: Callable[[], None] = lambda: None
        self._connection = BrokerConnection(
            broker,
            presence="" if is_trial else self.topics.availability,
            timeout_s=config.timeout_s,
            on_open=self._opened,
            on_closed=self._closed,
            on_message=self._on_message,
        )
        is_shared = self.topics.availability != self.topics.shared_availability and not is_trial
        self._shared = SharedPresence(broker, self.topics.shared_availability, config.timeout_s) if is_shared else None
        self._shared_round = 0  # when it was last opened; it reconnects by itself

    def when_due(self, wake: Callable[[], None]) -> None:
        """Store `wake`, which is called from any thread when there is something to announce."""
        self._wake = wake

    def announce(self) -> bool:
        """Publish the states that the broker does not have yet. Return whether anything was published."""
        if self._is_trial:
            return False
        now = self._current_states()
        self._former = now.keys() - self._cameras
        client = self._connection.open()
        current = self._round
        self._open_shared(current)
        expected = {topic: (current, text) for topic, text in self._retained(self._cameras, now).items()}
        # Only once: another watch may have taken over a camera.
        expected |= {topic: (0, text) for topic, text in self._retained(sorted(self._former), now).items()}
        changed = {topic: stamped for topic, stamped in expected.items() if self._published.get(topic) != stamped}
        if changed:
            self._publish(client, [(topic, text, True) for topic, (_, text) in changed.items()])
            self._published.update(changed)
        return bool(changed)

    def send(self, delivery: Delivery, files: Attachments) -> None:
        client = self._connection.open()
        camera, text = str(delivery.message["camera"]), json.dumps(delivery.message)
        if delivery.kind == "test":
            self._publish(client, [(self.topics.test, text, False)])
        elif delivery.kind == "state":
            self._publish(client, [(self.topics.health_event(camera), text, False)])
        else:
            is_alarm = delivery.phase != "end"
            is_watched = camera in self._cameras
            state, state_text = self.topics.state(camera), ON if is_alarm else OFF
            stamped = (self._round if is_watched else 0, state_text)
            messages = [(self.topics.event(camera), text, False)]
            if not is_watched or self._published.get(state) != stamped:  # otherwise it was announced before
                messages.append((state, state_text, True))
            self._publish(client, messages)
            self._last_known[camera] = CurrentState(is_alarm)
            self._published[state] = stamped

    def close(self) -> None:
        self._connection.close()
        if self._shared is not None:
            self._shared.close()

    def _current_states(self) -> Mapping[str, CurrentState]:
        try:
            return self._last_known if self._read_states is None else self._read_states()
        except MaskedSkipUNetError as error:
            raise RetryLaterError(f"the records cannot be read at the moment ({error.what})") from error

    def _retained(self, cameras: Sequence[str], now: Mapping[str, CurrentState]) -> dict[str, str]:
        """Return the messages to retain, by topic."""
        expected = {}
        for camera in cameras:
            current = now.get(camera, CurrentState(False))
            expected[self.topics.state(camera)] = ON if current.is_alarm else OFF
            if self.config.health:
                expected[self.topics.health(camera)] = _health(camera, current.states)
        return expected

    def _open_shared(self, current: int) -> None:
        """Open it once in each round. A broker that refuses a second connection still gets all messages."""
        if self._shared is not None and self._shared_round != current:
            self._shared_round = current
            with suppress(RetryLaterError):
                self._shared.open()

    def _publish(self, client: "Client", messages: Sequence[tuple[str, str, bool]]) -> None:
        deadline_s = time.monotonic() + self.config.timeout_s
        try:
            sent = [client.publish(topic, text, AT_LEAST_ONCE, retain) for topic, text, retain in messages]
            for info in sent:
                info.wait_for_publish(max(0.0, deadline_s - time.monotonic()))
            if not all(info.is_published() for info in sent):
                raise RetryLaterError("the broker does not confirm in time")
        except (ValueError, RuntimeError, RetryLaterError) as error:
            self._connection.hang_up()
            raise RetryLaterError("the connection to the broker was lost") from error

    def _opened(self, client: "Client") -> None:
        """Publish states at each connection; the library calls this in its own thread."""
        if self._is_trial:
            return
        if self.config.discovery:
            topics = [*self._discovery.filters, *([self.config.birth] if self.config.birth else [])]
            client.subscribe([(topic, AT_LEAST_ONCE) for topic in topics])
        self._describe(client)

    def _describe(self, client: "Client") -> None:
        for topic, text in self._described.items():
            client.publish(topic, text, AT_LEAST_ONCE, retain=True)
        self._round += 1
        self._wake()

    def _closed(self) -> None:
        self._wake()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        """Handle a message in the library's thread: Home Assistant has started, or a camera is described."""
        client = self._connection.client
        if client is None:
            return
        if topic == self.config.birth:
            if payload == ONLINE.encode() and not retained:
                self._describe(client)
                client.publish(self.topics.availability, ONLINE, AT_LEAST_ONCE, retain=True)
        elif payload and topic not in self._described:
            could_be_ours = replace(self._discovery, health=True).of([*self._cameras, *self._former])
            owners = self.topics.availability, self.topics.shared_availability  # the second: of an earlier version
            if topic in could_be_ours and self._discovery.owner_of(payload) in owners:
                client.publish(topic, "", AT_LEAST_ONCE, retain=True)  # removes the sensor


def _health(camera: str, states: Sequence[State]) -> str:
    described = [
        {"kind": state.kind, "detail": state.detail, "began_at": iso_time(state.began_unix_s)} for state in states
    ]
    return json.dumps({"camera": camera, "states": described})


@dataclass(frozen=True, kw_only=True)
class MqttSettings(Settings):
    """The broker, the beginning of our topics, and Home Assistant's topics.

    discovery: the prefix of its discovery, empty for none. birth: the topic at which it publishes its start.
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
        yield from host_faults(self.host)
        yield from port_faults(self.port)
        yield from secret_faults(self.password)
        yield from timeout_faults(self.timeout_s)
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

    def build(self, context: SinkContext) -> Sink:
        records, subscription = context.records, context.subscription
        broker = Broker(
            host=self.host,
            port=self.port or (8883 if self.tls else 1883),
            username=self.username,
            password=self.password,
            tls=self.tls,
            ca_file=self.ca_file,
        )
        config = MqttConfig(
            topic=self.topic,
            discovery=self.discovery,
            birth=self.birth,
            health=bool(subscription.states),
            watch_id="" if records is None else watch_id(records.folder),
            timeout_s=self.timeout_s,
        )
        read_states = None if records is None else _read_states(records, subscription)
        return MqttSink(broker, config, cameras=context.cameras, read_states=read_states, is_trial=records is None)


def _read_states(records: Records, subscription: Subscription) -> Callable[[], Mapping[str, CurrentState]]:
    """Return a function that reads the current state of each camera from the records."""

    def read_states() -> Mapping[str, CurrentState]:
        alarms = {recorded.camera for recorded in records.events(open_only=True)}
        states = [state for state in records.states(lasting_only=True) if subscription.takes_state(state.kind)]
        return {
            camera: CurrentState(camera in alarms, tuple(state for state in states if state.camera == camera))
            for camera in records.cameras()
        }

    return read_states
