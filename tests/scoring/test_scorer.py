import gc
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

import maskedskipunet as msu
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError, VideoError
from maskedskipunet.inference import autotune
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.model.config import VARIANTS, InputFormat
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.scoring.scorer import Ended, Scorer

HOW = InputFormat(height_px=32, width_px=48)
TOLERANCE = 1e-5  # what another order of adding leaves in single precision


def trained(variant: str, *, clip_length: int | None = None, channels: int = 3) -> MaskedSkipUNet:
    """Random weights, with batch statistics as training leaves them, not 0 and 1."""
    torch.manual_seed(0)
    network = msu.create_model(variant, latent_dim=8, clip_length=clip_length, channels=channels)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "running_mean" in name:
                value.copy_(torch.randn_like(value) / 5)
            elif "running_var" in name:
                value.copy_(torch.rand_like(value) + 0.2)
            elif "norm" in name and value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.5)
    return network.eval()


def video(length: int, *, bad: Sequence[int] = (), seed: int = 0) -> list[Frame]:
    """Noise of another size than the network's, numbered and timed like every second frame at 25 a second."""
    random = np.random.default_rng(seed)
    images = [random.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(length)]
    return [Frame(2 * i + 4, i / 12.5, None if i in bad else image) for i, image in enumerate(images)]


def rebuilt_one_by_one(network: MaskedSkipUNet, frames: Sequence[Frame]) -> dict[int, tuple[Tensor, Tensor]]:
    """Each clip alone through the plain network: the middle frame's position, that frame and its reconstruction."""
    seen = [plain_input(frame, network.config.channels) for frame in frames]
    half = network.config.frames // 2
    found = {}
    for centre in range(half, len(frames) - half):
        clip = seen[centre - half : centre + half + 1]
        if all(image is not None for image in clip):
            stack = torch.stack([image for image in clip if image is not None], dim=1)[None]  # (1, C, T, H, W)
            with torch.inference_mode():
                found[centre] = stack[:, :, half], network(stack)
    return found


def plain_input(frame: Frame, channels: int) -> Tensor | None:
    if frame.image is None:
        return None
    resized = network_frame(frame.image, height_px=HOW.height_px, width_px=HOW.width_px, channels=channels)
    return torch.from_numpy(resized.copy()).float() / 255


def plain_scores(network: MaskedSkipUNet, frames: Sequence[Frame]) -> list[float | None]:
    found = rebuilt_one_by_one(network, frames)
    return [
        msu.frame_score(msu.score_map(*found[position])).item() if position in found else None
        for position in range(len(frames))
    ]


