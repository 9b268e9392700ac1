"""Paints the generated scene: the camera's view, the still background, and moving figures.

Places are in units of a picture 96 units high, whatever its size in pixels: x to the right, y down.
Everything is painted several times too large and averaged down, which makes smooth edges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw

from maskedskipunet.data.frames import Image
from maskedskipunet.scene.figures import Colour, Shape

HEIGHT = 96.0  # units
PATH_TOP, PATH_BOTTOM = 36.0, 63.0  # the path's edges
HORIZON = 6.0  # above which nothing could stand
LAWN = 88.0  # where one walks who walks across the grass in front

OVERSIZE = 4  # painted pixels along each side of a pixel
SUN = (0.5, -0.2)  # where a shadow's tip falls, in heights of what throws it: right, and away from the camera
SHADOW: Colour = (34, 38, 48)

LEAVES: tuple[Colour, ...] = ((98, 118, 72), (110, 132, 78), (122, 144, 84), (88, 108, 68))


def units_per_metre(foot_y: float) -> float:
    """Return how large things look that stand at foot_y: the nearer the camera, the larger."""
    return 0.29 * (foot_y - HORIZON)


@dataclass(frozen=True, slots=True)
class View:
    """The picture's size in pixels, and what follows from it."""

    height_px: int
    width_px: int

    @property
    def width(self) -> float:
        """Units."""
        return self.width_px * HEIGHT / self.height_px

    @property
    def scale(self) -> float:
        """Painted pixels in a unit."""
        return OVERSIZE * self.height_px / HEIGHT

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Painted pixels: width, height."""
        return OVERSIZE * self.width_px, OVERSIZE * self.height_px


class Sprite(NamedTuple):
    """A figure at its place: x and foot_y in units; facing 1 to the right, -1 to the left."""

    shapes: Sequence[Shape]
    x: float
    foot_y: float
    facing: int


@dataclass(frozen=True, slots=True)
class Furniture:
    """The positions of things that belong to the place, in units; leaves: x, y, size, turn in the wind, tone."""

    tree_x: float
    bench_x: float
    lamp_x: float
    board_x: float
    leaves: tuple[tuple[float, float, float, float, int], ...]
    board_colours: tuple[Colour, ...]


def furnish(rng: np.random.Generator, view: View) -> Furniture:
    """Choose where tree, bench, lamp and board stand: one each in the quarters of the picture."""
    positions = view.width * (np.array([0.13, 0.38, 0.62, 0.87]) + rng.uniform(-0.03, 0.03, 4))
    tree, bench, lamp, board = (float(x) for x in rng.permutation(positions))
    leaves = []
    for _ in range(34):
        angle, far = rng.uniform(0, 2 * pi), rng.uniform(0, 1) ** 0.5
        x, y = 15 * far * np.cos(angle), 9 * far * np.sin(angle)
        leaves.append(
            (float(x), float(y), rng.uniform(2.5, 5.0), rng.uniform(0, 2 * pi), int(rng.integers(len(LEAVES))))
        )
    leaves.sort(key=lambda leaf: -leaf[1])
    colours = ((204, 208, 210), (104, 116, 132))
    return Furniture(tree, bench, lamp, board, tuple(leaves), colours)


def background(rng: np.random.Generator, view: View, furniture: Furniture) -> Pictures.Image:
    """Return the still part of the scene, of the canvas's size: wall, lawns, path, trunk, bench, lamp, board."""
    high = view.canvas_size[1]
    rows = (np.arange(high) / view.scale)[:, None, None]
    grass = np.array([140, 156, 104]) + _texture(rng, view, ((30, 12, 8), (5, 2, 5), (0.9, 1.8, 9)))[..., None] * [
        1.0, 1.0, 0.6
    ]  # fmt: skip
    paving = np.array([128, 126, 122]) + _texture(rng, view, ((50, 20, 4), (3, 1.5, 2), (0.7, 0.6, 5)))[..., None]
    picture = np.where((rows > PATH_TOP) & (rows < PATH_BOTTOM), paving, grass)
    canvas = Pictures.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = _Brush(canvas, view)
    _paint_paving(draw, rng, view)
    _paint_wall(draw, rng, view)
    _paint_furniture(draw, furniture)
    return canvas


