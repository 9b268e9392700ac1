"""Builds sinks from their settings."""

from collections.abc import Sequence
from contextlib import ExitStack

from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.dispatcher import SubscribedSink
from maskedskipunet.notify.settings import SinkContext
from maskedskipunet.notify.sink import Sink
from maskedskipunet.records.store import Records


def build_sinks(configs: Sequence[SinkConfig], records: Records, cameras: Sequence[str]) -> dict[str, SubscribedSink]:
    """Return each sink under its name, ready for a Dispatcher.

    cameras: announced before their first event. Raises ConfigError if one cannot be built; those built before it are
    then closed.
    """
    sinks: dict[str, SubscribedSink] = {}
    with ExitStack() as built:
        for config in configs:
            sink = build_sink(config, records, cameras)
            built.callback(sink.close)
            sinks[config.subscription.sink] = SubscribedSink(config.subscription, sink)
        built.pop_all()
    return sinks


def build_sink(config: SinkConfig, records: Records | None, cameras: Sequence[str] = ()) -> Sink:
    """Return one sink. records: those it reports on; None: it only delivers messages, for a trial."""
    return config.settings.build(SinkContext(config.subscription, records, cameras))
