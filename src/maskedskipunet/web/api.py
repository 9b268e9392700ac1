"""Serves the page's content as JSON to programs, under `/api/v1`; `/api/v1/openapi.json` describes it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from maskedskipunet.records.answering import MOST_EVENTS
from maskedskipunet.records.curve_files import folder_name
from maskedskipunet.records.exporting import table_row
from maskedskipunet.records.kind_counts import KindCount, largest_kinds
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.recorded import Answer, iso_time
from maskedskipunet.view.reasons import plain_event
from maskedskipunet.web.access import Visitor, editor, visitor
from maskedskipunet.web.answers import give_answer, take_back
from maskedskipunet.web.cards import EventCard, card_of, cards_of
from maskedskipunet.web.learning import LearningJob
from maskedskipunet.web.media import camera_named
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import NotFoundError
from maskedskipunet.web.words import told_of_job
from maskedskipunet.workflows.status import status_of

LARGEST_PAGE = 200
MOST_POINTS = 5000
LATEST_UNIX_S = 4_000_000_000
EventId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Who = Annotated[Visitor, Depends(visitor)]
Editor = Annotated[Visitor, Depends(editor)]
UnixTime = Annotated[float | None, Field(ge=0, le=LATEST_UNIX_S, description="Seconds since 1970, UTC")]


class EventOut(BaseModel):
    """An event. Times are ISO 8601 in UTC; boxes are x, y, width, height in pixels of the source."""

    id: str
    camera: str
    began_at: str
    updated_at: str
    phase: str
    duration_s: float
    top_score: float
    mean_score: float
    normal_share: float | None
    boxes: list[list[int]]
    cue: str | None
    reason: dict[str, Any] | None
    sentence: str
    kind_id: str | None
    of_kind: int
    answer: Answer | None
    answered_at: str | None
    answered_by: str | None
    seen: bool
    has_clip: bool
    has_picture: bool
    has_normal_picture: bool
    has_heat_map: bool
    has_reconstruction: bool


class EventsIn(BaseModel):
    """Which events are asked for; docs of each as of the review page."""

    camera: Annotated[str | None, Field(max_length=100)] = None
    since: UnixTime = None
    until: UnixTime = None
    answer: Answer | Literal["none"] | None = None
    cue: Literal["movement", "appearance", "reconstruction"] | None = None
    kind: Annotated[str | None, Field(max_length=64)] = None
    seen: bool | None = None
    order: Literal["newest", "oldest", "strangest"] = "newest"
    after: Annotated[str | None, Field(max_length=200)] = None
    size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 50

    def query(self, visitor_name: str) -> EventQuery:
        """Return what is asked of the records."""
        return EventQuery(
            since_unix_s=self.since,
            until_unix_s=self.until,
            camera=self.camera,
            answer=self.answer,
            cue=self.cue,
            kind_id=self.kind,
            seen_by=visitor_name if self.seen is True else None,
            unseen_by=visitor_name if self.seen is False else None,
            order=self.order,
        )


class EventPageOut(BaseModel):
    """A page of events. next: what `after` takes for the page behind it, null after the last."""

    events: list[EventOut]
    next: str | None


class AnswerIn(BaseModel):
    """An answer; null takes an earlier one back."""

    answer: Answer | None


class AnswersIn(AnswerIn):
    """One answer for several events."""

    events: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=MOST_EVENTS)


class ActionOut(BaseModel):
    """What was done. action: names it for undo. job: what the model learns by it, null where it learns nothing."""

    action: str
    events: list[str]
    note: str
    job: str | None


class UndoIn(BaseModel):
    """Which answer is taken back; null: your last one."""

    action: Annotated[str, Field(max_length=64)] | None = None


class JobOut(BaseModel):
    """What the model learns. lines: what it changed, in sentences."""

    id: str
    what: Literal["learn", "undo", "preview"]
    state: Literal["waiting", "running", "done", "failed"]
    events: list[str]
    stage: str
    done: int
    total: int
    lines: list[str]


class KindOut(BaseModel):
    """Events that look and move alike. kind_id: the id of the first of them."""

    kind_id: str
    camera: str
    events: int
    unanswered: int
    first_at: str
    last_at: str
    newest: str


class Fault(BaseModel):
    """What is wrong, where, and the cure."""

    what: str
    where: str
    cure: str


FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": Fault} for code in (400, 401, 403, 404, 409, 413, 421, 429, 503, 507)
}
router = APIRouter(
    prefix="/api/v1",
    tags=["page"],
    dependencies=[Depends(visitor)],
    responses=FAULTS,
)


@router.get("/status")
def status(request: Request) -> dict[str, Any]:
    """Return how the watch and its cameras are, as `maskedskipunet status --json` tells it."""
    figures = status_of(page_of(request).records).figures()
    del figures["folder"]
    return figures


@router.get("/cameras")
def cameras(request: Request) -> list[dict[str, str]]:
    """Return all cameras: id, name, and address without user and password."""
    found = page_of(request).records.cameras()
    return [{"id": folder_name(name), "name": name, "source": source} for name, source in found.items()]


@router.get("/cameras/{camera_id}/curve")
def curve(
    request: Request,
    camera_id: Annotated[str, Path(max_length=80)],
    start: Annotated[float, Query(ge=0, le=LATEST_UNIX_S)],
    end: Annotated[float, Query(ge=0, le=LATEST_UNIX_S)],
    points: Annotated[int, Query(ge=1, le=MOST_POINTS)] = 1000,
) -> dict[str, Any]:
    """A camera's scores from a time to another, summed up to about so many points."""
    page = page_of(request)
    return page.curves.read(camera_named(page, camera_id), start, end, points=points).figures()


