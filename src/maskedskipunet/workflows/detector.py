"""Runs a trained model on footage of any kind, and gives a result for each frame."""

import time
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, overload

from maskedskipunet.data.frames import Frame, OnBadFrame
from maskedskipunet.data.start_times import start_of_day_s
from maskedskipunet.detection.alarm_finder import AlarmCriteria, AlarmFinder
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.kinds import Kinds, with_kind
from maskedskipunet.errors import ConfigError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.frame_sources import Footage, FrameSource, frame_sources
from maskedskipunet.workflows.result import EventReference, Result


def load_detector(
    model: str | Path, *, threshold: float | None = None, device: str = "auto", precision: Precision = "float32"
) -> "Detector":
    """Load a trained model and return a detector that looks at footage.

    model: a run, an exported `.onnx` or `.xml`, or anything that load_model takes. threshold: the threshold of events,
    instead of the one that `calibrate` set. device: "auto" uses a GPU if there is one. precision: bfloat16 is faster if
    the processor supports it.
    Raises WeightsError if there is no such model, CalibrationError if its calibration is damaged, ConfigError for
    settings that are not possible.
    """
    model = Path(model)
    return Detector(load_scorer(model, device, precision), threshold)


class Detector:
    """Scores footage with a trained model; load_detector makes one.

    clip_length: the number of frames that a score depends on. late_frames: how many frames a score comes after its
    frame. threshold: the threshold of events, None if the model has none.
    """

    def __init__(self, scorer: Scorer, threshold: float | None = None) -> None:
        self._scorer, self._calibration = scorer, scorer.calibration
        self._criteria = AlarmCriteria.of(self._calibration, threshold)
        self._has_warned = False

    @property
    def clip_length(self) -> int:
        return self._scorer.geometry.length

    @property
    def late_frames(self) -> int:
        return self._scorer.late_frames

    @property
    def threshold(self) -> float | None:
        return None if self._criteria is None else self._criteria.rule.threshold

    @overload
    def predict(
        self,
        source: Footage,
        *,
        stream: Literal[True],
        threshold: float | None = ...,
        fps: float | None = ...,
        on_bad_frame: OnBadFrame = ...,
        batch_size: int | None = ...,
    ) -> Generator[Result, None, None]: ...

    @overload
    def predict(
        self,
        source: Footage,
        *,
        stream: Literal[False] = False,
        threshold: float | None = ...,
        fps: float | None = ...,
        on_bad_frame: OnBadFrame = ...,
        batch_size: int | None = ...,
    ) -> list[Result]: ...

    def predict(
        self,
        source: Footage,
        *,
        stream: bool = False,
        threshold: float | None = None,
        fps: float | None = None,
        on_bad_frame: OnBadFrame = "stop",
        batch_size: int | None = None,
    ) -> Generator[Result, None, None] | list[Result]:
        """Score footage and return a result for each frame.

        source: a video file, a folder of images or of videos, a pattern, a `.txt` list; an address (`https://…/a.mp4`,
        `rtsp://…`, whose password may be `${NAME}`); a camera, `usb:0` or 0; frames, uint8 (H, W, 3), RGB, one after
        another; or a list of several of these.
        stream: True returns a generator that gives results as they come, holds a few frames, and closes its source
        when it is closed or dropped. False returns a list, which holds all frames. threshold: the threshold of events
        in this call. fps: frames a second to score, instead of the rate of training; for frames that you pass in, how
        many there are a second (all of them are scored). on_bad_frame: "stop" raises at a frame that cannot be read,
        "skip" gives a result without image and score. batch_size: how many frames are scored together; None means one
        for a camera, and the fastest number for everything else.
        Raises DataError for footage that cannot be read, ConfigError for settings that are not possible, ShapeError
        for frames of the wrong type or shape.
        """
        if fps is not None and not 0 < fps < float("inf"):
            raise ConfigError(f"{fps!r} frames a second", "fps", "Use a rate above 0")
        if on_bad_frame not in ("stop", "skip"):
            raise ConfigError(f"{on_bad_frame!r}", "on_bad_frame", "Use 'stop' or 'skip'")
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f"{batch_size} frames together", "batch_size", "Use 1 or more")
        criteria = self._criteria if threshold is None else AlarmCriteria.of(self._calibration, threshold)
        if criteria is None and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "the model has no threshold, so no frame is in an event: set one with `maskedskipunet calibrate`, "
                "or give threshold=",
                stacklevel=2,
            )
        input_format = self._scorer.input_format if fps is None else replace(self._scorer.input_format, fps=fps)
        sources = frame_sources(source, input_format, on_bad_frame, rate=fps)
        if not stream and (live := next((candidate for candidate in sources if candidate.is_live), None)):
            raise ConfigError("a live source never ends", live.name, "Use stream=True")
        results = self._results(sources, criteria, batch_size)
        return results if stream else list(results)

    def _results(
        self, sources: Sequence[FrameSource], criteria: AlarmCriteria | None, batch_size: int | None
    ) -> Generator[Result, None, None]:
        kinds = Kinds()
        with ExitStack() as stack:
            for source in sources:
                stack.callback(_close, source.frames)
            for source in sources:
                with closing(
                    self._of_one(source, _EventTeller(source, criteria, kinds), criteria, batch_size)
                ) as results:
                    yield from results

    def _of_one(
        self, source: FrameSource, events: "_EventTeller", criteria: AlarmCriteria | None, batch_size: int | None
    ) -> Generator[Result, None, None]:
        waiting: deque[Frame] = deque()  # those without a score yet

        def passing() -> Iterator[Frame]:
            for frame in source.frames:
                waiting.append(frame)
                yield frame

        if batch_size is None and source.is_live:
            batch_size = 1
        scores = self._scorer.score(passing(), batch_size=batch_size, with_maps=True)
        with closing(scores):
            for scored in scores:
                frame = waiting.popleft()
                yield self._result(source.name, frame, scored, criteria, events.add(frame, scored))
        events.finish()

    def _result(
        self, source: str, frame: Frame, scored: FrameScore, criteria: AlarmCriteria | None, reference: EventReference
    ) -> Result:
        known = self._calibration if scored.score is not None else None
        rule = None if criteria is None else criteria.rule
        return Result(
            source=source,
            index=frame.index,
            time_s=frame.time_s,
            image=frame.image,
            score=scored.score,
            normal_share=None if known is None or scored.score is None else known.share_of(scored.score),
            threshold=None if rule is None else rule.threshold,
            score_map=scored.map,
            glow_level=self._glow_level(rule, scored),
            box_level=None if rule is None else rule.release,
            reference=reference,
        )

    def _glow_level(self, rule: EventRule | None, scored: FrameScore) -> float:
        if rule is not None:
            return rule.threshold
        return self._calibration.levels[-1] if self._calibration is not None else scored.score or 1.0


