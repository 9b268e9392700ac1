"""A camera's health, on a drawn room and on real hours that were changed as cameras change."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageFilter

from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.monitor.health import (
    BLOCKS,
    ELSEWHERE,
    FROZEN_S,
    SOFT,
    Debounce,
    HealthMonitor,
    edges_alike,
    edges_of,
    sharpness_of,
)

Image = NDArray[np.uint8]
Change = Callable[[Image], Image]
SETTLED_S = 60.0


def room(seed: int = 0) -> Image:
    """Furniture: rectangles of many sizes in colours, (H, W, 3)."""
    random = np.random.default_rng(seed)
    image = np.full((64, 96, 3), 90, np.uint8)
    for _ in range(60):
        top, left = random.integers(0, 58), random.integers(0, 88)
        image[top : top + random.integers(3, 14), left : left + random.integers(3, 18)] = random.integers(20, 230, 3)
    return image


def living(image: Image, seconds: float, seed: int = 1) -> Iterator[Image]:
    """Two frames a second, each with a sensor's noise, and someone who walks about."""
    random = np.random.default_rng(seed)
    for at in range(int(2 * seconds)):
        frame = image.astype(np.int16) + random.integers(-3, 4, image.shape)
        left = (7 * at) % 80
        frame[20:60, left : left + 12] = 50
        yield frame.clip(0, 255).astype(np.uint8)


def look(monitor: HealthMonitor, frames: Iterator[Image], start_s: float = 0.0) -> list[tuple[str, bool]]:
    told = []
    for at, frame in enumerate(frames):
        colour = float((frame.max(axis=2) - frame.min(axis=2)).mean())
        changes = monitor.update(start_s + at / 2, np.ascontiguousarray(frame.transpose(2, 0, 1)), colour)
        told += [(change.fault, change.present) for change in changes]
        assert all(change.description for change in changes)
    return told


def blurred(image: Image) -> Image:
    return np.asarray(Picture.fromarray(image).filter(ImageFilter.GaussianBlur(2)))


def slightly_blurred(image: Image) -> Image:
    return np.asarray(Picture.fromarray(image).filter(ImageFilter.GaussianBlur(0.5)))


def moved(image: Image) -> Image:
    return np.roll(image, (5, 9), (0, 1))


