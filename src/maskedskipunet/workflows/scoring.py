"""Score one video: the steps that `score`, `test` and `demo` share."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Image
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.drift import DriftChange, DriftWatch, without_new_normal
from maskedskipunet.detection.events import Box, Event, EventStream, map_boxes
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.frames import LabelledScores, video_auc
from maskedskipunet.evaluation.maps import map_writer
from maskedskipunet.files import whole_file
from maskedskipunet.inference.prepare import Precision, PreparedNetwork, prepare
from maskedskipunet.inference.scorer import FrameScore, score_frames
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.progress import Advance
from maskedskipunet.view.annotated import AnnotatedRenderer, write_annotated
from maskedskipunet.view.comparison import ComparisonRenderer, write_comparison
from maskedskipunet.view.plots import ScoreCurve
from maskedskipunet.workflows.spool import Spool

READ_AHEAD = 8  # frames decoded before they are drawn


@dataclass(frozen=True)
class ScoredVideo:
    """The scores of one video's sampled frames.

    index: (N,), each frame's place in its source. time_s: (N,). scores: (N,), NaN where a frame has none.
    labels: uint8 (N,), None where there is no ground truth. threshold: of the model's alarms, and events: those of
    this video by it; both None where the model has none. drift: where normal itself changed, or changed back.
    """

    name: str
    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.uint8] | None
    threshold: float | None = None
    events: tuple[Event, ...] | None = None
    drift: tuple[DriftChange, ...] = ()

    @property
    def labelled(self) -> LabelledScores:
        return LabelledScores(self.name, self.scores, self.labels)

    @property
    def curve(self) -> ScoreCurve:
        return ScoreCurve(self.name, self.time_s, self.scores, self.labels, video_auc(self.labelled))

    @property
    def frame_rate(self) -> float:
        """Frames a second of the sampled frames; 1 where a single frame leaves it open."""
        span_s = self.time_s[-1] - self.time_s[0]
        return (len(self.time_s) - 1) / float(span_s) if span_s > 0 else 1.0


def load_scorer(path: Path, device: str, precision: Precision = "float32") -> tuple[PreparedNetwork, InputFormat]:
    """A trained network ready to score, and what it looks at (the published size where it does not say)."""
    network = load_model(path)
    how = network.input_format or InputFormat()
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
    found: list[FrameScore] = []
    with ExitStack() as stack:
        spool = None
        drawn = video or annotated
        if drawn is not None:
            spool = stack.enter_context(
                Spool(
                    drawn.parent,
                    frames=source.expected_frames(),
                    height_px=how.height_px,
                    width_px=how.width_px,
                    channels=network.channels,
                )
            )
        keep_map = None
        if maps is not None:
            keep_map = stack.enter_context(map_writer(maps, height_px=how.height_px, width_px=how.width_px))
        events = None if calibration is None or calibration.alarm is None else _Events(name, source, calibration)
        with_maps = spool is not None or keep_map is not None or events is not None
        for scored in score_frames(source.frames(), network, how, batch_size=batch_size, with_maps=with_maps):
            if keep_map is not None and scored.map is not None:
                keep_map(scored.index, scored.map)
            if spool is not None:
                spool.add(len(found), scored)
            if events is not None:
                events.add(scored)
            found.append(FrameScore(scored.index, scored.time_s, scored.score))
            advance(1)
        result = _gather(name, found, labels, str(source.path))
        if events is not None:
            result = replace(result, threshold=events.rule.threshold, events=events.all(), drift=tuple(events.changes))
        if spool is not None and drawn is not None and result.labelled.scored.any():
            drawn.parent.mkdir(parents=True, exist_ok=True)
            if video is not None:
                _draw(result, source, spool, video, advance)
            if annotated is not None and events is not None:
                _annotate(result, source, spool, annotated, events.rule.release, advance)
    return result


class _Events:
    """The events of one video, found while it is scored: its maps are gone afterwards."""

    def __init__(self, name: str, source: Source, calibration: Calibration) -> None:
        assert calibration.alarm is not None
        info = source.probe()
        self.rule = calibration.alarm.rule
        self._height_px, self._width_px = info.height_px, info.width_px
        self._stream = EventStream(name, self.rule, normal_share=calibration.share_of)
        self._drift = None if calibration.drift is None else DriftWatch(calibration.drift)
        self.changes: list[DriftChange] = []
        self._ended: list[Event] = []

    def add(self, scored: FrameScore) -> None:
        rule = self.rule
        if self._drift is not None:
            if change := self._drift.add(scored.time_s, scored.score, scored.map):
                self.changes.append(change)
            rule = self._drift.rule(rule)
            self._stream.follow(rule)

        def boxes() -> tuple[Box, ...]:
            if scored.map is None:
                return ()
            return map_boxes(scored.map, rule.release, height_px=self._height_px, width_px=self._width_px)

        told = self._stream.add(scored.index, scored.time_s, scored.score, boxes)
        self._ended += [update.event for update in told if update.phase == "end"]

    def all(self) -> tuple[Event, ...]:
        events = [*self._ended, *(update.event for update in self._stream.finish())]
        return tuple(without_new_normal(events, self.changes, self.rule))


def write_scores(path: Path, videos: Sequence[ScoredVideo]) -> None:
    """Write `scores.parquet`: video, frame, time (seconds), score (null where there is none), label (likewise).

    Where the model has a threshold, it stands in a column `threshold`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def labels(video: ScoredVideo) -> Sequence[int | None]:
        return [None] * len(video.index) if video.labels is None else video.labels.tolist()

    thresholds = {}
    if any(video.threshold is not None for video in videos):
        thresholds["threshold"] = pa.array([video.threshold for video in videos for _ in video.index], pa.float64())
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
        index=result.index,
    )

    def pictures() -> Iterator[tuple[Image | None, Image | None, NDArray[np.float32] | None]]:
        with closing(read_ahead(source.frames(), READ_AHEAD)) as frames:
            for position, frame in enumerate(frames):
                yield frame.image, *spool.at(position)
                advance(1)

    write_comparison(path, pictures(), renderer, result.frame_rate)


def _annotate(
    result: ScoredVideo, source: Source, spool: Spool, path: Path, box_level: float, advance: Advance
) -> None:
    """Draw into every frame of the source, those too that were not scored: they show what is known by then."""
    info = source.probe()
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
    )
    every = replace(source, fps=None, stride=1)

    def pictures() -> Iterator[tuple[float, Image]]:
        with closing(read_ahead(every.frames(), READ_AHEAD)) as frames:
            for frame in frames:
                advance(1)
                if frame.image is not None:
                    position = int(np.searchsorted(result.index, frame.index, side="right")) - 1
                    yield frame.time_s, renderer.render(frame.time_s, frame.image, spool.at(max(position, 0))[1])

    write_annotated(path, pictures(), renderer, info.frame_rate or source.image_fps)
