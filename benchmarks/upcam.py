"""A real camera from end to end: one day is trained on, another calibrates, a third and a labelled hour are scored.

    uv run python benchmarks/upcam.py --data upcam --days upcam_days

Sunday (days/05) is trained on with recipes/camera_cpu.yaml; its one epoch sees a share of the clips, so that a day
takes a quarter of an hour. On Monday (days/06) a threshold is set that keeps one false alarm an hour, and Monday is
remembered. Nothing was learned from Thursday (normal/): each alarm there is a false one, and each hour that is called
drift too. The labelled hour is tested as somebody would have it who has these two days, and once more after Thursday
has set the threshold anew and is remembered as well. At the end comes the hour of two months before, when the room
looked different. Nothing is chosen on those.

Works in a folder (--work), and goes on where it was cut off. Writes docs/results/upcam_days_<hardware>_<date>.json and
docs/upcam.md. Arguments after -- are passed on to `train`.
"""

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from commands import command
from results import commit, write_result
from upcam_page import write_page

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.detection.events import EventRule, find_spans
from maskedskipunet.runs import RunFolder

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "camera_cpu.yaml"
BUDGET = 1.0  # false alarms an hour
RARER = 0.25  # another budget, whose alarms are counted in the same scores


def main() -> None:
    arguments, passed_on = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, passed_on = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder upcam")
    parser.add_argument("--days", type=Path, required=True, help="the folder upcam_days")
    parser.add_argument("--share", type=float, default=0.33, help="of the clips that the network is trained on")
    parser.add_argument("--every", type=int, default=1, help="of the hours that calibrate and are scored: every n-th")
    parser.add_argument("--work", type=Path, default=Path("runs/upcam"), help="for what is made on the way")
    options = parser.parse_args(arguments)
    for needed in (options.data / "normal" / "00.mp4", options.days / "05", options.days / "06"):
        if not needed.exists():
            sys.exit(f"{needed}: not there")
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    run = RunFolder(work / "run")
    if not run.is_finished():
        shutil.rmtree(run.path, ignore_errors=True)  # an epoch is all there is: nothing to go on from
        made = ["--runs", work, "--name", run.path.name, "--training.share", options.share]
        command("train", "--config", RECIPE, "--data", options.days / "05", *made, *passed_on)
        (work / "commit.txt").write_text(commit())
    monday = every_nth(options.days / "06", work / "calibration", options.every, 0)
    thursday = every_nth(options.data / "normal", work / "verification", options.every, 1)
    calibrate(run, monday, RARER, work / "rarer.json")
    calibrate(run, monday, BUDGET, work / "calibrated.json", "--remember")
    score(run, thursday, work, "verification")
    test_labelled_hour(run, options.data, work, "_two_days")
    calibrate(run, thursday, BUDGET, work / "calibrated_again.json", "--remember")
    score(run, options.data / "earlier", work, "earlier")
    test_labelled_hour(run, options.data, work, "")
    print(write_result("upcam_days", figures(run, work, options.every)))
    print(write_page())


def calibrate(run: RunFolder, footage: Path, budget: float, found: Path, *more: str) -> None:
    if not found.exists():
        limits = ["--false-alarms-per-hour", budget, "--interval-hours", 24]
        command("calibrate", footage, "--model", run.path, *limits, *more, "--json", found)


def score(run: RunFolder, footage: Path, work: Path, name: str) -> None:
    if not (work / f"{name}.json").exists():
        command(
            "score", footage, "--model", run.path, "--out", work / f"{name}_scores", "--json", work / f"{name}.json"
        )


def test_labelled_hour(run: RunFolder, data: Path, work: Path, state: str) -> None:
    """Test the labelled hour by the model as it is now. state: the end of the results' names."""
    score(run, data / "test" / "00.mp4", work, f"labelled{state}")
    if not (work / f"tested{state}.json").exists():
        out = ["--out", work / f"tested{state}", "--videos", "false", "--json", work / f"tested{state}.json"]
        command("test", run.path, "--data", data, *out)


def every_nth(footage: Path, links: Path, every: int, first: int) -> Path:
    """A folder of links to every n-th hour, counted from one of them; the footage itself where all are wanted."""
    if every == 1:
        return footage
    links.mkdir(exist_ok=True)
    for film in sorted(footage.glob("*.mp4"))[first % every :: every]:
        link = links / film.name
        if not link.exists():
            link.symlink_to(film.resolve())
    return links


