"""A trained network for programs: footage of any kind goes in, a result a frame comes out."""

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
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.feeds import Feed, Footage, feeds
from maskedskipunet.workflows.result import EventReference, Result


def load_detector(
    model: str | Path, *, threshold: float | None = None, device: str = "auto", precision: Precision = "float32"
) -> "Detector":
    """Return a trained network that looks at footage.

    model: a run or whatever load_model takes. threshold: of events, in place of the one that `calibrate` set.
    device: "auto" takes a GPU where there is one. precision: bfloat16 is faster where the processor has it.
    Raises WeightsError when there is no such model, CalibrationError for a damaged calibration, ConfigError for
    settings that cannot be.
    """
    model = Path(model)
    return Detector(load_scorer(model, device, precision), threshold)


class Detector:
    """Looks at footage; use load_detector to make one.

    clip_length: frames that a score looks at. late_frames: how many frames after its frame a score comes. threshold:
    of events, None where the model has none.
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
        """Look at footage, a result a frame.

        source: a video file, a folder of images or of videos, a pattern, a `.txt` list; an address (`https://…/a.mp4`,
        `rtsp://…`, whose password may be `${NAME}`); a camera, `usb:0` or 0; frames, uint8 (H, W, 3), RGB, one after
        another; or a list of several of these.
        stream: give results as they come, in a generator that holds some frames at most, and when it is closed or
        dropped closes its source; else a list, which holds all frames. threshold: of events, for this call.
        fps: frames a second to look at in place of what the model was trained at; of frames that are handed over,
        which are all looked at, how many of them a second there are. on_bad_frame: "stop" raises at a frame that
        cannot be read, "skip" gives a result without image and score. batch_size: frames that are waited for and
        scored together; None: one of a camera, else as many as pay.
        Raises DataError for what cannot be read, ConfigError for settings that cannot be, ShapeError for frames of
        another kind.
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
        sources = feeds(source, input_format, on_bad_frame, rate=fps)
        if not stream and (live := next((one for one in sources if one.is_live), None)):
            raise ConfigError("a live source never ends", live.name, "Use stream=True")
        results = self._results(sources, criteria, batch_size)
        return results if stream else list(results)

    def _results(
        self, sources: Sequence[Feed], criteria: AlarmCriteria | None, batch_size: int | None
    ) -> Generator[Result, None, None]:
        with ExitStack() as stack:
            for feed in sources:
                stack.callback(_close, feed.frames)
            for feed in sources:
                with closing(self._of_one(feed, criteria, batch_size)) as results:
                    yield from results

    def _of_one(
        self, feed: Feed, criteria: AlarmCriteria | None, batch_size: int | None
    ) -> Generator[Result, None, None]:
        waiting: deque[Frame] = deque()  # those without a score yet

        def passing() -> Iterator[Frame]:
            for frame in feed.frames:
                waiting.append(frame)
                yield frame

        events = _EventTeller(feed, criteria)
        if batch_size is None and feed.is_live:
            batch_size = 1
        scores = self._scorer.score(passing(), batch_size=batch_size, with_maps=True)
        with closing(scores):
            for scored in scores:
                frame = waiting.popleft()
                yield self._result(feed.name, frame, scored, criteria, events.add(frame, scored))
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
    """Tells of each frame of a source which event it may belong to, as its scores come."""

    def __init__(self, feed: Feed, criteria: AlarmCriteria | None) -> None:
        self._feed = feed
        self._reference = EventReference()
        self._finder = None if criteria is None else AlarmFinder(feed.name, criteria)
        self._starts_s = None
        if criteria is not None and criteria.day is not None and feed.path is not None:
            self._starts_s = start_of_day_s(feed.path, criteria.day.starts)

    def add(self, frame: Frame, scored: FrameScore) -> EventReference:
        if self._finder is None:
            return self._reference
        height_px, width_px = (0, 0) if frame.image is None else frame.image.shape[:2]
        time_of_day_s = self._time_of_day_s(scored.time_s)
        found = self._finder.add(scored, height_px=height_px, width_px=width_px, time_of_day_s=time_of_day_s)
        for update in found.updates:
            if update.phase == "end":
                self._reference.event = update.event
                self._reference = EventReference()
        if (running := self._finder.running) is not None:
            self._reference.event = running
        return self._reference

    def _time_of_day_s(self, time_s: float) -> float | None:
        if self._feed.is_live:
            return time_of_day_s(time.time())
        return None if self._starts_s is None else self._starts_s + time_s

    def finish(self) -> None:
        if self._finder is not None:
            for update in self._finder.finish():
                self._reference.event = update.event


def _close(frames: Iterator[Frame]) -> None:
    close = getattr(frames, "close", None)
    if close is not None:
        close()
