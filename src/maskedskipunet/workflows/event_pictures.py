"""Pictures of each event of a scored video: the frame of its highest score, and the nearest normal moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.data.frames import Image
from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.seeking import frames_at
from maskedskipunet.detection.events import Event
from maskedskipunet.files import atomic_write
from maskedskipunet.view.enlarging import enlarged, enlarged_box, readable_scale, resized
from maskedskipunet.view.marking import with_boxes
from maskedskipunet.workflows.event_peaks import MAX_PICTURES
from maskedskipunet.workflows.normal_moments import NormalMoments
from maskedskipunet.workflows.scoring import ScoredVideo

PICTURES_NAME = "events"  # the folder, beside events.json


@dataclass(frozen=True)
class EventPictures:
    """The paths of events' pictures, in the order of the events; None for an event without a picture.

    peaks: of the frame of an event's highest score. normal: of the nearest normal moment, where the reason names one.
    """

    peaks: tuple[Path | None, ...] = ()
    normal: tuple[Path | None, ...] = ()

    def names(self, events: Sequence[Event]) -> dict[str, dict[str, str]]:
        """Return the pictures of events by id, each under its key in `events.json`, relative to the folder of results.

        `picture` and, beside it, `normal_picture`.
        """
        found: dict[str, dict[str, str]] = {event.id: {} for event in events}
        for key, paths in (("picture", self.peaks), ("normal_picture", self.normal)):
            for event, path in zip(events, paths, strict=False):
                if path is not None:
                    found[event.id][key] = f"{PICTURES_NAME}/{path.name}"
        return found


def write_event_pictures(
    folder: Path, source: Source, scored: ScoredVideo, normal: NormalMoments | None = None
) -> EventPictures:
    """Write `events/NNN.jpg` for each event, numbered by time from 1; removes those of an earlier scoring.

    Beside it goes `NNN.normal.jpg`, the nearest normal moment where the event's reason names one: as large, with the
    same boxes. folder: of the video's results. normal: finds those moments. There is no picture where the frame cannot
    be read again, or too many events score higher.
    Raises DiskSpaceError if there is no room.
    """
    home = folder / PICTURES_NAME
    remove_event_pictures(folder)
    events = scored.events or ()
    strongest = sorted(events, key=lambda event: -event.top_score)[:MAX_PICTURES]
    times_s = dict(zip(scored.index.tolist(), scored.time_s.tolist(), strict=True))
    images = frames_at(source, [(event.peak_frame, times_s[event.peak_frame]) for event in strongest])
    peaks: list[Path | None] = []
    beside: list[Path | None] = []
    for number, event in enumerate(events, start=1):
        image = images.get(event.peak_frame) if event in strongest else None
        path = home / f"{number:03d}.jpg"
        peaks.append(None if image is None else _write(path, image, event))
        normal_picture = None if image is None or normal is None else normal.nearest(event.reason)
        if image is None or normal_picture is None:
            beside.append(None)
        else:
            beside.append(_write(path.with_suffix(".normal.jpg"), resized(normal_picture, *image.shape[:2]), event))
    return EventPictures(tuple(peaks), tuple(beside))


def _write(path: Path, image: Image, event: Event) -> Path:
    """Write a picture with an event's boxes, large enough to be seen."""
    scale = readable_scale(image.shape[0])
    marked = with_boxes(enlarged(image, scale), [enlarged_box(box, scale) for box in event.boxes])
    with atomic_write(path) as part:
        part.write_bytes(to_jpeg(marked))
    return path


def remove_event_pictures(folder: Path) -> None:
    """Remove what write_event_pictures wrote, and its folder where that is empty then."""
    home = folder / PICTURES_NAME
    for stale in home.glob("[0-9]*.jpg"):
        stale.unlink()
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()
