"""Does watching for long keep its memory flat and its delay bounded?

    uv run python benchmarks/soak.py FOOTAGE [--minutes 30] [--cameras 4] [--speed 4]

FOOTAGE is a folder of mp4 files of one camera. They are joined end to end for each camera, played at several times
real speed, and watched by one network (untrained unless --model names one: what it scores does not matter here).
Writes docs/results/soak_<instruction set>_<date>.json with the memory of all processes over time, the delays, and
what was skipped. Ends with code 1 where memory grew or a delay was not bounded.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from results import write_result

import maskedskipunet as msu
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.streams import LiveSource
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.model.config import InputFormat
from maskedskipunet.monitor.news import Load, News, Scored
from maskedskipunet.monitor.watching import WatchConfig, watch
from maskedskipunet.workflows.scoring import load_scorer

SETTLED = 0.2  # of the time, after which memory is to be flat
GROWTH = 0.05  # of it, at most, from then to the end
MAX_DELAY_S = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--speed", type=float, default=4.0)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    network, how = load_scorer(options.model, "cpu") if options.model else untrained()
    with TemporaryDirectory() as folder:
        needed_s = options.minutes * 60 * options.speed
        parts = sorted(options.footage.glob("*.mp4"))
        cameras = {
            f"camera {number}": LiveSource(
                address=CameraAddress.parse(str(joined(parts[number:] + parts[:number], needed_s, folder, number))),
                fps=how.fps,
                stride=how.stride,
                speed=options.speed,
            )
            for number in range(options.cameras)
        }
        soak = Soak(options.minutes)
        config = WatchConfig(max_delay_s=MAX_DELAY_S, report_s=10)
        watch(cameras, network, (how.height_px, how.width_px), soak, config=config, wanted=lambda: not soak.is_over)
    settings = {"cameras": options.cameras, "speed": options.speed, "latent": network.config.latent_dim}
    figures = settings | soak.figures()
    print(json.dumps({name: value for name, value in figures.items() if name != "memory"}, indent=1))
    print(write_result("soak", figures))
    return 0 if figures["memory_is_flat"] and figures["delay_is_bounded"] else 1


class Soak:
    """A listener that keeps count, in as little memory of its own as it can."""

    def __init__(self, minutes: float) -> None:
        self._began_s, self._for_s = time.monotonic(), minutes * 60
        self._delays_ms = np.zeros(100_000, np.int64)  # how many scores came after so many milliseconds
        self._loads: dict[str, int] = {"frames": 0, "scored": 0, "skipped": 0, "dropped": 0}
        self._most_every = 1
        self._memory: list[tuple[float, float, float]] = []
        self._looked_s = 0.0

    @property
    def is_over(self) -> bool:
        now_s = time.monotonic() - self._began_s
        if now_s - self._looked_s >= 5:
            self._looked_s = now_s
            ours, theirs = memory_mb(os.getpid()), sum(map(memory_mb, children()))
            self._memory.append((round(now_s, 1), round(ours, 1), round(theirs, 1)))
        return now_s >= self._for_s

    def __call__(self, news: News) -> None:
        if isinstance(news, Scored):
            if news.frame.score is not None:
                self._delays_ms[min(len(self._delays_ms) - 1, int(news.delay_s * 1000))] += 1
        elif isinstance(news, Load):
            for name in self._loads:
                self._loads[name] += getattr(news, name)
            self._most_every = max(self._most_every, news.every)
        else:
            print(news, file=sys.stderr, flush=True)

    def figures(self) -> dict[str, Any]:
        together = np.cumsum(self._delays_ms)
        shares = {"median": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
        delays_s = {name: int(np.searchsorted(together, share * together[-1])) / 1000 for name, share in shares.items()}
        whole = np.array([ours + theirs for _, ours, theirs in self._memory])
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
            "memory": {"columns": ["seconds", "main process (MB)", "cameras' processes (MB)"], "rows": self._memory},
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


def untrained() -> tuple[PreparedNetwork, InputFormat]:
    how = InputFormat(height_px=64, width_px=128)
    return prepare(msu.create_model("masked_skips", latent_dim=16).eval(), "cpu", size_px=(64, 128)), how


def children() -> list[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in listed.split()]


def memory_mb(pid: int) -> float:
    """What a process has to itself, and its share of what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
