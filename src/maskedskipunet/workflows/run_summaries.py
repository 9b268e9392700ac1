"""What run folders hold, for people who compare them: settings, learning curves, figures, plots and videos."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import MaskedSkipUNetError, RunError
from maskedskipunet.files import read_text
from maskedskipunet.runs import RunFolder

MOST_RUNS = 200  # the newest
MOST_FILES = 500
MOST_BYTES = 4_000_000
MOST_EPOCHS = 5000
PLOTS, VIDEOS = (".png", ".jpg"), (".mp4",)
_CURVES = ("train_loss", "holdback_loss")
_SETTINGS = (
    ("variant", ("model", "variant")),
    ("latent channels", ("model", "latent_dim")),
    ("footage", ("data", "path")),
    ("height", ("data", "height_px")),
    ("width", ("data", "width_px")),
    ("frames a second", ("data", "fps")),
    ("epochs", ("training", "epochs")),
    ("learning rate", ("training", "learning_rate")),
    ("seed", ("seed",)),
)


@dataclass(frozen=True)
class RunSummary:
    """A run. settings: those that tell runs apart. losses: by name, a value for each epoch, None where it has none.

    figures: what `test` found, by the names of `metrics.json` with dots. threshold, budget: of alarms, None where it
    was not calibrated. plots, videos: paths of files below the run's folder.
    """

    name: str
    written_unix_s: float
    is_finished: bool
    has_model: bool
    settings: Mapping[str, str]
    losses: Mapping[str, tuple[float | None, ...]]
    figures: Mapping[str, float]
    threshold: float | None
    budget: str
    plots: tuple[str, ...]
    videos: tuple[str, ...]

    @property
    def auc(self) -> float | None:
        """The micro AUC of a test; None where there was none."""
        return next((value for name, value in self.figures.items() if name.endswith("micro_auc")), None)


def list_runs(runs: Path) -> list[RunSummary]:
    """Return the runs of a folder, the newest first; none where there is no such folder."""
    try:
        folders = [path for path in runs.iterdir() if not path.is_symlink() and (path / "config.yaml").is_file()]
    except OSError:
        return []
    newest = sorted(folders, key=_written_unix_s, reverse=True)[:MOST_RUNS]
    return [summary_of(path) for path in newest]


def read_run(runs: Path, name: str) -> RunSummary:
    """Return one run. Raises RunError where there is none of this name."""
    path = runs / name
    if Path(name).name != name or name in ("", ".", "..") or path.is_symlink() or not (path / "config.yaml").is_file():
        raise RunError("there is no such run", name[:80], "See the list of runs")
    return summary_of(path)


def summary_of(path: Path) -> RunSummary:
    """Return what a run folder holds; what cannot be read is left out."""
    run = RunFolder(path)
    threshold, budget = _alarm(run)
    return RunSummary(
        name=path.name,
        written_unix_s=_written_unix_s(path),
        is_finished=run.is_finished(),
        has_model=run.has_model(),
        settings=_settings(run),
        losses=_losses(run.training_metrics),
        figures=_figures(run.metrics),
        threshold=threshold,
        budget=budget,
        plots=_files(run.plots, PLOTS, path),
        videos=_files(run.videos, VIDEOS, path),
    )


def _written_unix_s(path: Path) -> float:
    times = []
    for name in ("model/model.safetensors", "metrics.json", "config.yaml"):
        try:
            times.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _settings(run: RunFolder) -> dict[str, str]:
    try:
        config = run.read_config()
    except MaskedSkipUNetError:
        return {}
    found = {}
    for name, keys in _SETTINGS:
        value: Any = config
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            found[name] = Path(str(value)).name if name == "footage" else str(value)[:80]
    return found


def _losses(path: Path) -> dict[str, tuple[float | None, ...]]:
    try:
        rows = [*csv.DictReader(read_text(path, max_bytes=MOST_BYTES).splitlines())][:MOST_EPOCHS]
    except (OSError, ValueError, csv.Error):
        return {}
    curves = {name: tuple(_number(row.get(name)) for row in rows) for name in _CURVES}
    return {name: values for name, values in curves.items() if any(value is not None for value in values)}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _figures(path: Path) -> dict[str, float]:
    try:
        content = json.loads(read_text(path, max_bytes=MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    found: dict[str, float] = {}
    _collect(content, (), found)
    return found


def _collect(value: Any, names: tuple[str, ...], found: dict[str, float]) -> None:
    """Collect the numbers of nested mappings; lists, such as curves and clips, are left to the file itself."""
    if isinstance(value, dict) and len(names) < 4:
        for name, inner in value.items():
            _collect(inner, (*names, str(name)), found)
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and len(found) < MOST_FILES:
        found[".".join(names)] = float(value)


def _alarm(run: RunFolder) -> tuple[float | None, str]:
    try:
        calibration = Calibration.read(run.model)
    except (MaskedSkipUNetError, OSError):
        return None, ""
    if calibration is None or calibration.alarm is None:
        return None, ""
    return calibration.alarm.rule.threshold, str(calibration.alarm.budget)


def _files(folder: Path, suffixes: tuple[str, ...], run: Path) -> tuple[str, ...]:
    try:
        found = sorted(path for path in folder.rglob("*") if path.suffix in suffixes and path.is_file())
    except OSError:
        return ()
    return tuple(path.relative_to(run).as_posix() for path in found[:MOST_FILES])
