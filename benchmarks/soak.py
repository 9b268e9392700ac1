"""Does watching for long keep its memory flat, its disk bounded and its delay bounded?

    uv run python benchmarks/soak.py FOOTAGE --model RUN [--minutes 30] [--cameras 4] [--speed 4] [--threshold SCORE]

FOOTAGE is a folder of mp4 files of one camera. They are joined end to end for each camera, played at several times
real speed, and watched by one network with all that `watch` does: events, clips, pictures, records, a sink.
--threshold replaces the model's, so that there is something to record. Writes
docs/results/soak_<instruction set>_<date>.json with the memory of all processes and the size of the records over
time, the delays, and what was skipped. Ends with code 1 where memory grew, a delay was not bounded or the records
were not clean afterwards.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from results import write_result

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.monitor.monitor_events import Alarm, Load, MonitorEvent, ScoredFrame
from maskedskipunet.monitor.recorder import RecordingConfig
from maskedskipunet.monitor.watching import WatchConfig
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.records.checking import check
from maskedskipunet.records.pruning import Retention
from maskedskipunet.workflows.watch import Recording, WatchOptions, watch_cameras

RECORDS_BYTES = 5_000_000  # that are kept, so that there is something to prune
SETTLED = 0.2  # of the time, after which memory is to be flat
GROWTH = 0.05  # of it, at most, from then to the end
MAX_DELAY_S = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--speed", type=float, default=4.0)
    parser.add_argument("--threshold", type=float)
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        needed_s = options.minutes * 60 * options.speed
        parts = sorted(options.footage.glob("*.mp4"))
        cameras = {
            f"camera {number}": joined(parts[shift:] + parts[:shift], needed_s, scratch, number)
            for number, shift in enumerate(one * len(parts) // options.cameras for one in range(options.cameras))
        }
        folder, model = Path(scratch) / "records", model_at(options.model, options.threshold, Path(scratch))
        retention = Retention(older_than_s=86400, larger_than_bytes=RECORDS_BYTES)
        sinks = read_sinks({"copies": {"type": "folder", "path": str(Path(scratch) / "copies"), "phases": ["end"]}})
        soak = Soak(options.minutes, folder)
        watch_cameras(
            {name: CameraAddress.parse(str(path)) for name, path in cameras.items()},
            model,
            [soak],
            WatchOptions(
                speed=options.speed,
                config=WatchConfig(max_delay_s=MAX_DELAY_S, report_s=10),
                recording=Recording(folder, RecordingConfig(retention=retention), sinks),
            ),
            should_continue=lambda: not soak.is_over,
        )
        report = check(folder)
    figures = {"cameras": options.cameras, "speed": options.speed} | soak.figures()
    figures |= {"records_are_clean": report.is_clean, "events_kept": report.events, "clips_kept": report.clips}
    print(json.dumps({name: value for name, value in figures.items() if name != "over_time"}, indent=1))
    print(write_result("soak", figures))
    return 0 if figures["memory_is_flat"] and figures["delay_is_bounded"] and report.is_clean else 1


def model_at(model: Path, threshold: float | None, scratch: Path) -> Path:
    """The model, with another threshold where one is asked for: in a copy."""
    if threshold is None:
        return model
    copy = scratch / "model"
    shutil.copytree(model_folder(model), copy)
    calibration = Calibration.read(copy)
    if calibration is None or calibration.alarm is None:
        raise SystemExit(f"{model}: calibrate it first")
    rule = calibration.alarm.rule.with_threshold(threshold, calibration.alarm.median_score)
    replace(calibration, alarm=replace(calibration.alarm, rule=rule)).write(copy)
    return copy


class Soak:
    """A listener that keeps count, in as little memory of its own as it can."""

    def __init__(self, minutes: float, records: Path) -> None:
        self._records, self.events = records, 0
        self._began_s, self._for_s = time.monotonic(), minutes * 60
        self._delays_ms = np.zeros(100_000, np.int64)  # how many scores came after so many milliseconds
        self._loads: dict[str, int] = {"frames": 0, "scored": 0, "skipped": 0, "dropped": 0}
        self._most_every = 1
        self._memory: list[tuple[float, float, float, float]] = []
        self._looked_s = 0.0

    @property
    def is_over(self) -> bool:
        now_s = time.monotonic() - self._began_s
        if now_s - self._looked_s >= 5:
            self._looked_s = now_s
            ours, theirs = memory_mb(os.getpid()), sum(map(memory_mb, children()))
            self._memory.append((round(now_s, 1), round(ours, 1), round(theirs, 1), round(size_mb(self._records), 1)))
        return now_s >= self._for_s

    def __call__(self, news: MonitorEvent) -> None:
        if isinstance(news, ScoredFrame):
            if news.frame.score is not None:
                self._delays_ms[min(len(self._delays_ms) - 1, int(news.delay_s * 1000))] += 1
        elif isinstance(news, Load):
            for name in self._loads:
                self._loads[name] += getattr(news, name)
            self._most_every = max(self._most_every, news.every)
        elif isinstance(news, Alarm):
            self.events += news.update.phase == "new"
        else:
            print(news, file=sys.stderr, flush=True)

    def figures(self) -> dict[str, Any]:
        together = np.cumsum(self._delays_ms)
        shares = {"median": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
        delays_s = {name: int(np.searchsorted(together, share * together[-1])) / 1000 for name, share in shares.items()}
        whole = np.array([ours + theirs for _, ours, theirs, _ in self._memory])
        settled = whole[int(SETTLED * len(whole)) :]
        early, late = (float(np.median(part)) for part in np.array_split(settled, 2))
        return {
            "minutes": round((time.monotonic() - self._began_s) / 60, 2),
            **self._loads,
            "one_scored_of_at_most": self._most_every,
            "delay_s": delays_s,
            "delay_is_bounded": delays_s["p99"] <= MAX_DELAY_S,
            "memory_mb_settled": round(early, 1),
            "memory_mb_at_end": round(late, 1),
            "memory_is_flat": late <= early * (1 + GROWTH),
            "events": self.events,
            "records_mb_most": max(size for *_, size in self._memory),
            "over_time": {
                "columns": ["seconds", "main process (MB)", "cameras' processes (MB)", "records (MB)"],
                "rows": self._memory,
            },
        }


def joined(parts: Sequence[Path], needed_s: float, folder: str, number: int) -> Path:
    """One file of so many seconds, the packets of the parts as they are, one after another."""
    path = Path(folder) / f"camera_{number}.mp4"
    end_s = 0.0
    with av.open(str(path), "w") as output:
        stream = None
        for part in parts:
            if end_s >= needed_s:
                break
            with av.open(str(part)) as source:
                stored = source.streams.video[0]
                stream = stream or output.add_stream_from_template(stored)
                shift_s = end_s
                for packet in source.demux(stored):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = round(shift_s / packet.time_base)
                    end_s = max(end_s, shift_s + float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    output.mux(packet)
    return path


def children() -> list[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in listed.split()]


def size_mb(folder: Path) -> float:
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it was removed just now
            found += path.stat().st_size if path.is_file() else 0
    return found / 1e6


def memory_mb(pid: int) -> float:
    """What a process has to itself, and its share of what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
