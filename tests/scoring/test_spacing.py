"""Clips whose frames lie apart: every frame has the score that it has among the frames of its own residue class."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import maskedskipunet as msu
from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.scorer import Arrivals, Scorer

TOLERANCE = 1e-5  # what another order of adding leaves in single precision


def prepared(variant: str, clip_length: int | None = None) -> PreparedNetwork:
    torch.manual_seed(0)
    return prepare(msu.create_model(variant, latent_dim=8, clip_length=clip_length).eval(), "cpu")


NETWORKS = {
    ("masked_skips", 3): prepared("masked_skips"),
    ("conv3d_skips", 5): prepared("conv3d_skips", 5),
    ("full_conv3d", 3): prepared("full_conv3d"),
    ("unet", 1): prepared("unet"),
}


def scorer(network: PreparedNetwork, spacing: int) -> Scorer:
    return Scorer(network, InputFormat(height_px=32, width_px=48, spacing=spacing))


def video(length: int, bad: Sequence[int] = (), seed: int = 0) -> list[Frame]:
    random = np.random.default_rng(seed)
    images = [random.integers(0, 256, (32, 48, 3), dtype=np.uint8) for _ in range(length)]
    return [Frame(index, index / 10, None if index in bad else image) for index, image in enumerate(images)]


def assert_same(found: Sequence[FrameScore], expected: Sequence[FrameScore]) -> None:
    assert [(score.index, score.time_s) for score in found] == [(score.index, score.time_s) for score in expected]
    assert [score.score is None for score in found] == [score.score is None for score in expected]
    for score, other in zip(found, expected, strict=True):
        if score.score is not None:
            assert score.score == pytest.approx(other.score, rel=TOLERANCE)
            assert score.map is not None
            assert other.map is not None
            np.testing.assert_allclose(score.map, other.map, atol=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(
    network=st.sampled_from(sorted(NETWORKS)),
    spacing=st.integers(1, 5),
    length=st.integers(0, 20),
    bad=st.sets(st.integers(0, 19), max_size=4),
    batch_size=st.integers(1, 11),
    seed=st.integers(0, 20),
)
def test_each_residue_class_is_scored_as_footage_of_its_own(
    network: tuple[str, int], spacing: int, length: int, bad: set[int], batch_size: int, seed: int
) -> None:
    frames = video(length, [*bad], seed)

    found = [*scorer(NETWORKS[network], spacing).score(frames, batch_size=batch_size, with_maps=True)]

    assert [score.index for score in found] == [*range(length)]
    for residue in range(spacing):
        alone = [*scorer(NETWORKS[network], 1).score(frames[residue::spacing], with_maps=True)]
        assert_same(found[residue::spacing], alone)


@settings(max_examples=20, deadline=None)
@given(
    spacing=st.integers(2, 4),
    breaks=st.sets(st.integers(1, 23), max_size=3),
    bad=st.sets(st.integers(0, 23), max_size=2),
    batch_size=st.integers(1, 7),
)
def test_what_arrives_in_turns_is_scored_as_the_whole_run_that_it_belongs_to(
    spacing: int, breaks: set[int], bad: set[int], batch_size: int
) -> None:
    network = NETWORKS["masked_skips", 3]
    frames = video(24, [*bad])
    borders = [0, *sorted(breaks), len(frames)]
    expected: list[FrameScore] = []
    live = scorer(network, spacing)
    window, found = live.open_window(), list[FrameScore]()
    for start, stop in itertools.pairwise(borders):  # frames were lost before each: no clip spans it
        expected += live.score(frames[start:stop], with_maps=True)
        for first in range(start, stop, batch_size):
            came = [sized(frame) for frame in frames[first : min(stop, first + batch_size)]]
            found += live.score_arrivals([Arrivals(window, came, broken=first == start)], with_maps=True)[0]
    found += live.score_arrivals([Arrivals(window, [], broken=True)], with_maps=True)[0]

    assert_same(found, expected)


def sized(frame: Frame) -> SizedFrame:
    return SizedFrame(frame, None if frame.image is None else np.ascontiguousarray(frame.image.transpose(2, 0, 1)))


@pytest.mark.parametrize(("clip_length", "spacing"), [(3, 1), (3, 4), (5, 3), (1, 7)])
def test_the_first_and_last_frames_that_half_a_clip_reaches_over_have_no_score(clip_length: int, spacing: int) -> None:
    network = {1: NETWORKS["unet", 1], 3: NETWORKS["masked_skips", 3], 5: NETWORKS["conv3d_skips", 5]}[clip_length]
    half_span = ClipGeometry(clip_length, spacing).half_span

    found = [score.score is not None for score in scorer(network, spacing).score(video(20))]

    assert found == [False] * half_span + [True] * (20 - 2 * half_span) + [False] * half_span


@pytest.mark.parametrize("batch_size", [1, 4])
def test_no_more_frames_are_held_than_a_clip_spans(batch_size: int) -> None:
    live = scorer(NETWORKS["masked_skips", 3], 5)
    window = live.open_window()
    frames = [sized(frame) for frame in video(40)]
    for first in range(0, 40, batch_size):
        live.score_arrivals([Arrivals(window, frames[first : first + batch_size])], with_maps=False)
        assert len(window.clips._held) < live.geometry.span


class Recorder:
    """A network that reconstructs black, and keeps what it was asked for."""

    channels, clip_length, batch_size, precision, device = 3, 3, 4, "float32", torch.device("cpu")

    def __init__(self) -> None:
        self.runs: list[list[list[float]]] = []

    def describe(self) -> dict[str, object]:
        return {}

    def encode(self, frames: Tensor) -> list[Tensor]:
        return [frames.mean(dim=(1, 2, 3))]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        self.runs.append([(features[0] * 255).round().tolist() for features in runs])
        return torch.zeros(sum(len(features[0]) - 2 for features in runs), 3, height_px, width_px)


def test_a_backend_is_given_runs_of_frames_that_neighbour_one_another_in_clips() -> None:
    backend = Recorder()
    frames = [Frame(index, index / 10, np.full((32, 48, 3), index, np.uint8)) for index in range(8)]

    found = [*Scorer(backend, InputFormat(height_px=32, width_px=48, spacing=2)).score(frames, batch_size=8)]

    assert backend.runs == [[[0, 2, 4], [1, 3, 5]], [[2, 4, 6], [3, 5, 7]]] or backend.runs == [
        [[0, 2, 4, 6], [1, 3, 5, 7]]
    ]
    assert [None if score.score is None else round(score.score * 255) for score in found] == [
        None if index in (0, 1, 6, 7) else index for index in range(8)
    ]


@settings(max_examples=25, deadline=None)
@given(spacing=st.integers(1, 4), every=st.integers(1, 7), batch_size=st.integers(1, 6), stagger=st.integers(0, 3))
def test_where_frames_are_left_out_the_others_keep_their_scores(
    spacing: int, every: int, batch_size: int, stagger: int
) -> None:
    live = scorer(NETWORKS["masked_skips", 3], spacing)
    frames = video(24)
    whole = [*live.score(frames)]
    came = []
    for position, frame in enumerate(frames, stagger):
        pixels = sized(frame).pixels if live.geometry.is_needed(position, every) else None
        came.append(SizedFrame(frame, pixels, is_target=position % every == 0))

    window, found = live.open_window(), list[FrameScore]()
    for first in range(0, len(came), batch_size):
        found += live.score_arrivals([Arrivals(window, came[first : first + batch_size])], with_maps=False)[0]
    found += live.score_arrivals([Arrivals(window, [], broken=True)], with_maps=False)[0]

    for position, (score, expected) in enumerate(zip(found, whole, strict=True), stagger):
        if position % every or expected.score is None:
            assert score.score is None
        else:
            assert score.score == pytest.approx(expected.score, rel=TOLERANCE)