class _EventTeller:
    """Assigns each frame of a source to the event that it may belong to, as scores come.

    kinds: of the events so far; each that ends is added.
    """

    def __init__(self, source: FrameSource, criteria: AlarmCriteria | None, kinds: Kinds) -> None:
        self._source, self._kinds = source, kinds
        self._reference = EventReference()
        self._finder = None if criteria is None else AlarmFinder(source.name, criteria)
        self._starts_s = None
        if criteria is not None and criteria.day is not None and source.path is not None:
            self._starts_s = start_of_day_s(source.path, criteria.day.starts)

    def add(self, frame: Frame, scored: FrameScore) -> EventReference:
        if self._finder is None:
            return self._reference
        height_px, width_px = (0, 0) if frame.image is None else frame.image.shape[:2]
        time_of_day_s = self._time_of_day_s(scored.time_s)
        found = self._finder.add(scored, height_px=height_px, width_px=width_px, time_of_day_s=time_of_day_s)
        for update in found.updates:
            if update.phase == "end":
                self._end(update.event)
                self._reference = EventReference()
        if (running := self._finder.running) is not None:
            self._reference.event = with_kind(running, self._kinds.find(running, running.start_s))
        return self._reference

    def _time_of_day_s(self, time_s: float) -> float | None:
        if self._source.is_live:
            return time_of_day_s(time.time())
        return None if self._starts_s is None else self._starts_s + time_s

    def finish(self) -> None:
        if self._finder is not None:
            for update in self._finder.finish():
                self._end(update.event)

    def _end(self, event: Event) -> None:
        self._reference.event = with_kind(event, self._kinds.add(event, event.start_s))


def _close(frames: Iterator[Frame]) -> None:
    close = getattr(frames, "close", None)
    if close is not None:
        close()
