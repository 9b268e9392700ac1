"""The report on an archive: what is scored, what failed and why, the strangest moments, and what it took."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from maskedskipunet.archive.manifest import DONE, MISSING, Manifest, Row
from maskedskipunet.archive.target import Target

HOUR_S = 3600.0
MOMENTS = 10


@dataclass(frozen=True)
class ArchiveFailure:
    """A part of a video that could not be scored. start_s, end_s: None for all of the video. kind: of the failure."""

    address: str
    start_s: float | None
    end_s: float | None
    kind: str
    cause: str


@dataclass(frozen=True)
class StrangeMoment:
    """The highest score of a segment. began_s: when its video began, in seconds since 1970; None if not known."""

    address: str
    frame: int
    time_s: float
    began_s: float | None
    score: float


@dataclass(frozen=True)
class ArchiveReport:
    """What has become of an archive.

    sources: videos, with those that could not be opened. hours: of footage that is planned; hours_scored: that is
    scored. segments: by state. worker_hours: that scoring took, of one worker. peak_mb: the most memory of a worker.
    """

    sources: int
    hours: float
    hours_scored: float
    segments: dict[str, int]
    frames: int
    worker_hours: float
    peak_mb: float
    failures: tuple[ArchiveFailure, ...]
    moments: tuple[StrangeMoment, ...]

    @classmethod
    def of(cls, target: Target, moments: int = MOMENTS) -> "ArchiveReport":
        """Return the report on a target, whose manifest is brought up to date. Raises DataError if it is none."""
        target.settings()
        return cls.of_rows(Manifest.read(target).update(), moments)

    @classmethod
    def of_rows(cls, rows: Sequence[Row], moments: int = MOMENTS) -> "ArchiveReport":
        done = [row for row in rows if row["state"] == DONE]
        failed = [row for row in rows if row["state"] not in (DONE, MISSING)]
        strangest = sorted(done, key=lambda row: -(-inf if row["highest"] is None else row["highest"]))
        return cls(
            sources=len({row["address"] for row in rows}),
            hours=sum(map(_hours, rows)),
            hours_scored=sum(map(_hours, done)),
            segments=dict(Counter(row["state"] for row in rows)),
            frames=sum(row["frames"] for row in done),
            worker_hours=sum(row["seconds"] for row in done) / HOUR_S,
            peak_mb=max((row["peak_mb"] for row in done), default=0.0),
            failures=tuple(
                ArchiveFailure(row["address"], row["start_s"], row["end_s"], row["state"], row["cause"])
                for row in failed
            ),
            moments=tuple(
                StrangeMoment(row["address"], row["highest_frame"], row["highest_s"], row["began_s"], row["highest"])
                for row in strangest[:moments]
                if row["highest"] is not None
            ),
        )

    @property
    def causes(self) -> dict[str, int]:
        """The number of failures by cause, without what is only said of one file; the most frequent first."""
        found = Counter(_cause(failure) for failure in self.failures)
        return dict(found.most_common())

    @property
    def frames_per_second(self) -> float | None:
        """Frames that one worker scores in a second; None before anything is scored."""
        return self.frames / (self.worker_hours * HOUR_S) if self.worker_hours else None

    @property
    def worker_hours_per_hour(self) -> float | None:
        """What an hour of footage costs, in hours of one worker; None before anything is scored."""
        return self.worker_hours / self.hours_scored if self.hours_scored else None

    def figures(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "sources": self.sources,
            "hours": self.hours,
            "hours_scored": self.hours_scored,
            "segments": self.segments,
            "frames": self.frames,
            "worker_hours": self.worker_hours,
            "frames_per_second": self.frames_per_second,
            "worker_hours_per_hour": self.worker_hours_per_hour,
            "peak_mb": self.peak_mb,
            "causes": self.causes,
            "failures": [vars(failure) for failure in self.failures],
            "moments": [vars(moment) for moment in self.moments],
        }


def _hours(row: Row) -> float:
    return 0.0 if row["start_s"] is None else (row["end_s"] - row["start_s"]) / HOUR_S


def _cause(failure: ArchiveFailure) -> str:
    return failure.cause.replace(f"{failure.address}: ", "")
