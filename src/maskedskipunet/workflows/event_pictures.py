"""A picture of each event of a scored video: the frame of its highest score, boxed where it is anomalous."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.seeking import frames_at
from maskedskipunet.detection.events import Event
from maskedskipunet.files import whole_file
from maskedskipunet.view.enlarging import enlarged, enlarged_box, readable_scale
from maskedskipunet.view.marking import with_boxes
from maskedskipunet.workflows.scoring import ScoredVideo

PICTURES_NAME = "events"  # the folder, beside events.json
MOST_PICTURES = 200  # of the strongest events: nobody looks at more


def write_event_pictures(folder: Path, source: Source, scored: ScoredVideo) -> tuple[Path | None, ...]:
    """Write `events/NNN.jpg` for each event, numbered by time from 1; removes those of an earlier scoring.

    folder: of the video's results. Returns where each event's picture lies, in the order of the events; None where
    there is none: the frame cannot be read again, or too many events score higher.
    Raises DiskSpaceError where there is no room.
    """
    home = folder / PICTURES_NAME
    remove_event_pictures(folder)
    events = scored.events or ()
    strongest = sorted(events, key=lambda event: -event.top_score)[:MOST_PICTURES]
    times_s = dict(zip(scored.index.tolist(), scored.time_s.tolist(), strict=True))
    images = frames_at(source, [(event.peak_frame, times_s[event.peak_frame]) for event in strongest])
    paths: list[Path | None] = []
    for number, event in enumerate(events, start=1):
        image = images.get(event.peak_frame) if event in strongest else None
        if image is None:
            paths.append(None)
            continue
        scale = readable_scale(image.shape[0])
        drawn = with_boxes(enlarged(image, scale), [enlarged_box(box, scale) for box in event.boxes])
        paths.append(home / f"{number:03d}.jpg")
        with whole_file(home / f"{number:03d}.jpg") as part:
            part.write_bytes(to_jpeg(drawn))
    return tuple(paths)


def remove_event_pictures(folder: Path) -> None:
    """Remove what write_event_pictures wrote, and its folder where that is empty then."""
    home = folder / PICTURES_NAME
    for stale in home.glob("[0-9]*.jpg"):
        stale.unlink()
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()


def picture_names(paths: Sequence[Path | None], events: Sequence[Event]) -> dict[str, str]:
    """Return the pictures of events by the events' ids, relative to the folder of the results."""
    return {
        event.id: f"{PICTURES_NAME}/{path.name}" for event, path in zip(events, paths, strict=True) if path is not None
    }