def figures(run: RunFolder, work: Path, every: int) -> dict[str, Any]:
    names = ("calibrated", "calibrated_again", "rarer", "verification", "earlier")
    found = {name: read(work / f"{name}.json") for name in names}
    config, stated = run.read_config(), found["calibrated"]
    with run.training_metrics.open(newline="") as file:
        train_seconds = sum(float(row["seconds"]) for row in csv.DictReader(file))
    data = {key: config["data"][key] for key in ("height_px", "width_px", "fps")}
    earlier = found["earlier"].get("videos", [found["earlier"]])[0]
    return {
        "trained_at": (work / "commit.txt").read_text(),
        "config": {key: config[key] for key in ("model", "training", "cues", "smoothing_s")} | {"data": data},
        "train_seconds": round(train_seconds, 1),
        "cues_mb": cues_mb(run),
        "every_nth_hour": every,
        "calibration": without_moments(stated),
        "calibration_again": without_moments(found["calibrated_again"]),
        "budgets": [
            against(found["verification"]["videos"], stated, None),
            against(found["verification"]["videos"], found["rarer"], work / "verification_scores"),
        ],
        "hours": [
            {"hour": video["video"], "alarms": video["events"], "is_drift": bool(video["drift"])}
            for video in found["verification"]["videos"]
        ],
        "earlier_hour": {"alarms": earlier["events"], "drift": earlier["drift"]},
        "test_hour_two_days": test_hour(work, "_two_days", stated["rule"]["threshold"]),
        "test_hour": test_hour(work, "", found["calibrated_again"]["rule"]["threshold"]),
    }


def test_hour(work: Path, state: str, threshold: float) -> dict[str, Any]:
    """What the labelled hour gave. state: the end of the results' names."""
    tested = read(work / f"tested{state}.json")
    events = read(next(work.glob(f"labelled{state}_scores/**/events.json")))["events"]
    return {
        "micro_auc": tested["micro_auc"],
        "auc_by_cue": {cue: part["micro_auc"] for cue, part in tested.get("cues", {}).items()},
        "alarms": tested["alarms"],
        "stretches": list(stretches(work / f"tested{state}" / "scores.parquet", events, threshold)),
        "events": [plain(event) for event in events],
    }


def without_moments(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stated.items() if key != "highest"}


def against(videos: Sequence[Mapping[str, Any]], stated: Mapping[str, Any], scores: Path | None) -> dict[str, Any]:
    """What a threshold gives on the day that nobody saw, beside what `calibrate` predicted.

    scores: where to count by the threshold itself, without raising it while drift lasts; None: what `score` counted.
    """
    if scores is None:
        alarms = sum(video["events"] for video in videos)
    else:
        alarms = sum(count(file, EventRule(**stated["rule"])) for file in sorted(scores.glob("**/*.parquet")))
    hours = len(videos)
    return {
        "budget_per_hour": stated["budget"]["alarms"],
        "threshold": stated["rule"]["threshold"],
        "interval_per_hour": [stated["low_per_hour"], stated["high_per_hour"]],
        "alarms_per_hour": alarms / hours,
        "is_inside": stated["low_per_hour"] <= alarms / hours <= stated["high_per_hour"],
    }


def count(scores: Path, rule: EventRule) -> int:
    columns = pq.read_table(scores, columns=["time", "score"]).to_pydict()
    time_s, score = (np.array(columns[name], np.float64) for name in ("time", "score"))
    known = ~np.isnan(score)
    return len(find_spans(time_s[known], score[known], rule))


def cues_mb(run: RunFolder) -> float | None:
    """What the exemplars of the appearance cue take in memory."""
    model = CueModel.read(run.path / "model")
    return None if model is None or model.appearance is None else round(model.appearance.memory.size_bytes / 1e6, 1)


def stretches(scores: Path, events: Sequence[Mapping[str, Any]], threshold: float) -> Iterator[dict[str, Any]]:
    """Each anomalous stretch of the labelled hour, frames of the source from 0, how high it scores, and its alarms.

    share_over: of its frames, those that reach the threshold: whether it is seen while it lasts, or only now and then.
    """
    columns = pq.read_table(scores, columns=["frame", "score", "label"]).to_pydict()
    frame, label = np.array(columns["frame"]), np.array(columns["label"])
    score = np.array(columns["score"], np.float64)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label == 1, [0]]).astype(int))).reshape(-1, 2)
    for first, end in edges:
        part = score[first:end]
        start_frame, end_frame = int(frame[first]), int(frame[end - 1])
        inside = [one for one in events if one["start_frame"] <= end_frame and one["end_frame"] >= start_frame]
        yield {
            "start_frame": start_frame,
            "end_frame": end_frame,
            "highest": float(np.nanmax(part)),
            "median": float(np.nanmedian(part)),
            "scored_frames": len(part),
            "share_over": round(float((part >= threshold).mean()), 3),
            "alarms": len(inside),
            "cues": sorted({one["reason"]["cue"] for one in inside if one.get("reason")}),
        }


def plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an event."""
    reason = event.get("reason") or {}
    return {
        "start_frame": event["start_frame"],
        "end_frame": event["end_frame"],
        "top_score": event["top_score"],
        "cue": reason.get("cue"),
        "shares": reason.get("shares"),
    }


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
