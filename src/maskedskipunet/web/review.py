"""The review list, one event's page, and the kinds of events."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from fastapi.responses import HTMLResponse

from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.records.answering import answer_history
from maskedskipunet.records.curves import Curve
from maskedskipunet.records.kind_counts import largest_kinds
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.seen import mark_seen, seen_by
from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.cards import card_of, cards_of
from maskedskipunet.web.curve_paths import CurvePaths, curve_paths
from maskedskipunet.web.filters import CUES, ReviewFilter
from maskedskipunet.web.page import Page, page_of
from maskedskipunet.web.rendering import is_fragment, render

PAGE_SIZE = 30
MOST_KINDS = 60
CURVE_AROUND_S = 60.0  # before and after an event
CURVE_POINTS = 400

router = APIRouter(include_in_schema=False)


@router.get("/review")
def review(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """A page of the list; a part of it where the page that is open asks for more."""
    page, filters = page_of(request), ReviewFilter.of(request.query_params)
    asked = filters.query(page.records.clock(), who.name)
    after = request.query_params.get("after")
    found = page.records.page(asked, after=after, size=PAGE_SIZE)
    cards = cards_of(page, who, found.events)
    following = filters.address(after=found.next) if found.next else ""
    if is_fragment(request) and after:
        return render(request, "_cards.html", who, cards=cards, following=following)
    return render(
        request,
        "review.html",
        who,
        cards=cards,
        following=following,
        filters=filters,
        count=page.records.count(asked),
        cameras=list(page.records.cameras()),
        cues=CUES,
        is_first=after is None,
        done=request.query_params.get("done", "")[:40],
        learns=page.learning.is_on,
    )


@router.get("/events/{event_id}")
def event(
    request: Request, event_id: str, later: BackgroundTasks, who: Annotated[Visitor, Depends(visitor)]
) -> HTMLResponse:
    """One event, with all that is known of it."""
    page = page_of(request)
    card = card_of(page, who, event_id)
    later.add_task(_see, page, who, event_id)
    recorded = card.recorded
    return render(
        request,
        "event.html",
        who,
        card=card,
        curve=_curve_around(page, recorded),
        history=answer_history(page.records, event_id),
        seen=seen_by(page.records, event_id),
        before=_neighbour(page, recorded, "newest"),
        after=_neighbour(page, recorded, "oldest"),
        learns=page.learning.is_on,
        clip_start_unix_s=_clip_start(recorded),
    )


@router.get("/kinds")
def kinds(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """Show the kinds of several events, those with the most unanswered first."""
    page, camera = page_of(request), request.query_params.get("camera", "")[:100]
    with page.records.read() as session:
        found = largest_kinds(session, camera=camera or None, most=MOST_KINDS)
    newest = cards_of(page, who, _existing(page, [kind.newest for kind in found]))
    by_id = {card.id: card for card in newest}
    shown = [(kind, by_id[kind.newest]) for kind in found if kind.newest in by_id]
    done = request.query_params.get("done", "")[:40]
    return render(
        request, "kinds.html", who, kinds=shown, camera=camera, cameras=list(page.records.cameras()), done=done
    )


def _existing(page: Page, ids: list[str]) -> list[RecordedEvent]:
    found = []
    for event_id in ids:
        try:
            found.append(page.records.event(event_id))
        except MaskedSkipUNetError:  # removed meanwhile
            continue
    return found


def _see(page: Page, who: Visitor, event_id: str) -> None:
    """Keep that an event was looked at; not worth an error where the records are locked."""
    try:
        mark_seen(page.records, [event_id], by=who.name)
    except MaskedSkipUNetError:
        return


def _neighbour(page: Page, recorded: RecordedEvent, order: "str") -> str:
    """Return the id of the event before or after one, of all cameras; empty where there is none."""
    began = recorded.began_unix_s
    if order == "newest":
        asked = EventQuery(until_unix_s=began, order="newest")
    else:
        asked = EventQuery(since_unix_s=began, order="oldest")
    found = page.records.page(asked, size=2).events
    return next((one.event.id for one in found if one.event.id != recorded.event.id), "")


def _curve_around(page: Page, recorded: RecordedEvent) -> CurvePaths | None:
    """Return the scores around an event; None where no curve was kept."""
    start = recorded.began_unix_s - CURVE_AROUND_S
    lasted_s = min(recorded.updated_unix_s - recorded.began_unix_s, recorded.event.end_s - recorded.event.start_s)
    end = recorded.began_unix_s + max(lasted_s, 0.0) + CURVE_AROUND_S  # an archive is scored long after it was filmed
    try:
        curve: Curve = page.curves.read(recorded.camera, start, end, points=CURVE_POINTS)
    except (MaskedSkipUNetError, OSError):
        return None
    return curve_paths(curve, start, end)


def _clip_start(recorded: RecordedEvent) -> float:
    """Return about when an event's clip begins: `watch` cuts it five seconds before the event by default."""
    return recorded.began_unix_s - 5.0
