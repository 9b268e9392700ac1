"""The live page: a tile for each camera, kept up to date by server-sent events."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.live_feed import MOST_LISTENERS
from maskedskipunet.web.live_state import LiveReader, LiveState
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import BusyError
from maskedskipunet.web.rendering import render, render_text

LONGEST_S = 600.0  # of one connection: who has been logged out meanwhile is asked again
RETRY_MS = 2000

router = APIRouter(include_in_schema=False)


@router.get("/")
def start() -> RedirectResponse:
    """Send a person to the page to begin with."""
    return RedirectResponse("/live", 303)


@router.get("/live")
def live(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """The tiles as they are now."""
    page = page_of(request)
    state = LiveReader(page.records, page.live, page.curves).read()
    return render(request, "live.html", who, state=state)


@router.get("/live/stream")
async def stream(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> StreamingResponse:
    """Send events of the kind `state`, each JSON: the tiles and the newest events as HTML, by their ids."""
    feed = page_of(request).feed
    if feed.listeners >= MOST_LISTENERS:
        raise BusyError("too many browsers look at the live page", "", "Close some of them")

    async def events() -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        until_s = time.monotonic() + LONGEST_S
        async with aclosing(feed.states()) as states:
            async for state in states:
                yield f"event: state\ndata: {await run_in_threadpool(as_json, state)}\n\n"
                if time.monotonic() > until_s:
                    return

    return StreamingResponse(events(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def as_json(state: LiveState) -> str:
    """Return a state for the page's script."""
    tiles = [
        {"id": tile.id, "version": tile.version, "html": render_text("_tile.html", {"tile": tile})}
        for tile in state.tiles
    ]
    newest = state.newest[0].event.id if state.newest else ""
    shown = render_text("_newest.html", {"newest": state.newest})
    told = {"tiles": tiles, "newest": newest, "events": shown, "watched": state.is_watched}
    told |= {"fault": state.fault, "warning": state.warning}
    return json.dumps(told)
