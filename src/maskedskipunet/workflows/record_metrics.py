"""Figures of records for Prometheus, for whoever serves them beside a watch's own."""

from maskedskipunet.notify.metrics import Gauges, exposition
from maskedskipunet.records import outbox
from maskedskipunet.records.answering import count_answers
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.status import status_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def record_metrics(records: Records, *, listeners: int = 0, learning: int = 0) -> bytes:
    """Return the figures of records in Prometheus's text format.

    listeners: browsers that look at the live page. learning: answers that wait to be learned.
    Raises RecordsError as Records does, ConfigError when prometheus-client is not installed.
    """
    status = status_of(records)
    with records.read() as session:
        queues = outbox.counts(session)
    answers = count_answers(records)
    gauges: Gauges = {
        "watch_running": ("1 while a watch is running", {(): float(status.is_watched)}),
        "camera_running": (
            "1 while the camera gives frames",
            {(("camera", camera.name),): float(camera.is_alive) for camera in status.cameras},
        ),
        "camera_state": (
            "1 while the camera is in this state",
            {
                (("camera", state.camera), ("state", state.kind)): 1.0
                for camera in status.cameras
                for state in camera.states
            },
        ),
        "recorded_events": (
            "Events in the records, by answer",
            {(("answer", answer),): float(count) for answer, count in answers.items()},
        ),
        "page_listeners": ("Browsers that look at the live page", {(): float(listeners)}),
        "page_learning": ("Answers that wait to be learned", {(): float(learning)}),
    }
    return exposition(gauges, queues)
