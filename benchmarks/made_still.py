"""Anomalies that stand still, made from normal footage of a room: a thing put down, someone who stays, a light, a move.

Frames are uint8 (N, C, H, W), one a second. All of it is drawn from a generator; each anomaly lasts for as many frames
as are asked for.
"""

from collections.abc import Callable, Mapping

import numpy as np
from made_anomalies import Floats, Frames
from numpy.typing import NDArray
from scipy import ndimage

FOREGROUND = 14  # how far a pixel is from the hour's median where someone is, of 255
TRIES = 50  # moments looked at for someone to cut out


def put_down(frames: Frames, _: Frames, drawn: np.random.Generator) -> Frames:
    """A textured thing of a tenth to a quarter of the picture's height that stands somewhere."""
    _, channels, height, width = frames.shape
    tall, wide = (int(size) for size in drawn.integers(height // 10 + 1, height // 4 + 2, 2))
    cover = _soft(tall, wide)
    texture = ndimage.gaussian_filter(drawn.standard_normal((channels, *cover.shape)), (0, 1.5, 1.5))
    shade = frames.mean() + drawn.choice([-1, 1]) * drawn.uniform(30, 70)
    filling = shade + 15 * texture / max(texture.std(), 1e-9)
    top, left = int(drawn.integers(0, height - tall)), int(drawn.integers(0, width - wide))
    return _pasted(frames, filling[None], top, left, cover)


def someone_stays(frames: Frames, hour: Frames, drawn: np.random.Generator) -> Frames:
    """Someone of another moment of the hour, who stands elsewhere and does not move; nobody where nobody was."""
    _, _, height, width = frames.shape
    empty = np.median(hour[:: max(1, len(hour) // 60)].astype(np.float32), axis=0)
    for _ in range(TRIES):
        image = hour[int(drawn.integers(len(hour)))].astype(np.float64)
        place, cover = _largest(np.abs(image - empty).mean(axis=0) > FOREGROUND)
        tall, wide = cover.shape
        if height / 6 <= tall <= 0.7 * height and wide <= 0.5 * width and cover.sum() > 100:
            aside = int(drawn.choice([-1, 1]) * drawn.integers(width // 9, width // 3))
            left = int(np.clip(place[1].start + aside, 0, width - wide))
            soft = ndimage.gaussian_filter(cover.astype(np.float64), 0.8)
            return _pasted(frames, image[None, :, *place], place[0].start, left, soft)
    return frames.copy()


def light_switched(frames: Frames, _: Frames, drawn: np.random.Generator) -> Frames:
    """The light is another, over the whole picture or from one side."""
    width = frames.shape[3]
    slope = np.linspace(0, 1, width)[:: int(drawn.choice([-1, 1]))]
    one_sided = drawn.uniform(0.25, 0.5) * slope if drawn.random() < 0.5 else 0.0
    factor = 1 + drawn.choice([-1, 1]) * (drawn.uniform(0.25, 0.4) + one_sided)
    lit: Frames = (frames * factor).clip(0, 255).round().astype(np.uint8)
    return lit


def moved(frames: Frames, _: Frames, drawn: np.random.Generator) -> Frames:
    """A part of the room stands some pixels beside where it stood."""
    _, _, height, width = frames.shape
    tall, wide = (int(drawn.integers(height // 5, height // 3)) for _ in range(2))
    top, left = int(drawn.integers(0, height - tall)), int(drawn.integers(0, width - wide))
    aside = int(drawn.choice([-1, 1]) * drawn.integers(4, 9))
    cover = _soft(tall, wide)
    rows, columns = slice(top, top + cover.shape[0]), slice(left, left + cover.shape[1])
    shifted = np.roll(frames, aside, axis=3)[:, :, rows, columns].astype(np.float64)
    return _pasted(frames, shifted, top, left, cover[: shifted.shape[2], : shifted.shape[3]])


STILL_KINDS: Mapping[str, Callable[[Frames, Frames, np.random.Generator], Frames]] = {
    "put down": put_down,
    "someone stays": someone_stays,
    "light switched": light_switched,
    "moved": moved,
}


def make_still(
    kind: str, hour: Frames, drawn: np.random.Generator, *, lasting: int = 60, before: int = 30
) -> tuple[Frames, NDArray[np.uint8]]:
    """Some frames of an hour with an anomaly made into the last `lasting` of them, and their labels."""
    first = int(drawn.integers(before, len(hour) - lasting))
    shown = np.asarray(hour[first : first + lasting])
    made = STILL_KINDS[kind](shown, hour, drawn)
    labels = np.concatenate([np.zeros(before, np.uint8), np.ones(lasting, np.uint8)])
    return np.concatenate([np.asarray(hour[first - before : first]), made]), labels


def _soft(tall: int, wide: int) -> Floats:
    """A rectangle with soft edges, (tall, wide)."""
    inside = np.zeros((tall, wide))
    inside[2:-2, 2:-2] = 1
    soft: Floats = ndimage.gaussian_filter(inside, 1.0)
    return soft


def _largest(mask: NDArray[np.bool_]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """The largest of what hangs together in a mask: where it is, and its own mask there."""
    labelled, count = ndimage.label(ndimage.binary_closing(ndimage.binary_opening(mask), iterations=2))
    if not count:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.bool_)
    number = 1 + int(np.argmax(ndimage.sum_labels(mask, labelled, range(1, count + 1))))
    rows, columns = ndimage.find_objects(labelled)[number - 1]
    return (rows, columns), labelled[rows, columns] == number


def _pasted(frames: Frames, filling: Floats, top: int, left: int, cover: Floats) -> Frames:
    made = frames.astype(np.float64)
    tall, wide = cover.shape
    place = (slice(None), slice(None), slice(top, top + tall), slice(left, left + wide))
    there = made[place]
    cover, filling = cover[: there.shape[2], : there.shape[3]], filling[..., : there.shape[2], : there.shape[3]]
    made[place] = there * (1 - cover) + filling * cover
    return made.clip(0, 255).round().astype(np.uint8)
