"""Run by a test, and killed: records events and delivers them. Arguments: the records folder and an address.

Says each message's key once it was recorded.
"""

import itertools
import os
import sys
import time
from pathlib import Path

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.notify.backoff import Backoff
from maskedskipunet.notify.dispatcher import Dispatcher, SubscribedSink
from maskedskipunet.notify.webhook import WebhookSink
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription


def main(folder: Path, url: str) -> None:
    subscription = Subscription(sink="hook")
    subscribed_sinks = {"hook": SubscribedSink(subscription, WebhookSink(lambda: url))}
    with (
        Records.open(folder, watching=True) as records,
        Dispatcher(records, subscribed_sinks, backoff=Backoff(first_s=0.02)),
    ):
        records.end_left_open(["door"], [subscription])
        for number in itertools.count():
            event = Event(f"p{os.getpid()}-{number}", "", 1.0, 2.0, 1.5, 5, 10, 7, 0.4, 0.3, (), None)
            for phase in ("new", "end"):
                update = EventUpdate(phase, event)
                recorded = records.record(update, camera="door", began_unix_s=time.time(), subscriptions=[subscription])
                print(recorded.message()["key"], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
