"""How fast the questions of a review page and a timeline are answered, and whether that stays so as events grow.

Makes a records folder with four cameras, 30 days of score curves (a score a second) and first 10,000, then 100,000
events, through the tables and files that `watch` writes, and asks each question 40 times, with other parameters each
time. Writes docs/results/page_scale_*.json.

    python benchmarks/page_scale.py                      # about two minutes, 350 MB of disk, removed at the end
    python benchmarks/page_scale.py --events 2000 --days 2 --out /tmp/page_scale.json
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from results import write_result
from sqlalchemy import insert

from maskedskipunet.records.curve_files import DAY_S, SPANS_S, entries_of, reduced
from maskedskipunet.records.folder import day_of
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import AnswerRow, EventRow

CAMERAS = ("door", "yard", "garage", "street")
FIRST_DAY = 1_772_323_200  # 2026-03-01 in UTC
REPEATS = 40
AT_ONCE = 5000  # rows in one insert
SEED = 18


def make_events(records: Records, first: int, last: int, days: int) -> None:
    """Insert events number `first` to `last`, spread over the days and cameras; every fifth is answered."""
    draw = random.Random(first)
    for name in CAMERAS:
        records.add_camera(name, f"rtsp://10.0.0.{CAMERAS.index(name)}/live")
    for begin in range(first, last, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, last))
        rows = [event_row(number, draw, days) for number in numbers]
        answers = [
            {
                "event_id": row["id"],
                "answer": draw.choice(["normal", "anomaly"]),
                "answered_unix_s": row["began_unix_s"],
            }
            for row in rows[::5]
        ]
        with records.write() as session:
            session.execute(insert(EventRow), rows)
            session.execute(insert(AnswerRow), answers)


def event_row(number: int, draw: random.Random, days: int) -> dict[str, Any]:
    """Return an event as `watch` records one of a model with three cues."""
    start_s = draw.uniform(0, days * DAY_S - 60)
    length_s, score = draw.uniform(1, 40), draw.gammavariate(2.0, 1.0)
    nearest = {"video": f"day{number % 9}", "time_s": draw.uniform(0, 86400)}
    appearance = {"surprise": score, "nearest": nearest, "box": [0.1, 0.2, 0.3, 0.4], "spread": draw.random()}
    reason = {
        "cue": "appearance",
        "shares": {"appearance": 0.6, "movement": 0.3, "reconstruction": 0.1},
        "readings": {
            "appearance": appearance,
            "movement": {"surprise": score / 2, "speed_ratio": draw.uniform(0.5, 4)},
        },
    }
    return {
        "id": f"{number:08x}{draw.getrandbits(96):024x}",
        "camera_id": 1 + number % len(CAMERAS),
        "source": f"rtsp://10.0.0.{number % len(CAMERAS)}/live",
        "start_s": start_s,
        "end_s": start_s + length_s,
        "peak_s": start_s + length_s / 2,
        "start_frame": int(start_s),
        "end_frame": int(start_s + length_s),
        "peak_frame": int(start_s + length_s / 2),
        "top_score": score,
        "mean_score": score * 0.8,
        "normal_share": draw.random() / 1000,
        "boxes": [[draw.randrange(600), draw.randrange(300), 40, 60] for _ in range(draw.randrange(1, 4))],
        "reason": reason,
        "kind_id": f"{number % 300:032x}",
        "began_unix_s": FIRST_DAY + start_s,
        "updated_unix_s": FIRST_DAY + start_s + length_s,
        "phase": "end",
        "sequence": 3,
        "has_clip": True,
        "has_picture": True,
        "has_normal_picture": number % 2 == 0,
        "revision": 4,
        "filed_revision": 4,
        "is_removing": False,
        "aged_from_unix_s": None,
    }


def make_curves(records: Records, days: int) -> float:
    """Write a score a second of each camera and day; returns the bytes of one camera's day."""
    draw = np.random.default_rng(SEED)
    for name in CAMERAS:
        files = records.curves.of(name)
        with files.locked():
            for day in range(days):
                starts = np.arange(FIRST_DAY + day * DAY_S, FIRST_DAY + (day + 1) * DAY_S, dtype=np.uint32)
                entries = entries_of(starts, draw.gamma(2.0, 0.1, DAY_S), 0.6)
                for span_s in SPANS_S:
                    files.replace(day_of(float(starts[0])), span_s, reduced(entries, span_s))
    return records.curves.size_bytes() / (len(CAMERAS) * days)


