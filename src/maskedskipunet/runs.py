"""The run folder: its names, its number, and what it says of how it came to be."""

import csv
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from maskedskipunet.errors import RunError
from maskedskipunet.files import whole_file

LATEST = "latest"
RECORDED_PACKAGES = (
    "maskedskipunet",
    "torch",
    "lightning",
    "numpy",
    "av",
    "pillow",
    "scikit-learn",
    "scipy",
    "pyarrow",
    "safetensors",
)


class RunFolder:
    """Where everything of one training lies; each path has one name here.

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

    def epoch_weights(self, epoch: int) -> Path:
        """Weights after an epoch, counted from 1."""
        return self.checkpoints / f"epoch_{epoch:02d}.safetensors"

    def is_finished(self) -> bool:
        """Whether the training came to its end."""
        try:
            return bool(json.loads(self.progress.read_text())["finished"])
        except (OSError, ValueError, KeyError):
            return False

    def write_config(self, config: Mapping[str, Any]) -> None:
        write_yaml(self.config, config)

    def read_config(self) -> dict[str, Any]:
        """What write_config wrote. Raises RunError when it is missing or unreadable."""
        try:
            config = yaml.safe_load(self.config.read_text())
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise RunError("cannot read the run's config", str(self.config), "Name a whole run folder") from error
        if not isinstance(config, dict):
            raise RunError("not a run's config", str(self.config), "Name a whole run folder")
        return config


def create_run(runs: Path, name: str | None = None) -> RunFolder:
    """Make `runs/NAME`, or the next free number, and point `runs/latest` to it.

    Raises RunError when the name is taken, or is no name for a folder.
    """
    if name is not None and (name in {"", ".", "..", LATEST} or Path(name).name != name):
        raise RunError(f"{name!r} is no name for a run", "name", "Use letters, digits, - and _")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        folder = _make_named(runs, name) if name is not None else _make_numbered(runs)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunError("not a folder", str(runs), "Name another folder with --runs") from error
    _point_latest(runs, folder.name)
    return RunFolder(folder)


def find_run(path: Path, runs: Path = Path("runs")) -> RunFolder:
    """The run that a person means: a run folder, or its name under `runs/`. Raises RunError where there is none."""
    for folder in (path, runs / path):
        if (folder / "config.yaml").is_file():
            return RunFolder(folder.resolve() if folder.is_symlink() else folder)
    raise RunError("no such run", str(path), "Name a run folder, runs/latest say")


def point_latest_elsewhere(runs: Path) -> None:
    """After a run was removed: `runs/latest` means the newest of those that are left, or nothing."""
    left = [child for child in runs.iterdir() if child.is_dir() and not child.is_symlink()]
    if left:
        _point_latest(runs, max(left, key=lambda child: child.stat().st_mtime_ns).name)
    else:
        (runs / LATEST).unlink(missing_ok=True)


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    with whole_file(path) as part:
        part.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write figures for programs; anything that JSON cannot say (NaN) is an error of ours."""
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    with whole_file(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def describe_environment(accelerators: Iterable[str] = ()) -> dict[str, Any]:
    """Package versions and hardware, nothing else: no names, paths, users or addresses.

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
        "processor": _processor(),
        "instruction_set": instruction_set(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "accelerators": list(accelerators),
    }


def instruction_set() -> str:
    """The widest vector instructions of the processor, as far as the system tells."""
    flags = set(_cpu_fact("flags").split())
    for name, flag in (("AVX-512", "avx512f"), ("AVX2", "avx2"), ("AVX", "avx")):
        if flag in flags:
            return name
    return platform.machine()


def _processor() -> str:
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def _cpu_fact(name: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _make_named(runs: Path, name: str) -> Path:
    folder = runs / name
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise RunError(
            "there is such a run already", str(folder), f"Choose another --name, or go on with --resume {folder}"
        ) from error
    return folder


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
