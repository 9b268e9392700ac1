"""What judges frames beside the network sees the same frames in the same turn, whatever it does with them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.scorer import Arrivals, Scorer

FORMAT = InputFormat(height_px=32, width_px=32)


class Black:
    """A network that reconstructs black, so that a frame's score is its brightness."""

    channels, clip_length, batch_size, precision, device = 3, 3, 4, "float32", torch.device("cpu")

    def describe(self) -> dict[str, object]:
        return {"variant": "black"}

    def encode(self, frames: Tensor) -> list[Tensor]:
        return [frames]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        return torch.zeros(sum(len(features[0]) - 2 for features in runs), 3, height_px, width_px)


class Change:
    """How much a frame's brightness differs from that of the frame so many frames before and after it."""

    name, wants_images, judges_looks, history_s = "change", False, False, 0.0

    def __init__(self, late_frames: int = 1) -> None:
        self.late_frames = self.early_frames = late_frames

    def start_run(self) -> "ChangeRun":
        return ChangeRun(self.late_frames)


class ChangeRun:
    def __init__(self, late_frames: int) -> None:
        self._late = late_frames
        self._seen: list[float | None] = []
        self._told = 0

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        self._seen += [None if sized.pixels is None else float(sized.pixels.mean()) for sized in frames]
        return self._up_to(len(self._seen) - self._late)

    def finish(self) -> list[CueScore]:
        return self._up_to(len(self._seen))

    def _up_to(self, stop: int) -> list[CueScore]:
        found = [self._of(index) for index in range(self._told, max(stop, self._told))]
        self._told = max(stop, self._told)
        return found

    def _of(self, index: int) -> CueScore:
        before, after = index - self._late, index + self._late
        values = self._seen[before] if before >= 0 else None, self._seen[after] if after < len(self._seen) else None
        if values[0] is None or values[1] is None:
            return CueScore(None)
        return CueScore(values[1] - values[0], np.full((32, 32), values[1] - values[0], np.float32))


class Picture:
    """The width of the source's own picture."""

    name, wants_images, late_frames, judges_looks = "picture", True, 0, False
    early_frames, history_s = 0, 0.0

    def start_run(self) -> "Picture":
        return self

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        return [CueScore(None if sized.frame.image is None else float(sized.frame.image.shape[1])) for sized in frames]

    def finish(self) -> list[CueScore]:
        return []


def video(levels: Sequence[int | None]) -> list[Frame]:
    images = [None if level is None else np.full((40, 50, 3), level, np.uint8) for level in levels]
    return [Frame(index, index / 10, image) for index, image in enumerate(images)]


levels = st.lists(st.integers(0, 255) | st.none(), max_size=16)


@given(levels, st.integers(0, 4), st.integers(1, 7))
def test_cues_change_no_score_of_the_network_and_stand_beside_it(
    levels: list[int | None], late_frames: int, batch_size: int
) -> None:
    alone = [*Scorer(Black(), FORMAT).score(video(levels))]

    found = [*Scorer(Black(), FORMAT, cues=[Change(late_frames)]).score(video(levels), batch_size=batch_size)]

    assert [(score.index, score.time_s) for score in found] == [(score.index, score.time_s) for score in alone]
    assert [score.score for score in found] == [score.score for score in alone]
    for index, score in enumerate(found):
        around = range(index - late_frames, index + late_frames + 1, 2 * late_frames or 1)
        values = [levels[other] if 0 <= other < len(levels) else None for other in around]
        if None in values:
            assert score.cues == {}
        else:
            assert score.cues == {"change": pytest.approx((values[-1] or 0) - (values[0] or 0))}


@given(levels, st.integers(1, 7))
def test_a_model_without_a_network_scores_by_its_cues(levels: list[int | None], batch_size: int) -> None:
    scorer = Scorer(None, FORMAT, cues=[Change()])

    found = [*scorer.score(video(levels), batch_size=batch_size, with_maps=True)]

    assert [score.index for score in found] == [*range(len(levels))]
    assert scorer.late_frames == 1
    assert all(score.map is None for score in scorer.score(video(levels), batch_size=batch_size))
    for score in found:
        assert score.score == score.cues.get("change")
        assert (score.map is None) == (score.score is None)


