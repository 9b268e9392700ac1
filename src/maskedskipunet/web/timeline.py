"""The timeline: a day or a month of a camera as one curve, with its events as marks, drawn from a reduced form."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from maskedskipunet.records.curve_files import folder_name
from maskedskipunet.records.event_marks import event_marks
from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.media import camera_named
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import BadRequestError
from maskedskipunet.web.rendering import render

MOST_MARKS = 1000
MOST_POINTS = 4000
LATEST_UNIX_S = 4_000_000_000

router = APIRouter(prefix="/timeline", include_in_schema=False)


@router.get("")
def show(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """The page; its script asks for what it shows."""
    page = page_of(request)
    cameras = [(folder_name(name), name) for name in page.records.cameras()]
    chosen = request.query_params.get("camera", "")
    camera_id = next((folder for folder, name in cameras if chosen in (folder, name)), cameras[0][0] if cameras else "")
    days = page.curves.days(dict(cameras)[camera_id]) if camera_id else []
    return render(request, "timeline.html", who, cameras=cameras, camera_id=camera_id, days=days)


@router.get("/{camera_id}/data")
def data(
    request: Request,
    camera_id: str,
    who: Annotated[Visitor, Depends(visitor)],
    start: Annotated[float, Query(ge=0, le=LATEST_UNIX_S)],
    end: Annotated[float, Query(ge=0, le=LATEST_UNIX_S)],
    points: Annotated[int, Query(ge=1, le=MOST_POINTS)] = 1000,
) -> dict[str, Any]:
    """A camera's curve and its events from a time to another; the strongest, where there are too many."""
    if not start < end:
        raise BadRequestError("no time for a curve", "", "State the end after the start")
    page = page_of(request)
    camera = camera_named(page, camera_id)
    with page.records.read() as session:
        marks, are_all = event_marks(session, camera, start, end, most=MOST_MARKS)
    curve = page.curves.read(camera, start, end, points=points).figures()
    return {"curve": curve, "events": [vars(mark) for mark in marks], "all": are_all}
