"""Scoring that begins in the middle of a source, early enough, gives the scores of unbroken scoring."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maskedskipunet.cues.appearance_cue import AppearanceCue
from maskedskipunet.cues.appearance_judging import HISTORY_S, LastingMeter
from maskedskipunet.cues.cue import CueScore, take_first_cue
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.scorer import Scorer


class Black:
    """A network that reconstructs the mean of a clip, so that a score depends on all its frames."""

    channels, clip_length, batch_size, precision, device = 3, 3, 4, "float32", torch.device("cpu")

    def describe(self) -> dict[str, object]:
        return {"variant": "mean"}

    def encode(self, frames: Tensor) -> list[Tensor]:
        return [frames]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        parts = [(run[0][:-2] + run[0][1:-1] + run[0][2:]) / 3 for run in runs]
        return torch.cat(parts)


class Lasting:
    """What the appearance cue judges a minute by, without an appearance."""

    name, late_frames, early_frames, history_s = "lasting", 0, 0, HISTORY_S
    wants_images = judges_looks = False

    def start_run(self) -> "LastingRun":
        return LastingRun()


class LastingRun:
    def __init__(self) -> None:
        self._meter = LastingMeter()

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        found = []
        for sized in frames:
            if sized.pixels is None:
                found.append(CueScore(None))
                continue
            median = self._meter.add(sized.frame.time_s, np.array([sized.pixels.mean()], np.float32))
            found.append(CueScore(None if median is None else float(median[0])))
        return found

    def finish(self) -> list[CueScore]:
        return []


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    rate=st.sampled_from([0.7, 1.0, 2.3]),
    spacing=st.integers(1, 3),
    smoothing_s=st.sampled_from([0.0, 3.0, 10.0]),
    share=st.floats(0.3, 0.95),
)
def test_scores_depend_on_no_more_than_the_scorer_says(
    seed: int, rate: float, spacing: int, smoothing_s: float, share: float
) -> None:
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.uniform(0.5, 1.5, 400) / rate)
    frames = [
        Frame(number, time_s, None if random.random() < 0.05 else np.full((16, 16, 3), random.integers(256), np.uint8))
        for number, time_s in enumerate(times_s.tolist())
    ]
    scorer = Scorer(
        Black(),
        InputFormat(height_px=16, width_px=16, spacing=spacing),
        cues=[Lasting()],
        fuse=take_first_cue,
        smoothing_s=smoothing_s,
    )
    whole = [*scorer.score(frames)]
    start = int(share * len(frames))
    first = int(np.searchsorted(times_s, times_s[start] - scorer.history_s)) - scorer.early_frames

    part = [*scorer.score(frames[max(0, first) :])][start - max(0, first) :]

    assert [score.index for score in part] == [score.index for score in whole[start:]]
    assert [score.score for score in part] == [score.score for score in whole[start:]]


def test_each_cue_says_how_far_back_it_looks() -> None:
    assert (MovementCue.early_frames, MovementCue.history_s) == (1, 0.0)
    assert (AppearanceCue.early_frames, AppearanceCue.history_s) == (0, HISTORY_S)
    assert HISTORY_S > 60


def test_looks_are_the_same_wherever_a_run_begins() -> None:
    values = np.random.default_rng(0).random(3000).astype(np.float32)
    whole, late = LastingMeter(), LastingMeter()
    found = [whole.add(number / 7, values[number : number + 1]) for number in range(3000)]
    begun = 1003

    again = {number: late.add(number / 7, values[number : number + 1]) for number in range(begun, 3000)}

    same = [number for number in again if number >= begun + 7 * HISTORY_S]
    assert [again[number] for number in same] == [pytest.approx(found[number], abs=0) for number in same]
