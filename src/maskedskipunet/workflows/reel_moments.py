"""The strangest moments of a time, well apart: from records, or from tables of scores beside their videos."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet.data.start_times import require_pattern, start_unix_s
from maskedskipunet.detection.boxes import Box
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import ConfigError, DataError, RecordsError
from maskedskipunet.monitor.clips import ClipConfig
from maskedskipunet.records.kinds import kind_figures
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.view.reasons import describe_reason
from maskedskipunet.workflows.input_selection import NamedVideo

PAGE, MAX_LOOKED_AT = 200, 10_000
MAX_MOMENTS = 200
OF_A_VIDEO = 3  # times as many peaks as moments are looked at in each video: some are of one kind


@dataclass(frozen=True, kw_only=True)
class ReelRequest:
    """Which moments are wanted.

    since_unix_s, until_unix_s: those that began from the one on and before the other. camera: of this one alone.
    moments: how many at most. apart_s: seconds between two of one camera. starts: a pattern of file names that tells
    when videos begin, for tables of scores.
    Raises ConfigError for what cannot be.
    """

    since_unix_s: float | None = None
    until_unix_s: float | None = None
    camera: str | None = None
    moments: int = 12
    apart_s: float = 60.0
    starts: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.moments <= MAX_MOMENTS:
            raise ConfigError(f"{self.moments} moments", "--moments", f"Use 1 to {MAX_MOMENTS}")
        if not 0 <= self.apart_s < float("inf"):
            raise ConfigError(f"moments {self.apart_s} seconds apart", "--apart", "Use 0 or more")
        since, until = self.since_unix_s, self.until_unix_s
        if since is not None and until is not None and since >= until:
            raise ConfigError("the end is not after the begin", "--until", "State a later time")
        if self.starts is not None:
            require_pattern(self.starts)


@dataclass(frozen=True, kw_only=True)
class ReelMoment:
    """A moment that is shown.

    source: the camera or the video. score: the highest. peak_unix_s: when it was, None where that is not known.
    peak_s: by the video's own time. footage: the video or clip that shows it, None where there is none; shown_at_s:
    where in it the peak is. picture: a JPEG of the peak with its boxes, or None. boxes: in pixels of the footage.
    of_kind: how many alarms of its kind there were; kind_id: which, None for no alarm. rank: 1 for the strangest.
    """

    source: str
    score: float
    peak_s: float
    peak_unix_s: float | None = None
    footage: Path | None = None
    shown_at_s: float = 0.0
    picture: Path | None = None
    boxes: tuple[Box, ...] = ()
    reason: str = ""
    of_kind: int = 1
    kind_id: str | None = None
    rank: int = 0

    def figures(self) -> dict[str, Any]:
        """Return the moment as plain values, for programs."""
        return {
            "rank": self.rank,
            "source": self.source,
            "peak_unix_s": self.peak_unix_s,
            "peak_s": self.peak_s,
            "score": self.score,
            "reason": self.reason,
            "of_kind": self.of_kind,
            "footage": None if self.footage is None else str(self.footage),
        }


def moments_of_records(folder: Path, request: ReelRequest) -> list[ReelMoment]:
    """Return the strangest events of the records, in the order of time.

    Of alarms of one kind the strangest stands for all; others only fill what is left. Raises RecordsError where there
    are no records or no such camera.
    """
    with Records.open(folder, create=False) as records:
        if request.camera is not None and request.camera not in (known := records.cameras()):
            told = ", ".join(known) or "none yet"
            raise RecordsError(f"there is no camera {request.camera[:80]!r}", "--camera", f"There are: {told}")
        chosen: list[RecordedEvent] = []
        of_known_kind: list[RecordedEvent] = []
        kinds: set[tuple[str, str]] = set()
        for recorded in _strangest(records, request):
            if not _is_apart(recorded, chosen, request.apart_s):
                continue
            kind = recorded.camera, recorded.event.kind_id or recorded.event.id
            (of_known_kind if kind in kinds else chosen).append(recorded)
            kinds.add(kind)
            if len(chosen) == request.moments:
                break
        for recorded in of_known_kind:
            if len(chosen) < request.moments and _is_apart(recorded, chosen, request.apart_s):
                chosen.append(recorded)
        with records.read() as session:
            counts = [int(kind_figures(session, recorded).get("of_kind", 1)) for recorded in chosen]
        moments = [_moment(records, one, count) for one, count in zip(chosen, counts, strict=True)]
    return in_order(moments)


def _strangest(records: Records, request: ReelRequest) -> Iterator[RecordedEvent]:
    asked = EventQuery(
        since_unix_s=request.since_unix_s,
        until_unix_s=request.until_unix_s,
        camera=request.camera,
        order="strangest",
    )
    after = None
    for _ in range(MAX_LOOKED_AT // PAGE):
        page = records.page(asked, after=after, size=PAGE)
        yield from page.events
        if (after := page.next) is None:
            return


def _is_apart(recorded: RecordedEvent, others: Sequence[RecordedEvent], apart_s: float) -> bool:
    of_camera = (one for one in others if one.camera == recorded.camera)
    return all(abs(_peak_unix_s(recorded) - _peak_unix_s(one)) >= apart_s for one in of_camera)


def _peak_unix_s(recorded: RecordedEvent) -> float:
    return recorded.began_unix_s + recorded.event.peak_s - recorded.event.start_s


def _moment(records: Records, recorded: RecordedEvent, of_kind: int) -> ReelMoment:
    event = recorded.event
    files = records.folder.files(event.id, recorded.began_unix_s)
    clip, picture = files.clip, files.picture
    footage, shown_at_s = Path(event.source), event.peak_s
    if not (footage.is_absolute() and footage.exists()):  # a camera, or a file that is gone
        footage = clip
        shown_at_s = event.peak_s - event.start_s + min(ClipConfig().before_s, max(0.0, event.start_s))
    return ReelMoment(
        source=recorded.camera,
        score=event.top_score,
        peak_s=event.peak_s,
        peak_unix_s=_peak_unix_s(recorded),
        footage=footage if footage.exists() else None,
        shown_at_s=shown_at_s,
        picture=picture if picture.is_file() else None,
        boxes=event.boxes,
        reason=_reason(event),
        of_kind=of_kind,
    )


def _reason(event: Event) -> str:
    """Return why an event was raised, in words that need no more footage; empty where it is not known."""
    if event.reason is None:
        return ""
    readings = {cue: replace(reading, nearest=None) for cue, reading in event.reason.readings.items()}
    return describe_reason(replace(event.reason, readings=readings))


def moments_of_tables(folder: Path, videos: Sequence[NamedVideo], request: ReelRequest) -> list[ReelMoment]:
    """Return the highest scores of videos that `score` wrote into a folder, in the order of time.

    A video's table is `folder/NAME/scores.parquet`, or `folder/scores.parquet` where it is the only one. What an event
    there says of a moment stands beside it; of events of one kind the strangest moment stands for all, as in records.
    Raises DataError where no video has a table, or one is damaged.
    """
    found: list[ReelMoment] = []
    tables = 0
    for video in videos:
        if request.camera is not None and video.name != request.camera:
            continue
        places = [folder / video.name, *([folder] if len(videos) == 1 else [])]
        place = next((place for place in places if (place / "scores.parquet").is_file()), None)
        if place is None:
            continue
        tables += 1
        found += _peaks(place, video, request)
    if not tables:
        cure = "Name the folder that `score` wrote, and the same videos with --videos"
        raise DataError("there are no scores of these videos", str(folder), cure)
    found.sort(key=lambda moment: -moment.score)
    kinds: set[tuple[str, str]] = set()
    firsts: list[ReelMoment] = []
    others: list[ReelMoment] = []
    for moment in found:
        kind = moment.source, moment.kind_id or ""
        is_first = moment.kind_id is not None and kind not in kinds
        (firsts if is_first else others).append(moment)
        kinds.add(kind)
    return in_order([*firsts, *others][: request.moments])


def _peaks(place: Path, video: NamedVideo, request: ReelRequest) -> list[ReelMoment]:
    """Return the highest scores of one video, some seconds apart."""
    time_s, scores = _read_table(place / "scores.parquet")
    began_unix_s = start_unix_s(video.path, request.starts)
    events = _events(place / "events.json")
    is_asked = ~np.isnan(scores)
    if request.since_unix_s is not None or request.until_unix_s is not None:
        if began_unix_s is None:
            cure = "Give the pattern of names with --starts, or leave --since and --until out"
            raise DataError("it is not known when the video begins", str(video.path), cure)
        is_asked &= time_s + began_unix_s >= (request.since_unix_s or 0.0)
        is_asked &= time_s + began_unix_s < (request.until_unix_s or float("inf"))
    moments: list[ReelMoment] = []
    left = np.where(is_asked, scores, -np.inf)
    while len(moments) < OF_A_VIDEO * request.moments and len(left) and np.isfinite(left.max()):
        position = int(left.argmax())
        peak_s = float(time_s[position])
        left[np.abs(time_s - peak_s) < max(request.apart_s, 1e-9)] = -np.inf
        event = next((event for event in events if event.start_s <= peak_s <= event.end_s), None)
        moments.append(
            ReelMoment(
                source=video.name,
                score=float(scores[position]),
                peak_s=peak_s,
                peak_unix_s=None if began_unix_s is None else began_unix_s + peak_s,
                footage=video.path,
                shown_at_s=peak_s,
                boxes=() if event is None else event.boxes,
                reason="" if event is None else _reason(event),
                of_kind=1 if event is None else sum(_kind_of(one) == _kind_of(event) for one in events),
                kind_id=None if event is None else _kind_of(event),
            )
        )
    return moments


def _kind_of(event: Event) -> str:
    return event.kind_id or event.id


def _read_table(path: Path) -> tuple[Any, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["time", "score"])
        columns = (table[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in ("time", "score"))
        time_s, scores = columns
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError("not a table of scores", str(path), "Score the video again") from error
    return time_s, scores


def _events(path: Path) -> list[Event]:
    """Return the events of a video; none where there is no such file or it is another's."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["events"]
        names = Event.__dataclass_fields__
        events = [Event.from_dict({name: value for name, value in one.items() if name in names}) for one in told]
        return [replace(one, boxes=tuple((x, y, width, height) for x, y, width, height in one.boxes)) for one in events]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def in_order(moments: Sequence[ReelMoment]) -> list[ReelMoment]:
    """Return moments in the order of time, each with its rank; those of which no time is known by their videos."""
    strangest = sorted(moments, key=lambda moment: -moment.score)
    ranked = [replace(moment, rank=rank) for rank, moment in enumerate(strangest, start=1)]
    return sorted(ranked, key=lambda moment: (moment.peak_unix_s or 0.0, moment.source, moment.peak_s))
