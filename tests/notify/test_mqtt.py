"""A real broker (mosquitto) on loopback that is killed and started again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.dispatcher import Dispatcher, SubscribedSink
from maskedskipunet.notify.mqtt import MqttConfig, MqttSettings, MqttSink
from maskedskipunet.notify.mqtt_client import Broker, BrokerConnection
from maskedskipunet.notify.names import plain_name
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import Attachments, RetryLaterError
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import FAULTS, Subscription

from .conftest import QUICK, delivery, until

NONE = Attachments()


@pytest.fixture(scope="session")
def program() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "no MQTT broker: install mosquitto (apt-get install mosquitto)"
        if os.environ.get("MASKEDSKIPUNET_NEEDS_BROKER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Mosquitto:
    """A broker that keeps its sessions and messages on disk at every change, so that killing it loses none."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\n"
        )
        self.program, self.process = program, None

    def start(self) -> None:
        command = [self.program, "-c", str(self.config)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "mosquitto ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def broker(program: str, tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    mosquitto = Mosquitto(program, folder)
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()


class Subscriber:
    """Hears everything under a few topics, in a session that outlives connections."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, str]] = []
        self.subscribed = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe([("maskedskipunet/#", 1), ("homeassistant/#", 1)])
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda client, _, message: self.heard.append((message.topic, message.payload.decode()))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        until(self.subscribed.is_set)

    def at(self, topic: str) -> list[str]:
        return [text for where, text in [*self.heard] if where == topic]

    def keys(self) -> list[str]:
        return [json.loads(text)["key"] for text in self.at("maskedskipunet/door/event")]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker.port)
    yield subscriber
    subscriber.close()


def sink_at(broker: Mosquitto, *, cameras=(), is_trial=False, **config) -> MqttSink:
    there = Broker(host="127.0.0.1", port=broker.port)
    return MqttSink(there, MqttConfig(**{"timeout_s": 20.0} | config), cameras=cameras, is_trial=is_trial)


def sinks_at(broker: Mosquitto, records, cameras=("door",), subscription=None, **settings) -> dict[str, SubscribedSink]:
    """As a watch builds it."""
    subscription = subscription or Subscription(sink="hook", states=FAULTS, states_after_s=0)
    return build_sinks(
        [SinkConfig(subscription, MqttSettings(host="127.0.0.1", port=broker.port, **settings))], records, cameras
    )


def kept(broker: Mosquitto) -> dict[str, str]:
    """What the broker keeps, as one sees it who comes now."""
    found: dict[str, str] = {}
    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe([("#", 1)])
    client.on_message = lambda client, _, message: (
        ready.set() if message.topic == "end" else found.update({message.topic: message.payload.decode()})
    )
    client.on_subscribe = lambda client, *_: client.publish("end", "", 1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    until(ready.is_set)
    client.disconnect()
    client.loop_stop()
    return found


def test_a_broker_that_is_killed_and_comes_back_loses_no_event_and_repeats_none_under_another_key(
    desk, broker, subscriber
):
    keys = desk.life("a")
    with Dispatcher(
        desk.records,
        {"hook": SubscribedSink(desk.subscription, sink_at(broker, cameras=["door"], timeout_s=5.0))},
        backoff=QUICK,
    ):
        until(lambda: len(set(subscriber.keys())) == 2)
        until(lambda: desk.count().waiting == 0)
        broker.kill()
        for event_id in ("b", "c"):
            keys += desk.life(event_id)
        until(lambda: any("broker" in str(fault) for fault in desk.faults()))
        assert desk.count().waiting == 4
        broker.start()
        until(lambda: desk.count().waiting == 0)
        until(lambda: len(set(subscriber.keys())) == 6)
    assert list(dict.fromkeys(subscriber.keys())) == keys
    until(lambda: subscriber.at("maskedskipunet/availability")[-1] == "offline")
    assert subscriber.at("maskedskipunet/availability").count("online") >= 2


def test_home_assistant_finds_a_camera_and_what_goes_on_there(broker, subscriber):
    sink = sink_at(broker, cameras=["door", "back yard"])
    sink.send(delivery(), NONE)
    yard = delivery(message={"camera": "back yard"})
    sink.send(yard, NONE)
    sink.send(delivery(phase="end"), NONE)
    until(lambda: subscriber.at("maskedskipunet/door/state") == ["ON", "OFF"])
    configs = {topic: json.loads(text) for topic, text in subscriber.heard if topic.startswith("homeassistant/")}
    assert len(configs) == 2
    told = configs["homeassistant/binary_sensor/maskedskipunet/door/config"]
    assert (told["state_topic"], told["device"]["name"]) == ("maskedskipunet/door/state", "door")
    assert told["availability_topic"] == "maskedskipunet/availability"
    assert any(topic.startswith("maskedskipunet/back_yard-") for topic, _ in subscriber.heard)
    sink.close()
    until(lambda: subscriber.at("maskedskipunet/availability")[-1:] == ["offline"])


def test_the_broker_says_that_we_have_gone_when_we_cannot(broker, subscriber):
    sink = sink_at(broker)
    sink.send(delivery(), NONE)
    until(lambda: subscriber.at("maskedskipunet/availability") == ["online"])
    sink._connection.client.socket().shutdown(socket.SHUT_RDWR)  # what a crash or a cut cable does
    until(lambda: "offline" in subscriber.at("maskedskipunet/availability"))
    until(lambda: subscriber.at("maskedskipunet/availability")[-1] == "online")  # and we are back of ourselves
    sink.close()


def test_who_comes_after_a_watch_has_died_still_learns_that_it_is_gone(broker):
    there, topic = Broker(host="127.0.0.1", port=broker.port), "maskedskipunet/availability"
    connection = BrokerConnection(there, presence=topic, timeout_s=20.0, on_open=lambda client: None)
    connection.open()
    until(lambda: kept(broker).get(topic) == "online")
    connection.hang_up()  # without a goodbye, as when the process is killed: the broker says the last will
    until(lambda: kept(broker).get(topic) == "offline")


def test_a_broker_that_is_not_there_or_says_nothing_is_away(program, tmp_path):
    nobody = Mosquitto(program, tmp_path)
    with pytest.raises(RetryLaterError, match="the broker cannot be reached"):
        sink_at(nobody).send(delivery(), NONE)
    with socket.create_server(("127.0.0.1", nobody.port)):
        sink = sink_at(nobody, timeout_s=0.2)
        with pytest.raises(RetryLaterError, match="the broker does not answer"):
            sink.send(delivery(), NONE)
        sink.close()


def test_a_watch_says_that_it_is_there_and_that_nothing_goes_on_before_any_event(desk, broker):
    subscribed_sinks = sinks_at(broker, desk.records, ["door", "back yard"])
    with Dispatcher(desk.records, subscribed_sinks, backoff=QUICK):
        until(lambda: kept(broker).get("maskedskipunet/door/health"))
        found = kept(broker)
    assert found["maskedskipunet/availability"] == "online"
    assert found["maskedskipunet/door/state"] == "OFF"
    assert json.loads(found["maskedskipunet/door/health"]) == {"camera": "door", "states": []}
    told = json.loads(found["homeassistant/binary_sensor/maskedskipunet/door/config"])
    assert found[told["availability_topic"]] == "online"
    assert told["availability_topic"] != "maskedskipunet/availability"
    assert len([topic for topic in found if topic.startswith("homeassistant/")]) == 4
    assert kept(broker)[told["availability_topic"]] == "offline"


def test_a_broker_that_does_not_let_us_in_is_said_at_the_start(desk, program, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
    (tmp_path / "users").write_text("")
    strict = Mosquitto(program, tmp_path)
    strict.config.write_text(
        f"listener {strict.port} 127.0.0.1\nallow_anonymous false\nuser root\npassword_file {tmp_path}/users\n"
    )
    strict.start()
    try:
        subscribed_sinks = sinks_at(strict, desk.records, username="me", password=Secret("env:MQTT_PASSWORD"))
        with Dispatcher(desk.records, subscribed_sinks, backoff=QUICK):
            until(lambda: "sink hook: the broker refuses the connection (Not authorized)" in caplog.text)
            desk.tell("new", "a")
            until(lambda: "the broker refuses the connection (Not authorized)" in desk.faults())
    finally:
        strict.kill()
    assert caplog.text.count("refuses the connection") == 1
    assert "hunter2" not in caplog.text


def test_all_is_said_again_when_a_broker_that_forgot_it_comes_back(desk, broker):
    broker.config.write_text(f"listener {broker.port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    broker.kill()
    broker.start()
    with Dispatcher(desk.records, sinks_at(broker, desk.records), backoff=QUICK):
        until(lambda: kept(broker).get("maskedskipunet/door/state") == "OFF")
        before = kept(broker)
        broker.kill()
        broker.start()
        until(lambda: kept(broker) == before)


def test_all_is_said_again_when_home_assistant_has_started(desk, broker, subscriber):
    config, state = "homeassistant/binary_sensor/maskedskipunet/door/config", "maskedskipunet/door/state"
    with Dispatcher(desk.records, sinks_at(broker, desk.records), backoff=QUICK):
        until(lambda: subscriber.at(state) == ["OFF"])
        subscriber.client.publish("homeassistant/status", "offline", 1)
        subscriber.client.publish("homeassistant/status", "online", 1).wait_for_publish(20)
        until(lambda: subscriber.at(state) == ["OFF", "OFF"])
        until(lambda: len(subscriber.at(config)) == 2)


def test_what_a_killed_watch_left_on_is_off_though_its_camera_is_gone_and_ends_are_not_told(desk, broker):
    subscription, state = Subscription(sink="hook", phases=("new",)), f"maskedskipunet/{plain_name('old door')}/state"
    with Dispatcher(
        desk.records, sinks_at(broker, desk.records, ["old door"], subscription), backoff=QUICK
    ) as dispatcher:
        desk.tell("new", "a", camera="old door", subscriptions=[subscription])
        until(lambda: kept(broker).get(state) == "ON")
        dispatcher.close()
    old = f"homeassistant/binary_sensor/maskedskipunet/{plain_name('old door')}/config"
    assert kept(broker)[old]
    desk.records.end_left_open(subscriptions=[subscription])
    with Dispatcher(desk.records, sinks_at(broker, desk.records, ["door"], subscription), backoff=QUICK):
        until(lambda: kept(broker).get(state) == "OFF")
        until(lambda: old not in kept(broker))
        assert kept(broker)["homeassistant/binary_sensor/maskedskipunet/door/config"]


def test_a_sensor_is_taken_back_where_it_is_ours_and_left_where_it_is_anothers(desk, broker):
    health, node = Subscription(sink="hook", states=FAULTS), "homeassistant/binary_sensor/maskedskipunet"
    with Dispatcher(desk.records, sinks_at(broker, desk.records, ["door"], health), backoff=QUICK):
        until(lambda: f"{node}-health/door/config" in kept(broker))
    old, other = (json.dumps({"availability_topic": f"maskedskipunet/{which}"}) for which in ("availability", "other"))
    desk.records.add_camera("hall", "")  # of an earlier watch into these records
    desk.records.add_camera("yard", "")
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for camera, config in (("hall", old), ("yard", other), ("cellar", old)):
        client.publish(f"{node}/{camera}/config", config, 1, retain=True).wait_for_publish(20)
    with Dispatcher(desk.records, sinks_at(broker, desk.records, ["door"], desk.subscription), backoff=QUICK):
        until(lambda: {f"{node}/hall/config", f"{node}-health/door/config"}.isdisjoint(kept(broker)))
        assert {f"{node}/{camera}/config" for camera in ("door", "yard", "cellar")} <= kept(broker).keys()
    client.disconnect()
    client.loop_stop()


def test_a_sink_that_is_told_of_begins_alone_does_not_stay_on(desk, broker, subscriber):
    subscription = Subscription(sink="hook", phases=("new",))
    with Dispatcher(desk.records, sinks_at(broker, desk.records, subscription=subscription), backoff=QUICK):
        until(lambda: subscriber.at("maskedskipunet/door/state") == ["OFF"])
        desk.tell("new", "a", subscriptions=[subscription])
        until(lambda: subscriber.at("maskedskipunet/door/state") == ["OFF", "ON"])
        desk.tell("end", "a", subscriptions=[subscription])
        until(lambda: subscriber.at("maskedskipunet/door/state") == ["OFF", "ON", "OFF"])
    assert subscriber.keys() == ["a:new:0"]


def test_two_watches_under_one_topic_come_and_go_each_for_itself(desk, broker, tmp_path):
    def availability(camera):
        found = kept(broker)
        config = found.get(f"homeassistant/binary_sensor/maskedskipunet/{camera}/config")
        return None if config is None else found.get(json.loads(config)["availability_topic"])

    with Records.open(tmp_path / "other", watching=True) as records:
        other = Dispatcher(records, sinks_at(broker, records, ["yard"]), backoff=QUICK)
        with Dispatcher(desk.records, sinks_at(broker, desk.records, ["door"]), backoff=QUICK), other:
            until(lambda: (availability("door"), availability("yard")) == ("online", "online"))
            other.close()
            until(lambda: availability("yard") == "offline")
            assert availability("door") == "online"
            until(lambda: kept(broker)["maskedskipunet/availability"] == "online")
    until(lambda: kept(broker)["maskedskipunet/availability"] == "offline")


@pytest.mark.parametrize("topic", ["home/cctv", "a b/ä"])
def test_whatever_the_topic_is_home_assistant_finds_it_at_the_depth_where_it_looks(desk, broker, topic):
    with Dispatcher(desk.records, sinks_at(broker, desk.records, topic=topic), backoff=QUICK):
        until(lambda: f"{topic}/door/state" in kept(broker))
        configs = {where: text for where, text in kept(broker).items() if where.startswith("homeassistant/")}
    for where, text in configs.items():
        assert re.fullmatch(r"homeassistant/binary_sensor/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", where)
        assert json.loads(text)["state_topic"].startswith(f"{topic}/door/")
    assert len(configs) == 2


def test_what_is_wrong_with_a_camera_is_kept_there_while_it_lasts_and_told_as_it_begins(desk, broker, subscriber):
    subscription = Subscription(sink="hook", states=FAULTS, states_after_s=0)

    def states():
        return [
            [one["kind"] for one in json.loads(text)["states"]] for text in subscriber.at("maskedskipunet/door/health")
        ]

    with Dispatcher(desk.records, sinks_at(broker, desk.records), backoff=QUICK):
        desk.records.begin_state("door", "dark", "contrast 2", subscriptions=[subscription])
        until(lambda: states()[-1:] == [["dark"]])
        desk.records.begin_state("door", "night", subscriptions=[subscription])
        desk.records.end_state("door", "dark", subscriptions=[subscription])
        until(lambda: states()[-1:] == [[]])
        until(lambda: len(subscriber.at("maskedskipunet/door/health/event")) == 2)
    told = [json.loads(text) for text in subscriber.at("maskedskipunet/door/health/event")]
    assert [(one["state"], one["phase"], one["detail"]) for one in told] == [
        ("dark", "new", "contrast 2"),
        ("dark", "end", "contrast 2"),
    ]


def test_a_trial_leaves_no_trace_at_the_broker(broker, subscriber):
    sink = sink_at(broker, cameras=["door"], is_trial=True)
    sink.send(delivery(message={"kind": "test", "camera": "test"}), NONE)
    sink.close()
    until(lambda: subscriber.at("maskedskipunet/test"))
    assert kept(broker) == {}
