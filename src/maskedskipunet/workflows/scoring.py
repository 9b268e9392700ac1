"""Score one video: the steps that `score`, `test` and `demo` share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Image
from maskedskipunet.data.sources import Source
from maskedskipunet.data.start_times import start_of_day_s
from maskedskipunet.detection.alarm_finder import AlarmCriteria, VideoAlarms
from maskedskipunet.detection.day import levels_of_day
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CUES, FUSED
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.frames import LabelledScores, video_auc
from maskedskipunet.evaluation.maps import map_writer
from maskedskipunet.files import atomic_write
from maskedskipunet.progress import Advance
from maskedskipunet.scoring.ignored import IgnoredRegions
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.view.annotated import AnnotatedRenderer, write_annotated
from maskedskipunet.view.comparison import ComparisonRenderer, write_comparison
from maskedskipunet.view.heatmap import dimmed
from maskedskipunet.view.peak_pictures import PeakPictures
from maskedskipunet.view.plots import ScoreCurve
from maskedskipunet.workflows.event_peaks import MAX_PICTURES, StrongestPeaks
from maskedskipunet.workflows.map_buffer import MapBuffer

FASTEST_FPS = 1000.0  # that a video is shown at
READ_AHEAD = 8  # frames decoded before they are drawn


@dataclass(frozen=True)
class ScoredVideo:
    """The scores of one video's sampled frames.

    index: (N,), each frame's place in its source. time_s: (N,). scores: (N,), NaN if a frame has none.
    labels: uint8 (N,), None if there is no ground truth. rule: of the model's alarms, at the time of day of the
    first frame, and its threshold; events: those of this video by it; all None if the model has none. thresholds:
    (N,), of each frame, where parts of the day have their own; else None. drift: where drift begins or ends, or
    changed back. cues: (N,) scores by each cue's name, NaN if it has none; of the reconstruction the network's own,
    of the others their surprise; empty for a model of its network alone. peaks: what the model saw at the peaks of the
    strongest events, by their ids, where it was asked for.
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
    cues: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    peaks: Mapping[str, PeakPictures] = field(default_factory=dict)

    def labelled_by(self, cue: str) -> LabelledScores:
        """Return the scores of one cue, with the labels."""
        return LabelledScores(self.name, self.cues[cue], self.labels)

    @property
    def labelled(self) -> LabelledScores:
        return LabelledScores(self.name, self.scores, self.labels)

    @property
    def curve(self) -> ScoreCurve:
        auc, alarms = video_auc(self.labelled), tuple((event.start_s, event.end_s) for event in self.events or ())
        return ScoreCurve(self.name, self.time_s, self.scores, self.labels, auc, self.frame_thresholds, alarms)

    @property
    def frame_thresholds(self) -> NDArray[np.float64] | None:
        """The threshold of each frame, (N,); None if the model has none."""
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


@dataclass(frozen=True, kw_only=True)
class VideoOutputs:
    """The files to write for one video besides its scores; None: not wanted.

    comparison: path of the video of inputs beside reconstructions. annotated: path of the video with boxes, which takes
    a threshold. maps: path of the file of score maps. peaks: return pictures of events' peaks with the scores.
    """

    comparison: Path | None = None
    annotated: Path | None = None
    maps: Path | None = None
    peaks: bool = False

    @property
    def first_film(self) -> Path | None:
        """The path of a video, if one is wanted."""
        return self.comparison or self.annotated


def score_video(
    name: str,
    source: Source,
    scorer: Scorer,
    outputs: VideoOutputs | None = None,
    *,
    labels: NDArray[np.uint8] | None = None,
    advance: Advance = lambda done: None,
    batch_size: int | None = None,
) -> ScoredVideo:
    """Score a video, and write the outputs that were asked for, if any frame has a score.

    labels: one for each frame of the source. advance: called with 1 for each frame scored and for each drawn. If the
    scorer's calibration has a threshold, the video's events are found. Raises DataError when the video cannot be read.
    """
    with VideoScoring(name, source, scorer, outputs, labels=labels, advance=advance) as scoring:
        scoring.add_all(batch_size)
        return scoring.finish()