def event_questions(records: Records, days: int) -> dict[str, Callable[[], Any]]:
    """Return what a review page asks, each with other parameters at every call."""
    draw = random.Random(SEED)

    def asked(**settings: Any) -> EventQuery:
        return EventQuery(**{"order": "newest", **settings})

    def camera() -> str:
        return draw.choice(CAMERAS)

    def span() -> dict[str, float]:
        since = FIRST_DAY + draw.uniform(0, max(days - 7, 1)) * DAY_S
        return {"since_unix_s": since, "until_unix_s": since + 7 * DAY_S}

    def deep() -> Any:
        until = FIRST_DAY + draw.uniform(0.1, days) * DAY_S
        return records.page(asked(until_unix_s=until))

    return {
        "newest": lambda: records.page(asked()),
        "newest, far back": deep,
        "strangest": lambda: records.page(asked(order="strangest")),
        "newest of a camera": lambda: records.page(asked(camera=camera())),
        "strangest of a camera": lambda: records.page(asked(order="strangest", camera=camera())),
        "newest without an answer": lambda: records.page(asked(answer="none")),
        "newest anomalies": lambda: records.page(asked(answer="anomaly")),
        "strangest of a week": lambda: records.page(asked(order="strangest", **span())),
        "strangest of a camera's week without an answer": lambda: records.page(
            asked(order="strangest", camera=camera(), answer="none", **span())
        ),
        "count of all": lambda: records.count(asked()),
        "count without an answer": lambda: records.count(asked(answer="none")),
        "count of a camera's week": lambda: records.count(asked(camera=camera(), **span())),
    }


def curve_questions(records: Records, days: int) -> dict[str, Callable[[], Any]]:
    """Return what a timeline asks, each of another camera and time at every call."""
    draw = random.Random(SEED)

    def read(length_s: float, points: int) -> Any:
        start = FIRST_DAY + draw.uniform(0, max(days * DAY_S - length_s, 1))
        return records.curves.read(draw.choice(CAMERAS), start, start + length_s, points=points)

    return {
        "month": lambda: records.curves.read(draw.choice(CAMERAS), FIRST_DAY, FIRST_DAY + days * DAY_S, points=1000),
        "day": lambda: read(DAY_S, 1000),
        "hour": lambda: read(3600, 1000),
        "ten minutes": lambda: read(600, 1000),
        "last five minutes": lambda: records.curves.read(
            draw.choice(CAMERAS), FIRST_DAY + days * DAY_S - 300, FIRST_DAY + days * DAY_S, points=300
        ),
    }


def measured(questions: dict[str, Callable[[], Any]]) -> dict[str, dict[str, float]]:
    """Ask each question some times; returns milliseconds, of the clock and of the processor.

    The second say what a machine that does other things besides would need by itself.
    """
    found = {}
    for name, ask in questions.items():
        ask()  # what is read the first time is read from the disk
        times_ms, busy_ms = [], []
        for _ in range(REPEATS):
            began_s, began_busy_s = time.perf_counter(), time.process_time()
            ask()
            times_ms.append(1000 * (time.perf_counter() - began_s))
            busy_ms.append(1000 * (time.process_time() - began_busy_s))
        found[name] = {
            "median_ms": round(float(np.median(times_ms)), 2),
            "p95_ms": round(float(np.percentile(times_ms, 95)), 2),
            "processor_p95_ms": round(float(np.percentile(busy_ms, 95)), 2),
        }
        told = ", ".join(f"{key} {value:.2f}" for key, value in found[name].items())
        print(f"  {name}: {told}", flush=True)
    return found


def run(folder: Path, counts: Sequence[int], days: int) -> dict[str, Any]:
    """Make the records and measure."""
    content: dict[str, Any] = {"cameras": len(CAMERAS), "days": days, "repeats": REPEATS, "page": 50, "events": {}}
    with Records.open(folder) as records:
        began_s = time.perf_counter()
        content["curve_bytes_per_camera_and_day"] = make_curves(records, days)
        print(f"curves of {len(CAMERAS)} cameras and {days} days in {time.perf_counter() - began_s:.1f} s", flush=True)
        made = 0
        for count in counts:
            began_s = time.perf_counter()
            make_events(records, made, count, days)
            made = count
            print(f"{count:,} events in {time.perf_counter() - began_s:.1f} s", flush=True)
            content["events"][str(count)] = measured(event_questions(records, days))
        content["database_bytes"] = folder.joinpath("records.db").stat().st_size
        print("timeline", flush=True)
        content["timeline"] = measured(curve_questions(records, days))
    slowest = [
        values["p95_ms"] for part in (*content["events"].values(), content["timeline"]) for values in part.values()
    ]
    content["slowest_p95_ms"] = max(slowest)
    content["load"] = os.getloadavg()
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000, help="of the larger records; the smaller have a tenth")
    parser.add_argument("--days", type=int, default=30, help="of score curves")
    parser.add_argument("--out", type=Path, help="write the figures here instead of docs/results")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="page_scale") as place:
        content = run(Path(place) / "records", (options.events // 10, options.events), options.days)
    if options.out is None:
        print(write_result("page_scale", content))
    else:
        options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
