"""Score one video: the steps that `score`, `test` and `demo` share."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Image
from maskedskipunet.data.sources import Source
from maskedskipunet.data.start_times import start_of_day_s
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.drift import DriftChange, without_new_normal
from maskedskipunet.detection.events import Box, Event, EventRule, EventStream, map_boxes
from maskedskipunet.detection.rule_in_force import RuleInForce
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.frames import LabelledScores, video_auc
from maskedskipunet.evaluation.maps import map_writer
from maskedskipunet.files import whole_file
from maskedskipunet.inference.ignoring import IgnoredParts
from maskedskipunet.inference.prepare import Precision, PreparedNetwork, prepare
from maskedskipunet.inference.scorer import FrameScore, score_frames
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.progress import Advance
from maskedskipunet.view.annotated import AnnotatedRenderer, write_annotated
from maskedskipunet.view.comparison import ComparisonRenderer, write_comparison
from maskedskipunet.view.heatmap import dimmed
from maskedskipunet.view.plots import ScoreCurve
from maskedskipunet.workflows.spool import Spool

FASTEST_FPS = 1000.0  # that a video is shown at
READ_AHEAD = 8  # frames decoded before they are drawn


@dataclass(frozen=True)
class ScoredVideo:
    """The scores of one video's sampled frames.

    index: (N,), each frame's place in its source. time_s: (N,). scores: (N,), NaN where a frame has none.
    labels: uint8 (N,), None where there is no ground truth. rule: of the model's alarms, at the time of day of the
    first frame, and its threshold; events: those of this video by it; all None where the model has none. thresholds:
    (N,), of each frame, where parts of the day have their own; else None. drift: where normal itself changed, or
    changed back.
    """

    name: str
    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.uint8] | None
    threshold: float | None = None
    events: tuple[Event, ...] | None = None
    thresholds: NDArray[np.float64] | None = None
    drift: tuple[DriftChange, ...] = ()
    rule: EventRule | None = None

    @property
    def labelled(self) -> LabelledScores:
        return LabelledScores(self.name, self.scores, self.labels)

    @property
    def curve(self) -> ScoreCurve:
        auc, alarms = video_auc(self.labelled), tuple((event.start_s, event.end_s) for event in self.events or ())
        return ScoreCurve(self.name, self.time_s, self.scores, self.labels, auc, self.frame_thresholds, alarms)

    @property
    def frame_thresholds(self) -> NDArray[np.float64] | None:
        """(N,), of each frame, whether parts of the day have their own or not; None where the model has none."""
        if self.thresholds is not None or self.threshold is None:
            return self.thresholds
        return np.full(len(self.scores), self.threshold)

    @property
    def frame_rate(self) -> float:
        """Frames a second of the sampled frames; 1 where a single frame leaves it open.

        What is longer than a hundred usual steps is a clock that jumped, or a pause, and says nothing of the rate.
        """
        steps_s = np.diff(self.time_s)
        longest_s = 100 * np.median(steps_s) if len(steps_s) else 0.0
        usual_s = steps_s[steps_s <= longest_s] if longest_s > 0 else steps_s
        return float(min(len(usual_s) / usual_s.sum(), FASTEST_FPS)) if usual_s.sum() > 0 else 1.0


def load_scorer(path: Path, device: str, precision: Precision = "float32") -> tuple[PreparedNetwork, InputFormat]:
    """A trained network ready to score, and what it looks at (the published size where it does not say)."""
    network = load_model(path)
    how = network.input_format or InputFormat()
    IgnoredParts(how.ignore, how.height_px, how.width_px)  # a damaged description is told before anything is read
    return prepare(network, device, precision, (how.height_px, how.width_px)), how


def score_video(
    name: str,
    source: Source,
    network: PreparedNetwork,
    how: InputFormat,
    *,
    labels: NDArray[np.uint8] | None = None,
    video: Path | None = None,
    maps: Path | None = None,
    calibration: Calibration | None = None,
    annotated: Path | None = None,
    advance: Advance = lambda done: None,
    batch_size: int | None = None,
) -> ScoredVideo:
    """Score a video, and where a path is named write its comparison video there, if any frame has a score.

    maps: where its score maps are written, if they are wanted.
    labels: one a frame of the source. calibration: of the model; with a threshold, the video's events are found, and
    where `annotated` names a path drawn into all its frames. advance: called with 1 for each frame scored, and for
    each drawn.
    Raises DataError when the video cannot be read.
    """
    with VideoScoring(
        name,
        source,
        network,
        how,
        labels=labels,
        video=video,
        maps=maps,
        calibration=calibration,
        annotated=annotated,
        advance=advance,
    ) as scoring:
        scoring.add_all(network, how, batch_size)
        return scoring.finish()


class VideoScoring:
    """What is kept of one video while its scores come, and what is made of it then. Use it in a `with` block.

    The arguments are score_video's.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        network: PreparedNetwork,
        how: InputFormat,
        *,
        labels: NDArray[np.uint8] | None = None,
        video: Path | None = None,
        maps: Path | None = None,
        calibration: Calibration | None = None,
        annotated: Path | None = None,
        advance: Advance = lambda done: None,
    ) -> None:
        self.name, self.source = name, source
        self._labels, self._video, self._annotated, self._advance = labels, video, annotated, advance
        self._found: list[FrameScore] = []
        self._spool = None
        self._keep_map = None
        self._ignored = IgnoredParts(how.ignore, how.height_px, how.width_px)
        self._events = None if calibration is None or calibration.alarm is None else _Events(name, source, calibration)
        with ExitStack() as stack:
            if (drawn := video or annotated) is not None:
                self._spool = stack.enter_context(
                    Spool(
                        drawn.parent,
                        frames=source.expected_frames(),
                        height_px=how.height_px,
                        width_px=how.width_px,
                        channels=network.channels,
                    )
                )
            if maps is not None:
                self._keep_map = stack.enter_context(map_writer(maps, height_px=how.height_px, width_px=how.width_px))
            self._stack = stack.pop_all()

    @property
    def with_maps(self) -> bool:
        """Whether score maps are wanted with the scores."""
        return any(one is not None for one in (self._spool, self._keep_map, self._events))

    def add(self, scored: FrameScore) -> None:
        """The next frame's score."""
        if self._keep_map is not None and scored.map is not None:
            self._keep_map(scored.index, scored.map)
        if self._spool is not None:
            self._spool.add(len(self._found), scored)
        if self._events is not None:
            self._events.add(scored)
        self._found.append(FrameScore(scored.index, scored.time_s, scored.score))
        self._advance(1)

    def add_all(self, network: PreparedNetwork, how: InputFormat, batch_size: int | None = None) -> None:
        """Score the whole video."""
        frames = self.source.frames()
        with closing(score_frames(frames, network, how, batch_size=batch_size, with_maps=self.with_maps)) as scores:
            for scored in scores:
                self.add(scored)

    def finish(self) -> ScoredVideo:
        """The video has ended: its scores and events, and its films drawn, where any frame has a score."""
        result = _gather(self.name, self._found, self._labels, str(self.source.path))
        if self._events is not None:
            thresholds = self._events.thresholds(result.time_s)
            rule, events = self._events.rule, self._events.all()
            result = replace(result, rule=rule, threshold=rule.threshold, events=events, thresholds=thresholds)
            result = replace(result, drift=tuple(self._events.changes))
        drawn = self._video or self._annotated
        if self._spool is not None and drawn is not None and result.labelled.scored.any():
            drawn.parent.mkdir(parents=True, exist_ok=True)
            if self._video is not None:
                _draw(result, self.source, self._spool, self._video, self._advance)
            if self._annotated is not None and self._events is not None:
                level = self._events.rule.release
                _annotate(result, self.source, self._spool, self._annotated, level, self._ignored, self._advance)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def close(self) -> None:
        """What was kept aside on disk is gone."""
        self._stack.close()


