"""Finds the model that a name or a path refers to."""

from pathlib import Path

from maskedskipunet.runs import run_meant


def find_model(path: Path) -> Path:
    """Return a run's folder, where a run is named; else what is named."""
    run = run_meant(path)
    return path if run is None else run.path
