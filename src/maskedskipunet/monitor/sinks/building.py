"""Sinks out of their settings."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from maskedskipunet.monitor.sinks.clip_folder import ClipFolderSink
from maskedskipunet.monitor.sinks.config import (
    ClipFolderSettings,
    LineSettings,
    MailSettings,
    MetricsSettings,
    MqttSettings,
    SinkConfig,
    WebhookSettings,
)
from maskedskipunet.monitor.sinks.courier import Post
from maskedskipunet.monitor.sinks.lines import LineSink
from maskedskipunet.monitor.sinks.mail import MailServer, MailSink
from maskedskipunet.monitor.sinks.metrics import MetricsSink
from maskedskipunet.monitor.sinks.mqtt import CameraNow, MqttConfig, MqttSink
from maskedskipunet.monitor.sinks.mqtt_client import Broker
from maskedskipunet.monitor.sinks.sink import Sink
from maskedskipunet.monitor.sinks.webhook import WebhookSink
from maskedskipunet.records import outbox
from maskedskipunet.records.identity import watch_id
from maskedskipunet.records.outbox import QueueCount
from maskedskipunet.records.routes import Route
from maskedskipunet.records.store import Records

_MAIL_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_METRICS_PORT = 9464


def build_posts(configs: Sequence[SinkConfig], records: Records, cameras: Sequence[str]) -> dict[str, Post]:
    """Return each sink under its name, ready for a Courier.

    cameras: those that are announced before their first event. Raises ConfigError where one cannot be had; those
    built before it are closed then.
    """
    posts: dict[str, Post] = {}
    with ExitStack() as built:
        for config in configs:
            sink = build_sink(config, records, cameras)
            built.callback(sink.close)
            posts[config.route.sink] = Post(config.route, sink)
        built.pop_all()
    return posts


def build_sink(config: SinkConfig, records: Records | None, cameras: Sequence[str] = ()) -> Sink:
    """Return one sink. records: what it tells of; None: it only hands over messages, for a trial."""
    settings = config.settings
    match settings:
        case LineSettings():
            return LineSink(sys.stdout)
        case ClipFolderSettings():
            return ClipFolderSink(settings.path)
        case WebhookSettings():
            return _webhook(settings)
        case MqttSettings():
            return _mqtt(settings, config.route, records, cameras)
        case MailSettings():
            return _mail(settings)
        case MetricsSettings():

            def queues() -> dict[str, QueueCount]:
                if records is None:
                    return {}
                with records.read() as session:
                    return outbox.counts(session)

            return MetricsSink(host=settings.host, port=settings.port or _METRICS_PORT, queues=queues)
    raise TypeError(f"no sink has {type(settings).__name__}")


def _webhook(settings: WebhookSettings) -> WebhookSink:
    username, password = settings.username, settings.password
    return WebhookSink(
        settings.address,
        secret=settings.secret,
        timeout_s=settings.timeout_s,
        headers=settings.headers,
        login=None if username is None or password is None else (username, password),
        ca_file=settings.ca_file,
    )


def _mail(settings: MailSettings) -> MailSink:
    server = MailServer(
        host=settings.host,
        port=settings.port or _MAIL_PORTS[settings.security],
        security=settings.security,
        username=settings.username,
        password=settings.password,
        ca_file=settings.ca_file,
    )
    return MailSink(server, sender=settings.sender, to=settings.to, timeout_s=settings.timeout_s)


def _mqtt(settings: MqttSettings, route: Route, records: Records | None, cameras: Sequence[str]) -> MqttSink:
    broker = Broker(
        host=settings.host,
        port=settings.port or (8883 if settings.tls else 1883),
        username=settings.username,
        password=settings.password,
        tls=settings.tls,
        ca_file=settings.ca_file,
    )
    config = MqttConfig(
        topic=settings.topic,
        discovery=settings.discovery,
        birth=settings.birth,
        health=bool(route.states),
        watch_id="" if records is None else watch_id(records.folder),
        timeout_s=settings.timeout_s,
    )
    look = None if records is None else _look(records, route)
    return MqttSink(broker, config, cameras=cameras, look=look, is_trial=records is None)


def _look(records: Records, route: Route) -> Callable[[], Mapping[str, CameraNow]]:
    """Return what holds at each camera now, as the records have it."""

    def look() -> Mapping[str, CameraNow]:
        alarms = {recorded.camera for recorded in records.events(open_only=True)}
        states = [one for one in records.states(lasting_only=True) if route.takes_state(one.kind)]
        return {
            camera: CameraNow(camera in alarms, tuple(state for state in states if state.camera == camera))
            for camera in records.cameras()
        }

    return look
