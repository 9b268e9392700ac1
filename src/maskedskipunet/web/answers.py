"""Answering: one event, many, or a whole kind; and taking the last click back."""

from dataclasses import dataclass
from typing import Annotated, cast, get_args
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from maskedskipunet.records.answering import (
    MOST_EVENTS,
    AnswerAction,
    UndoneAction,
    answer_events,
    last_action,
    undo_action,
)
from maskedskipunet.records.kind_counts import unanswered_ids
from maskedskipunet.records.recorded import Answer
from maskedskipunet.records.seen import mark_seen
from maskedskipunet.web.access import Visitor, form_of_editor, visitor
from maskedskipunet.web.cards import card_of
from maskedskipunet.web.forms import Form, read_form
from maskedskipunet.web.learning import LearningJob
from maskedskipunet.web.page import Page, page_of
from maskedskipunet.web.refusals import BadRequestError, BusyError, NotFoundError
from maskedskipunet.web.rendering import is_fragment, local_path, render

router = APIRouter(include_in_schema=False)
Sent = Annotated[tuple[Visitor, Form], Depends(form_of_editor)]


@dataclass(frozen=True)
class Answered:
    """The result of a click. job: teaches the model. note: why the model learns nothing; empty if it does."""

    action: AnswerAction
    job: LearningJob | None
    note: str


def give_answer(page: Page, who: Visitor, ids: list[str], answer: Answer | None) -> Answered:
    """Keep an answer, and have the model learn what is normal. Raises RecordsError as answer_events does."""
    action = answer_events(page.records, ids, answer, by=who.name)
    mark_seen(page.records, action.events, by=who.name)
    if answer != "normal":
        return Answered(action, None, "")
    if not page.learning.is_on:
        return Answered(action, None, "kept; start the page with --model RUN, and the model learns it at once")
    with_clip = tuple(event_id for event_id in action.events if _can_be_learned(page, event_id))
    if not with_clip:
        return Answered(action, None, "kept; there is no clip to learn from")
    try:
        now_unix_s = page.records.clock()
        job = page.learning.submit("learn", with_clip, user=who.name, action=action.id, now=now_unix_s)
    except BusyError as error:
        return Answered(action, None, f"kept, and not learned: {error}")
    return Answered(action, job, "")


def take_back(page: Page, who: Visitor, action_id: str | None = None) -> tuple[UndoneAction, LearningJob | None]:
    """Take a click back, the last one by default, with what the model learned by it.

    Raises NotFoundError where there is none.
    """
    if action_id is None:
        last = last_action(page.records, who.name)
        if last is None:
            raise NotFoundError("there is no answer of yours to take back")
        action_id = last.id
    undone = undo_action(page.records, action_id, by=who.name)
    if undone.action.answer != "normal" or not page.learning.is_on:
        return undone, None
    learned = page.learning.of_action(action_id)
    if learned is not None and (learned.state == "failed" or page.learning.cancel(learned)):
        return undone, None
    ids = (
        tuple(event_id for event_id in undone.action.events if _can_be_learned(page, event_id))
        if learned is None
        else learned.request.events
    )
    if not ids:
        return undone, None
    now_unix_s = page.records.clock()
    return undone, page.learning.submit("undo", ids, user=who.name, action=action_id, now=now_unix_s)


def read_answer(text: str) -> Answer | None:
    """Return an answer as it is sent; None takes one back. Raises BadRequestError for anything else."""
    if text not in ("none", *get_args(Answer)):
        raise BadRequestError(f"{text[:40]!r} is no answer", "", f"Use {', '.join(get_args(Answer))} or none")
    return None if text == "none" else cast(Answer, text)


@router.post("/events/{event_id}/answer")
def answer_one(request: Request, event_id: str, sent: Sent) -> Response:
    """Answer one event."""
    who, form = sent
    page = page_of(request)
    answered = give_answer(page, who, [event_id], read_answer(form.text("answer")))
    if is_fragment(request):
        return render(request, "_answer.html", who, card=card_of(page, who, event_id), note=answered.note)
    return _back(form, f"/events/{event_id}", answered.action.id)


@router.post("/answers")
def answer_many(request: Request, sent: Sent) -> Response:
    """Answer the events that are chosen."""
    who, form = sent
    ids = form.texts("event")
    if not ids:
        raise BadRequestError("no event is chosen", "", "Choose some first")
    answered = give_answer(page_of(request), who, ids, read_answer(form.text("answer")))
    return _back(form, "/review", answered.action.id)


@router.post("/kinds/answer")
def answer_kind(request: Request, sent: Sent) -> Response:
    """Give all events of a kind that nobody has answered one answer."""
    who, form = sent
    page = page_of(request)
    with page.records.read() as session:
        ids = unanswered_ids(session, form.text("camera"), form.text("kind"), most=MOST_EVENTS)
    if not ids:
        raise NotFoundError("no event of this kind waits for an answer")
    answered = give_answer(page, who, ids, read_answer(form.text("answer")))
    return _back(form, "/kinds", answered.action.id)


@router.post("/undo")
def undo(request: Request, sent: Sent) -> Response:
    """Take a click back; the card of an event where the page that is open asks for it."""
    who, form = sent
    page = page_of(request)
    undone, job = take_back(page, who, form.text("action") or None)
    event_id = form.text("event")
    if is_fragment(request) and event_id:
        note = _describe_undone(undone, job)
        return render(request, "_answer.html", who, card=card_of(page, who, event_id), note=note)
    return _back(form, "/review", "undone")


@router.post("/events/{event_id}/seen")
def see(
    request: Request,
    event_id: str,
    who: Annotated[Visitor, Depends(visitor)],
    form: Annotated[Form, Depends(read_form)],
) -> Response:
    """Keep that the viewer has looked at an event; a viewer may do this too."""
    page = page_of(request)
    mark_seen(page.records, [page.records.event(event_id).event.id], by=who.name)
    return Response(status_code=204)


def _can_be_learned(page: Page, event_id: str) -> bool:
    recorded = page.records.event(event_id)
    return recorded.has_clip and not recorded.is_open


def _describe_undone(undone: UndoneAction, job: LearningJob | None) -> str:
    answered = f"{len(undone.events)} answered as before" if len(undone.events) != 1 else "answered as before"
    kept = f"; {len(undone.kept)} answered otherwise since then" if undone.kept else ""
    return f"{answered}{kept}" + ("; the model unlearns it" if job is not None else "")


def _back(form: Form, otherwise: str, done: str) -> RedirectResponse:
    """Send a browser back to where it was, with a word of what was done."""
    target = urlsplit(local_path(form.text("next"), otherwise))
    kept = [part for part in target.query.split("&") if part and not part.startswith(("done=", "after="))]
    return RedirectResponse(f"{target.path}?{'&'.join([*kept, urlencode({'done': done})])}", 303)
