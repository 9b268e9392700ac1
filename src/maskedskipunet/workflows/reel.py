"""A film and a sheet of the strangest moments of a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from maskedskipunet.data.frames import Image
from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.data.video.seeking import frames_between
from maskedskipunet.detection.boxes import Box
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.files import atomic_write, require_writable
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.view.enlarging import enlarged, enlarged_box, readable_scale
from maskedskipunet.view.marking import with_boxes
from maskedskipunet.view.reel_drawing import BAR_PX, FILM_PX, Caption, contact_sheet, film_frame
from maskedskipunet.workflows.reel_moments import ReelMoment

FASTEST_FPS = 15.0  # of the film; frames that come faster are left out
STILL_S = 3.0  # how long a moment is shown of which only a picture is left
LAST_S = 0.5  # how long the last frame of a moment is shown
BOXED_S = 1.0  # around the peak, in which boxes are drawn
SUFFIX = ".mp4"


@dataclass(frozen=True)
class Reel:
    """A film and a sheet that were made, and the moments on them in their order. seconds_s: the length of the film."""

    film: Path
    sheet: Path
    moments: tuple[ReelMoment, ...]
    seconds_s: float
    title: str


def require_film_path(out: Path) -> None:
    """Raise ConfigError for a path at which no film can be written."""
    if out.suffix.lower() != SUFFIX:
        raise ConfigError("no name of a film", str(out), f"Use a name that ends in {SUFFIX}")
    if out.is_dir():
        raise ConfigError("there is a folder of this name", str(out), "Name a file")
    require_writable(out.parent)


def make_reel(
    moments: Sequence[ReelMoment], out: Path, *, seconds_s: float = 8.0, progress: Progress | None = None
) -> Reel:
    """Write the film, and beside it the sheet, `NAME.jpg`; each appears when it is whole.

    moments: in the order in which they are shown. seconds_s: of each, around its peak.
    Raises ConfigError for settings that cannot be, DataError where there is no moment or nothing is left of any,
    DiskSpaceError where there is no room.
    """
    if not 0 < seconds_s <= 600:
        raise ConfigError(f"{seconds_s:g} seconds", "--seconds", "Use a number above 0, up to 600")
    if not moments:
        raise DataError("there is no moment to show", "reel", "Choose a longer time, or another camera")
    require_film_path(out)
    peaks: list[Image | None] = []
    began_s = 0.0
    out.parent.mkdir(parents=True, exist_ok=True)
    progress = progress or Silent()
    size = {"height_px": FILM_PX[1] + BAR_PX, "width_px": FILM_PX[0]}
    if not any(_is_left(moment) for moment in moments):
        raise DataError("neither clip nor picture is left of any moment", "reel", "Choose a later time")
    with (
        VideoWriter(out, **size, frame_rate=1 / LAST_S, timed=True, crf=23) as writer,
        progress.stage("making the reel", len(moments), "moments") as advance,
    ):
        for moment in moments:
            shown = _Shown(moment, len(moments), seconds_s)
            last_s = began_s
            for time_s, frame in shown.frames():
                last_s = began_s + time_s
                writer.write(frame, last_s)
            began_s = last_s + LAST_S if last_s > began_s else began_s + (LAST_S if shown.count else 0.0)
            peaks.append(shown.peak_picture())
            advance(1)
        if not began_s:
            raise DataError("no clip and no picture of any moment can be read", "reel", "Choose another time")
    sheet, title = out.with_suffix(".jpg"), title_of(moments)
    captions = [caption_of(moment, len(moments)) for moment in moments]
    with atomic_write(sheet) as part:
        part.write_bytes(to_jpeg(contact_sheet(title, peaks, captions)))
    return Reel(out, sheet, tuple(moments), began_s, title)


def title_of(moments: Sequence[ReelMoment]) -> str:
    """Return what a reel shows, in a line."""
    count = len(moments)
    what = "The strangest moment" if count == 1 else f"The {count} strangest moments"
    known = sorted(moment.peak_unix_s for moment in moments if moment.peak_unix_s is not None)
    if not known:
        return what
    first, last = (f"{_local(unix_s):%a %d %b %Y}" for unix_s in (known[0], known[-1]))
    return f"{what}, {first}" + ("" if first == last else f" to {last}")


def caption_of(moment: ReelMoment, count: int, after_s: float = 0.0) -> Caption:
    """Return what stands beside a moment. after_s: seconds after its peak, for the time that is shown."""
    if moment.peak_unix_s is None:
        whole = max(0, int(moment.peak_s + after_s))
        time = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    else:
        time = f"{_local(moment.peak_unix_s + after_s):%a %d %b %Y %H:%M:%S}"
    reason = moment.reason[:1].upper() + moment.reason[1:]
    kind = f"{moment.of_kind:,} alarms of this kind" if moment.of_kind > 1 else ""
    place = "strangest" if moment.rank == 1 else f"{_ordinal(moment.rank)} strangest"
    return Caption(time, moment.source, f"{place} of {count}", reason, kind)


class _Shown:
    """One moment as it is shown. count: frames so far; it keeps the one nearest to the peak."""

    def __init__(self, moment: ReelMoment, of: int, seconds_s: float) -> None:
        self.moment, self.count = moment, 0
        self._of, self._seconds_s = of, seconds_s
        self._nearest: tuple[float, Image] | None = None

    def frames(self) -> Iterator[tuple[float, Image]]:
        """Yield the frames of the film and when they are shown, from 0 on."""
        first_s: float | None = None
        last_s = float("-inf")
        for time_s, image in self._images():
            if time_s - last_s < 1 / FASTEST_FPS - 1e-3:
                continue
            first_s = time_s if first_s is None else first_s
            last_s = time_s
            after_s = time_s - self.moment.shown_at_s
            if self._nearest is None or abs(after_s) < abs(self._nearest[0]):
                self._nearest = after_s, image
            drawn = _boxed(image, self.moment.boxes) if abs(after_s) <= BOXED_S else image
            self.count += 1
            yield time_s - first_s, film_frame(drawn, caption_of(self.moment, self._of, after_s))
        if not self.count and (picture := _picture(self.moment)) is not None:
            self.count = 1
            frame = film_frame(picture, caption_of(self.moment, self._of))
            yield 0.0, frame
            yield STILL_S - LAST_S, frame

    def _images(self) -> Iterator[tuple[float, Image]]:
        if self.moment.footage is None:
            return
        source = Source(path=self.moment.footage, on_bad_frame="skip")
        begin_s = max(0.0, self.moment.shown_at_s - self._seconds_s / 2)
        yield from frames_between(source, begin_s, begin_s + self._seconds_s)

    def peak_picture(self) -> Image | None:
        """Return the picture for the sheet: the one that was recorded, else the frame of the peak with its boxes."""
        if (picture := _picture(self.moment)) is not None:
            return picture
        return None if self._nearest is None else _boxed(self._nearest[1], self.moment.boxes)


def _boxed(image: Image, boxes: Sequence[Box]) -> Image:
    """Return a picture with its boxes, large enough for their lines to be thin."""
    scale = readable_scale(image.shape[0])
    return with_boxes(enlarged(image, scale), [enlarged_box(box, scale) for box in boxes])


def _is_left(moment: ReelMoment) -> bool:
    return any(path is not None and path.exists() for path in (moment.footage, moment.picture))


def _picture(moment: ReelMoment) -> Image | None:
    if moment.picture is None:
        return None
    try:
        return from_jpeg(moment.picture.read_bytes())
    except (OSError, ValueError):  # gone or damaged
        return None


def _local(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).astimezone()


def _ordinal(rank: int) -> str:
    """Return a rank as it is written.

    >>> _ordinal(1), _ordinal(2), _ordinal(3), _ordinal(11), _ordinal(22)
    ('1st', '2nd', '3rd', '11th', '22nd')
    """
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"
