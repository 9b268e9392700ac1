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
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from results import RESULTS, commit, write_result

from maskedskipunet.evaluation.placing import Placing
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.evaluate import evaluate

ROOT = Path(__file__).parents[1]
STAGES = ("train", "test", "report")
KERNELS = ("learned", "frozen")
PAGE = ROOT / "docs" / "ped2.md"
CLAIM = 0.984  # frame AUC on Ped2, the publication's only figure
COMMIT = "commit.txt"  # of the code that trained a run, in its folder


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
        figures = {"recipe": options.config.name, "runs": [report(run, options.data) for run in runs]}
        environment = json.loads(runs[0].environment.read_text())
        print(write_result("ped2", figures, environment))
        PAGE.write_text(page([json.loads(path.read_text()) for path in sorted(RESULTS.glob("ped2_*.json"))]))
        print(PAGE)


# Training and testing, as a person does them


def train(run: RunFolder, config: Path, data: Path, passed_on: Sequence[str]) -> None:
    if run.is_finished():
        return
    if run.config.exists():
        command("train", "--resume", run.path)
        return
    seed, kernels = run.path.name.removeprefix("seed").split("_")
    made = ["--runs", run.path.parent, "--name", run.path.name]
    settings = ["--data", data, "--config", config, "--seed", seed, "--model.masked_weights", kernels]
    run.path.parent.mkdir(parents=True, exist_ok=True)
    (run.path.parent / f"{run.path.name}.{COMMIT}").write_text(commit())
    command("train", *settings, *made, *passed_on)


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


def command(*arguments: object) -> None:
    print("maskedskipunet", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "maskedskipunet", *map(str, arguments)], check=True)


def epochs_done(run: RunFolder) -> int:
    return int(json.loads(run.progress.read_text())["epochs_done"])


# What was found


def report(run: RunFolder, data: Path) -> dict[str, Any]:
    """A run's figures: of each epoch, and of the last by every protocol."""
    config, rows = run.read_config(), list(table(run.training_metrics))
    last = tested(run, len(rows))
    epochs = []
    for number, row in enumerate(rows, 1):
        scores = tested(run, number).scores
        of_target = evaluate(scores, data=data).figures
        of_first = evaluate(scores, data=data, placing=Placing(first=0)).figures
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
        "commit": (run.path.parent / f"{run.path.name}.{COMMIT}").read_text(),
        "config": {key: config[key] for key in ("model", "training")}
        | {"data": {key: config["data"][key] for key in ("height_px", "width_px", "stride", "holdback")}},
        "trained_on": "all training clips" if not config["data"]["holdback"] else "training clips not held back",
        "train_seconds": round(sum(epoch["seconds"] for epoch in epochs), 1),
        "epochs": epochs,
        "calibration": json.loads(last.metrics.read_text())["calibration"],
        "last_epoch": evaluate(last.scores, data=data, maps=last.maps).figures,
    }


def table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


# The page


PROTOCOLS = {
    "micro_auc": "micro AUC, raw (primary)",
    "micro_auc_gaussian": "micro AUC, Gaussian, 5 frames",
    "micro_auc_gaussian_causal": "micro AUC, Gaussian, causal",
    "micro_auc_median": "micro AUC, median",
    "micro_auc_median_causal": "micro AUC, median, causal",
    "micro_auc_min_max": "micro AUC, min-max by video",
    "macro_auc_two_class_videos": "macro AUC, one-class videos left out",
    "macro_auc_one_class_as_1": "macro AUC, one-class videos as 1",
    "macro_auc_padded": "macro AUC, min-max and padded",
    "average_precision": "average precision",
    "equal_error_rate": "equal error rate",
    "pixel_auc": "pixel AUC",
    "pixel_40_auc": "pixel level, 40 % criterion, AUC",
    "rbdc": "RBDC",
    "tbdc": "TBDC",
}


