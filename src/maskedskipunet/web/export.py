"""One event as a file of its own: a page with its pictures and its clip inside, which opens anywhere."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from maskedskipunet.web.access import Visitor, visitor
from maskedskipunet.web.cards import card_of
from maskedskipunet.web.media import contained
from maskedskipunet.web.page import Page, page_of
from maskedskipunet.web.refusals import NotFoundError
from maskedskipunet.web.rendering import STATIC, render_text

LARGEST_CLIP_BYTES = 200_000_000
CHUNK_BYTES = 3 * 64 * 1024  # a multiple of three, so that parts of base64 join
CLIP, PICTURE, NORMAL, HEAT, REBUILT = "@@clip@@", "@@picture@@", "@@normal@@", "@@heat@@", "@@rebuilt@@"

router = APIRouter(include_in_schema=False)


@router.get("/events/{event_id}/export.html")
def export(request: Request, event_id: str, who: Annotated[Visitor, Depends(visitor)]) -> StreamingResponse:
    """Return an event as one HTML file, to keep or to send on."""
    page = page_of(request)
    card = card_of(page, who, event_id)
    files = _files(page, event_id)
    style = (STATIC / "export.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    values = {"card": card, "style": style, "style_hash": digest, "has": set(files)}
    text = render_text("export.html", values)
    name = f"{card.recorded.camera}-{event_id}"
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in name)[:100]
    disposition = {"content-disposition": f'attachment; filename="{safe}.html"'}
    return StreamingResponse(_filled(text, files), media_type="text/html; charset=utf-8", headers=disposition)


def _files(page: Page, event_id: str) -> dict[str, Path]:
    recorded, folder = page.records.event(event_id), page.records.folder
    paths = folder.files(event_id, recorded.began_unix_s)
    found = {}
    for mark, path in zip((CLIP, PICTURE, NORMAL, HEAT, REBUILT), paths, strict=False):
        try:
            file = contained(folder.events, path)
        except NotFoundError:
            continue
        if mark != CLIP or file.stat().st_size <= LARGEST_CLIP_BYTES:
            found[mark] = file
    return found


def _filled(text: str, files: dict[str, Path]) -> Iterator[bytes]:
    """Yield a page with files in the place of their marks, a part at a time: a clip may be large."""
    places = sorted((text.index(mark), mark) for mark in files if mark in text)
    at = 0
    for place, mark in places:
        yield text[at:place].encode()
        with files[mark].open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield base64.b64encode(chunk)
        at = place + len(mark)
    yield text[at:].encode()
