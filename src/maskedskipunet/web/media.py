"""Clips and pictures, in parts where a browser asks for parts, and never of another folder."""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, Response

from maskedskipunet.records.curve_files import folder_name
from maskedskipunet.records.query import EventQuery
from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.page import Page, page_of
from maskedskipunet.web.refusals import NotFoundError

LOOKED_THROUGH = 20  # newest events of a camera, for one that has a picture

FileName = Literal["clip", "picture", "normal_picture", "heat_map", "reconstruction"]

router = APIRouter(dependencies=[Depends(visitor)], include_in_schema=False)
READ = ["GET", "HEAD"]


def _serve(path: str, name: FileName, kind: str) -> None:
    """Serve a file of each event at an address."""

    @router.api_route(f"/events/{{event_id}}/{path}", methods=READ, name=name)
    def file(request: Request, event_id: str) -> Response:
        return _file_of_event(page_of(request), event_id, name, kind)


_serve("clip.mp4", "clip", "video/mp4")
_serve("picture.jpg", "picture", "image/jpeg")  # the frame at its peak
_serve("normal.jpg", "normal_picture", "image/jpeg")
_serve("heat.png", "heat_map", "image/png")  # transparent where the peak is normal, to be laid over the picture
_serve("reconstruction.jpg", "reconstruction", "image/jpeg")


@router.api_route("/cameras/{camera_id}/picture.jpg", methods=READ)
def camera_picture(request: Request, camera_id: str, who: Annotated[Visitor, Depends(visitor)]) -> Response:
    """Return a camera's last picture: what it shows now, or else that of its newest event."""
    page = page_of(request)
    camera = camera_named(page, camera_id)
    if (content := page.live.picture(camera)) is not None:
        return Response(content, media_type="image/jpeg", headers={"cache-control": "no-store"})
    newest = page.records.page(EventQuery(camera=camera, order="newest"), size=LOOKED_THROUGH).events
    for recorded in newest:
        if recorded.has_picture:
            return _file_of_event(page, recorded.event.id, "picture", "image/jpeg")
    raise NotFoundError("there is no picture of this camera yet")


def camera_named(page: Page, camera_id: str) -> str:
    """Return the name of a camera by what addresses call it. Raises NotFoundError where there is none."""
    for name in page.records.cameras():
        if folder_name(name) == camera_id:
            return name
    raise NotFoundError("there is no such camera", camera_id[:40])


def contained(root: Path, path: Path) -> Path:
    """Return the file that a path leads to. Raises NotFoundError for one that lies outside the root, or is none."""
    try:
        inner, outer = path.resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise NotFoundError("the file is gone") from error
    if not inner.is_relative_to(outer) or not inner.is_file():
        raise NotFoundError("there is no such file")
    return inner


def _file_of_event(page: Page, event_id: str, name: FileName, kind: str) -> Response:
    recorded = page.records.event(event_id)
    folder = page.records.folder
    path = contained(folder.events, getattr(folder.files(recorded.event.id, recorded.began_unix_s), name))
    caching = "no-cache" if recorded.is_open else "private, max-age=3600"
    return FileResponse(path, media_type=kind, headers={"cache-control": caching})
