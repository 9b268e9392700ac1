"""Puts the events and score curves of scored files into records, so that an archive is reviewed like a camera."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from maskedskipunet.data.frames import Image
from maskedskipunet.data.images import image_files
from maskedskipunet.data.sources import Source
from maskedskipunet.data.start_times import require_pattern, start_unix_s
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.data.video.seeking import TOLERANCE_S, frames_between
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import DataError, VideoError
from maskedskipunet.monitor.clips import LAST_SHOWN_PER_S, ClipConfig
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.records.archiving import ArchivedEvents, archive_events
from maskedskipunet.records.curve_files import LATEST_UNIX_S, entries_of
from maskedskipunet.records.folder import EventPaths
from maskedskipunet.records.recorded import require_camera, without_credentials
from maskedskipunet.records.store import Records
from maskedskipunet.view.peak_pictures import PeakPictures
from maskedskipunet.workflows.event_peaks import MAX_PICTURES
from maskedskipunet.workflows.scoring import ScoredVideo

LONGEST_NAME = 100
MAX_CLIPS = MAX_PICTURES  # of the strongest events of a video
_PART = ".scoring-"  # how folders begin in which clips are made


@dataclass(frozen=True, kw_only=True)
class RecordsTarget:
    """Where scores of files are recorded.

    folder: of the records, made where there is none. camera: under which all videos stand; None: each under its own
    name. starts: a pattern of file names that tells when videos begin (see start_times); what it does not fit, and
    all without one, begins when its container says.
    footage: what the footage is called instead of its path.
    Raises ConfigError for a pattern that is none, RecordsError for a name that a camera cannot have.
    """

    folder: Path
    camera: str | None = None
    starts: str | None = None
    footage: str | None = None

    def __post_init__(self) -> None:
        if self.starts is not None:
            require_pattern(self.starts)
        if self.camera is not None:
            require_camera(self.camera)

    def prepare(self) -> None:
        """Make the records where there are none. Raises RecordsError or DiskSpaceError where that cannot be done."""
        Records.open(self.folder).close()

    def camera_of(self, video: str) -> str:
        """Return the name of the camera under which a video stands."""
        if self.camera is not None:
            return self.camera
        name = "".join(sign if sign.isprintable() else "?" for sign in video)
        return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


@dataclass(frozen=True)
class RecordedScores:
    """What was recorded of one video.

    start_unix_s: when it begins. is_start_known: whether its name or its container says so; else it is taken to have
    ended when the file was changed last. events: what became of them. clips: how many have a clip.
    """

    folder: Path
    camera: str
    start_unix_s: float
    is_start_known: bool
    events: ArchivedEvents = field(default_factory=lambda: ArchivedEvents(()))
    clips: int = 0

    def figures(self) -> dict[str, Any]:
        """Return plain values, for programs."""
        counts = {name: getattr(self.events, name) for name in ("added", "updated", "removed", "kept")}
        ids = [event.id for event, _ in self.events.events]
        began = {"began_unix_s": self.start_unix_s, "is_begin_known": self.is_start_known}
        return {"records": str(self.folder), "camera": self.camera, "events": ids} | began | counts


def record_scores(
    scored: ScoredVideo,
    source: Source,
    target: RecordsTarget,
    pictures: Sequence[tuple[Path | None, Path | None]] = (),
    *,
    progress: Progress | None = None,
) -> RecordedScores:
    """Record the events of a video with clips and pictures, and its score curve.

    What an earlier scoring of the same footage recorded is replaced; answers stay. pictures: of each event, and of the
    nearest normal moment. Raises RecordsError, DiskSpaceError and what reading a file's times raises.
    """
    camera = target.camera_of(scored.name)
    footage = target.footage or str(source.path.resolve())
    known_unix_s = start_unix_s(source.path, target.starts)
    if known_unix_s is None and target.starts is not None:
        known_unix_s = start_unix_s(source.path, None)
    start = _assumed_start(source.path, scored) if known_unix_s is None else known_unix_s
    events = scored.events or ()
    with Records.open(target.folder) as records:
        records.add_camera(camera, footage)
        done = archive_events(records, camera, without_credentials(footage), start, events)
        _put_curve(records, scored, camera, start, is_alone=target.camera is None)
        beside = [*pictures, *[(None, None)] * (len(events) - len(pictures))]
        peaks = [scored.peaks.get(event.id) for event in events]
        found = [*zip(done.events, beside, peaks, strict=True)]
        clips = _put_files(records, scored, source, found, progress or Silent())
    return RecordedScores(target.folder, camera, start, known_unix_s is not None, done, clips)


def _assumed_start(path: Path, scored: ScoredVideo) -> float:
    """Return when footage begins that ended when its file, or its last image, was changed last."""
    try:
        files = image_files(path) if path.is_dir() else [path]
        ended_unix_s = max(file.stat().st_mtime for file in files)
    except (OSError, ValueError) as error:
        raise DataError("cannot tell when it was changed last", str(path), "Check the right to read it") from error
    return max(0.0, ended_unix_s - float(scored.time_s[-1]))


def _put_curve(records: Records, scored: ScoredVideo, camera: str, start_unix_s: float, *, is_alone: bool) -> None:
    """Put the curve of a video in the place of what there was of its time, or of all that there was of its camera."""
    has_score = scored.labelled.scored
    times = start_unix_s + scored.time_s[has_score]
    thresholds = scored.frame_thresholds
    levels = np.nan if thresholds is None else thresholds[has_score]
    kept = (times >= 0) & (times < LATEST_UNIX_S - 1)
    if isinstance(levels, np.ndarray):
        levels = levels[kept]
    entries = entries_of(times[kept].astype(np.uint32), scored.scores[has_score][kept], levels)
    begin, end = (
        (0.0, float(LATEST_UNIX_S)) if is_alone else (start_unix_s, float(start_unix_s + scored.time_s[-1] + 1))
    )
    records.curves.replace(camera, begin, end, entries)


def _put_files(
    records: Records,
    scored: ScoredVideo,
    source: Source,
    found: Sequence[tuple[tuple[Event, float], tuple[Path | None, Path | None], PeakPictures | None]],
    progress: Progress,
) -> int:
    """Write clips and pictures beside their events; returns how many have a clip."""
    _remove_left_behind(records)
    strongest = {event.id for (event, _), _, _ in sorted(found, key=lambda one: -one[0][0].top_score)[:MAX_CLIPS]}
    clips = 0
    with (
        TemporaryDirectory(prefix=_PART, dir=records.folder.path) as place,
        progress.stage("cutting clips", len(found), "clips") as advance,
    ):
        for (event, began_unix_s), pictures, peak in found:
            files = records.folder.files(event.id, began_unix_s)
            part = Path(place) / files.clip.name
            has_clip = event.id in strongest and _cut(part, scored, source, event)
            _move(part if has_clip else None, files.clip)
            for content, target in _pictures_of(files, pictures, peak):
                if content is not None:
                    (part := Path(place) / target.name).write_bytes(content)
                _move(part if content is not None else None, target)
            records.refresh_files(event.id)
            clips += has_clip
            advance(1)
    return clips


def _pictures_of(
    files: EventPaths, pictures: tuple[Path | None, Path | None], peak: PeakPictures | None
) -> Iterator[tuple[bytes | None, Path]]:
    """Yield the content of each picture of an event, None if it has none, and where it belongs."""
    for made, target in zip(pictures, (files.picture, files.normal_picture), strict=True):
        yield (None if made is None else made.read_bytes()), target
    yield (None if peak is None else peak.heat_map), files.heat_map
    yield (None if peak is None else peak.reconstruction), files.reconstruction


def _cut(path: Path, scored: ScoredVideo, source: Source, event: Event) -> bool:
    """Write the clip of an event and some seconds around it; returns whether it is there.

    It shows the frames that were scored: whoever learns from a clip takes each of them.
    """
    config = ClipConfig()
    begin_s = event.start_s - config.before_s
    end_s = min(event.end_s + config.after_s, begin_s + config.longest_s)
    frames = _scored_frames(scored, source, begin_s, end_s)
    first = next(frames, None)
    if first is None:
        return False
    first_s, image = first
    height_px, width_px = (size - size % 2 for size in image.shape[:2])
    try:
        with VideoWriter(
            path, height_px=height_px, width_px=width_px, frame_rate=LAST_SHOWN_PER_S, timed=True
        ) as writer:
            writer.write(image[:height_px, :width_px], 0.0)
            for time_s, later in frames:
                if later.shape == image.shape:
                    writer.write(later[:height_px, :width_px], time_s - first_s)
    except VideoError:
        return False
    return True


def _scored_frames(scored: ScoredVideo, source: Source, begin_s: float, end_s: float) -> Iterator[tuple[float, Image]]:
    """Yield the frames of a time that were scored."""
    wanted = scored.time_s[(scored.time_s >= begin_s) & (scored.time_s <= end_s)]
    for time_s, image in frames_between(source, begin_s, end_s):
        if len(wanted) and np.abs(wanted - time_s).min() <= TOLERANCE_S:
            yield time_s, image


def _move(part: Path | None, target: Path) -> None:
    """Put a finished file in the place of an earlier one; without one, the earlier goes."""
    if part is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def _remove_left_behind(records: Records) -> None:
    """Remove the folders of earlier scorings that were killed, a day old or more."""
    for folder in records.folder.path.glob(f"{_PART}*"):
        with suppress(OSError):
            if records.clock() - folder.stat().st_mtime > 86400:
                rmtree(folder, ignore_errors=True)