def test_several_sources_keep_their_cues_apart() -> None:
    scorer = Scorer(Black(), FORMAT, cues=[Change()])
    videos = {"up": [10, 20, 30, 40], "down": [200, 100, 50, 0, 0, 0]}

    found: dict[str, list[FrameScore]] = {name: [] for name in videos}
    sources = [(name, video(levels)) for name, levels in videos.items()]
    for name, score in scorer.score_sources(sources, at_once=2, batch_size=3):
        if isinstance(score, FrameScore):
            found[name].append(score)

    assert [score.cues for score in found["up"]] == [{}, {"change": 20}, {"change": 20}, {}]
    assert [score.cues.get("change") for score in found["down"]] == [None, -150, -100, -50, 0, None]


def test_no_cue_looks_over_a_break() -> None:
    scorer = Scorer(None, FORMAT, cues=[Change()])
    window = scorer.open_window()
    came = [SizedFrame(frame, np.full((3, 32, 32), 50 * frame.index, np.uint8)) for frame in video([0] * 6)]

    found = scorer.score_arrivals([Arrivals(window, came[:3])], with_maps=True)[0]
    found += scorer.score_arrivals([Arrivals(window, came[3:], broken=True)], with_maps=True)[0]
    found += scorer.score_arrivals([Arrivals(window, [], broken=True)], with_maps=True)[0]

    assert [score.index for score in found] == [*range(6)]
    assert [score.score for score in found] == [None, 100, None, None, 100, None]


def test_where_only_some_frames_are_scored_their_neighbours_are_there_for_the_cues() -> None:
    scorer = Scorer(None, FORMAT, cues=[Change()])
    needed = [scorer.is_needed(position, 4) for position in range(9)]
    assert needed == [True, True, False, True, True, True, False, True, True]
    came = [
        SizedFrame(frame, np.full((3, 32, 32), 20 * frame.index, np.uint8) if needed[frame.index] else None, target)
        for frame in video([0] * 9)
        for target in [frame.index % 4 == 0]
    ]

    window = scorer.open_window()
    found = scorer.score_arrivals([Arrivals(window, came)], with_maps=True)[0]
    found += scorer.score_arrivals([Arrivals(window, [], broken=True)], with_maps=True)[0]

    assert [score.index for score in found] == [*range(9)]
    assert [score.score for score in found] == [None, None, None, None, 40, None, None, None, None]


@pytest.mark.parametrize("backend", [None, Black()])
def test_cues_that_are_taken_over_judge_from_the_next_frame_on_and_no_frame_is_lost(backend: Black | None) -> None:
    scorer, window = Scorer(backend, FORMAT, cues=[Change()]), Scorer(backend, FORMAT, cues=[Change()]).open_window()
    came = [SizedFrame(frame, np.full((3, 32, 32), 20 * frame.index, np.uint8)) for frame in video([0] * 8)]

    found = scorer.score_arrivals([Arrivals(window, came[:4])], with_maps=True)[0]
    other = replace(scorer, cues=[Change()])
    window.set_cues(other.cues)
    found += other.score_arrivals([Arrivals(window, came[4:])], with_maps=True)[0]
    found += other.score_arrivals([Arrivals(window, [], broken=True)], with_maps=True)[0]

    assert [score.index for score in found] == [*range(8)]
    assert [score.cues.get("change") for score in found] == [None, 40, 40, None, None, 40, 40, None]


def test_a_cue_sees_the_sources_own_picture_only_where_it_wants_it() -> None:
    (score,) = Scorer(None, FORMAT, cues=[Picture()]).score(video([7]))
    assert score.score == 50

    (score,) = Scorer(None, FORMAT, cues=[_Unwanting()]).score(video([7]))
    assert score.score is None


class _Unwanting(Picture):
    wants_images = False


def test_how_scores_become_one_is_the_models_to_say() -> None:
    def highest(frame: FrameScore, cues: object) -> FrameScore:
        return replace(frame, score=9.0)

    scores = [*Scorer(Black(), FORMAT, cues=[Change()], fuse=highest).score(video([1, 2, 3]))]

    assert [score.score for score in scores] == [9.0] * 3


def test_a_model_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="without a network and without cues"):
        Scorer(None, FORMAT)
