"""What the model learns from answers: how far it is, and what it changed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from maskedskipunet.web.access import Visitor, form_of_editor, visitor
from maskedskipunet.web.forms import Form
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import BadRequestError, NotFoundError
from maskedskipunet.web.rendering import is_fragment, render
from maskedskipunet.web.words import told_of_job

router = APIRouter(prefix="/learning", include_in_schema=False)


@router.get("")
def learning(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """Show all that was learned since the page was started."""
    page = page_of(request)
    jobs = [(job, told_of_job(job)) for job in page.learning.jobs()]
    return render(request, "learning.html", who, jobs=jobs, learns=page.learning.is_on)


@router.get("/{job_id}")
def job(request: Request, job_id: str, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """One job: a line of a card that asks again until it is over, or a page with what changed."""
    found = page_of(request).learning.job(job_id)
    if found is None:
        raise NotFoundError("nothing is known of this any more", "", "The page was started again since then")
    if is_fragment(request):
        return render(request, "_job.html", who, job=found, lines=told_of_job(found))
    return render(request, "job.html", who, job=found, lines=told_of_job(found))


@router.post("/preview")
def preview(request: Request, sent: Annotated[tuple[Visitor, Form], Depends(form_of_editor)]) -> Response:
    """Work out what answering events as normal would change, and change nothing."""
    who, form = sent
    page, ids = page_of(request), form.texts("event")
    if not page.learning.is_on:
        raise BadRequestError("no model is named that could learn", "", "Start the page with --model RUN")
    known = tuple(page.records.event(event_id).event.id for event_id in ids[:50])
    if not known:
        raise BadRequestError("no event is named")
    job = page.learning.submit("preview", known, user=who.name, action="", now=page.records.clock())
    return RedirectResponse(f"/learning/{job.id}", 303)
