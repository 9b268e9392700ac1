"""A real broker (mosquitto) on loopback that is killed and started again."""

import json
import os
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

from maskedskipunet.monitor.sinks.courier import Courier, Post
from maskedskipunet.monitor.sinks.mqtt import Broker, MqttSink
from maskedskipunet.monitor.sinks.sink import Attachments, AwayError

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


def sink_at(broker: Mosquitto, **more) -> MqttSink:
    return MqttSink(Broker(host="127.0.0.1", port=broker.port), **{"timeout_s": 20.0} | more)


def test_a_broker_that_is_killed_and_comes_back_loses_no_event_and_repeats_none_under_another_key(
    desk, broker, subscriber
):
    keys = desk.life("a")
    with Courier(desk.records, {"hook": Post(desk.route, sink_at(broker, cameras=["door"]))}, backoff=QUICK):
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
    sink = sink_at(broker, cameras=["door"])
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
    sink._client.socket().shutdown(socket.SHUT_RDWR)  # what a crash or a cut cable does
    until(lambda: "offline" in subscriber.at("maskedskipunet/availability"))
    until(lambda: subscriber.at("maskedskipunet/availability")[-1] == "online")  # and we are back of ourselves
    sink.close()


def test_a_broker_that_is_not_there_or_says_nothing_is_away(program, tmp_path):
    nobody = Mosquitto(program, tmp_path)
    with pytest.raises(AwayError, match="the broker cannot be reached"):
        sink_at(nobody).send(delivery(), NONE)
    with socket.create_server(("127.0.0.1", nobody.port)):
        sink = sink_at(nobody, timeout_s=0.2)
        with pytest.raises(AwayError, match="the broker does not answer"):
            sink.send(delivery(), NONE)
        sink.close()
