"""The one scorer: a file and a camera differ only in where their frames come from."""

from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.cues.cue import Cue, CueRun, CueScore, Fuse, keep_network_score, take_first_cue
from maskedskipunet.cues.fusion import HIGHEST
from maskedskipunet.cues.smoothing import CausalMedian
from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.drift import ERRORS, LOOKS, Measure
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.ignored import IgnoredRegions
from maskedskipunet.scoring.window import (
    PUBLISHED_SCORE,
    ClipWindow,
    DueClips,
    ScoreFunction,
    encode_frames,
    score_clips,
)

K = TypeVar("K")
BATCH_SIZE = 8  # frames a turn where there is no network that says how many pay
COLOUR = 3


@dataclass(frozen=True, slots=True)
class Ended:
    """A source has no more frames. error: the fault that ended it early; None at its normal end."""

    error: DataError | None


@dataclass(frozen=True, eq=False)
class Scorer:
    """A model that turns frames into frame scores, of one source or of many side by side.

    backend: the network, ready to score; None for a model of cues alone. input_format: the format of its frames.
    calibration: None if it was not calibrated. score_function: turns reconstructions into scores. cues: judge frames
    beside the network. fuse: makes one score of theirs; None keeps the network's. cue_channels: channels of the frames
    for a model without a network. smoothing_s: the fused score is the median of the last so many seconds; 0: no
    smoothing. A scorer holds no state of its sources, so that several threads may share it. Use `load_scorer` for a
    trained model. Raises ConfigError if there is neither a network nor a cue.
    """

    backend: Backend | None
    input_format: InputFormat
    calibration: Calibration | None = None
    score_function: ScoreFunction = PUBLISHED_SCORE
    cues: Sequence[Cue] = ()
    fuse: Fuse | None = None
    cue_channels: int = COLOUR
    smoothing_s: float = 0.0

    def __post_init__(self) -> None:
        if self.backend is None and not self.cues:
            raise ConfigError("a model without a network and without cues", "scorer", "Name one cue or more")

    @cached_property
    def geometry(self) -> ClipGeometry:
        """The geometry of clips."""
        return self.input_format.clip_geometry(1 if self.backend is None else self.backend.clip_length)

    @cached_property
    def ignored(self) -> IgnoredRegions:
        """The ignored regions. Raises ConfigError for a text that is no shape."""
        return IgnoredRegions.of(self.input_format)

    @property
    def channels(self) -> int:
        """Channels of the frames that it looks at."""
        return self.cue_channels if self.backend is None else self.backend.channels

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the frames that it looks at."""
        return self.input_format.height_px, self.input_format.width_px

    @property
    def batch_size(self) -> int:
        """The number of frames to score at once."""
        return BATCH_SIZE if self.backend is None else self.backend.batch_size

    @property
    def late_frames(self) -> int:
        """The number of sampled frames after a frame that its score depends on."""
        return max(self.geometry.half_span, *(cue.late_frames for cue in self.cues), 0)

    @property
    def early_frames(self) -> int:
        """The number of sampled frames before a frame that its score depends on, besides those of `history_s`."""
        return max(self.geometry.half_span, *(cue.early_frames for cue in self.cues), 0)

    @property
    def history_s(self) -> float:
        """The seconds before a frame that its score depends on, for cues that judge what lasts, and for smoothing.

        Scoring that begins `early_frames` before them gives a frame the score of unbroken scoring.
        """
        return self.smoothing_s + max((cue.history_s for cue in self.cues), default=0.0)

    @property
    def highest(self) -> float:
        """The highest value of its score maps: 1 for a network's errors, more for the surprises of several cues."""
        return HIGHEST if self.cues else 1.0

    def is_needed(self, position: int, every: int) -> bool:
        """Return whether a frame is needed if every n-th frame is scored: in a clip, or by a cue as a neighbour."""
        around = ClipGeometry(2 * max((cue.late_frames for cue in self.cues), default=0) + 1)
        return self.geometry.is_needed(position, every) or around.is_needed(position, every)

    @property
    def drift_measure(self) -> Measure:
        """The measure of drift; see `FrameScore.seen`."""
        return LOOKS if self.fuse is not None and any(cue.judges_looks for cue in self.cues) else ERRORS

    @property
    def wants_images(self) -> bool:
        """At least one cue needs the sources' own pictures."""
        return any(cue.wants_images for cue in self.cues)

    def score(
        self,
        frames: Iterable[Frame],
        *,
        batch_size: int | None = None,
        with_maps: bool = False,
        ignored: NDArray[np.bool_] | None = None,
    ) -> Generator[FrameScore, None, None]:
        """Score each frame of one source as it comes, encoding it once, in constant memory.

        frames: already sampled by the input format. batch_size: frames encoded together; None: the best number for this
        network; 1 yields each score as soon as its clip is complete, more is faster; scores are equal up to rounding.
        with_maps: also yield score maps and reconstructions. ignored: (H, W), instead of the input format's, for frames
        that have the network's size already. Yields one FrameScore for each frame, in order. Raises DataError if all of
        a frame is ignored.
        """
        together = self.score_sources([(None, frames)], batch_size=batch_size, with_maps=with_maps, ignored=ignored)
        with closing(together):
            for _, found in together:
                if isinstance(found, FrameScore):
                    yield found
                elif found.error is not None:
                    raise found.error

    def score_sources(
        self,
        sources: Iterable[tuple[K, Iterable[Frame]]],
        *,
        at_once: int = 1,
        batch_size: int | None = None,
        with_maps: bool = False,
        ignored: NDArray[np.bool_] | None = None,
    ) -> Generator[tuple[K, FrameScore | Ended], None, None]:
        """Score the frames of several sources, up to `at_once` of them side by side in one batch.

        sources: each a key and its frames; the next is asked for when there is a place for it. batch_size: frames
        encoded together, of all sources; see `score` for it and the rest. Yields keys with the FrameScores of each
        source in order and, last, how it ended. Which sources are scored together changes scores by rounding alone.
        """
        batch_size = self.batch_size if batch_size is None else batch_size
        if batch_size < 1:
            raise ConfigError(f"{batch_size} frames together", "batch_size", "Use 1 or more")
        if at_once < 1:
            raise ConfigError(f"{at_once} videos together", "at_once", "Use 1 or more")
        share = max(1, batch_size // at_once)
        waiting = iter(sources)
        running: list[_Running[K]] = []
        try:
            while True:
                for key, frames in islice(waiting, at_once - len(running)):
                    # Decoding and resizing run in a thread of their own, a share ahead of the network.
                    stream = read_ahead(self.sized_frames(frames, ignored), share)
                    running.append(_Running(key, self.open_window(), stream))
                if not running:
                    return
                # As many frames a turn when few sources are left, or the last long one would be slow.
                arrivals = [source.take(max(1, batch_size // len(running))) for source in running]
                for source, scores in zip(running, self.score_arrivals(arrivals, with_maps=with_maps), strict=True):
                    yield from ((source.key, score) for score in scores)
                    if source.ended is not None:
                        yield source.key, source.ended
                running = [source for source in running if source.ended is None]
        finally:
            for source in running:
                source.stream.close()

    def open_window(self) -> "SourceWindow":
        """Return a new window, the scorer's state for one source."""
        return SourceWindow(self.geometry, self.cues, self.smoothing_s)

    def score_arrivals(self, arrivals: Sequence["Arrivals"], *, with_maps: bool) -> list[list[FrameScore]]:
        """Encode new frames of several sources together, and score the clips that are complete.

        Returns for each Arrivals the scores that are now known, each frame's exactly once, in order.
        """
        if self.backend is None:
            found = [[FrameScore(*_numbers(sized), None) for sized in arrived.frames] for arrived in arrivals]
        else:
            found = self._network_scores(self.backend, arrivals, with_maps)
        if not self.cues:
            return found
        fuse = self.fuse or (take_first_cue if self.backend is None else keep_network_score)
        found = [arrived.window.judged(arrived, scores, fuse) for arrived, scores in zip(arrivals, found, strict=True)]
        return found if with_maps else [[replace(score, map=None) for score in scores] for scores in found]

    def warm_up(self) -> None:
        """Find the fastest form of the network's parts before frames come, for it takes seconds."""
        blank = np.zeros((self.channels, *self.size_px), np.uint8)
        frames = [SizedFrame(Frame(index, 0.0, None), blank) for index in range(self.geometry.span)]
        self.score_arrivals([Arrivals(self.open_window(), frames)], with_maps=False)

    def _network_scores(
        self, backend: Backend, arrivals: Sequence["Arrivals"], with_maps: bool
    ) -> list[list[FrameScore]]:
        encoded = iter(encode_frames([sized for arrived in arrivals for sized in arrived.frames], backend))
        due: list[tuple[int, DueClips]] = []
        for number, arrived in enumerate(arrivals):
            if arrived.broken:
                due.append((number, arrived.window.clips.end()))
            due.append((number, arrived.window.clips.add(list(islice(encoded, len(arrived.frames))))))
        found: list[list[FrameScore]] = [[] for _ in arrivals]
        scores = score_clips(
            [clips for _, clips in due],
            backend,
            self.geometry,
            with_maps=with_maps,
            function=self.score_function,
        )
        for (number, _), part in zip(due, scores, strict=True):
            found[number] += part
        return found

    def sized_frames(
        self, frames: Iterable[Frame], ignored: NDArray[np.bool_] | None = None
    ) -> Generator[SizedFrame, None, None]:
        """Yield frames as the network and the cues see them; see `score` for both arguments."""
        height_px, width_px = self.size_px
        for frame in frames:
            if frame.image is None:
                yield SizedFrame(frame, None)
                continue
            pixels = network_frame(frame.image, height_px=height_px, width_px=width_px, channels=self.channels)
            mask = self.ignored.mask(*frame.image.shape[:2]) if ignored is None else ignored
            yield SizedFrame.ignoring(frame if self.wants_images else replace(frame, image=None), pixels, mask)


class SourceWindow:
    """The state of a scorer for one source: encoded frames, and the runs of its cues.

    Its memory is bounded, however long the source is.
    """

    def __init__(self, geometry: ClipGeometry, cues: Sequence[Cue] = (), smoothing_s: float = 0.0) -> None:
        self.clips = ClipWindow(geometry)
        self._cues = cues
        self._runs: dict[str, CueRun] = {}
        self._judged: dict[str, deque[CueScore]] = {cue.name: deque() for cue in cues}
        self._scored: deque[FrameScore] = deque()  # by the network, while a cue has not judged them
        self._smoothing = CausalMedian(smoothing_s) if smoothing_s else None
        self._targets: deque[bool] = deque()  # of frames that have no fused score yet: whether one is wanted

    def set_cues(self, cues: Sequence[Cue]) -> None:
        """Use other cues of the same names from the next frame on; they begin a new run there."""
        for name, run in self._runs.items():
            self._judged[name].extend(run.finish())
        self._runs.clear()
        self._cues = cues

    def judged(self, arrived: "Arrivals", scores: Iterable[FrameScore], fuse: Fuse) -> list[FrameScore]:
        """Pass new frames to the cues, and return the frames with complete scores, in order.

        scores: the network's, that are known by now.
        """
        self._scored.extend(scores)
        self._targets.extend(sized.is_target for sized in arrived.frames)
        for cue in self._cues:
            judged = self._judged[cue.name]
            if arrived.broken and cue.name in self._runs:
                judged.extend(self._runs.pop(cue.name).finish())
            if arrived.frames:
                if cue.name not in self._runs:
                    self._runs[cue.name] = cue.start_run()
                judged.extend(self._runs[cue.name].add(arrived.frames))
        found = []
        while self._scored and all(self._judged.values()):
            cues: Mapping[str, CueScore] = {name: waiting.popleft() for name, waiting in self._judged.items()}
            scored = self._scored.popleft()
            if self._targets.popleft():
                scored = fuse(scored, cues)
                scored = scored if self._smoothing is None else self._smoothing.add(scored)
            found.append(scored)
        return found


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Consecutive new frames of one source, for its window.

    broken: they do not follow the frames before directly, whose last clips are then due.
    """

    window: SourceWindow
    frames: Sequence[SizedFrame]
    broken: bool = False


class _Running(Generic[K]):
    """A source that is being scored. ended: how, once it has no more frames."""

    def __init__(self, key: K, window: SourceWindow, stream: Generator[SizedFrame, None, None]) -> None:
        self.key, self.stream = key, stream
        self.ended: Ended | None = None
        self._window = window

    def take(self, count: int) -> Arrivals:
        """Return its next frames, or its end if there are none."""
        try:
            frames = list(islice(self.stream, count))
        except DataError as error:
            self.ended = Ended(error)
            return Arrivals(self._window, [])
        if not frames:
            self.ended = Ended(None)
        return Arrivals(self._window, frames, broken=not frames)


def _numbers(sized: SizedFrame) -> tuple[int, float]:
    return sized.frame.index, sized.frame.time_s