def page(results: Sequence[dict[str, Any]]) -> str:
    """`docs/ped2.md`: every result on record, newest last."""
    head = (
        "# UCSD Ped2\n\n"
        "Written by `benchmarks/reproduce_ped2.py` from `docs/results/ped2_*.json`; change those, not this page.\n\n"
        "The figure of a run is that of its last epoch: nothing was chosen on the test half. "
        f"The publication's only figure is {CLAIM:.1%} frame AUC. `docs/evaluation.md` defines the protocols.\n"
    )
    return head + "".join(section(result) for result in results)


def section(result: dict[str, Any]) -> str:
    runs = result["runs"]
    config, where = runs[0]["config"], result["environment"]
    hardware = ", ".join(where["accelerators"]) or f"{where['cores']} cores, {where['instruction_set']}"
    seeds = sorted({run["seed"] for run in runs})
    size = f"latent {config['model']['latent_dim']}, {config['data']['width_px']}x{config['data']['height_px']}"
    minutes = mean(run["train_seconds"] for run in runs) / 60
    kinds = [kernels for kernels in KERNELS if any(run["masked_weights"] == kernels for run in runs)]
    lines = [
        f"\n## `{result['recipe']}`: {size}, {len(runs[0]['epochs'])} epochs\n",
        f"{result['date']}, {hardware}, {numbered('seed', seeds)}, trained at commit {runs[0]['commit']} on "
        f"{runs[0]['trained_on']}, {minutes:.0f} minutes a run.\n",
        row("protocol", *(f"masked kernels {kernels}" for kernels in kinds)),
        row(*["---"] * (1 + len(kinds))),
        *(row(told, *(over_seeds(runs, kernels, key) for kernels in kinds)) for key, told in PROTOCOLS.items()),
        "",
        "Intervals are over draws of whole videos, of the first seed. "
        "With the label of the clip's first frame, as published, the raw micro AUC is "
        + " and ".join(f"{first_label(runs, kernels):.4f} ({kernels})" for kernels in kinds)
        + ".\n",
        "After each epoch (raw micro AUC; Gaussian):\n",
        row("kernels", "seed", *(f"{number}" for number in range(1, len(runs[0]["epochs"]) + 1)), "best minus last"),
        row(*["---"] * (3 + len(runs[0]["epochs"]))),
        *(each_epoch(run) for run in runs),
        *by_calibration(runs),
    ]
    return "\n".join(lines) + "\n"


def over_seeds(runs: Sequence[dict[str, Any]], kernels: str, key: str) -> str:
    """Mean and standard deviation over seeds; of one seed the figure, with its interval where it has one."""
    these = [run["last_epoch"] for run in runs if run["masked_weights"] == kernels]
    values = [figures[key] for figures in these]
    if None in values:
        return "–"
    if len(values) > 1:
        return f"{mean(values):.4f} ± {stdev(values):.4f}"
    interval = these[0]["intervals"]["by_videos"].get(key)
    return f"{values[0]:.4f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def first_label(runs: Sequence[dict[str, Any]], kernels: str) -> float:
    these = [run["epochs"][-1] for run in runs if run["masked_weights"] == kernels]
    return float(mean(epoch["micro_auc_first_frame_label"] for epoch in these))


def each_epoch(run: dict[str, Any]) -> str:
    raw = [epoch["micro_auc"] for epoch in run["epochs"]]
    cells = (f"{epoch['micro_auc']:.3f}; {epoch['micro_auc_gaussian']:.3f}" for epoch in run["epochs"])
    return row(run["masked_weights"], run["seed"], *cells, f"{max(raw) - raw[-1]:.3f}")


def by_calibration(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What thresholds do that were set without labels, where clips were held back."""
    rows = [
        row(
            run["masked_weights"],
            run["seed"],
            f"{at['normal_share']:.1%}",
            f"{at['threshold']:.5f}",
            f"{at['false_alarm_share']:.1%}",
            f"{at['detected_share']:.1%}",
        )
        for run in runs
        if run["calibration"] is not None
        for at in run["calibration"]["thresholds"]
    ]
    if rows:
        yield "\nThresholds set on held-back normal clips, without labels:\n"
        yield row("kernels", "seed", "held-back frames", "threshold", "normal test frames", "anomalous test frames")
        yield row(*["---"] * 6)
        yield from rows


def numbered(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
