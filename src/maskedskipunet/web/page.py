"""What all requests of one page share."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import Request

from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.live import LiveFolder
from maskedskipunet.records.store import Records
from maskedskipunet.web.calibration_desk import CalibrationDesk
from maskedskipunet.web.learning import LearningQueue
from maskedskipunet.web.live_feed import LiveFeed
from maskedskipunet.web.live_state import LiveReader, LiveState
from maskedskipunet.web.settings import PageSettings


@dataclass(frozen=True)
class Page:
    """settings: what is served. records: opened once. learning: what is being learned. feed: how cameras are now.

    calibration: thresholds of the model; None where none is named.
    csrf_token: what changes have to repeat where nobody logs in; another at each start.
    """

    settings: PageSettings
    records: Records
    learning: LearningQueue
    feed: LiveFeed[LiveState]
    live: LiveFolder
    curves: ScoreCurves
    calibration: CalibrationDesk | None = None
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))


@contextmanager
def open_page(settings: PageSettings, learning: LearningQueue | None = None) -> Iterator[Page]:
    """Open the records for a page, until the block ends. Raises RecordsError where there are none.

    learning: in whose place another may stand for tests.
    """
    with Records.open(settings.records, create=False, busy_timeout_s=settings.busy_timeout_s) as records:
        live, curves = LiveFolder(settings.records / "live"), ScoreCurves(settings.records / "curves")
        queue = learning or LearningQueue(settings.model, settings.records)
        reader = LiveReader(records, live, curves)
        with queue:
            desk = None if settings.model is None else CalibrationDesk(settings.model)
            yield Page(settings, records, queue, LiveFeed(reader.read), live, curves, desk)


def page_of(request: Request) -> Page:
    """Return the page that a request is for."""
    page: Page = request.app.state.page
    return page
