"""For whoever keeps the page running: does it live, can it read the records, and figures for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response

from maskedskipunet.records.users import has_users
from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.page import page_of
from maskedskipunet.workflows.record_metrics import CONTENT_TYPE, record_metrics

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health() -> PlainTextResponse:
    """Say that the process answers, without a look at the records."""
    return PlainTextResponse("ok\n")


@router.get("/ready")
def ready(request: Request) -> PlainTextResponse:
    """Say that the records can be read; the status is 503 when they cannot."""
    has_users(page_of(request).records)
    return PlainTextResponse("ready\n")


@router.get("/metrics")
def metrics(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> Response:
    """Return figures for Prometheus. Where somebody has to log in, it sends a name and a password."""
    page = page_of(request)
    waiting = sum(not job.is_over for job in page.learning.jobs())
    content = record_metrics(page.records, listeners=page.feed.listeners, learning=waiting)
    return Response(content, media_type=CONTENT_TYPE)
