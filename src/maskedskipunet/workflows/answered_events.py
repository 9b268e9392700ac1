"""Events that a person answered, and what becomes of them by another model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from maskedskipunet.detection.budget import NormalScores
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.detection.events import Event, EventRule, find_events
from maskedskipunet.detection.threshold_adjustment import has_alarm, silencing_threshold
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.kinds import unanswered_of_kind
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records

ClipScores = Mapping[str, NormalScores | None]  # of clips by their event's id; None if a clip has none
Spans = Mapping[str, tuple[float, float]]  # first and last second of an event in its clip, by its id


@dataclass(frozen=True)
class Effect:
    """The effect of feedback on an answered event. Its scores are the lowest thresholds at which its clip is no alarm,
    by the model before and after.

    top_score: the highest score in the event's record. after_score, alarms_after: None if nothing was trained yet.
    """

    id: str
    camera: str
    answer: str
    marked: bool
    before_score: float
    alarms_before: bool
    after_score: float | None
    alarms_after: bool | None
    top_score: float

    @property
    def is_lost(self) -> bool:
        """True for an anomaly that would no longer alarm."""
        return self.answer == "anomaly" and self.alarms_before and self.alarms_after is False


def _peak_in_clip_s(event: Event, clip: NormalScores) -> float:
    """Return about when an event is strangest in its clip, which shows as much before it as after it, if there is."""
    first_s, last_s = float(clip.time_s[0]), float(clip.time_s[-1])
    around_s = last_s - first_s - (event.end_s - event.start_s)
    return first_s + min(event.start_s, max(around_s, 0.0) / 2) + event.peak_s - event.start_s


def _had_lasted(event: Event) -> bool:
    return event.reason is not None and event.reason.reading.lasting_s is not None


def choose_events(
    events: Sequence[RecordedEvent], id_prefixes: Sequence[str], *, with_kind: bool = False
) -> list[RecordedEvent]:
    """Return the events that are meant, each once, in the order of their naming.

    with_kind: the id of a kind means one of its events, though the first, whose id that is, may be gone.
    Raises RecordsError for a beginning that no id has, or several.
    """
    chosen: dict[str, RecordedEvent] = {}
    for text in id_prefixes:
        fits = [recorded for recorded in events if text and recorded.event.id.startswith(text)]
        if with_kind and not fits:
            fits = [recorded for recorded in events if text and (recorded.event.kind_id or "").startswith(text)][:1]
        exact = [recorded for recorded in fits if recorded.event.id == text]
        if not fits:
            raise RecordsError("there is no such event", text[:80], "See `maskedskipunet records export`")
        if len(fits) > 1 and not exact:
            listed = ", ".join(recorded.event.id for recorded in fits[:3]) + (" …" if fits[3:] else "")
            raise RecordsError(f"{len(fits)} events begin so ({listed})", text[:80], "Write more of the id")
        recorded = (exact or fits)[0]
        chosen[recorded.event.id] = recorded
    return list(chosen.values())


@dataclass(frozen=True)
class AnsweredEvents:
    """Events that were answered.

    marked: those answered now. recorded_events: those that have a clip; clips: its path,
    by the event's id. settled: those that are answered for their kind alone, and have no clip to learn from. members:
    ids of those that are answered because others of their kind are. of_kind: how many others of their kinds are left
    without an answer.
    """

    marked: list[RecordedEvent]
    recorded_events: list[RecordedEvent]
    clips: dict[str, Path]
    without_clip: tuple[str, ...]
    settled: tuple[RecordedEvent, ...] = ()
    members: frozenset[str] = frozenset()
    of_kind: int = 0

    @property
    def answered(self) -> list[RecordedEvent]:
        """The events that are answered now, with or without a clip."""
        return [*self.marked, *self.settled]

    @classmethod
    def of(cls, records: Records, id_prefixes: Sequence[str], *, with_kind: bool = False) -> "AnsweredEvents":
        """Find events, and with_kind all events of their kinds that nobody has answered.

        Raises RecordsError for events that there are not, or that have no clip.
        """
        events = records.events()
        marked = choose_events(events, id_prefixes, with_kind=with_kind)
        alike = unanswered_of_kind(events, marked)
        settled: list[RecordedEvent] = []
        for recorded in alike if with_kind else []:
            has_clip = records.clip_path(recorded.event.id, recorded.began_unix_s).is_file()
            (marked if has_clip else settled).append(recorded)
        ids = {recorded.event.id for recorded in marked}
        earlier = [recorded for recorded in events if recorded.answer is not None and recorded.event.id not in ids]
        recorded_events, clips, without_clip = [], {}, []
        for recorded in [*(replace(recorded, answer="normal") for recorded in marked), *earlier]:
            event_id, clip = recorded.event.id, records.clip_path(recorded.event.id, recorded.began_unix_s)
            if clip.is_file():
                recorded_events.append(recorded)
                clips[event_id] = clip
            elif event_id in ids:
                cure = "Mark events with clips; `watch` cuts them while there is room"
                raise RecordsError("the event has no clip", event_id, cure)
            else:
                without_clip.append(event_id)
        members = frozenset(recorded.event.id for recorded in alike) if with_kind else frozenset()
        left = 0 if with_kind else len(alike)
        return cls(marked, recorded_events, clips, tuple(without_clip), tuple(settled), members, left)

    @property
    def paths(self) -> list[Path]:
        """Clips of all events that have one."""
        return list(self.clips.values())

    @property
    def marked_clips(self) -> dict[str, Path]:
        """Clips of the events that are answered now, by their ids."""
        return {recorded.event.id: self.clips[recorded.event.id] for recorded in self.marked}

    def only(self, scores: ClipScores) -> "AnsweredEvents":
        """Return those whose clips can be scored.

        Raises RecordsError if one that is answered now cannot, unless it is answered for its kind alone.
        """
        mute = [recorded for recorded in self.marked if scores[recorded.event.id] is None]
        for recorded in mute:
            if recorded.event.id not in self.members:
                fault = "no frame of its clip has a score"
                raise RecordsError(fault, recorded.event.id, "Mark events whose clips are longer, and whole")
        recorded_events = [recorded for recorded in self.recorded_events if scores[recorded.event.id] is not None]
        clips = {recorded.event.id: self.clips[recorded.event.id] for recorded in recorded_events}
        return replace(
            self,
            marked=[recorded for recorded in self.marked if recorded not in mute],
            recorded_events=recorded_events,
            clips=clips,
            without_clip=(*self.without_clip, *(self.clips.keys() - clips.keys())),
            settled=(*self.settled, *mute),
        )

    def scored(self, scores: ClipScores) -> Iterator[tuple[RecordedEvent, NormalScores]]:
        """Yield events with their clips' scores, at the time of day that they began at."""
        for recorded in self.recorded_events:
            if (found := scores.get(recorded.event.id)) is not None:
                yield recorded, replace(found, starts_s=time_of_day_s(recorded.began_unix_s))

    def marked_scores(self, scores: ClipScores) -> list[NormalScores]:
        """Scores of the clips of events that are answered now."""
        ids = {recorded.event.id for recorded in self.marked}
        return [found for recorded, found in self.scored(scores) if recorded.event.id in ids]

    def spans(self, scores: ClipScores, calibration: Calibration, smoothing_s: float) -> Spans:
        """Return when the event of each clip begins and ends, in seconds of the clip.

        A clip shows some seconds before and after its event too, in which something else may be seen that nobody called
        normal. But where an event is something that had lasted, the seconds before it show that as well. smoothing_s:
        of the scores; a median rises when half of its seconds are strange. Events that are not found again in their
        clips are left out.
        """
        found = {}
        for recorded, clip in self.scored(scores):
            rule = rule_of(calibration, clip.starts_s)
            events = find_events(clip.name, np.arange(len(clip.scores)), clip.time_s, clip.scores, rule)
            if events:
                peak_s = _peak_in_clip_s(recorded.event, clip)
                event = min(events, key=lambda event: abs(event.peak_s - peak_s))
                begin_s = -inf if _had_lasted(recorded.event) else event.start_s - smoothing_s / 2
                found[recorded.event.id] = (begin_s, event.end_s)
        return found

    def effects(
        self,
        before: ClipScores,
        calibration: Calibration,
        after: ClipScores | None = None,
        renewed: Calibration | None = None,
    ) -> tuple[Effect, ...]:
        """Return what an answer changes for each answered event. after: None if nothing was trained yet."""
        effects = []
        marked = {recorded.event.id for recorded in self.marked}
        for recorded, scores in self.scored(before):
            event_id = recorded.event.id
            later = None if after is None else after.get(event_id)
            again = None if later is None else replace(later, starts_s=scores.starts_s)
            before_score, alarms_before = _judged(scores, calibration)
            after_score, alarms_after = None, None
            if again is not None and renewed is not None:
                after_score, alarms_after = _judged(again, renewed)
            effects.append(
                Effect(
                    event_id,
                    recorded.camera,
                    str(recorded.answer),
                    event_id in marked,
                    before_score,
                    alarms_before,
                    after_score,
                    alarms_after,
                    recorded.event.top_score,
                )
            )
        return tuple(effects)


def rule_of(calibration: Calibration, starts_s: float | None = None) -> EventRule:
    """Return the rule of a calibration at a time of day, or the common one."""
    assert calibration.alarm is not None
    return calibration.alarm.rule_at(starts_s)


def _judged(scores: NormalScores, calibration: Calibration) -> tuple[float, bool]:
    """Return how high it lasts, and whether it is an alarm at its time of day."""
    assert calibration.alarm is not None
    rule = rule_of(calibration, scores.starts_s)
    return silencing_threshold(scores, rule, calibration.alarm.median_score), has_alarm(scores, rule)
