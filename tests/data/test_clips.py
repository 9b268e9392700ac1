from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips, clip_starts
from maskedskipunet.data.ignoring import GREY
from maskedskipunet.data.store import StoredVideo


def stored(good, name="a", seed=0, channels=2):
    frames = np.random.default_rng(seed).integers(0, 256, (len(good), channels, 3, 4), dtype=np.uint8)
    return StoredVideo(name, frames, np.arange(len(good)), np.array(good, bool))


lengths = st.sampled_from([1, 3, 5, 7])
videos = st.lists(st.lists(st.sampled_from([True, True, True, False]), max_size=20), max_size=4)


@given(st.lists(st.booleans(), max_size=40), lengths)
def test_clips_are_exactly_the_windows_without_a_bad_frame(good, length):
    expected = [start for start in range(len(good) - length + 1) if all(good[start : start + length])]
    starts = clip_starts(np.array(good, bool), ClipGeometry(length))
    assert starts.tolist() == expected
    assert starts.dtype == np.int64


@given(videos, lengths, st.data())
def test_a_batch_holds_the_clips_slices(goods, length, data):
    held = [stored(good, seed=seed) for seed, good in enumerate(goods)]
    clips = Clips.of(held, ClipGeometry(length))
    windows = [
        video.frames[start : start + length]
        for video in held
        for start in clip_starts(video.good, ClipGeometry(length)).tolist()
    ]
    assert len(clips) == len(windows)
    if windows:
        numbers = data.draw(st.lists(st.integers(0, len(windows) - 1), min_size=1, max_size=5))
        batch = clips.batch(numbers)
        assert batch.dtype == np.uint8
        assert batch.shape == (len(numbers), length, 2, 3, 4)
        assert np.array_equal(batch, np.stack([windows[number] for number in numbers]))


def test_no_clip_reaches_from_one_video_into_the_next():
    clips = Clips.of([stored([True] * 4), stored([True] * 2), stored([True] * 3)], ClipGeometry(3))
    assert clips.video.tolist() == [0, 0, 2]
    assert clips.start.tolist() == [0, 1, 0]


@pytest.mark.parametrize("held", [[], [stored([])], [stored([True] * 2)], [stored([False] * 9)]])
def test_footage_without_a_clip_gives_none(held):
    assert len(Clips.of(held, ClipGeometry(3))) == 0


def test_what_a_video_ignores_is_grey_in_its_clips_and_stays_in_the_store():
    mask = np.zeros((3, 4), bool)
    mask[1, 2:] = True
    plain, painted = stored([True] * 4), replace(stored([True] * 4, seed=1), ignored=mask)
    before = painted.frames.copy()
    batch = Clips.of([plain, painted], ClipGeometry(3)).batch([0, 2])

    assert np.array_equal(batch[0], plain.frames[:3])
    assert (batch[1][..., mask] == GREY).all()
    assert np.array_equal(batch[1][..., ~mask], before[:3][..., ~mask])
    assert np.array_equal(painted.frames, before)


def test_a_batch_is_a_copy_that_the_stored_frames_outlive():
    video = stored([True] * 5)
    before = video.frames.copy()
    Clips.of([video], ClipGeometry(3)).batch([0, 1])[:] = 0
    assert np.array_equal(video.frames, before)
