"""The method on UCSD Ped2 by an honest protocol: trained and frozen masked kernels, each epoch, every protocol.

    uv run python benchmarks/reproduce_ped2.py --data UCSDped2                          # everything, the size for CPUs
    uv run python benchmarks/reproduce_ped2.py --data UCSDped2 --config recipes/ped2.yaml --seeds 0 1 2
    uv run python benchmarks/reproduce_ped2.py --data UCSDped2 --stages train --kernels learned -- --training.epochs 12

The stages stand alone, and each goes on where it was cut off:

    train   a run a seed and kind of masked kernels, from the training half alone
    test    the weights after each epoch, from checkpoints and the test half alone
    report  docs/results/ped2_<hardware>_<date>.json and docs/ped2.md, from what the tests left

Nothing is chosen on the test half: the figure of a run is that of its last epoch. What choosing an epoch there would
have added stands beside it. Arguments after -- are passed on to `train`.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from commands import command
from ped2_page import KERNELS, write_page
from results import commit, write_result

from maskedskipunet.evaluation.frame_alignment import FrameAlignment
from maskedskipunet.model.score import PATCH_PX
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.evaluate import EvaluateOptions, evaluate

ROOT = Path(__file__).parents[1]
STAGES = ("train", "test", "report")
OF_MAPS = ("map_patch_px", "pixel_auc", "pixel_40_auc", "pixel_40_eer", "rbdc", "tbdc")


def main() -> None:
    arguments, passed_on = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, passed_on = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="UCSD Ped2, or the half that the stage needs")
    parser.add_argument("--config", type=Path, default=ROOT / "recipes" / "ped2_cpu.yaml", help="the recipe")
    parser.add_argument("--runs", type=Path, help="for the run folders (default: runs/NAME of the recipe)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=KERNELS)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    options = parser.parse_args(arguments)
    folder = options.runs or Path("runs") / options.config.stem
    runs = [RunFolder(folder / f"seed{seed}_{kernels}") for seed in options.seeds for kernels in options.kernels]
    for run in runs:
        if "train" in options.stages:
            train(run, options.config, options.data, passed_on)
        if "test" in options.stages:
            test(run, options.data)
    if "report" in options.stages:
        for run in runs:
            require_tested(run)
        figures = {"recipe": options.config.name, "runs": [report(run, options.data) for run in runs]}
        environment = json.loads(runs[0].environment.read_text())
        print(write_result("ped2", figures, environment))
        print(write_page())


# Training and testing, as a person does them


def train(run: RunFolder, config: Path, data: Path, passed_on: Sequence[str]) -> None:
    if run.is_finished():
        return
    if run.config.exists():
        command("train", "--resume", run.path)
    else:
        seed, kernels = run.path.name.removeprefix("seed").split("_")
        made = ["--runs", run.path.parent, "--name", run.path.name]
        settings = ["--data", data, "--config", config, "--seed", seed, "--model.masked_weights", kernels]
        command("train", *settings, *made, *passed_on)
    commit_of(run).write_text(commit())


def commit_of(run: RunFolder) -> Path:
    """Where the commit of the code that trained a run is kept."""
    return run.path.parent / f"{run.path.name}.commit.txt"


def test(run: RunFolder, data: Path) -> None:
    """The weights after each epoch; of the last the score maps too."""
    epochs = epochs_done(run)
    for epoch in range(1, epochs + 1):
        out = tested(run, epoch)
        if not out.metrics.exists():
            is_last = epoch == epochs  # its weights are the model's, and the model is calibrated
            model, maps = (run.path, ["--maps"]) if is_last else (run.epoch_weights(epoch), [])
            command("test", model, "--data", data, "--out", out.path, "--videos", "false", *maps)


def tested(run: RunFolder, epoch: int) -> RunFolder:
    return RunFolder(run.path / "tested" / f"epoch_{epoch:02d}")


def require_tested(run: RunFolder) -> None:
    if not run.progress.exists() or not tested(run, epochs_done(run)).metrics.exists():
        sys.exit(f"{run.path} is not tested to its last epoch: run the stages train and test first")


def epochs_done(run: RunFolder) -> int:
    return int(json.loads(run.progress.read_text())["epochs_done"])


# What was found


def report(run: RunFolder, data: Path) -> dict[str, Any]:
    """A run's figures: of each epoch, and of the last by every protocol."""
    config, rows = run.read_config(), list(table(run.training_metrics))
    last = tested(run, len(rows))
    # The score looks at means of patches; regions of its maps are looked for in the same.
    of_patches = evaluate(
        last.scores, data=data, options=EvaluateOptions(maps=last.maps, map_patch_px=PATCH_PX)
    ).figures
    epochs = []
    for number, row in enumerate(rows, 1):
        scores = tested(run, number).scores
        of_target = network_alone(evaluate(scores, data=data).figures)
        of_first = network_alone(
            evaluate(scores, data=data, options=EvaluateOptions(alignment=FrameAlignment(first=0))).figures
        )
        epochs.append(
            {
                "epoch": number,
                "train_loss": float(row["train_loss"]),
                "holdback_loss": float(row["holdback_loss"]) if row["holdback_loss"] else None,
                "seconds": float(row["seconds"]),
                "micro_auc": of_target["micro_auc"],
                "micro_auc_gaussian": of_target["micro_auc_gaussian"],
                "micro_auc_first_frame_label": of_first["micro_auc"],
            }
        )
    return {
        "seed": config["seed"],
        "masked_weights": config["model"]["masked_weights"],
        "commit": commit_of(run).read_text(),
        "config": {key: config[key] for key in ("model", "training")}
        | {"data": {key: config["data"][key] for key in ("height_px", "width_px", "stride", "spacing", "holdback")}},
        "trained_on": "all training clips" if not config["data"]["holdback"] else "training clips not held back",
        "train_seconds": round(sum(epoch["seconds"] for epoch in epochs), 1),
        "epochs": epochs,
        "calibration": json.loads(last.metrics.read_text())["calibration"],
        "last_epoch": evaluate(last.scores, data=data, options=EvaluateOptions(maps=last.maps)).figures,
        "last_epoch_maps_of_patches": {key: value for key, value in of_patches.items() if key in OF_MAPS},
    }


def network_alone(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of the network's own score: the weights after an epoch have no other cue beside them."""
    found: dict[str, Any] = figures.get("cues", {}).get("reconstruction", figures)
    return found


def table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