def paint(
    background: Pictures.Image, view: View, furniture: Furniture, sprites: Sequence[Sprite], time_s: float
) -> Image:
    """Return one moment of the scene: uint8 (H, W, 3). Sprites nearer the camera cover those behind them."""
    canvas = background.copy()
    draw = _Brush(canvas, view)
    _paint_board(draw, furniture, time_s)
    _paint_crown(draw, furniture, time_s)
    shade = Pictures.new("L", canvas.size)
    shade_draw = _Brush(shade, view)
    for sprite in sprites:
        _paint_sprite(shade_draw, sprite, _on_the_ground, 96)
    canvas.paste(SHADOW, mask=shade)
    for sprite in sorted(sprites, key=lambda sprite: sprite.foot_y):
        _paint_sprite(draw, sprite, _upright)
    return np.asarray(canvas.reduce(OVERSIZE))


def seen_by_sensor(rng: np.random.Generator, image: Image, gain: float, noise: float) -> Image:
    """Return the picture as a camera delivers it: gain is its exposure, noise the deviation in levels of 255."""
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image * np.float32(gain) + np.float32(noise) * grain + 0.5, 0, 255).astype(np.uint8)


class _Brush:
    """Paints what is given in units onto a canvas in painted pixels."""

    def __init__(self, canvas: Pictures.Image, view: View) -> None:
        self._draw = ImageDraw.Draw(canvas)
        self._scale = view.scale

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour | int) -> None:
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour | int) -> None:
        self._draw.rectangle([edge * self._scale for edge in (left, top, right, bottom)], fill=colour)

    def disc(self, x: float, y: float, diameter: float, colour: Colour | int, flat: float = 1.0) -> None:
        x, y, radius = x * self._scale, y * self._scale, diameter * self._scale / 2
        self._draw.ellipse([x - radius, y - radius * flat, x + radius, y + radius * flat], fill=colour)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour | int, width: float) -> None:
        thickness = max(1, round(width * self._scale))
        self._draw.line([(x * self._scale, y * self._scale) for x, y in points], fill=colour, width=thickness)
        if thickness > 2:
            for x, y in points:
                self.disc(x, y, thickness / self._scale, colour)


Projection = Callable[[Sprite, float, tuple[float, float]], tuple[float, float]]


def _upright(sprite: Sprite, size: float, point: tuple[float, float]) -> tuple[float, float]:
    return sprite.x + sprite.facing * size * point[0], sprite.foot_y - size * point[1]


def _on_the_ground(sprite: Sprite, size: float, point: tuple[float, float]) -> tuple[float, float]:
    right, down = SUN
    return (
        sprite.x + size * (sprite.facing * point[0] + right * point[1]),
        sprite.foot_y + size * (down * point[1] + 0.03),
    )


def _paint_sprite(draw: _Brush, sprite: Sprite, project: Projection, tone: int | None = None) -> None:
    size = units_per_metre(sprite.foot_y)
    for shape in sprite.shapes:
        points = [project(sprite, size, point) for point in shape.points]
        colour = shape.colour if tone is None else tone
        if not shape.width_m:
            draw.polygon(points, colour)
        elif len(points) == 1:
            draw.disc(*points[0], shape.width_m * size, colour)
        else:
            draw.line(points, colour, shape.width_m * size)


def _texture(rng: np.random.Generator, view: View, layers: Sequence[tuple[float, float, float]]) -> NDArray[np.float32]:
    """Smooth random relief of the canvas's size; layers: how wide and high a grain is in units, and its strength."""
    wide, high = view.canvas_size
    total = np.zeros((high, wide), np.float32)
    for grain_x, grain_y, strength in layers:
        cells = (max(2, round(HEIGHT / grain_y)), max(2, round(view.width / grain_x)))
        coarse = Pictures.fromarray(rng.standard_normal(cells, dtype=np.float32) * strength)
        total += np.asarray(coarse.resize((wide, high), Pictures.Resampling.BICUBIC))
    return total