class _Events:
    """The events of one video, found while it is scored: its maps are gone afterwards."""

    def __init__(self, name: str, source: Source, calibration: Calibration) -> None:
        assert calibration.alarm is not None
        info = source.probe()
        self._alarm = calibration.alarm
        day = self._alarm.day
        self._starts_s = None if day is None else start_of_day_s(source.path, day.starts)
        self.rule = self._alarm.rule_at(self._starts_s)
        self._height_px, self._width_px = info.height_px, info.width_px
        self._stream = EventStream(name, self.rule, normal_share=calibration.share_of)
        self._in_force = RuleInForce(self.rule, day, calibration.drift)
        self.changes: list[DriftChange] = []
        self._ended: list[Event] = []

    def add(self, scored: FrameScore) -> None:
        now_s = None if self._starts_s is None else self._starts_s + scored.time_s
        rule, change = self._in_force.see(scored.time_s, scored.score, scored.map, time_of_day_s=now_s)
        if change is not None:
            self.changes.append(change)
        boxes = partial(event_boxes, scored, rule, self._height_px, self._width_px)
        told = self._stream.add(scored.index, scored.time_s, scored.score, boxes, rule)
        self._ended += [update.event for update in told if update.phase == "end"]

    def thresholds(self, time_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Of each frame, by its time of day; None where there is but one."""
        return None if self._starts_s is None else self._alarm.levels_at(self._starts_s + time_s).threshold

    def all(self) -> tuple[Event, ...]:
        events = [*self._ended, *(update.event for update in self._stream.finish())]
        return tuple(without_new_normal(events, self.changes, self.rule))


def event_boxes(scored: FrameScore, rule: EventRule, height_px: int, width_px: int) -> tuple[Box, ...]:
    """Where a frame is anomalous, in pixels of its source, if its map is there."""
    if scored.map is None:
        return ()
    return map_boxes(scored.map, rule.release, height_px=height_px, width_px=width_px)


def write_scores(path: Path, videos: Sequence[ScoredVideo]) -> None:
    """Write `scores.parquet`: video, frame, time (seconds), score (null where there is none), label (likewise).

    Where the model has a threshold, it stands in a column `threshold`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def labels(video: ScoredVideo) -> Sequence[int | None]:
        return [None] * len(video.index) if video.labels is None else video.labels.tolist()

    def of_frames(video: ScoredVideo) -> Sequence[float | None]:
        return [None] * len(video.index) if (found := video.frame_thresholds) is None else found.tolist()

    thresholds = {}
    if any(video.threshold is not None for video in videos):
        thresholds["threshold"] = pa.array([each for video in videos for each in of_frames(video)], pa.float64())
    table = pa.table(
        {
            "video": pa.array([video.name for video in videos for _ in video.index], pa.string()),
            "frame": pa.array(np.concatenate([video.index for video in videos]), pa.int64()),
            "time": pa.array(np.concatenate([video.time_s for video in videos]), pa.float64()),
            "score": pa.array(np.concatenate([video.scores for video in videos]), pa.float64(), from_pandas=True),
            "label": pa.array([label for video in videos for label in labels(video)], pa.int8()),
        }
        | thresholds
    )
    with whole_file(path) as part:
        pq.write_table(table, part)


def _gather(name: str, found: Sequence[FrameScore], labels: NDArray[np.uint8] | None, where: str) -> ScoredVideo:
    index = np.array([scored.index for scored in found], np.int64)
    if labels is not None and len(index) and index[-1] >= len(labels):
        raise DataError(
            f"frame {index[-1]} was read where {len(labels)} frames were counted", where, "Copy the video again"
        )
    return ScoredVideo(
        name,
        index,
        np.array([scored.time_s for scored in found]),
        np.array([np.nan if scored.score is None else scored.score for scored in found]),
        None if labels is None else labels[index],
    )


def _draw(result: ScoredVideo, source: Source, spool: Spool, path: Path, advance: Advance) -> None:
    """Read the video once more, now that its scores and their scale are known, and draw each frame."""
    info = source.probe()
    renderer = ComparisonRenderer(
        name=result.name,
        source_height_px=info.height_px,
        source_width_px=info.width_px,
        time_s=result.time_s,
        scores=result.scores,
        labels=result.labels,
        error_scale=spool.error_scale(),
        threshold=result.threshold if result.thresholds is None else None,
        index=result.index,
    )

    def pictures() -> Iterator[tuple[Image | None, Image | None, NDArray[np.float32] | None]]:
        with closing(read_ahead(source.frames(), READ_AHEAD)) as frames:
            for position, frame in enumerate(frames):
                yield frame.image, *spool.at(position)
                advance(1)

    write_comparison(path, pictures(), renderer, result.frame_rate)


def _annotate(
    result: ScoredVideo,
    source: Source,
    spool: Spool,
    path: Path,
    box_level: float,
    ignored: IgnoredParts,
    advance: Advance,
) -> None:
    """Draw into every frame of the source, those too that were not scored: they show what is known by then."""
    info = source.probe()
    mask = ignored.source_mask(info.height_px, info.width_px)
    assert result.threshold is not None
    assert result.events is not None
    renderer = AnnotatedRenderer(
        height_px=info.height_px,
        width_px=info.width_px,
        time_s=result.time_s,
        scores=result.scores,
        threshold=result.threshold,
        box_level=box_level,
        events=result.events,
        labels=result.labels,
    )
    every = replace(source, fps=None, stride=1)

    def pictures() -> Iterator[tuple[float, Image]]:
        with closing(read_ahead(every.frames(), READ_AHEAD)) as frames:
            for frame in frames:
                advance(1)
                if frame.image is not None:
                    position = int(np.searchsorted(result.index, frame.index, side="right")) - 1
                    shown, errors = dimmed(frame.image, mask), spool.at(max(position, 0))[1]
                    yield frame.time_s, renderer.render(frame.time_s, shown, errors)

    write_annotated(path, pictures(), renderer, info.frame_rate or source.image_fps)
