"""Sinks out of their settings."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from maskedskipunet.monitor.sinks.clip_folder import ClipFolderSink
from maskedskipunet.monitor.sinks.config import (
    ClipFolderSettings,
    LineSettings,
    MailSettings,
    MetricsSettings,
    MqttSettings,
    Settings,
    SinkConfig,
    WebhookSettings,
)
from maskedskipunet.monitor.sinks.courier import Post
from maskedskipunet.monitor.sinks.lines import LineSink
from maskedskipunet.monitor.sinks.mail import MailServer, MailSink
from maskedskipunet.monitor.sinks.metrics import MetricsSink
from maskedskipunet.monitor.sinks.mqtt import Broker, MqttSink
from maskedskipunet.monitor.sinks.sink import Sink
from maskedskipunet.monitor.sinks.webhook import WebhookSink
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import QueueCount
from maskedskipunet.records.store import Records

_MAIL_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_METRICS_PORT = 9464


def build_posts(configs: Sequence[SinkConfig], records: Records, cameras: Sequence[str]) -> dict[str, Post]:
    """Each sink under its name, ready for a Courier.

    cameras: those that are announced before their first event. Raises ConfigError where one cannot be had; those
    built before it are closed then.
    """
    posts: dict[str, Post] = {}
    with ExitStack() as built:
        for config in configs:
            sink = _build(config.settings, records, cameras)
            built.callback(sink.close)
            posts[config.route.sink] = Post(config.route, sink)
        built.pop_all()
    return posts


def _build(settings: Settings, records: Records, cameras: Sequence[str]) -> Sink:
    match settings:
        case LineSettings():
            return LineSink(sys.stdout)
        case ClipFolderSettings():
            return ClipFolderSink(settings.path)
        case WebhookSettings():
            return WebhookSink(settings.address, secret=settings.secret, timeout_s=settings.timeout_s)
        case MqttSettings():
            broker = Broker(
                host=settings.host,
                port=settings.port or (8883 if settings.tls else 1883),
                username=settings.username,
                password=settings.password,
                tls=settings.tls,
                ca_file=settings.ca_file,
            )
            return MqttSink(
                broker,
                topic=settings.topic,
                discovery=settings.discovery,
                cameras=cameras,
                timeout_s=settings.timeout_s,
            )
        case MailSettings():
            server = MailServer(
                host=settings.host,
                port=settings.port or _MAIL_PORTS[settings.security],
                security=settings.security,
                username=settings.username,
                password=settings.password,
            )
            return MailSink(server, sender=settings.sender, to=settings.to, timeout_s=settings.timeout_s)
        case MetricsSettings():

            def queues() -> dict[str, QueueCount]:
                with records.read() as session:
                    return outbox.counts(session)

            return MetricsSink(host=settings.host, port=settings.port or _METRICS_PORT, queues=queues)
    raise TypeError(f"no sink has {type(settings).__name__}")