def assert_same(scores: Sequence[FrameScore], expected: Sequence[float | None]) -> None:
    assert [score.score is None for score in scores] == [score is None for score in expected]
    np.testing.assert_allclose(
        [score.score for score in scores if score.score is not None],
        [score for score in expected if score is not None],
        rtol=TOLERANCE,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_streaming_gives_what_the_plain_network_gives_frame_by_frame(variant: str) -> None:
    for clip_length, channels in ((1, 1), (1, 3)) if VARIANTS[variant].single_frame else ((3, 1), (5, 3)):
        network = trained(variant, clip_length=clip_length, channels=channels)
        frames = video(9)
        expected = plain_scores(network, frames)
        assert len({score for score in expected if score is not None}) == 10 - clip_length  # all differ

        assert_same([*Scorer(prepare(network, "cpu"), HOW).score(frames, batch_size=4)], expected)


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("form", ["Direct", "Tiled"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_whichever_form_is_found_the_fastest_the_scores_are_the_plain_networks(
    variant: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "_seconds", lambda run, made: 0.0 if type(made).__name__.startswith(form) else 1.0)
    network = trained(variant)
    frames = video(5)
    prepared = prepare(network, "cpu")

    assert_same([*Scorer(prepared, HOW).score(frames)], plain_scores(network, frames))
    if not network.mixes_frames:
        forms = prepared.stages(HOW.height_px, HOW.width_px).chosen
        assert any(name.startswith("tiles") for name in forms.values()) == (form == "Tiled")


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_in_reduced_precision_are_near_the_full_ones(variant: str) -> None:
    network = trained(variant)
    frames = video(5)

    scores = [*Scorer(prepare(network, "cpu", "bfloat16"), HOW).score(frames)]

    expected = plain_scores(network, frames)
    assert [score.score for score in scores] == [
        None if score is None else pytest.approx(score, rel=0.02) for score in expected
    ]


@pytest.mark.parametrize("clip_length", [1, 3, 5, 7])
def test_the_first_and_last_frames_have_no_score(clip_length: int) -> None:
    network = prepare(trained("conv3d_skips", clip_length=clip_length), "cpu")
    half = clip_length // 2

    scores = [score.score is not None for score in Scorer(network, HOW).score(video(10), batch_size=3)]

    assert scores == [False] * half + [True] * (10 - 2 * half) + [False] * half


NETWORKS = {
    clip_length: (network, prepare(network, "cpu"))
    for clip_length in (1, 3, 5)
    for network in [trained("masked_skips", clip_length=clip_length)]
}


@settings(max_examples=40)
@given(
    clip_length=st.sampled_from(sorted(NETWORKS)),
    length=st.integers(0, 9),
    batch_size=st.integers(1, 11),
    seed=st.integers(0, 100),
    bad=st.sets(st.integers(0, 8), max_size=3),
)
def test_neither_batches_nor_bad_frames_elsewhere_change_a_score(
    clip_length: int, length: int, batch_size: int, seed: int, bad: set[int]
) -> None:
    plain, prepared = NETWORKS[clip_length]
    frames = video(length, bad=[*bad], seed=seed)

    scores = [*Scorer(prepared, HOW).score(iter(frames), batch_size=batch_size)]

    assert [(score.index, score.time_s) for score in scores] == [(frame.index, frame.time_s) for frame in frames]
    assert_same(scores, plain_scores(plain, frames))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 20])
@pytest.mark.parametrize("clip_length", [1, 3, 5])
def test_a_bad_frame_leaves_holes_where_a_clip_would_span_it_and_nowhere_else(
    clip_length: int, batch_size: int
) -> None:
    network, half, bad = prepare(trained("conv3d_skips", clip_length=clip_length), "cpu"), clip_length // 2, 6

    whole = [*Scorer(network, HOW).score(video(13))]
    scores = [*Scorer(network, HOW).score(video(13, bad=[bad]), batch_size=batch_size)]

    for position, (score, before) in enumerate(zip(scores, whole, strict=True)):
        assert (score.index, score.time_s) == (before.index, before.time_s)
        if abs(position - bad) <= half:
            assert score.score is None
        else:
            assert score.score == (None if before.score is None else pytest.approx(before.score, rel=TOLERANCE))


def test_a_video_of_bad_frames_has_no_scores() -> None:
    network = prepare(trained("masked_skips"), "cpu")

    scores = [*Scorer(network, HOW).score(video(5, bad=range(5)), batch_size=2, with_maps=True)]

    assert [(s.index, s.score, s.map, s.reconstruction) for s in scores] == [
        (2 * i + 4, None, None, None) for i in range(5)
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("variant", ["masked_skips", "full_conv3d", "unet"])
def test_maps_and_reconstructions_are_those_of_the_plain_network(variant: str, channels: int) -> None:
    network = trained(variant, channels=channels)
    frames = video(6, bad=[5])
    expected = rebuilt_one_by_one(network, frames)
    assert len(expected) >= 3

    for position, score in enumerate(Scorer(prepare(network, "cpu"), HOW).score(frames, with_maps=True)):
        if position not in expected:
            assert (score.score, score.map, score.reconstruction) == (None, None, None)
            continue
        target, reconstruction = expected[position]
        assert score.map is not None
        assert score.reconstruction is not None
        assert (score.map.dtype, score.map.shape) == (np.float32, (32, 48))
        assert (score.reconstruction.dtype, score.reconstruction.shape) == (np.uint8, (channels, 32, 48))
        np.testing.assert_allclose(score.map, msu.score_map(target, reconstruction)[0].numpy(), atol=TOLERANCE)
        assert score.score == pytest.approx(msu.frame_score(torch.from_numpy(score.map)[None]).item(), rel=TOLERANCE)
        difference = score.reconstruction.astype(float) - 255 * reconstruction[0].numpy()
        assert np.abs(difference).max() <= 0.5 + 255 * TOLERANCE


def test_maps_are_left_out_unless_asked_for() -> None:
    network = prepare(trained("masked_skips"), "cpu")

    scores = [*Scorer(network, HOW).score(video(5))]

    assert all(score.map is None and score.reconstruction is None for score in scores)


class Watched:
    """Counts the frames that are encoded, and keeps an eye on the memory of the features handed out."""

    def __init__(self, network: PreparedNetwork) -> None:
        self.network = network
        self.encoded = 0
        self.handed_out: list[weakref.ref[NDArray[np.float32]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def encode(self, frames: Tensor) -> list[Tensor]:
        self.encoded += len(frames)
        levels = [level.numpy().copy() for level in self.network.encode(frames)]
        self.handed_out += [weakref.ref(level) for level in levels]
        return [torch.from_numpy(level) for level in levels]  # each keeps its array as long as any row is in use


class Stream:
    """Frames that are made when asked for; before each it counts how many are still held by anybody."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.made: list[weakref.ref[NDArray[np.uint8]]] = []
        self.most_held = 0

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.length):
            self.most_held = max(self.most_held, self.held())
            image = np.full((32, 48, 3), index % 256, np.uint8)
            self.made.append(weakref.ref(image))
            frame = Frame(index, float(index), image)
            del image
            yield frame
            del frame

    def held(self) -> int:
        return sum(reference() is not None for reference in self.made)


@pytest.mark.parametrize("variant", ["masked_skips", "full_conv3d", "unet"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_each_frame_is_encoded_once_and_memory_does_not_grow_with_the_video(variant: str, batch_size: int) -> None:
    network = prepare(trained(variant), "cpu")
    most_held = []
    gc.collect()
    for length in (10, 26):
        watched, stream = Watched(network), Stream(length)
        for _ in Scorer(cast(PreparedNetwork, watched), HOW).score(stream, batch_size=batch_size):
            # A batch's features live on as copies of the rows still needed, never as a whole.
            assert sum(reference() is not None for reference in watched.handed_out) == 0
        assert watched.encoded == length
        most_held.append(stream.most_held)

    span = network.clip_length - 1  # frames that clips to come still need
    assert most_held[0] == most_held[1] <= span + 2 * batch_size


@pytest.mark.parametrize("clip_length", [1, 3, 5])
def test_with_batches_of_one_each_score_comes_as_soon_as_its_clip_is_there(clip_length: int) -> None:
    network, half, there = prepare(trained("conv3d_skips", clip_length=clip_length), "cpu"), clip_length // 2, 12
    come = threading.Semaphore(0)  # frames that the camera has seen

    def camera() -> Iterator[Frame]:
        for frame in video(there):
            assert come.acquire(timeout=60), "a score waited for a frame that its clip does not hold"
            yield frame

    with closing(Scorer(network, HOW).score(camera(), batch_size=1)) as scores:
        for _ in range(half):
            come.release()
        for position in range(there):
            if position + half < there:
                come.release()
            assert next(scores).index == 2 * position + 4


def test_scoring_leaves_images_alone() -> None:
    frames = video(4)
    before = [frame.image.copy() for frame in frames if frame.image is not None]

    [*Scorer(prepare(trained("masked_skips"), "cpu"), HOW).score(frames, with_maps=True)]

    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, before, strict=True))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batches_of_nothing_are_refused(batch_size: int) -> None:
    with pytest.raises(ConfigError, match=f"batch_size: {batch_size} frames together. Use 1 or more"):
        next(Scorer(prepare(trained("unet"), "cpu"), HOW).score(video(3), batch_size=batch_size))


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 11), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 6),
    st.lists(st.integers(0, 11), max_size=2),
)
def test_which_videos_are_scored_together_changes_no_score(
    lengths: list[int], at_once: int, batch_size: int, bad: list[int]
) -> None:
    network = prepare(trained("masked_skips"), "cpu")
    videos = [video(length, bad=bad, seed=seed) for seed, length in enumerate(lengths)]

    found: dict[int, list[FrameScore | Ended]] = {at: [] for at in range(len(videos))}
    for at, score in Scorer(network, HOW).score_sources(enumerate(videos), at_once=at_once, batch_size=batch_size):
        found[at].append(score)

    for at, frames in enumerate(videos):
        *scores, last = found[at]
        alone = [*Scorer(network, HOW).score(frames)]
        assert last == Ended(None)
        assert [(one.index, one.time_s) for one in scores if isinstance(one, FrameScore)] == [
            (one.index, one.time_s) for one in alone
        ]
        assert_same([one for one in scores if isinstance(one, FrameScore)], [one.score for one in alone])


def test_a_video_that_breaks_off_is_told_and_those_beside_it_go_on() -> None:
    network = prepare(trained("unet"), "cpu")
    opened: list[str] = []

    def videos() -> Iterator[tuple[str, Iterator[Frame]]]:
        for name, length, breaks in (("a", 9, False), ("b", 5, True), ("c", 7, False)):
            opened.append(name)
            yield name, frames_of(length, breaks)

    def frames_of(length: int, breaks: bool) -> Iterator[Frame]:
        yield from video(length)
        if breaks:
            raise VideoError("damaged", "b")

    ended = {}
    scores = dict.fromkeys("abc", 0)
    for name, found in Scorer(network, HOW).score_sources(videos(), at_once=2, batch_size=4):
        if isinstance(found, Ended):
            ended[name] = found.error
            assert len(opened) < 3 or len(ended) > 0  # the third waits for a place
        else:
            scores[name] += 1

    assert (ended["a"], ended["c"], str(ended["b"])) == (None, None, "b: damaged.")
    assert (scores["a"], scores["c"]) == (9, 7)


def test_no_thread_is_left_when_videos_are_left_half_scored() -> None:
    network = prepare(trained("unet"), "cpu")
    closed: list[int] = []

    def endless(number: int) -> Iterator[Frame]:
        try:
            while True:
                yield from video(4)
        finally:
            closed.append(number)

    with closing(Scorer(network, HOW).score_sources(((at, endless(at)) for at in range(5)), at_once=3)) as scores:
        next(scores)

    assert sorted(closed) == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]
