"""Sinks out of their settings."""

from collections.abc import Sequence
from contextlib import ExitStack

from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.courier import Post
from maskedskipunet.notify.settings import SinkContext
from maskedskipunet.notify.sink import Sink
from maskedskipunet.records.store import Records


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
    return config.settings.build(SinkContext(config.route, records, cameras))
