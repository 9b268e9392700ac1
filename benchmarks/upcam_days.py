"""Does an alarm budget hold on a day that was never seen? One day is trained on, one calibrates, a third is scored.

    uv run python benchmarks/upcam_days.py --train upcam_days/05 --calibrate upcam_days/06 --score upcam/normal

All three are ordinary days of one camera, so each alarm is a false one and each hour that is called drift too. The
labelled hour is not read. The recipe is recipes/camera_cpu.yaml with every third clip of the day (--stride), so that a
day is trained on in the time of eight hours; arguments after -- are passed on to `train`.

Works in a folder (--work), and goes on where it was cut off. Writes docs/results/upcam_days_<hardware>_<date>.json.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from commands import command
from results import write_result

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.runs import RunFolder

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "camera_cpu.yaml"
BUDGETS = (1.0, 0.25)  # false alarms an hour


def main() -> None:
    arguments, passed_on = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, passed_on = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("train", "calibrate", "score"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="a folder with a day of footage")
    parser.add_argument("--stride", type=int, default=3, help="between the clips that are trained on")
    parser.add_argument("--work", type=Path, default=Path("runs/upcam_days"), help="for what is made on the way")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    run = RunFolder(options.work / "run")
    if not run.is_finished():
        shutil.rmtree(run.path, ignore_errors=True)
        made = ["--runs", options.work, "--name", run.path.name, "--data.stride", options.stride]
        command("train", "--config", RECIPE, "--data", options.train, *made, *passed_on)
    config = {key: run.read_config()[key] for key in ("model", "training", "data", "cues", "smoothing_s")}
    config["data"].pop("path", None)
    content = {
        "days": {name: getattr(options, name).name for name in ("train", "calibrate", "score")},
        "config": config,
        "cues_mb": cues_mb(run),
        "budgets": [at_budget(run, options, budget) for budget in BUDGETS],
    }
    print(write_result("upcam_days", content))


def cues_mb(run: RunFolder) -> float | None:
    """What the exemplars of the appearance cue take in memory."""
    model = CueModel.read(run.path / "model")
    return None if model is None or model.appearance is None else round(model.appearance.memory.size_bytes / 1e6, 1)


def at_budget(run: RunFolder, options: argparse.Namespace, budget: float) -> dict[str, Any]:
    """What `calibrate` predicts of a day at a budget, and what the third day gives."""
    stated, scored = (options.work / f"{name}_{budget:g}.json" for name in ("calibrated", "scored"))
    if not scored.exists():
        limits = ["--false-alarms-per-hour", budget, "--interval-hours", 24]
        command("calibrate", options.calibrate, "--model", run.path, *limits, "--json", stated)
        out = options.work / f"scored_{budget:g}"
        command("score", options.score, "--model", run.path, "--out", out, "--json", scored)
    told, videos = json.loads(stated.read_text()), json.loads(scored.read_text())["videos"]
    hours = [
        {
            "video": video["video"],
            "alarms": video["events"],
            "is_drift": bool(video["drift"]),
        }
        for video in videos
    ]
    rate = sum(hour["alarms"] for hour in hours) / len(hours)
    return {
        "budget_per_hour": budget,
        "threshold": told["rule"]["threshold"],
        "interval_per_hour": [told["low_per_hour"], told["high_per_hour"]],
        "alarms_per_hour": rate,
        "is_inside": told["low_per_hour"] <= rate <= told["high_per_hour"],
        "hours_called_drift": sum(hour["is_drift"] for hour in hours),
        "hours": hours,
    }


if __name__ == "__main__":
    main()
