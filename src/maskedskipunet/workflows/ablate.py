"""Train and test variants of the network under one budget, into one table."""

import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.errors import ConfigError, RunError, advice_when_interrupted
from maskedskipunet.files import atomic_write, read_text
from maskedskipunet.model.config import VARIANTS
from maskedskipunet.plain_yaml import LARGEST_BYTES, ValueLoader
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import (
    LATEST,
    RunFolder,
    create_run,
    require_free_name,
    write_csv,
    write_json,
    write_yaml,
)
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.view.plots import plot_ablation
from maskedskipunet.workflows.footage import test_videos
from maskedskipunet.workflows.test import test
from maskedskipunet.workflows.train import resume, train

PLAN_NAME = "ablation.yaml"
COLUMNS = ("variant", "published_class", "parameters", "epochs", "train_loss", "seconds", "micro_auc", "macro_auc")


@dataclass(frozen=True)
class AblationRow:
    """One variant's figures. seconds: of training. None if the test videos have no labels."""

    variant: str
    published_class: str
    parameters: int
    epochs: int
    train_loss: float
    seconds: float
    micro_auc: float | None
    macro_auc: float | None

    def cells(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)


@dataclass(frozen=True)
class Ablation:
    """The rows that are done and where they lie: ablation.csv, .md, .json and .png, and a run folder a variant."""

    rows: Sequence[AblationRow]
    folder: Path


def ablate(
    config: TrainConfig, variants: Sequence[str], *, device: str = "auto", progress: Progress | None = None
) -> Ablation:
    """Train and test each variant with the same footage, seed and budget, each by its network's own score.

    config: of every variant but for its name; `runs/NAME` will hold them all. variants: rows of the table.
    Raises ConfigError for a variant that is not there, DataError when the footage cannot be trained and tested on.
    """
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown or not variants:
        raise ConfigError(
            f"there is no variant {', '.join(unknown)}" if unknown else "no variant is named",
            "variants",
            f"Choose from {', '.join(VARIANTS)}",
        )
    if config.start_from is not None:
        raise ConfigError("variants start at random", "start_from", "Leave it out")
    require_free_name(config.runs, config.name)
    test_videos(config.data, config.input_format)  # before hours of training
    folder = create_run(config.runs, config.name, for_model=False).path
    write_yaml(folder / PLAN_NAME, {"variants": list(dict.fromkeys(variants)), "config": config.to_dict()})
    try:
        return _carry_on(folder, device, progress or Silent())
    except Exception:  # an interruption is none
        if not any(RunFolder(folder / variant).config.exists() for variant in variants):
            shutil.rmtree(folder)
        raise


def resume_ablation(folder: Path, *, device: str = "auto", progress: Progress | None = None) -> Ablation:
    """Continue an interrupted ablation.

    folder: `runs/latest` means the one begun last. Raises RunError when the folder holds none.
    """
    return _carry_on(_ablation_meant(folder), device, progress or Silent())


def _ablation_meant(folder: Path) -> Path:
    if folder.name != LATEST or (folder / PLAN_NAME).is_file():
        return folder
    plans = [plan for plan in folder.parent.glob(f"*/{PLAN_NAME}") if not plan.parent.is_symlink()]
    return max(plans, key=lambda plan: plan.stat().st_mtime_ns).parent if plans else folder


def _carry_on(folder: Path, device: str, progress: Progress) -> Ablation:
    with advice_when_interrupted(f"go on with `maskedskipunet ablate --resume {shlex.quote(str(folder))}`"):
        return _each_variant(folder, device, progress)


def _each_variant(folder: Path, device: str, progress: Progress) -> Ablation:
    variants, config = _plan(folder)
    rows: list[AblationRow] = []
    for number, variant in enumerate(variants, 1):
        run = RunFolder(folder / variant)
        if not run.metrics.exists():
            progress.note(f"variant {variant} ({number} of {len(variants)})")
            if run.config.exists():
                resume(run, progress)
            else:
                with suppress(OSError):
                    run.path.rmdir()  # broken off between the folder and its config
                train(_of_variant(config, variant, folder), progress)
            test(run.path, config.data, run.path, with_videos=False, device=device, progress=progress)
        rows.append(_row(variant, run))
        _write_tables(folder, rows)
    return Ablation(rows, folder)


def _plan(folder: Path) -> tuple[list[str], TrainConfig]:
    path = folder / PLAN_NAME
    try:
        plan = yaml.load(read_text(path, max_bytes=LARGEST_BYTES), ValueLoader)
        variants = [name for name in plan["variants"] if VARIANTS[name]]
        return variants, TrainConfig.from_dict(plan["config"], str(path))
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError) as error:
        raise RunError("holds no ablation", str(folder), "Name the folder that ablate made") from error


def _of_variant(config: TrainConfig, variant: str, folder: Path) -> TrainConfig:
    length = 1 if VARIANTS[variant].single_frame else config.model.clip_length
    model = replace(config.model, variant=variant, clip_length=length)
    return replace(config, model=model, runs=folder, name=variant, cues=(RECONSTRUCTION,), smoothing_s=0.0)


def _row(variant: str, run: RunFolder) -> AblationRow:
    import csv
    import json

    metrics = json.loads(run.metrics.read_text())
    with run.training_metrics.open(newline="") as file:
        epochs = list(csv.DictReader(file))
    return AblationRow(
        variant,
        VARIANTS[variant].published_class,
        metrics["parameters"],
        int(epochs[-1]["epoch"]),
        float(epochs[-1]["train_loss"]),
        round(sum(float(epoch["seconds"]) for epoch in epochs), 1),
        metrics["micro_auc"],
        metrics["macro_auc_two_class_videos"],
    )


def _write_tables(folder: Path, rows: Sequence[AblationRow]) -> None:
    write_csv(folder / "ablation.csv", COLUMNS, [row.cells() for row in rows])
    write_json(folder / "ablation.json", {"rows": [dict(zip(COLUMNS, row.cells(), strict=True)) for row in rows]})
    with atomic_write(folder / "ablation.md") as part:
        part.write_text(markdown_table(rows))
    plot_ablation([(row.variant, row.micro_auc) for row in rows], folder / "ablation.png", "Micro AUC by variant")


def markdown_table(rows: Sequence[AblationRow]) -> str:
    """Return the table for a document, figures to four decimals."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(_cell(value) for value in row.cells()) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "no labels"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
