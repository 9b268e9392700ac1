"""One test message to each sink, before anything happens."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.notify.building import build_sink
from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.sink import Attachments, RefusedError, RetryLaterError
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.recorded import iso_time, message_key

TEXT = "This is a test message of maskedskipunet. Alarms will arrive like this one."


@dataclass(frozen=True)
class SinkTrial:
    """The outcome of a test message. fault: why the sink did not accept it, None if it did."""

    sink: str
    fault: str | None


def try_sinks(
    sinks: Sequence[SinkConfig],
    names: Sequence[str] = (),
    on_trial: Callable[[SinkTrial], None] = lambda trial: None,
) -> list[SinkTrial]:
    """Hand one test message to each sink, or to those that are named; nothing is recorded, and none is tried again.

    on_trial: is given each outcome as it comes. Raises ConfigError if there is no such sink, or none at all.
    """
    known = [config.subscription.sink for config in sinks]
    if not sinks:
        raise ConfigError("no sink is named", "sinks", "Write `sinks: {NAME: {type: webhook, url: …}}` into the file")
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"there is no sink {unknown[0]!r}", "sinks", f"There are: {', '.join(known)}")
    trials = []
    for config in sinks:
        if not names or config.subscription.sink in names:
            trials.append(SinkTrial(config.subscription.sink, _fault(config)))
            on_trial(trials[-1])
    return trials


def _fault(config: SinkConfig) -> str | None:
    """Return why a sink does not take a test message."""
    try:
        with ExitStack() as built:
            sink = build_sink(config, None)
            built.callback(sink.close)
            sink.send(_test_message(config.subscription.sink), Attachments())
    except (RetryLaterError, RefusedError) as error:
        return str(error)
    except MaskedSkipUNetError as error:
        return str(error).rstrip(".")
    except Exception as error:  # noqa: BLE001  # of a library; its words may hold an address or a secret
        return f"unexpected error ({type(error).__name__})"
    return None


def _test_message(sink: str) -> Delivery:
    """Return a test message, as a sink gets it from the outbox."""
    test_id, now = f"test-{uuid4().hex[:16]}", iso_time(time.time())
    message = {
        "key": message_key(test_id, "new", 0),
        "kind": "test",
        "id": test_id,
        "phase": "new",
        "sequence": 0,
        "camera": "test",
        "began_at": now,
        "updated_at": now,
        "text": TEXT,
    }
    return Delivery(0, sink, test_id, "new", 0, message, 0)
