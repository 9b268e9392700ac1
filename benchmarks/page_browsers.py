"""Do browsers on the live page cost frames of video or memory?

    uv run python benchmarks/page_browsers.py FOOTAGE --model RUN [--browsers 20] [--minutes 10] [--speed 1]

FOOTAGE is a video or a folder of mp4 files of one camera; it is played as a camera by `watch`, in a process of its
own, for some minutes without the page and then beside `serve` and its browsers. --kind http browsers hold the stream
of the live page open and fetch every picture, as the page's script does; --kind chromium ones are tabs of Chromium.
Besides http browsers there is one tab (--chromium). --threshold replaces the model's, so that there are events. Writes
docs/results/page_browsers_<instruction set>_<date>.json: frames scored and skipped, delays, memory and computing time
of both processes, and what browsers received. Ends with code 1 where frames were lost to browsers, memory grew or a
browser went without.
"""

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from page_visitors import chromium_tabs, http_browsers
from results import write_result
from soak import joined, memory_mb, model_at

from maskedskipunet.records.checking import check

COMMAND = [sys.executable, "-m", "maskedskipunet"]
LOOK_S = 2.0
GROWTH = 0.05  # of memory, at most, from the first quarter to the last
LOST_SHARE = 0.001  # of frames that may be skipped more than without browsers: chance
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    options = parse()
    minutes_s, alone_s = options.minutes * 60, options.alone_minutes * 60
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        model = model_at(options.model, options.threshold, place)
        film_s = (minutes_s + alone_s + 3 * options.settling_s + 60) * options.speed
        films = [film_of(options.footage, film_s, place, number) for number in range(options.cameras)]
        with Watch(films, model, place / "records", options.speed) as watch:
            watch.wait_for_frames()
            alone = measure(watch, None, alone_s, options.settling_s)
            with Page(place / "records") as page:
                beside = with_browsers(watch, page, options)
        report = check(place / "records")
    figures = {
        "browsers": {kind: count for kind, count in browsers_of(options).items() if count},
        "cameras": options.cameras,
        "speed": options.speed,
        "minutes": options.minutes,
        "without_browsers": alone,
        "with_browsers": beside,
        "events": report.events,
        "records_are_clean": report.is_clean,
    } | judged(alone, beside)
    print(json.dumps(without_rows(figures), indent=1))
    print(write_result("page_browsers", figures))
    return 0 if figures["is_well"] and report.is_clean else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--kind", choices=("http", "chromium"), default="http")
    parser.add_argument("--chromium", type=int, default=1, help="tabs of Chromium besides http browsers")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--alone-minutes", type=float, default=3.0)
    parser.add_argument("--settling-s", type=float, default=60.0, help="before each part: processes start, caches fill")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--threshold", type=float)
    return parser.parse_args()


def film_of(footage: Path, needed_s: float, place: Path, number: int) -> Path:
    """Return a film of so many seconds: the footage from one file to the next, and again from its begin."""
    parts = sorted(footage.glob("*.mp4")) if footage.is_dir() else [footage]
    if not parts:
        raise SystemExit(f"{footage}: there is no mp4 file")
    first = number * len(parts) // 4 % len(parts)
    return joined([*parts[first:], *parts[:first]] * 1000, needed_s, str(place), number)


@dataclass
class Counted:
    """What was heard of frames since the last time. delays_s: of scored frames."""

    scored: int = 0
    skipped: int = 0
    dropped: int = 0
    delays_s: list[float] = field(default_factory=list)


