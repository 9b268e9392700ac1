from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cues import appearance_learning, movement_cue
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, looks, require_footage, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo, split_in_halves
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.errors import CalibrationError

Street = Callable[..., np.ndarray]
AsSized = Callable[..., list[SizedFrame]]
MakeVideo = Callable[..., NormalVideo]
BOTH = ["movement", "appearance"]


def blank(count: int, name: str = "a", good: list[bool] | None = None) -> NormalVideo:
    frames = np.zeros((count, 1, 16, 16), np.uint8)
    frames[:, 0, 0, 0] = np.arange(count) % 256
    return NormalVideo(name, frames, np.arange(count) / 10, np.array([True] * count if good is None else good, bool))


def highest(model: CueModel, frames: list[SizedFrame]) -> dict[str, float]:
    found = {}
    for cue in model.cues:
        run = cue.start_run()
        found[cue.name] = max(score.score or 0 for score in [*run.add(frames), *run.finish()])
    return found


def test_what_is_like_the_footage_is_usual_and_what_is_not_is_strange(
    learned: CueModel, make_street: Street, as_sized: AsSized
) -> None:
    usual = highest(learned, as_sized(make_street(8, seed=9)))
    wild = make_street(8, speed=5.0, seed=9)
    wild[:, :, :12, 60:80] = 255

    strange = highest(learned, as_sized(wild))

    assert usual["movement"] + 1 < strange["movement"]
    assert usual["appearance"] + 1 < strange["appearance"]


def test_the_same_footage_gives_the_same_cues_bit_for_bit(
    learned: CueModel, normal: list[NormalVideo], grid: PlaceGrid
) -> None:
    again = learn_cues(normal, grid, BOTH, lambda done: None)

    ours, theirs = again._arrays(), learned._arrays()
    assert ours.keys() == theirs.keys()
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


@pytest.mark.parametrize("names", [["movement"], ["appearance"], BOTH])
def test_only_the_cues_that_are_named_are_learned_and_each_look_is_told(
    normal: list[NormalVideo], grid: PlaceGrid, names: list[str]
) -> None:
    videos = [replace(normal[0], good=np.arange(16) != 5), *normal[1:]]
    told: list[int] = []

    model = learn_cues(videos, grid, names, told.append)

    assert list(model.names) == names
    assert sum(told) == looks(videos, names)


def test_bad_frames_are_left_out(normal: list[NormalVideo], grid: PlaceGrid) -> None:
    spoilt = normal[0].frames.copy()
    spoilt[5] = 0
    good = np.arange(16) != 5
    other = spoilt.copy()
    other[5] = 255

    black, white = (
        learn_cues([replace(normal[0], frames=frames, good=good), *normal[1:]], grid, BOTH, lambda done: None)
        for frames in (spoilt, other)
    )

    assert all(black._arrays()[name].tobytes() == array.tobytes() for name, array in white._arrays().items())


def test_what_is_ignored_is_not_learned(
    normal: list[NormalVideo], grid: PlaceGrid, make_street: Street, as_sized: AsSized
) -> None:
    ignored = np.zeros((48, 96), bool)
    ignored[:16, 50:] = True
    wild = [replace(video, frames=video.frames.copy(), ignored=ignored) for video in normal]
    for video in wild:
        video.frames[:, :, :16, 50:] = np.random.default_rng(0).integers(0, 256, (16, 3, 16, 46))

    quiet, loud = (
        learn_cues(videos, grid, BOTH, lambda done: None)
        for videos in ([replace(video, ignored=ignored) for video in normal], wild)
    )

    assert all(quiet._arrays()[name].tobytes() == array.tobytes() for name, array in loud._arrays().items())
    frames = as_sized(make_street(6, seed=9), ignored=ignored)
    assert all(score < 3 for score in highest(quiet, frames).values())


def test_one_video_is_enough(grid: PlaceGrid, make_video: MakeVideo, make_street: Street, as_sized: AsSized) -> None:
    model = learn_cues([make_video("only", make_street(40))], grid, BOTH, lambda done: None)

    assert model.names == ("movement", "appearance")
    found = highest(model, as_sized(make_street(40)))
    assert found["appearance"] < 3


