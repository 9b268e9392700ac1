"""A real camera from end to end: a budget of false alarms is set on normal hours, and held to on others.

    uv run python benchmarks/upcam.py --data upcam                     # everything
    uv run python benchmarks/upcam.py --data upcam --run runs/room     # with a run of its training hours

The 24 normal hours are split before anything is seen: those with hour % 3 = 0 are trained on, = 1 calibrate, = 2
verify, so that each part covers day and night. The threshold keeps one false alarm an hour on the calibration hours;
the verification hours tell what it is worth. Then, once: the labelled hour, and the hour of two months before, when
the room looked different. Nothing is chosen on those.

Works in a folder (--work), and goes on where it was cut off. Writes docs/results/upcam_<hardware>_<date>.json and
docs/upcam.md.
"""

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from commands import command
from results import write_result
from upcam_page import write_page

from maskedskipunet.runs import RunFolder

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "camera_cpu.yaml"
PARTS = ("training", "calibration", "verification")  # of the hours, by hour % 3
BUDGET = 1.0  # false alarms an hour
HOURS = 8.0  # of verification footage: what the interval is for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder upcam")
    parser.add_argument("--run", type=Path, help="a trained run (default: train one)")
    parser.add_argument("--work", type=Path, default=Path("runs/upcam"), help="for what is made on the way")
    options = parser.parse_args()
    if not (options.data / "normal" / "00.mp4").is_file():
        sys.exit(f"{options.data}: not the footage of upcam")
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    split(options.data, work)
    run = options.run or train(work)
    if not (work / "calibrated.json").exists():
        budget = ["--false-alarms-per-hour", BUDGET, "--interval-hours", HOURS]
        command("calibrate", work / "calibration", "--model", run, *budget, "--json", work / "calibrated.json")
    for name, sources in (("verification", work / "verification"), ("earlier", options.data / "earlier")):
        if not (work / f"{name}.json").exists():
            command("score", sources, "--model", run, "--out", work / f"{name}_scores", "--json", work / f"{name}.json")
    if not (work / "tested.json").exists():
        out = ["--out", work / "tested", "--videos", "false", "--json", work / "tested.json"]
        command("test", run, "--data", options.data, *out)
    print(write_result("upcam", figures(RunFolder(run), work)))
    print(write_page())


def split(data: Path, work: Path) -> None:
    """Links to the hours of each part."""
    for hour in range(24):
        part = work / PARTS[hour % 3]
        part.mkdir(exist_ok=True)
        link = part / f"{hour:02d}.mp4"
        if not link.exists():
            link.symlink_to((data / "normal" / link.name).resolve())


def train(work: Path) -> Path:
    run = work / "run"
    if not RunFolder(run).is_finished():
        if run.exists():
            shutil.rmtree(run)  # an epoch is all there is: nothing to go on from
        command("train", "--config", RECIPE, "--data", work / "training", "--runs", work, "--name", run.name)
    return run


def figures(run: RunFolder, work: Path) -> dict[str, Any]:
    told = {name: read(work / f"{name}.json") for name in ("calibrated", "verification", "earlier", "tested")}
    config, stated = run.read_config(), told["calibrated"]
    with run.training_metrics.open(newline="") as file:
        train_seconds = sum(float(row["seconds"]) for row in csv.DictReader(file))
    hours = [{"hour": video["video"], "alarms": video["events"]} for video in told["verification"]["videos"]]
    rate = sum(hour["alarms"] for hour in hours) / HOURS
    (earlier,) = told["earlier"]["videos"]
    return {
        "config": {key: config[key] for key in ("model", "training")}
        | {"data": {key: config["data"][key] for key in ("height_px", "width_px", "fps", "stride")}},
        "train_seconds": round(train_seconds, 1),
        "budget_per_hour": BUDGET,
        "calibration": {key: value for key, value in stated.items() if key != "highest"},
        "interval_per_hour": [stated["low_per_hour"], stated["high_per_hour"]],
        "interval_width_per_hour": stated["high_per_hour"] - stated["low_per_hour"],
        "verification": hours,
        "verification_alarms_per_hour": rate,
        "verification_is_inside": stated["low_per_hour"] <= rate <= stated["high_per_hour"],
        "earlier_hour": {key: value for key, value in earlier.items() if key != "video"},
        "test_hour": {key: told["tested"][key] for key in ("micro_auc", "alarms")}
        | {"stretches": list(stretches(work / "tested" / "scores.parquet"))},
    }


def stretches(scores: Path) -> Iterator[dict[str, Any]]:
    """Each anomalous stretch of the labelled hour, frames of the source from 0, and how high it scores."""
    columns = pq.read_table(scores, columns=["frame", "score", "label"]).to_pydict()
    frame, label = np.array(columns["frame"]), np.array(columns["label"])
    score = np.array(columns["score"], np.float64)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label == 1, [0]]).astype(int))).reshape(-1, 2)
    for first, end in edges:
        part = score[first:end]
        yield {
            "start_frame": int(frame[first]),
            "end_frame": int(frame[end - 1]),
            "highest": float(np.nanmax(part)),
            "median": float(np.nanmedian(part)),
        }


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