class Watch:
    """A watch of films as cameras, in a process of its own, and what it says of each frame."""

    def __init__(self, films: Sequence[Path], model: Path, records: Path, speed: float) -> None:
        command = [*COMMAND, "watch", *map(str, films), "--model", str(model), "--records", str(records)]
        command += ["--speed", str(speed), "--scores", "--report-s", "5"]
        self.records = records
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        self._counted, self._lock = Counted(), threading.Lock()
        self._thread = threading.Thread(target=self._hear, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._thread.join(10)

    def wait_for_frames(self) -> None:
        """Wait until frames are scored and the records are there."""
        until_s = time.monotonic() + 300
        while not self._counted.scored or not (self.records / "records.db").exists():
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit("the watch scores nothing")
            time.sleep(0.2)

    def take(self) -> Counted:
        """Return what was counted since the last call."""
        with self._lock:
            counted, self._counted = self._counted, Counted()
        return counted

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            with self._lock:
                if told["kind"] == "scored":
                    self._counted.skipped += told["skipped"]
                    if told["score"] is not None:
                        self._counted.scored += 1
                        self._counted.delays_s.append(told["delay_s"])
                elif told["kind"] == "load":
                    self._counted.dropped += told["dropped"]


class Page:
    """`serve` over the records, in a process of its own."""

    def __init__(self, records: Path) -> None:
        command = [*COMMAND, "serve", "--records", str(records), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        assert self.process.stderr is not None
        found = re.search(r"http://\S+[^/\s]", line := self.process.stderr.readline())
        if found is None:
            raise SystemExit(line + self.process.stderr.read())
        self.address = found[0]

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


def browsers_of(options: argparse.Namespace) -> dict[str, int]:
    """Return how many browsers of each kind look."""
    if options.kind == "chromium":
        return {"chromium": options.browsers}
    return {"http": options.browsers, "chromium": options.chromium}


def with_browsers(watch: Watch, page: Page, options: argparse.Namespace) -> dict[str, Any]:
    """Measure while browsers look, and return that with what they received."""
    for_s = options.minutes * 60 + options.settling_s
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[str, list[dict[str, Any]]]] = context.Queue()
    visits = {"http": http_browsers, "chromium": chromium_tabs}
    visitors = [
        context.Process(target=visits[kind], args=(page.address, count, for_s, answers), daemon=True)
        for kind, count in browsers_of(options).items()
        if count
    ]
    for visitor in visitors:
        visitor.start()
    figures = measure(watch, page, options.minutes * 60, options.settling_s)
    received = dict(answers.get(timeout=120) for _ in visitors)
    for visitor in visitors:
        visitor.join(30)
    return figures | {"received": received}


def measure(watch: Watch, page: Page | None, for_s: float, settling_s: float) -> dict[str, Any]:
    """Count frames for some seconds, after others, and look at memory and computing time meanwhile."""
    time.sleep(settling_s)
    watch.take()
    processes = {"watch": watch.process.pid} | ({} if page is None else {"serve": page.process.pid})
    began_s, busy_s = time.monotonic(), {name: computing_s(pid) for name, pid in processes.items()}
    rows = []
    while (elapsed_s := time.monotonic() - began_s) < for_s:
        if watch.process.poll() is not None:
            raise SystemExit("the watch ended before its time")
        rows.append([round(elapsed_s, 1), *(round(memory_of(pid), 1) for pid in processes.values())])
        time.sleep(max(0.0, min(LOOK_S, for_s - elapsed_s)))
    counted = watch.take()
    lasted_s = time.monotonic() - began_s
    quarters = np.array_split(np.array(rows), 4)
    memory = {
        f"{name}_memory_mb": [round(float(np.median(quarter[:, column])), 1) for quarter in (quarters[0], quarters[-1])]
        for column, name in enumerate(processes, start=1)
    }
    computing = {
        f"{name}_cores_busy": round((computing_s(pid) - busy_s[name]) / lasted_s, 3) for name, pid in processes.items()
    }
    return {
        "seconds": round(lasted_s, 1),
        "scored": counted.scored,
        "skipped": counted.skipped,
        "dropped": counted.dropped,
        "delay_s": quantiles(counted.delays_s),
        **memory,
        **computing,
        "over_time": {"columns": ["seconds", *(f"{name} (MB)" for name in processes)], "rows": rows},
    }


def judged(alone: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be held: no frame lost to browsers, memory flat, and every browser served."""

    def lost_share(part: dict[str, Any]) -> float:
        lost = part["skipped"] + part["dropped"]
        return float(lost / max(1, part["scored"] + lost))

    growth = {
        name: round(beside[f"{name}_memory_mb"][1] / beside[f"{name}_memory_mb"][0] - 1, 4)
        for name in ("watch", "serve")
    }
    browsers = [browser for kind in beside["received"].values() for browser in kind]
    found = {
        "no_frame_is_lost_to_browsers": lost_share(beside) <= lost_share(alone) + LOST_SHARE,
        "memory_growth": growth,
        "memory_is_flat": max(growth.values()) <= GROWTH,
        "every_browser_is_served": all(browser["pictures"] and not browser["faults"] for browser in browsers),
    }
    return found | {"is_well": all(value for value in found.values() if isinstance(value, bool))}


def quantiles(delays_s: Sequence[float]) -> dict[str, float]:
    if not delays_s:
        return {}
    shares = {"median": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
    return {name: round(float(np.quantile(delays_s, share)), 3) for name, share in shares.items()}


def memory_of(pid: int) -> float:
    """Return the memory of a process and of those that it started, in MB."""
    return memory_mb(pid) + sum(memory_mb(child) for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def computing_s(pid: int) -> float:
    """Return the seconds that a process and those that it started have computed."""
    found = 0.0
    for each in (pid, *children_of(pid)):
        try:
            numbers = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += (int(numbers[11]) + int(numbers[12])) / TICKS
    return found


def without_rows(value: Any) -> Any:
    """Return figures without the long rows, for the screen."""
    if isinstance(value, dict):
        return {name: without_rows(part) for name, part in value.items() if name not in ("over_time", "received")} | (
            {"received": {kind: summary(browsers) for kind, browsers in value["received"].items()}}
            if "received" in value
            else {}
        )
    return value


def summary(browsers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = ("states", "pictures", "mb")
    least = {f"least_{name}": min(browser[name] for browser in browsers) for name in names}
    longest = max(browser["longest_gap_s"] for browser in browsers)
    return {
        "count": len(browsers),
        **least,
        "longest_gap_s": longest,
        "faults": [b["faults"] for b in browsers if b["faults"]],
    }


if __name__ == "__main__":
    sys.exit(main())