class VideoScoring:
    """Collects the scores of one video while they arrive, and then writes the outputs.

    Use it in a `with` block. The arguments are those of score_video.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        scorer: Scorer,
        outputs: VideoOutputs | None = None,
        *,
        labels: NDArray[np.uint8] | None = None,
        advance: Advance = lambda done: None,
    ) -> None:
        self.name, self.source = name, source
        self._scorer, self._outputs = scorer, outputs or VideoOutputs()
        self._labels, self._advance = labels, advance
        self._found: list[FrameScore] = []
        self._buffer = None
        self._keep_map = None
        height_px, width_px = scorer.size_px
        self._criteria = AlarmCriteria.of(scorer.calibration)
        self._starts_s, self._alarms, self._peaks = None, None, None
        if self._criteria is not None:
            day, info = self._criteria.day, source.probe()
            self._starts_s = None if day is None else start_of_day_s(source.path, day.starts)
            height, width = info.height_px, info.width_px
            self._peaks = StrongestPeaks(height, width, MAX_PICTURES if self._outputs.peaks else 0)
            self._alarms = VideoAlarms(
                name,
                self._criteria,
                height_px=height,
                width_px=width,
                starts_s=self._starts_s,
                on_end=self._peaks.add,
            )
        with ExitStack() as stack:
            if (film := self._outputs.first_film) is not None:
                self._buffer = stack.enter_context(
                    MapBuffer(
                        film.parent,
                        frames=source.expected_frames(),
                        height_px=height_px,
                        width_px=width_px,
                        channels=scorer.channels,
                        highest=scorer.highest,
                    )
                )
            if (maps := self._outputs.maps) is not None:
                size_px = {"height_px": height_px, "width_px": width_px}
                self._keep_map = stack.enter_context(map_writer(maps, **size_px, highest=scorer.highest))
            self._stack = stack.pop_all()

    @property
    def with_maps(self) -> bool:
        """The outputs need score maps."""
        return any(wanting is not None for wanting in (self._buffer, self._keep_map, self._alarms))

    def add(self, scored: FrameScore) -> None:
        """Add the next frame's score."""
        if self._keep_map is not None and scored.map is not None:
            self._keep_map(scored.index, scored.map)
        if self._buffer is not None:
            self._buffer.add(len(self._found), scored)
        if self._alarms is not None:
            self._alarms.add(scored)
        self._found.append(replace(scored, map=None, reconstruction=None, readings={}))
        self._advance(1)

    def add_all(self, batch_size: int | None = None) -> None:
        """Score the whole video."""
        frames = self.source.frames()
        with closing(self._scorer.score(frames, batch_size=batch_size, with_maps=self.with_maps)) as scores:
            for scored in scores:
                self.add(scored)

    def finish(self) -> ScoredVideo:
        """Return scores and events of the video, which has ended, and draw its films if any frame has a score."""
        result = _gather(self.name, self._found, self._labels, str(self.source.path))
        if self._alarms is not None:
            events, rule = self._alarms.finish(), self._alarms.rule
            result = replace(
                result,
                rule=rule,
                threshold=rule.threshold,
                events=events,
                thresholds=self._thresholds(result.time_s),
                drift=tuple(self._alarms.changes),
                peaks={} if self._peaks is None else self._peaks.pictures(),
            )
        film = self._outputs.first_film
        if self._buffer is not None and film is not None and result.labelled.scored.any():
            film.parent.mkdir(parents=True, exist_ok=True)
            if self._outputs.comparison is not None:
                _draw(result, self.source, self._buffer, self._outputs.comparison, self._advance)
            if self._outputs.annotated is not None and self._alarms is not None:
                level, ignored = self._alarms.rule.release, self._scorer.ignored
                _annotate(result, self.source, self._buffer, self._outputs.annotated, level, ignored, self._advance)
        return result

    def _thresholds(self, time_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the threshold of each frame, by its time of day; None if there is but one."""
        if self._criteria is None or self._starts_s is None:
            return None
        return levels_of_day(self._criteria.rule, self._criteria.day, self._starts_s + time_s).threshold

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Remove the temporary files on disk."""
        self._stack.close()


def write_scores(path: Path, videos: Sequence[ScoredVideo]) -> None:
    """Write `scores.parquet`: video, frame, time (seconds), score (null where there is none), label (likewise).

    A threshold has a column `threshold`; if the model has several cues, each has a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def labels(video: ScoredVideo) -> Sequence[int | None]:
        return [None] * len(video.index) if video.labels is None else video.labels.tolist()

    def of_frames(video: ScoredVideo) -> Sequence[float | None]:
        return [None] * len(video.index) if (found := video.frame_thresholds) is None else found.tolist()

    thresholds = {}
    if any(video.threshold is not None for video in videos):
        values = [value for video in videos for value in of_frames(video)]
        thresholds["threshold"] = pa.array(values, pa.float64())
    table = pa.table(
        {
            "video": pa.array([video.name for video in videos for _ in video.index], pa.string()),
            "frame": pa.array(np.concatenate([video.index for video in videos]), pa.int64()),
            "time": pa.array(np.concatenate([video.time_s for video in videos]), pa.float64()),
            "score": pa.array(np.concatenate([video.scores for video in videos]), pa.float64(), from_pandas=True),
            "label": pa.array([label for video in videos for label in labels(video)], pa.int8()),
        }
        | thresholds
        | _cue_columns(videos)
    )
    with atomic_write(path) as part:
        pq.write_table(table, part)


def _cue_columns(videos: Sequence[ScoredVideo]) -> dict[str, Any]:
    import pyarrow as pa

    names = [cue for cue in (*CUES, FUSED) if any(cue in video.cues for video in videos)]
    missing = [np.full(len(video.index), np.nan) for video in videos]
    columns = {
        cue: np.concatenate([video.cues.get(cue, empty) for video, empty in zip(videos, missing, strict=True)])
        for cue in names
    }
    return {cue: pa.array(values, pa.float64(), from_pandas=True) for cue, values in columns.items()}


def _cue_scores(found: Sequence[FrameScore]) -> dict[str, NDArray[np.float64]]:
    names = [cue for cue in (*CUES, FUSED) if any(cue in scored.cues for scored in found)]
    return {cue: np.array([scored.cues.get(cue, np.nan) for scored in found]) for cue in names}


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
        cues=_cue_scores(found),
    )


def _draw(result: ScoredVideo, source: Source, buffer: MapBuffer, path: Path, advance: Advance) -> None:
    """Read the video once more, now that its scores and their scale are known, and draw each frame."""
    info = source.probe()
    renderer = ComparisonRenderer(
        ScoreCurve(result.name, result.time_s, result.scores, result.labels, None),
        source_height_px=info.height_px,
        source_width_px=info.width_px,
        error_scale=buffer.error_scale(),
        threshold=result.threshold if result.thresholds is None else None,
        index=result.index,
    )

    def pictures() -> Iterator[tuple[Image | None, Image | None, NDArray[np.float32] | None]]:
        with closing(read_ahead(source.frames(), READ_AHEAD)) as frames:
            for position, frame in enumerate(frames):
                yield frame.image, *buffer.read(position)
                advance(1)

    write_comparison(path, pictures(), renderer, result.frame_rate)


def _annotate(
    result: ScoredVideo,
    source: Source,
    buffer: MapBuffer,
    path: Path,
    box_level: float,
    ignored: IgnoredRegions,
    advance: Advance,
) -> None:
    """Draw into every frame of the source, also those without a score, with the state known by then."""
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
                    shown, errors = dimmed(frame.image, mask), buffer.read(max(position, 0))[1]
                    yield frame.time_s, renderer.render(frame.time_s, shown, errors)

    write_annotated(path, pictures(), renderer, info.frame_rate or source.image_fps)
