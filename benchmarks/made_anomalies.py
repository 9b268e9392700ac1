"""Anomalies made from normal footage of a fixed camera: what a score can be chosen by without looking at a test half.

Frames are uint8 (N, C, H, W), as the frame store holds them. All of it is drawn from a seed, and what is not part of
an anomaly stays as it was, bit for bit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Frames = NDArray[np.uint8]
Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

STRETCH = 12  # anomalous frames of a made clip
SHORTEST = 5 * STRETCH  # frames of a clip, so that a stretch of it can be played four times as fast
WALKING = 0.0035  # of the frame's width in a frame: people on UCSD Ped2, at 10 frames a second
FOREGROUND = 18  # how far a pixel is from the clip's median where something moves, of 255
SOFT_PX = 0.8  # sigma of an object's edge
SEAM_PX = 3  # over which a place that is played otherwise passes into the frame around it


@dataclass(frozen=True)
class Kind:
    """A kind of made anomaly. speed: in walking speeds, or how fast the footage is played.

    is_control: nothing about it is anomalous but that it was made, so that one sees what making alone gives away.
    """

    name: str
    speed: float
    is_control: bool = False


LOOKS = ("enlarged", "squeezed", "turned", "inverted", "textured")
KINDS = (
    *(Kind(look, speed) for look in LOOKS for speed in (1.0, 4.0)),
    Kind("as it was", 4.0),
    Kind("as it was", 1.0, is_control=True),
    Kind("elsewhere", 1.0),
    Kind("sped up", 2.0),
    Kind("sped up", 4.0),
    Kind("reversed", 1.0),
)


@dataclass(frozen=True)
class MadeClip:
    """A clip with an anomaly made into it.

    original: the clip as it was. first: the first frame that was changed. changed: what stands there now,
    STRETCH frames.
    """

    kind: Kind
    video: str
    seed: int
    original: Frames
    first: int
    changed: Frames

    @property
    def stretch(self) -> slice:
        """The anomalous frames."""
        return slice(self.first, self.first + len(self.changed))

    @property
    def labels(self) -> NDArray[np.uint8]:
        """1 where a frame is anomalous, (N,)."""
        labels = np.zeros(len(self.original), np.uint8)
        labels[self.stretch] = 1
        return labels

    def frames(self, wanted: slice = slice(None)) -> Frames:
        """The clip as it is now, or some of its frames."""
        made = self.original.copy()
        made[self.stretch] = self.changed
        return made[wanted]


@dataclass(frozen=True)
class CutOut:
    """Something that moved, cut from a frame. pixels: (C, h, w), 0 to 255. cover: (h, w), 0 to 1.

    foot: row and column of the frame that the middle of its lower edge stood on.
    """

    pixels: Floats
    cover: Floats
    foot: tuple[float, float]


@dataclass(frozen=True)
class Wardrobe:
    """What anomalies are made from: cut-outs of the footage that was trained on, and where nobody walks there.

    quiet: (H, W), True where hardly anything moved.
    """

    cut_outs: Sequence[CutOut]
    quiet: Masks

    @classmethod
    def of(cls, videos: Sequence[Frames], every: int = 20) -> "Wardrobe":
        cut_outs: list[CutOut] = []
        moved = np.zeros(videos[0].shape[2:])
        for frames in videos:
            some = frames[::every]
            masks = foreground(some, background(frames))
            moved += masks.mean(axis=0) / len(videos)
            for image, mask in zip(some, masks, strict=True):
                cut_outs += cut(np.asarray(image), mask)
        if not cut_outs:
            raise ValueError("nothing of a person's size moves in the footage, so no anomalies can be made from it")
        wide = ndimage.gaussian_filter(moved, len(moved) / 32)
        return cls(cut_outs, wide < 0.1 * wide.max())


def make(kind: Kind, frames: Frames, wardrobe: Wardrobe, *, video: str, seed: int) -> MadeClip:
    """Make one anomaly into a clip. The same kind, clip and seed give the same."""
    if len(frames) < SHORTEST:
        raise ValueError(f"{video} has {len(frames)} frames, and anomalies are made into {SHORTEST} or more")
    drawn = np.random.default_rng([seed, *video.encode(), *kind.name.encode(), round(10 * kind.speed)])
    if kind.name in ("sped up", "reversed"):
        step = -1 if kind.name == "reversed" else int(kind.speed)
        first, changed = play_otherwise(frames, step, drawn)
    else:
        first, changed = paste(frames, wardrobe, kind, drawn)
    return MadeClip(kind, video, seed, frames, first, changed)


# What moves


def background(frames: Frames, count: int = 21) -> Floats:
    """The median brightness of some frames spread over a clip: (H, W)."""
    some = frames[:: max(1, len(frames) // count)].mean(axis=1).round().astype(np.uint8)
    middle: Floats = np.sort(some, axis=0)[len(some) // 2].astype(np.float64)
    return middle


def foreground(frames: Frames, still: Floats) -> Masks:
    """Where something moves: (N, H, W). Far from the background, freed from specks and closed."""
    within = np.zeros((3, 3, 3), bool)
    within[1] = True  # each frame by itself
    far = np.abs(frames.mean(axis=1) - still) > FOREGROUND
    closed: Masks = ndimage.binary_closing(ndimage.binary_opening(far, within), within, iterations=2)
    return closed


def cut(image: NDArray[np.uint8], mask: Masks) -> Iterator[CutOut]:
    """What is as large as a person and wholly inside: neither specks nor groups. image: (C, H, W)."""
    places, _ = ndimage.label(mask)
    height, width = mask.shape
    for number, (rows, columns) in enumerate(ndimage.find_objects(places), 1):
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        inside = min(rows.start, columns.start) > 0 and rows.stop < height and columns.stop < width
        if inside and height / 12 < tall < height / 5 and wide < 0.8 * tall:
            around = (slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1))
            cover = (places[around] == number).astype(np.float64)
            yield CutOut(
                image[(slice(None), *around)].astype(np.float64), cover, (rows.stop, (columns.start + columns.stop) / 2)
            )


# Pasted objects


def paste(frames: Frames, wardrobe: Wardrobe, kind: Kind, drawn: np.random.Generator) -> tuple[int, Frames]:
    """An object that glides through the clip along a straight path."""
    count, width = len(frames), frames.shape[3]
    found = wardrobe.cut_outs[int(drawn.integers(len(wardrobe.cut_outs)))]
    thing = shown_as(found, kind.name, drawn)
    first = int(drawn.integers(1, count - STRETCH))
    way = kind.speed * WALKING * width * (STRETCH - 1)  # px, from left to right
    margin = thing.cover.shape[1] / 2
    row = found.foot[0]
    column = drawn.uniform(margin, max(margin + 1, width - margin - way))
    if kind.name == "elsewhere":
        row, column = quiet_place(wardrobe.quiet, thing.cover.shape[0], way, drawn)
    rising = drawn.uniform(-0.1, 0.1) * way
    columns = np.linspace(column, column + way, STRETCH)
    if drawn.random() < 0.5:
        columns = columns[::-1]
        thing = replace(thing, pixels=thing.pixels[:, :, ::-1], cover=thing.cover[:, ::-1])
    feet = zip(np.linspace(row, row + rising, STRETCH), columns, strict=True)
    return first, np.stack([pasted(frames[at], thing, foot) for at, foot in enumerate(feet, first)])


def quiet_place(quiet: Masks, tall: int, way: float, drawn: np.random.Generator) -> tuple[float, float]:
    """Where a path begins on which hardly anybody walks, a foot's row and column."""
    width = quiet.shape[1]
    free = ndimage.minimum_filter(quiet, (1, int(way) + 1), origin=(0, -(int(way) // 2)), mode="constant")
    free[:tall] = False
    rows, columns = np.nonzero(free[:, : int(width - way)])
    if not len(rows):
        return float(tall), 0.0
    at = drawn.integers(len(rows))
    return float(rows[at]), float(columns[at])


def shown_as(thing: CutOut, look: str, drawn: np.random.Generator) -> CutOut:
    """A cut-out as a kind of anomaly shows it."""
    if look == "enlarged":
        return scaled(thing, *[drawn.uniform(1.5, 2.5)] * 2)
    if look == "squeezed":
        return scaled(thing, drawn.uniform(0.4, 0.6), drawn.uniform(1.6, 2.4))
    if look == "turned":
        return turned(thing, drawn.uniform(60, 120))
    if look == "inverted":
        return replace(thing, pixels=255 - thing.pixels)
    if look == "textured":
        noise = ndimage.gaussian_filter(drawn.standard_normal(thing.cover.shape), 2)
        shades = drawn.uniform(60, 180) + 40 * noise / max(noise.std(), 1e-9)
        return replace(thing, pixels=np.broadcast_to(shades.clip(0, 255), thing.pixels.shape))
    return thing


def scaled(thing: CutOut, tall: float, wide: float) -> CutOut:
    pixels = ndimage.zoom(thing.pixels, (1, tall, wide), order=1, mode="nearest")
    return replace(thing, pixels=pixels, cover=ndimage.zoom(thing.cover, (tall, wide), order=1))


def turned(thing: CutOut, degrees: float) -> CutOut:
    pixels = ndimage.rotate(thing.pixels, degrees, axes=(2, 1), order=1, mode="nearest")
    return replace(thing, pixels=pixels, cover=ndimage.rotate(thing.cover, degrees, axes=(1, 0), order=1))


def pasted(image: NDArray[np.uint8], thing: CutOut, foot: tuple[float, float]) -> NDArray[np.uint8]:
    """The image with a cut-out standing on a place, which need not be whole pixels; what is outside is cut off."""
    _, height, width = image.shape
    room = 3  # px around it, for its soft edge and the part of a pixel
    tall, wide = thing.cover.shape
    top, left = foot[0] - tall - room, foot[1] - wide / 2 - room
    part = top - np.floor(top), left - np.floor(left)
    cover = np.pad(thing.cover, room)
    pixels = np.pad(thing.pixels, ((0, 0), (room, room), (room, room)), mode="edge")
    cover = ndimage.gaussian_filter(ndimage.shift(cover, part, order=1), SOFT_PX)
    pixels = ndimage.shift(pixels, (0, *part), order=1, mode="nearest")
    rows, columns = int(np.floor(top)) + np.arange(cover.shape[0]), int(np.floor(left)) + np.arange(cover.shape[1])
    seen_rows, seen_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    inside = np.ix_(np.arange(len(image)), rows[seen_rows], columns[seen_columns])
    made = image.copy()
    cover, pixels = cover[np.ix_(seen_rows, seen_columns)], pixels[:, seen_rows][:, :, seen_columns]
    made[inside] = (image[inside] * (1 - cover) + pixels * cover).round().astype(np.uint8)
    return made


# Places played otherwise


def play_otherwise(frames: Frames, step: int, drawn: np.random.Generator) -> tuple[int, Frames]:
    """Within a box, the same place `step` frames further with each frame: sped up, or backwards for -1.

    The camera stands still, so the box has no seams but where something crosses its border; of many boxes the one is
    taken that cuts the least.
    """
    count = len(frames)
    reach = abs(step) * STRETCH
    first = int(drawn.integers(reach, count - STRETCH) if step < 0 else drawn.integers(0, count - reach)) + 1
    shown = np.arange(first, first + STRETCH)
    played = first - 1 + step * np.arange(1, STRETCH + 1)
    moving = foreground(frames[np.concatenate([shown, played])], background(frames))
    cover = soft_box(frames.shape[2:], *best_box(moving[:STRETCH], moving[STRETCH:], drawn))
    return first, (frames[shown] * (1 - cover) + frames[played] * cover).round().astype(np.uint8)


def best_box(shown: Masks, played: Masks, drawn: np.random.Generator, tries: int = 200) -> tuple[slice, slice]:
    """Of boxes that always hold something that moves, the one whose border cuts the least of it."""
    _, height, width = shown.shape
    either = shown | played
    best, least = (slice(0, height), slice(0, width)), np.inf
    for _ in range(tries):
        tall, wide = drawn.integers(height // 5, height // 2), drawn.integers(width // 5, width // 2)
        top, left = drawn.integers(0, height - tall), drawn.integers(0, width - wide)
        box = slice(int(top), int(top + tall)), slice(int(left), int(left + wide))
        core = (
            slice(box[0].start + SEAM_PX, box[0].stop - SEAM_PX),
            slice(box[1].start + SEAM_PX, box[1].stop - SEAM_PX),
        )
        held = played[:, *core].sum(axis=(1, 2)).min()
        border = either[:, *box].sum() - either[:, *core].sum()
        if held >= height * width / 1000 and border < least:
            best, least = box, border
    return best


def soft_box(size: Sequence[int], rows: slice, columns: slice) -> Floats:
    """1 inside, 0 outside, passing over within the box."""
    cover = np.zeros((size[0] + 2, size[1] + 2))
    cover[rows.start + 1 : rows.stop + 1, columns.start + 1 : columns.stop + 1] = 1
    distance: Floats = ndimage.distance_transform_cdt(cover, "chessboard")[1:-1, 1:-1]
    return (distance / SEAM_PX).clip(0, 1)