def covered(image: Image) -> Image:
    return (image // 64 + 20).astype(np.uint8)


def black(image: Image) -> Image:
    return image // 128


def infrared(image: Image) -> Image:
    return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


CHANGES = {"defocused": blurred, "moved": moved, "dark": covered, "night": infrared}


@pytest.mark.parametrize(("fault", "change"), [*CHANGES.items(), ("dark", black)])
def test_a_fault_is_told_once_when_it_begins_and_once_when_it_ends(fault: str, change: Change) -> None:
    monitor = HealthMonitor()
    assert look(monitor, living(room(), SETTLED_S)) == []
    assert monitor.faults == set()

    assert look(monitor, map(change, living(room(), 40, seed=2)), 60) == [(fault, True)]
    assert monitor.faults == {fault}
    assert look(monitor, living(room(), 40, seed=3), 100) == [(fault, False)]
    assert monitor.faults == set()


def test_a_picture_that_does_not_change_by_a_bit_is_frozen_after_a_minute() -> None:
    monitor = HealthMonitor()
    look(monitor, living(room(), SETTLED_S))
    still = [room()] * int(2 * FROZEN_S + 10)

    assert look(monitor, iter(still[:100]), 60) == []
    assert look(monitor, iter(still), 110) == [("frozen", True)]
    assert look(monitor, living(room(), 70), 60 + 50 + 70) == [("frozen", False)]


def test_what_is_usual_is_learnt_from_what_was_seen_and_not_from_the_time_that_passed_unseen() -> None:
    monitor = HealthMonitor()
    for hour in range(3):  # a frame an hour says little about a camera
        assert look(monitor, living(room(), 0.5, seed=hour), 3600.0 * hour) == []

    # It is still being learnt how sharp its picture is.
    assert look(monitor, map(blurred, living(room(), 15)), 7200.5) == []


def test_one_frame_after_a_long_break_does_not_replace_what_was_usual_before() -> None:
    monitor = HealthMonitor()
    look(monitor, living(room(), SETTLED_S))
    hazy = map(slightly_blurred, living(room(), 0.5))
    assert look(monitor, hazy, 7200) == []

    assert look(monitor, map(blurred, living(room(), 20)), 7200.5) == [("defocused", True)]


@pytest.mark.parametrize("change", [*CHANGES.values(), black])
def test_a_moment_is_no_fault(change: Change) -> None:
    monitor = HealthMonitor()
    look(monitor, living(room(), SETTLED_S))

    assert look(monitor, map(change, living(room(), 3)), 60) == []
    assert look(monitor, living(room(), 40), 63) == []


def test_a_lamp_is_no_fault() -> None:
    monitor = HealthMonitor()
    look(monitor, living(room(), SETTLED_S))
    dimmer = (room() * 0.5).astype(np.uint8)

    assert look(monitor, living(dimmer, 60), 60) == []


def test_a_camera_that_is_grey_from_the_start_has_not_switched_to_night() -> None:
    monitor = HealthMonitor()

    assert look(monitor, map(infrared, living(room(), SETTLED_S))) == []
    assert monitor.faults == {"night"}


def test_a_new_view_is_the_cameras_own_after_ten_minutes() -> None:
    monitor = HealthMonitor()
    look(monitor, living(room(), SETTLED_S))

    assert look(monitor, living(room(9), 700), 60) == [("moved", True), ("moved", False)]
    assert look(monitor, living(room(9), 60), 760) == []


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 20))
def test_what_lasts_turns_over_only_after_it_has_lasted(looks: list[bool], hold: int) -> None:
    debounce = Debounce(hold)
    for at, now in enumerate(looks):
        turned = debounce.changes(now, float(at))
        last = looks[max(0, at - hold) : at + 1]
        if turned:
            assert set(last) == {debounce.present}
            assert len(last) == hold + 1


GREY = arrays(np.float32, (24, 30), elements=st.floats(0, 255, width=32))


@settings(max_examples=50)
@given(GREY, GREY)
def test_figures_are_finite_and_within_their_range_whatever_is_seen(one: NDArray, other: NDArray) -> None:
    assert 0 <= sharpness_of(one) < 256
    assert -1.001 <= edges_alike(edges_of(one), edges_of(other)) <= 1.001


@settings(max_examples=50)
@given(GREY, st.floats(0.3, 1.0), st.floats(0, 50))
def test_brightness_and_contrast_do_not_move_edges(grey: NDArray, gain: float, offset: float) -> None:
    edges = edges_of(grey)
    blocks = [block for rows in np.array_split(edges, BLOCKS) for block in np.array_split(rows, BLOCKS, axis=1)]
    if np.median([block.std() for block in blocks]) > 1:
        assert edges_alike(edges, edges_of(np.float32(gain) * grey + np.float32(offset))) > 0.95


@pytest.mark.real_data
@pytest.mark.parametrize("hour", ["03", "12"])
def test_a_real_rooms_hours_are_in_order_and_each_change_to_them_is_seen(real_data: Path, hour: str) -> None:
    frames = []
    for frame in read_video(real_data / "upcam" / "normal" / f"{hour}.mp4"):
        assert frame.image is not None
        if frame.index % 3 == 0:  # two a second, nearly
            frames.append(frame.image)
        if len(frames) == 600:
            break
    for fault, change in CHANGES.items():
        monitor = HealthMonitor()
        assert look(monitor, iter(frames[:300])) == []
        expected = [] if fault in monitor.faults else [(fault, True)]  # at night it is night already
        assert look(monitor, map(change, frames[300:400]), 150) == expected
    usual = edges_of(np.mean(frames[:300], axis=(0, 3), dtype=np.float32))
    grey = frames[400].mean(axis=2, dtype=np.float32)
    assert edges_alike(usual, edges_of(grey)) > 2 * ELSEWHERE
    assert sharpness_of(blurred(frames[400]).mean(axis=2, dtype=np.float32)) < SOFT * sharpness_of(grey) / 1.5
