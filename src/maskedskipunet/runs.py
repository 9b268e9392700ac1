"""The run folder: its names, its number, and what it says of how it came to be."""

import csv
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from maskedskipunet.errors import RunError
from maskedskipunet.files import atomic_write, lock_file, read_text, require_writable
from maskedskipunet.machine import cores, instruction_set, memory_gb, processor
from maskedskipunet.plain_yaml import LARGEST_BYTES, ValueLoader

LATEST = "latest"
_UNSAYABLE = "backslashreplace"  # names of files may hold bytes that are no text; JSON reads its own escape back
RECORDED_PACKAGES = (
    "maskedskipunet",
    "torch",
    "lightning",
    "numpy",
    "av",
    "pillow",
    "scipy",
    "pyarrow",
    "safetensors",
)


class RunFolder:
    """The paths of everything in a run; each path has one name here.

    path: `runs/NAME`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.checkpoints = path / "checkpoints"
        self.last_state = self.checkpoints / "last.ckpt"
        self.progress = path / "progress.json"
        self.model = path / "model"
        self.training_metrics = path / "metrics.csv"
        self.logs = path / "logs"
        self.scores = path / "scores.parquet"
        self.metrics = path / "metrics.json"
        self.plots = path / "plots"
        self.videos = path / "videos"
        self.maps = path / "maps"
        self.calibrated_on = path / "calibrated_on.json"

    def epoch_weights(self, epoch: int) -> Path:
        """Return weights after an epoch, counted from 1."""
        return self.checkpoints / f"epoch_{epoch:02d}.safetensors"

    def has_model(self) -> bool:
        """Return whether an epoch was finished, so that the run can score."""
        return (self.model / "config.json").is_file()

    def is_finished(self) -> bool:
        """Return whether the training is complete."""
        try:
            return bool(json.loads(self.progress.read_text())["finished"])
        except (OSError, ValueError, TypeError, KeyError):
            return False

    @contextmanager
    def for_one_process(self) -> Iterator[None]:
        """Lock the run for this block, so that no other process writes it. Raises RunError while one does.

        The system ends the hold with the process, however that ends.
        """
        with (self.path / ".lock").open("a") as file:
            try:
                lock_file(file, wait=False)
            except OSError as error:
                cure = "Wait for it, or end it first"
                raise RunError("another process is training this run", str(self.path), cure) from error
            yield

    def write_config(self, config: Mapping[str, Any]) -> None:
        write_yaml(self.config, config)

    def read_config(self) -> dict[str, Any]:
        """Return what write_config wrote. Raises RunError when it is missing or unreadable."""
        try:
            config = yaml.load(read_text(self.config, max_bytes=LARGEST_BYTES), ValueLoader)
        except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
            raise RunError("cannot read the run's config", str(self.config), "Name a whole run folder") from error
        if not isinstance(config, dict):
            raise RunError("not a run's config", str(self.config), "Name a whole run folder")
        return config


def require_free_name(runs: Path, name: str | None) -> None:
    """Raise, before any work is done, what create_run would: RunError for the name, ConfigError for the folder."""
    if name is not None:
        if name in {"", ".", "..", LATEST} or Path(name).name != name or not name.isprintable():
            raise RunError(f"{name!r} is no name for a run", "name", "Use letters, digits, - and _")
        if (runs / name).exists():
            raise _taken(runs / name)
    require_writable(runs)


def create_run(runs: Path, name: str | None = None, *, for_model: bool = True) -> RunFolder:
    """Make `runs/NAME`, or the next free number.

    for_model: it will hold a model; then `runs/latest` points to it at once if no other run has a model, otherwise when
    its own exists (`point_latest`). Raises RunError if the name is taken, or is no name for a folder.
    """
    require_free_name(runs, name)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        folder = _make_named(runs, name) if name is not None else _make_numbered(runs)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunError("not a folder", str(runs), "Name another folder with --runs") from error
    if for_model and latest_model(runs) is None:
        _point_latest(runs, folder.name)
    return RunFolder(folder)


def find_run(path: Path, runs: Path = Path("runs")) -> RunFolder:
    """Return the run that a person means: a run folder, or its name under `runs/`; as the latest, the training begun
    last.

    Raises RunError if there is none.
    """
    for link in (path, runs / path):
        if link.name == LATEST and link.is_symlink() and (newest := _newest(_runs_in(link.parent))) is not None:
            return newest
    run = run_meant(path, runs)
    if run is None:
        raise RunError("no such run", str(path), "Name a run folder, such as runs/latest")
    return run


def run_meant(path: Path, runs: Path = Path("runs")) -> RunFolder | None:
    """Return the run that a path refers to, `latest` for the last one with a model; None if it is no run."""
    for folder in (path, runs / path):
        run = RunFolder(folder.resolve() if folder.is_symlink() else folder)
        if folder.name == LATEST and folder.is_symlink() and not run.has_model():  # removed, say, or killed too early
            run = latest_model(folder.parent) or run
        if run.config.is_file():
            return run
    return None


def latest_model(runs: Path) -> RunFolder | None:
    """Return the run with the newest model; None if none has a model."""
    return _newest([run for run in _runs_in(runs) if run.has_model()])


def point_latest(run: RunFolder) -> None:
    """Point `runs/latest` to this run, if it has a model."""
    if run.has_model():
        _point_latest(run.path.parent, run.path.name)


def point_latest_elsewhere(runs: Path) -> None:
    """Point `runs/latest` to the newest remaining run after one was removed, with a model if any has one."""
    left = latest_model(runs) or _newest(_runs_in(runs))
    if left is not None:
        _point_latest(runs, left.path.name)
    elif (runs / LATEST).is_symlink():
        (runs / LATEST).unlink()


def _runs_in(folder: Path) -> list[RunFolder]:
    children = folder.iterdir() if folder.is_dir() else []
    return [RunFolder(child) for child in children if not child.is_symlink() and RunFolder(child).config.is_file()]


def _newest(runs: Iterable[RunFolder]) -> RunFolder | None:
    """Return the newest run, by when its model was written, or its latest file if it has no model yet."""

    def written_ns(run: RunFolder) -> int:
        weights = run.model / "model.safetensors"
        return (weights if weights.exists() else run.path).stat().st_mtime_ns

    return max(runs, key=written_ns, default=None)


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path) as part:
        part.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True), encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write figures as JSON; a value that JSON cannot hold (NaN) is a bug."""
    with atomic_write(path) as part:
        text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        part.write_text(text, encoding="utf-8", errors=_UNSAYABLE)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8", errors=_UNSAYABLE) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def describe_environment(accelerators: Iterable[str] = ()) -> dict[str, Any]:
    """Return package versions and hardware, without names, paths, users or addresses.

    accelerators: names of the GPUs, which the caller knows.
    """
    versions = {}
    for package in RECORDED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # run from a source tree
    return {
        "packages": versions,
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": processor(),
        "instruction_set": instruction_set(),
        "cores": cores(),
        "memory_gb": memory_gb(),
        "accelerators": list(accelerators),
    }


def _make_named(runs: Path, name: str) -> Path:
    folder = runs / name
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise _taken(folder) from error
    return folder


def _taken(folder: Path) -> RunError:
    return RunError(
        "there is such a run already", str(folder), f"Choose another --name, or go on with --resume {folder}"
    )


def _make_numbered(runs: Path) -> Path:
    taken = [int(child.name) for child in runs.iterdir() if child.name.isdecimal()]
    number = max(taken, default=0) + 1
    while True:
        try:
            folder = runs / f"{number:03d}"
            folder.mkdir()
            return folder
        except FileExistsError:  # another training took it meanwhile
            number += 1


def _point_latest(runs: Path, name: str) -> None:
    link = runs / f".{LATEST}.{os.getpid()}"
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(name, target_is_directory=True)
        link.replace(runs / LATEST)
    except OSError:
        link.unlink(missing_ok=True)  # a convenience that some file systems cannot give
