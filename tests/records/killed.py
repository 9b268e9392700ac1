"""Run by a test: writers that are killed at random moments, each followed by a check of what they left.

Arguments: the records folder, how many writers, a seed. Prints one JSON line a writer: what it was told to be done
before it was killed, and what the check found.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.records import outbox
from maskedskipunet.records.checking import check
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

SUBSCRIPTION = Subscription(sink="hook", update_every_s=0)


def write_until_killed(folder: Path, number: int, tell: int) -> None:
    """Events with all that belongs to them; each is told of once it was recorded."""
    from conftest import CLIP, PICTURE, make_event  # this script's folder is on the path when it is run

    with Records.open(folder, watching=True) as records:
        records.end_left_open(["door"], [SUBSCRIPTION])
        os.write(tell, b"\n")
        count = 0
        while True:
            count += 1
            event_id, now = f"w{number}-{count}", time.time()
            for phase in ("new", "update", "end"):
                picture = PICTURE + bytes(5000) + PICTURE if phase == "new" else None
                if phase == "end":
                    clip = records.clip_path(event_id, now)
                    part = clip.with_name(f".{clip.name}.{os.getpid()}.part")
                    part.write_bytes(CLIP)
                    part.replace(clip)
                update = EventUpdate(phase, make_event(event_id))
                records.record(update, camera="door", began_unix_s=now, picture=picture, subscriptions=[SUBSCRIPTION])
                os.write(tell, f"{event_id}:{phase}\n".encode())
            records.answer(event_id, "normal")
            if count % 3 == 0:
                prune(records, Retention(larger_than_bytes=60_000))


def kill_one(folder: Path, number: int, after: int, after_s: float) -> list[str]:
    """Start a writer, kill it after so many steps and a while; returns what it was told to be done."""
    hear, tell = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(hear)
        write_until_killed(folder, number, tell)
    os.close(tell)
    with os.fdopen(hear) as told:
        heard = [told.readline() for _ in range(1 + after)]
        time.sleep(after_s)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        return [line for line in (*map(str.strip, heard), *told.read().split()) if line]


def main(folder: Path, writers: int, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(writers):
        told = kill_one(folder, number, draw.randrange(8), draw.uniform(0, 0.03))
        report = check(folder)
        with Records.open(folder) as records, records.read() as session:
            counts = outbox.counts(session)
        print(
            json.dumps(
                {
                    "told": told,
                    "faults": [vars(fault) for fault in report.faults],
                    "finished": report.finished,
                    "waiting": counts["hook"].waiting if counts else 0,
                }
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