def _paint_paving(draw: _Brush, rng: np.random.Generator, view: View) -> None:
    joint: Colour = (110, 108, 104)
    middle = view.width / 2
    rows = (PATH_TOP, 40.5, 46.5, 54.0, PATH_BOTTOM)
    for y in rows[1:-1]:
        draw.line(((0, y), (view.width, y)), joint, 0.35)
    for upper, lower in pairwise(rows):
        start = rng.uniform(0, 14)
        for k in range(-12, 13):
            x = start + 14 * k
            ends = [(middle + x * units_per_metre(y) / units_per_metre(PATH_TOP), y) for y in (upper, lower)]
            draw.line(ends, joint, 0.35)
    for y, height in ((PATH_TOP, 1.2), (PATH_BOTTOM, 1.8)):
        draw.box(0, y - height, view.width, y, (198, 194, 186))
        draw.box(0, y, view.width, y + 0.5, (112, 110, 98))


def _paint_wall(draw: _Brush, rng: np.random.Generator, view: View) -> None:
    draw.box(0, 0, view.width, 13, (140, 118, 106))
    for row in range(6):
        y = 2.2 * row
        draw.line(((0, y), (view.width, y)), (156, 138, 126), 0.3)
        for column in range(int(view.width / 5) + 2):
            x = 5 * column - 2.5 * (row % 2)
            tone = rng.integers(-9, 10)
            draw.box(x, y, x + 4.7, y + 1.9, (140 + int(tone), 117 + int(tone), 105 + int(tone)))
    draw.box(0, 12.4, view.width, 14, (176, 170, 160))
    draw.box(0, 14, view.width, 15.2, (70, 92, 54))


def _paint_furniture(draw: _Brush, furniture: Furniture) -> None:
    x = furniture.tree_x
    draw.polygon(((x - 1, 32.5), (x + 20, 30), (x + 24, 32), (x + 4, 34)), (104, 126, 74))
    draw.polygon(((x - 1.6, 33), (x - 1.1, 12), (x + 1.1, 12), (x + 1.9, 33)), (92, 72, 54))
    draw.polygon(((x + 0.4, 33), (x + 0.4, 12), (x + 1.1, 12), (x + 1.9, 33)), (74, 58, 46))
    x = furniture.bench_x
    for leg in (x - 7, x + 6):
        draw.box(leg, 28, leg + 1, 33.5, (52, 52, 56))
    for y, tone in ((24, 118), (25.8, 112), (28.5, 128)):
        draw.box(x - 9, y, x + 9, y + 1.2, (tone, tone - 36, tone - 66))
    x = furniture.lamp_x
    draw.box(x - 0.5, 4, x + 0.5, 33.5, (62, 66, 70))
    draw.box(x - 1.2, 31, x + 1.2, 34, (52, 56, 60))
    draw.line(((x, 4), (x + 5, 3)), (62, 66, 70), 0.8)
    draw.polygon(((x + 3.5, 2.6), (x + 8.5, 2.4), (x + 8, 4.4), (x + 4, 4.4)), (222, 220, 206))
    x = furniture.board_x
    draw.box(x - 1.5, 27, x + 1.5, 33.5, (58, 60, 64))
    draw.box(x - 11, 4, x + 11, 28.5, (58, 60, 64))


def _paint_board(draw: _Brush, furniture: Furniture, time_s: float) -> None:
    """Paint an advertising screen: bands of two colours run over it, and the pair changes."""
    x, top, bottom = furniture.board_x, 5.0, 27.5
    bands = 16
    for band in range(bands):
        share = 0.5 + 0.5 * sin(2 * pi * (2.3 * time_s - 0.2 * band / bands))
        first, second = (np.array(furniture.board_colours[k]) for k in (0, 1))
        red, green, blue = (int(value) for value in first + share * (second - first))
        y = top + (bottom - top) * band / bands
        draw.box(x - 10, y, x + 10, y + (bottom - top) / bands, (red, green, blue))


def _paint_crown(draw: _Brush, furniture: Furniture, time_s: float) -> None:
    for x, y, size, turn, tone in furniture.leaves:
        sway = 0.9 * sin(2 * pi * 0.45 * time_s) + 0.5 * sin(2 * pi * 0.9 * time_s + turn)
        draw.disc(furniture.tree_x + x + sway, 9 + y + 0.3 * sway, 1.6 * size, LEAVES[tone], flat=0.8)