@pytest.mark.parametrize("level", [0, 128])
def test_a_picture_that_never_changes_is_learned_and_stays_usual(
    grid: PlaceGrid, make_video: MakeVideo, as_sized: AsSized, level: int
) -> None:
    still = np.full((20, 3, 48, 96), level, np.uint8)

    model = learn_cues([make_video("still", still)], grid, BOTH, lambda done: None)

    found = highest(model, as_sized(still[:4]))
    assert found["appearance"] < 1
    assert found["movement"] < 1
    changed = still[:4].copy()
    changed[:, :, 10:30, 30:60] = 255
    assert highest(model, as_sized(changed))["appearance"] > 3


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9))
def test_both_halves_hold_all_frames_once_and_cover_all_of_the_time(lengths: list[int]) -> None:
    videos = [blank(length, str(number)) for number, length in enumerate(lengths)]

    halves = split_in_halves(videos)

    parts = sorted((part.name, float(part.time_s[0]), len(part.frames)) for half in halves for part in half)
    assert sum(count for _, _, count in parts) == sum(lengths)
    frames = [sum(len(part.frames) for part in half) for half in halves]
    assert abs(frames[0] - frames[1]) <= 2 * max(lengths)
    for (name, start_s, count), (other, next_s, _) in pairwise(parts):
        assert name != other or next_s == pytest.approx(start_s + count / 10)


@pytest.mark.parametrize(
    ("lengths", "first_half"),
    [
        ({"05/00": 9, "05/12": 9, "06/00": 9, "06/12": 9}, ["05/00", "05/12"]),  # two days
        ({"05/00": 9, "06/00": 9, "07/00": 9, "07/12": 2}, ["05/00", "07/00", "07/12"]),
        ({"05/00": 9, "05/12": 9, "05/18": 9, "06/00": 9}, ["05/00", "05/12"]),  # too little of the second day
        ({"00": 9, "06": 9, "12": 9, "18": 9}, ["00", "06"]),  # short: first half, second half
        ({"00": 36_001, "06": 9, "12": 9, "18": 9}, ["00", "12"]),  # an hour
    ],
)
def test_whole_days_make_the_halves_where_there_are_several(lengths: dict[str, int], first_half: list[str]) -> None:
    halves = split_in_halves([blank(length, name) for name, length in lengths.items()])

    assert [video.name for video in halves[0]] == first_half
    assert sorted(video.name for half in halves for video in half) == sorted(lengths)


@pytest.mark.parametrize(
    ("videos", "names", "is_enough"),
    [
        ([4], BOTH, True),
        ([3], BOTH, False),  # the second half has a single frame, in which nothing moves
        ([3], ["appearance"], True),
        ([2], ["appearance"], False),
        ([2, 2], BOTH, True),
        ([1, 1], ["movement"], False),
        ([1, 1, 1, 1], ["appearance"], True),
        ([1, 1, 1, 1], ["movement"], False),
        ([], BOTH, False),
    ],
    ids=str,
)
def test_too_little_footage_is_refused_before_it_is_looked_at(
    videos: list[int], names: list[str], is_enough: bool
) -> None:
    footage = [blank(length, str(number)) for number, length in enumerate(videos)]
    if is_enough:
        require_footage(footage, names)
        assert learn_cues(footage, PlaceGrid.of_size(16, 16), names, lambda done: None).names == tuple(names)
        return

    with pytest.raises(CalibrationError, match=f"too little footage to learn {names[0]}") as refusal:
        require_footage(footage, names)
    assert "--cues reconstruction" in str(refusal.value)
    with pytest.raises(CalibrationError):
        learn_cues(footage, PlaceGrid.of_size(16, 16), names, lambda done: None)


def test_footage_whose_good_frames_are_too_few_is_refused() -> None:
    with pytest.raises(CalibrationError):
        require_footage([blank(20, good=[number % 2 == 0 for number in range(20)])], ["movement"])


def test_of_long_footage_some_is_looked_at_evenly(
    grid: PlaceGrid, make_video: MakeVideo, make_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movement_cue, "MOST_MOVEMENT", 10)
    monkeypatch.setattr(appearance_learning, "MOST_MOMENTS", 10)
    monkeypatch.setattr(movement_cue, "BURST", 4)
    monkeypatch.setattr(appearance_learning, "SAMPLE", 8)
    told: list[int] = []
    videos = [make_video(str(seed), make_street(20, seed=seed)) for seed in range(4)]

    model = learn_cues(videos, grid, BOTH, told.append)

    assert model.names == ("movement", "appearance")
    assert model.appearance is not None
    assert 8 <= len(model.appearance.moments) <= 24
    assert {moment.video for moment in model.appearance.moments} == {"0", "1", "2", "3"}
    assert sum(told) >= looks(videos, BOTH)


def test_the_networks_tails_are_of_the_scores_that_there_are(learned: CueModel) -> None:
    scores = np.random.default_rng(0).random(100).astype(np.float32)

    model = with_reconstruction(learned, np.concatenate([np.full(5, np.nan, np.float32), scores]))

    assert model.names == ("reconstruction", "movement", "appearance")
    assert model.reconstruction is not None
    assert model.reconstruction.surprise(np.float32([np.quantile(scores, 0.9)])) == pytest.approx(1, abs=0.02)
