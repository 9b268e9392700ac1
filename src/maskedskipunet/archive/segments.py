"""Cuts a video into segments, each of which can be scored alone with the scores of unbroken scoring."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import PurePosixPath
from re import sub
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sampling import nearest_to_ticks
from maskedskipunet.data.video.index import VideoIndex
from maskedskipunet.data.video.key_frame import KeyFrame
from maskedskipunet.scoring.scorer import Scorer

LONGEST_NAME = 60
DECODER_FRAMES = 16  # that a decoder may read before it gives a picture, and sampling after it
UNKNOWN_DAY = "unknown"


@dataclass(frozen=True)
class Overlap:
    """What scoring a segment needs around it, so that its scores are those of unbroken scoring.

    early_frames, history_s, late_frames: as the scorer has them. batch_size: frames scored together; whole batches are
    read at the same places as in unbroken scoring, so that even rounding is the same.
    """

    early_frames: int
    history_s: float
    late_frames: int
    batch_size: int

    @classmethod
    def of(cls, scorer: Scorer) -> "Overlap":
        return cls(scorer.early_frames, scorer.history_s, scorer.late_frames, scorer.batch_size)

    def around(self, start: int, end: int, times_s: NDArray[np.float64]) -> tuple[int, int]:
        """Return the sampled frames to look at for those from `start` to before `end`. times_s: of all of them."""
        oldest = int(np.searchsorted(times_s, times_s[start] - self.history_s))
        needed = oldest - self.early_frames
        first = max(0, (needed // self.batch_size - 1) * self.batch_size)
        last = -(-(end + self.late_frames) // self.batch_size) * self.batch_size
        return first, min(last, len(times_s))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a video that is scored at once.

    id: a hash of all that its scores depend on. source: the name of the video in the target. start, end: its sampled
    frames, numbered from 0; `end` is not included. first, last: those to look at. start_s, end_s: its time in the
    video. began_s: when the video began, in seconds since 1970; None if that is not known. key: where decoding begins,
    None for the video's start; kept_before: see `sample_part`. file_start_s: see VideoIndex. limit: the byte that
    reading reaches, about; 0 if that is not known.
    """

    id: str
    source: str
    address: str
    version: str
    day: str
    start: int
    end: int
    first: int
    last: int
    start_s: float
    end_s: float
    began_s: float | None
    key: KeyFrame | None
    kept_before: int | None
    file_start_s: float
    limit: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Segment":
        """Return the inverse of to_dict."""
        key = values["key"]
        return cls(**{**values, "key": None if key is None else KeyFrame(**key)})


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How a video is cut. fps, stride: which of its frames are looked at. seconds: the length of a segment, at least.

    key: a hash of the model and the settings that scores depend on.
    """

    fps: float | None
    stride: int
    seconds: float
    overlap: Overlap
    key: str

    def cut(
        self, source: str, address: str, version: str, index: VideoIndex, began_s: float | None
    ) -> tuple[Segment, ...]:
        """Return the segments of a video, which begin at key frames and, where its time is known, end at midnight."""
        kept = self._kept(index)
        sampled = kept[:: self.stride]
        times_s = index.times_s[sampled]
        found = []
        starts = self._starts(sampled, times_s, index, began_s)
        for start, end in zip(starts, [*starts[1:], len(sampled)], strict=True):
            first, last = self.overlap.around(start, end, times_s)
            key = next((key for key in reversed(index.keys) if key.index < sampled[first]), None) if first else None
            through = index.ends[: int(sampled[last - 1]) + DECODER_FRAMES] if last < len(sampled) else index.ends
            parts = (address, version, start, end, self.key)
            found.append(
                Segment(
                    id=sha256(json.dumps(parts).encode()).hexdigest()[:20],
                    source=source,
                    address=address,
                    version=version,
                    day=_day(began_s, float(times_s[start])),
                    start=start,
                    end=end,
                    first=first if key is not None else 0,
                    last=last,
                    start_s=float(times_s[start]),
                    end_s=float(times_s[end - 1]),
                    began_s=began_s,
                    key=key,
                    kept_before=None if key is None else int(np.searchsorted(kept, key.index, side="right")),
                    file_start_s=index.start_s,
                    limit=int(through.max()),
                )
            )
        return tuple(found)

    def _kept(self, index: VideoIndex) -> NDArray[np.int64]:
        """Return the frames that sampling keeps with a stride of 1."""
        if self.fps is None:
            return np.arange(len(index.times_s))
        timed = (Frame(number, time_s, None) for number, time_s in enumerate(index.times_s.tolist()))
        return np.array([frame.index for frame in nearest_to_ticks(timed, self.fps)], np.int64)

    def _starts(
        self, sampled: NDArray[np.int64], times_s: NDArray[np.float64], index: VideoIndex, began_s: float | None
    ) -> Sequence[int]:
        starts = [0]
        for key in index.keys:
            position = int(np.searchsorted(sampled, key.index))
            if starts[-1] < position < len(sampled):
                time_s, begun_s = float(times_s[position]), float(times_s[starts[-1]])
                if time_s - begun_s >= self.seconds or _day(began_s, time_s) != _day(began_s, begun_s):
                    starts.append(position)
        return starts


def source_name(address: str) -> str:
    """Return a short name for a video that no other address has.

    >>> source_name("/archive/door/2026-03-01.mp4")
    '2026-03-01-3e179f3be9'
    """
    stem = sub(r"[^\w.-]+", "_", PurePosixPath(address.partition("?")[0]).stem)[:LONGEST_NAME].strip("._-")
    digest = sha256(address.encode()).hexdigest()[:10]
    return f"{stem}-{digest}" if stem else digest


def _day(began_s: float | None, time_s: float) -> str:
    """Return the day of a moment in UTC."""
    if began_s is None:
        return UNKNOWN_DAY
    return datetime.fromtimestamp(began_s + time_s, UTC).date().isoformat()
