"""What a threshold means: where it lies among the scores of normal footage, and what it does to answered events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskedskipunet.detection.budget import AlarmSetting, NormalScores
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.records.query import LARGEST_PAGE, EventQuery
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.kept_calibration import KeptFootage
from maskedskipunet.workflows.normal_footage import without_time_ranges

MOST_EVENTS = 5000  # of each answer, the strangest: all others are further below any threshold
BINS = 80


@dataclass(frozen=True)
class AnsweredEffect:
    """An answered event under two thresholds. A record keeps its highest score: below a threshold there is no alarm."""

    recorded: RecordedEvent
    alarms_now: bool
    alarms_then: bool


@dataclass(frozen=True)
class Distribution:
    """How often normal frames score how high.

    edges: rising, one more than counts. counts: of frames between two edges. shares: scores by the share of frames
    that reach them.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    shares: tuple[tuple[float, float], ...]

    @property
    def lowest(self) -> float:
        return self.edges[0]

    @property
    def highest(self) -> float:
        return self.edges[-1]


def effects_on_answered(records: Records, now: AlarmSetting, then: AlarmSetting) -> list[AnsweredEffect]:
    """Return all events that are answered normal or anomaly, under the setting in force and another.

    Their scores are those of the time that they were recorded.
    """
    found = []
    for answer in ("anomaly", "normal"):
        for recorded in _strangest(records, EventQuery(answer=answer, order="strangest")):
            clock_s, score = time_of_day_s(recorded.began_unix_s), recorded.event.top_score
            alarms = [score >= setting.rule_at(clock_s).threshold for setting in (now, then)]
            found.append(AnsweredEffect(recorded, *alarms))
    return found


def distribution(videos: Sequence[NormalScores], *thresholds: float) -> Distribution:
    """Return the distribution of normal scores, over a range that shows these thresholds too."""
    scores = np.concatenate([video.scores for video in videos])
    scores = scores[~np.isnan(scores)]
    lowest, highest = float(scores.min()), max([float(scores.max()), *thresholds])
    highest = highest + 0.04 * (highest - lowest) if highest > lowest else lowest + 1.0
    counts, edges = np.histogram(scores, bins=BINS, range=(lowest, highest))
    shares = [(share, float(np.quantile(scores, 1 - share))) for share in (0.5, 0.01, 0.001, 0.0001)]
    known = tuple(pair for pair in shares if pair[0] * len(scores) >= 1)
    return Distribution(tuple(edges.tolist()), tuple(counts.tolist()), known)


def distributions_by_cue(footage: KeptFootage, exclude: Sequence[str]) -> dict[str, Distribution]:
    """Return the distribution of each cue's scores on normal footage, on a scale of its own.

    The reconstruction's are the network's errors, the others' are surprises. exclude: what is left out.
    """
    found = {}
    for cue, videos in footage.cues.items():
        kept = without_time_ranges(videos, exclude) or videos
        if any((~np.isnan(video.scores)).any() for video in kept):
            found[cue] = distribution(kept)
    return found


def _strangest(records: Records, query: EventQuery) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    after: str | None = None
    while len(found) < MOST_EVENTS:
        page = records.page(query, after=after, size=LARGEST_PAGE)
        found += page.events
        after = page.next
        if after is None:
            break
    return found
