"""Finds the model that a name or a path refers to."""

from pathlib import Path

from maskedskipunet.runs import run_meant


def find_model(path: Path) -> Path:
    """Return the folder of a named run, or otherwise the path itself."""
    run = run_meant(path)
    return path if run is None else run.path