@router.get("/events")
def events(request: Request, who: Who, asked: Annotated[EventsIn, Query()]) -> EventPageOut:
    """Return events, a page at a time."""
    page = page_of(request)
    found = page.records.page(asked.query(who.name), after=asked.after, size=asked.size)
    return EventPageOut(events=[_event(card) for card in cards_of(page, who, found.events)], next=found.next)


@router.get("/events/{event_id}")
def event(request: Request, who: Who, event_id: EventId) -> EventOut:
    """Return one event."""
    return _event(card_of(page_of(request), who, event_id))


@router.post("/events/{event_id}/answer")
def answer(request: Request, who: Editor, event_id: EventId, sent: AnswerIn) -> ActionOut:
    """Answer one event. What is normal is learned at once, by the job that is named."""
    return _answered(request, who, [event_id], sent.answer)


@router.post("/answers")
def answers(request: Request, who: Editor, sent: AnswersIn) -> ActionOut:
    """Answer several events at once: all of them, or none."""
    return _answered(request, who, sent.events, sent.answer)


@router.post("/undo")
def undo(request: Request, who: Editor, sent: UndoIn) -> ActionOut:
    """Take an answer of yours back, with what the model learned by it."""
    undone, job = take_back(page_of(request), who, sent.action)
    note = f"{len(undone.kept)} answered otherwise since then" if undone.kept else ""
    return ActionOut(action=undone.action.id, events=[*undone.events], note=note, job=None if job is None else job.id)


@router.get("/kinds")
def kinds(request: Request, camera: Annotated[str | None, Query(max_length=100)] = None) -> list[KindOut]:
    """Return the kinds of several events, those with the most unanswered first."""
    with page_of(request).records.read() as session:
        found = largest_kinds(session, camera=camera, most=LARGEST_PAGE)
    return [_kind(kind) for kind in found]


@router.get("/learning")
def learning(request: Request) -> list[JobOut]:
    """Return what the model learns, the newest first."""
    return [_job(job) for job in page_of(request).learning.jobs()]


@router.get("/learning/{job_id}")
def learning_job(request: Request, job_id: Annotated[str, Path(max_length=64)]) -> JobOut:
    """One job of learning."""
    if (job := page_of(request).learning.job(job_id)) is None:
        raise NotFoundError("nothing is known of this job", job_id, "The page was started again since then")
    return _job(job)


def _answered(request: Request, who: Visitor, ids: list[str], answer: Answer | None) -> ActionOut:
    done = give_answer(page_of(request), who, ids, answer)
    job = None if done.job is None else done.job.id
    return ActionOut(action=done.action.id, events=[*done.action.events], note=done.note, job=job)


def _event(card: EventCard) -> EventOut:
    recorded = card.recorded
    row = table_row(recorded)
    reason = plain_event(recorded.event).get("reason")
    names = ("id", "camera", "began_at", "updated_at", "phase", "top_score", "mean_score", "normal_share", "boxes")
    return EventOut(
        **{name: row[name] for name in (*names, "cue", "kind_id", "answer", "answered_at")},
        duration_s=card.duration_s,
        reason=reason,
        sentence=card.reason,
        of_kind=1 if card.kind is None else card.kind.events,
        answered_by=recorded.answered_by,
        seen=card.is_seen,
        has_clip=recorded.has_clip,
        has_picture=recorded.has_picture,
        has_normal_picture=recorded.has_normal_picture,
        has_heat_map=recorded.has_heat_map,
        has_reconstruction=recorded.has_reconstruction,
    )


def _kind(kind: KindCount) -> KindOut:
    return KindOut(
        kind_id=kind.id,
        camera=kind.camera,
        events=kind.events,
        unanswered=kind.unanswered,
        first_at=iso_time(kind.first_unix_s),
        last_at=iso_time(kind.last_unix_s),
        newest=kind.newest,
    )


def _job(job: LearningJob) -> JobOut:
    stage = job.stage
    return JobOut(
        id=job.id,
        what=job.request.what,
        state=job.state,
        events=[*job.request.events],
        stage="" if stage is None else stage.title,
        done=0 if stage is None else stage.done,
        total=0 if stage is None else stage.total,
        lines=told_of_job(job),
    )
