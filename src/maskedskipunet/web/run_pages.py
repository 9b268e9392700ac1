"""Runs: what was trained and tested, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.media import contained
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import NotFoundError
from maskedskipunet.web.rendering import render
from maskedskipunet.workflows.run_summaries import PLOTS, VIDEOS, list_runs, read_run

WIDTH, HEIGHT = 300.0, 80.0
SIDE_BY_SIDE = 4
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".mp4": "video/mp4"}

router = APIRouter(prefix="/runs", include_in_schema=False)


@dataclass(frozen=True)
class LossPaths:
    """Learning curves as paths of SVG, by name. lowest, highest: losses at the edges. epochs: how many there are."""

    paths: Mapping[str, str]
    lowest: float
    highest: float
    epochs: int


@router.get("")
def show_runs(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """Show all runs; with `name` given several times, these side by side."""
    folder = page_of(request).settings.runs
    chosen = request.query_params.getlist("name")[:SIDE_BY_SIDE]
    if folder is not None and chosen:
        runs = [read_run(folder, name) for name in chosen]
        figures = list(dict.fromkeys(name for run in runs for name in run.figures))
        settings = list(dict.fromkeys(name for run in runs for name in run.settings))
        losses = {run.name: loss_paths(run.losses) for run in runs}
        return render(request, "run.html", who, runs=runs, figures=figures, settings_names=settings, losses=losses)
    runs = [] if folder is None else list_runs(folder)
    losses = {run.name: loss_paths(run.losses) for run in runs}
    return render(request, "runs.html", who, runs=runs, losses=losses, most=SIDE_BY_SIDE)


@router.api_route("/{name}/files/{path:path}", methods=["GET", "HEAD"])
def run_file(request: Request, name: str, path: str, who: Annotated[Visitor, Depends(visitor)]) -> Response:
    """A plot or a video of a run; nothing else of it is served."""
    folder = page_of(request).settings.runs
    if folder is None:
        raise NotFoundError("no folder of runs is shown")
    run = read_run(folder, name)
    if path not in (*run.plots, *run.videos) or Path(path).suffix not in (*PLOTS, *VIDEOS):
        raise NotFoundError("there is no such file")
    root = folder / name
    file = contained(root / path.split("/", 1)[0], root / path)
    return FileResponse(file, media_type=_KINDS[file.suffix], headers={"cache-control": "private, max-age=60"})


def loss_paths(losses: Mapping[str, Sequence[float | None]]) -> LossPaths | None:
    """Return learning curves of several epochs as paths; None where there are fewer."""
    values = [value for curve in losses.values() for value in curve if value is not None]
    epochs = max(map(len, losses.values()), default=0)
    if epochs < 2 or not values:
        return None
    lowest, highest = min(values), max(values)
    span = (highest - lowest) or 1.0

    def path(curve: Sequence[float | None]) -> str:
        points = [
            f"{WIDTH * index / (epochs - 1):.1f} {HEIGHT * (1 - (value - lowest) / span):.1f}"
            for index, value in enumerate(curve)
            if value is not None
        ]
        return f"M{'L'.join(points)}" if points else ""

    return LossPaths({name: path(curve) for name, curve in losses.items()}, lowest, highest, epochs)
