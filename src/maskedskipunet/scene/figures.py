"""The moving figures of the generated scene, as shapes: people walking and running, a cyclist, a cart.

A figure is a list of shapes in metres, seen from the side: x forward from its middle, y up from the
ground, painted in the order of the list. Where it stands and how large it looks is the picture's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin
from typing import Literal

import numpy as np

Point = tuple[float, float]
Colour = tuple[int, int, int]  # RGB, 0 to 255

Bag = Literal["none", "backpack", "shopping"]

TOPS: tuple[Colour, ...] = (
    (52, 64, 100), (70, 70, 78), (142, 44, 46), (52, 92, 136), (198, 194, 186), (60, 96, 72),
    (196, 150, 62), (104, 66, 104), (210, 128, 118), (88, 70, 54),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((48, 56, 82), (66, 64, 66), (84, 98, 126), (112, 98, 80), (78, 82, 70), (58, 60, 70))
SKINS: tuple[Colour, ...] = ((232, 190, 162), (204, 156, 122), (150, 104, 76), (98, 66, 48))
HAIRS: tuple[Colour, ...] = ((34, 26, 22), (74, 50, 34), (140, 104, 62), (120, 116, 112))
PAINTS: tuple[Colour, ...] = ((226, 224, 216), (176, 56, 50), (58, 92, 128), (70, 104, 78), (52, 54, 58))

TYRE: Colour = (34, 34, 38)
STEEL: Colour = (132, 136, 142)


@dataclass(frozen=True, slots=True)
class Shape:
    """One piece of a figure.

    points: metres. width_m: thickness of a line with round ends through the points, or the diameter
    of a disc where there is one point; 0 fills the polygon of the points.
    """

    points: tuple[Point, ...]
    colour: Colour
    width_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """One person's looks: height_m in metres, build as thickness relative to the average, colours, a bag."""

    height_m: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    skirt: bool
    bag: Bag
    paint: Colour


def random_look(rng: np.random.Generator) -> Look:
    """Return a person as one meets them: drawn independently of what the person will do."""
    return Look(
        height_m=rng.uniform(1.55, 1.9),
        build=rng.uniform(0.85, 1.25),
        skin=_pick(rng, SKINS),
        hair=_pick(rng, HAIRS),
        top=_pick(rng, TOPS),
        trousers=_pick(rng, TROUSERS),
        skirt=bool(rng.random() < 0.2),
        bag=rng.choice(np.array(["none", "none", "backpack", "shopping"])).item(),
        paint=_pick(rng, PAINTS),
    )


def walking(look: Look, distance_m: float, swing: float) -> list[Shape]:
    """Return a person walking.

    distance_m: how far they have come, which moves the legs. swing: 1 in full stride, 0 standing.
    """
    phase = 2 * pi * distance_m / (0.82 * look.height_m)
    legs = [_Limb(0.44 * swing * sin(p), swing * (0.1 + 0.75 * max(0.0, cos(p)))) for p in (phase + pi, phase)]
    arms = [_Limb(-0.42 * swing * sin(p) - 0.05, -0.3) for p in (phase + pi, phase)]
    return _person(look, legs, arms, lean=0.03, lift_m=0.0)


def running(look: Look, distance_m: float) -> list[Shape]:
    """Return a person running: leaning forward, elbows bent, wide strides with both feet off the ground between."""
    phase = 2 * pi * distance_m / (1.35 * look.height_m)
    legs = [_Limb(0.2 + 0.85 * sin(p), 0.3 + 1.35 * max(0.0, cos(p + 0.35))) for p in (phase + pi, phase)]
    arms = [_Limb(-0.2 - 0.85 * sin(p), -1.7) for p in (phase + pi, phase)]
    return _person(look, legs, arms, lean=0.22, lift_m=0.1 * abs(sin(phase)))


def cycling(look: Look, distance_m: float) -> list[Shape]:
    """Return a person on a bicycle, pedalling."""
    rear, front, crank = (-0.54, 0.34), (0.54, 0.34), (-0.08, 0.3)
    saddle, head, grip = (-0.26, 0.9), (0.36, 0.86), (0.4, 1.04)
    hip, shoulder = (-0.25, 1.0), (0.08, 1.46)
    pedals = [_polar(crank, -distance_m / 0.75 + turn, 0.17) for turn in (0.0, pi)]
    knees = [_knee(hip, pedal, 0.45) for pedal in pedals]
    dark = _shade(look.trousers, 0.75)
    shapes = [Shape((hip, knees[0], pedals[0]), dark, 0.13 * look.build)]
    for hub in (rear, front):
        shapes.append(Shape(_circle(hub, 0.32, 18), TYRE, 0.06))
        shapes.extend(
            Shape((_polar(hub, turn, 0.3), _polar(hub, turn + pi, 0.3)), STEEL, 0.015)
            for turn in (-distance_m / 0.34 + k * pi / 3 for k in range(3))
        )
    for tube in ((rear, crank, head, saddle, rear), (crank, saddle), (front, head, grip)):
        shapes.append(Shape(tube, look.paint, 0.05))
    shapes.append(Shape(((-0.36, 0.94), (-0.16, 0.94)), TYRE, 0.06))
    shapes.append(Shape((hip, knees[1], pedals[1]), look.trousers, 0.14 * look.build))
    shapes.append(Shape((hip, shoulder), look.top, 0.26 * look.build))
    shapes.append(Shape((shoulder, (0.22, 1.18), grip), _shade(look.top, 0.85), 0.1))
    return shapes + _head(look, (0.2, 1.68))


def driving(look: Look, distance_m: float) -> list[Shape]:
    """Return a small open vehicle with a roof, such as gardeners drive in parks, and its driver."""
    body = look.paint
    shapes = [
        Shape(((-0.62, 0.9), (-0.62, 1.86)), STEEL, 0.05),
        Shape(((0.62, 0.8), (0.36, 1.86)), STEEL, 0.05),
        Shape(((0.6, 0.82), (0.38, 1.8), (0.3, 1.8), (0.44, 0.82)), (168, 190, 200)),
        Shape(((-0.5, 0.45), (-0.46, 0.95), (0.0, 0.85), (0.1, 0.45)), (52, 46, 44)),
        Shape(((-0.28, 0.86), (0.1, 0.8), (0.26, 0.45)), look.trousers, 0.15),
        Shape(((-0.28, 0.9), (-0.24, 1.3)), look.top, 0.28 * look.build),
        *_head(look, (-0.2, 1.6)),
        Shape(((-0.22, 1.3), (0.05, 1.12), (0.32, 1.14)), _shade(look.top, 0.85), 0.1),
        Shape(((0.26, 1.02), (0.4, 1.24)), TYRE, 0.05),
        Shape(((-1.2, 0.28), (-1.2, 0.86), (-0.5, 0.9), (-0.4, 0.42), (0.5, 0.42),
               (0.62, 0.9), (1.0, 0.8), (1.2, 0.55), (1.2, 0.28)), body),
        Shape(((-1.2, 0.3), (1.2, 0.3)), _shade(body, 0.55), 0.08),
        Shape(((-0.86, 1.88), (0.62, 1.9)), _shade(body, 0.92), 0.1),
        Shape(((1.14, 0.62),), (250, 240, 190), 0.14),
    ]  # fmt: skip
    for hub in ((-0.76, 0.25), (0.78, 0.25)):
        shapes.append(Shape((hub,), TYRE, 0.5))
        shapes.append(Shape((hub,), STEEL, 0.24))
        shapes.append(Shape((hub, _polar(hub, -distance_m / 0.25, 0.2)), TYRE, 0.05))
    return shapes


@dataclass(frozen=True, slots=True)
class _Limb:
    """Angles in radians: of the upper part from straight down, forward positive, and of the bend backward."""

    angle: float
    bend: float


def _person(look: Look, legs: Sequence[_Limb], arms: Sequence[_Limb], lean: float, lift_m: float) -> list[Shape]:
    """Return the shapes of a person. legs, arms: the far one first. lean: radians forward. lift_m: height of the lowest
    foot.
    """
    tall = look.height_m
    stretched = [_joints((0.0, 0.0), leg, 0.245 * tall) for leg in legs]
    hip = (0.0, lift_m + 0.03 * tall - min(ankle[1] for _, _, ankle in stretched))
    shoulder = _polar(hip, pi / 2 - lean, 0.31 * tall)
    far, near = (
        [
            Shape(points, _shade(look.trousers, light), 0.075 * tall * look.build),
            Shape((points[2], (points[2][0] + 0.075 * tall, points[2][1] - 0.01)), (36, 30, 30), 0.055 * tall),
        ]
        for points, light in zip((_joints(hip, leg, 0.245 * tall) for leg in legs), (0.72, 1.0), strict=True)
    )
    far_arm, near_arm = (
        [Shape(points, _shade(look.top, light), 0.055 * tall), Shape((points[2],), look.skin, 0.05 * tall)]
        for points, light in zip((_joints(shoulder, arm, 0.165 * tall) for arm in arms), (0.7, 0.86), strict=True)
    )
    waist = _polar(hip, pi / 2 - lean, 0.05 * tall)
    chest = _polar(hip, pi / 2 - lean, 0.27 * tall)
    trunk = [Shape((waist, chest), look.top, 0.15 * tall * look.build)]
    if look.skirt:
        wide, hem = 0.085 * tall * look.build, 0.24 * tall
        corners = ((hip[0] - wide, hip[1]), (hip[0] + wide, hip[1]))
        flare = ((hip[0] + 1.6 * wide, hip[1] - hem), (hip[0] - 1.6 * wide, hip[1] - hem))
        trunk.insert(0, Shape(corners + flare, look.trousers))
    if look.bag == "backpack":
        back = (shoulder[0] - 0.12 * tall, shoulder[1] - 0.04 * tall), (hip[0] - 0.12 * tall, hip[1] + 0.12 * tall)
        trunk.insert(0, Shape(back, look.paint, 0.1 * tall))
    if look.bag == "shopping":
        x, y = near_arm[1].points[0]
        near_arm.append(Shape(((x - 0.1, y), (x + 0.1, y), (x + 0.13, y - 0.32), (x - 0.13, y - 0.32)), look.paint))
    head = _head(look, _polar(shoulder, pi / 2 - lean, 0.115 * tall))
    return [*far_arm, *far, *near, *trunk, *head, *near_arm]


def _head(look: Look, middle: Point) -> list[Shape]:
    x, y = middle
    size = 0.135 * look.height_m
    return [
        Shape(((x, y), (x - 0.02, y - 0.15)), look.skin, 0.5 * size),
        Shape(((x - 0.02, y + 0.02),), look.hair, 1.1 * size),
        Shape(((x + 0.03, y - 0.02),), look.skin, 0.85 * size),
    ]


def _joints(start: Point, limb: _Limb, length_m: float) -> tuple[Point, Point, Point]:
    middle = _polar(start, limb.angle - pi / 2, length_m)
    return start, middle, _polar(middle, limb.angle - limb.bend - pi / 2, length_m)


def _knee(hip: Point, foot: Point, length_m: float) -> Point:
    """Return the position of the knee of a leg of two equal parts, which bends forward between its ends."""
    dx, dy = foot[0] - hip[0], foot[1] - hip[1]
    half = min(hypot(dx, dy) / 2, length_m)
    bend = (length_m**2 - half**2) ** 0.5
    along = atan2(dy, dx)
    return _polar(_polar(hip, along, half), along + pi / 2, bend)


def _polar(start: Point, angle: float, length_m: float) -> Point:
    return start[0] + length_m * cos(angle), start[1] + length_m * sin(angle)


def _circle(middle: Point, radius_m: float, corners: int) -> tuple[Point, ...]:
    return tuple(_polar(middle, 2 * pi * k / corners, radius_m) for k in range(corners + 1))


def _shade(colour: Colour, light: float) -> Colour:
    red, green, blue = (min(255, round(light * value)) for value in colour)
    return red, green, blue


def _pick(rng: np.random.Generator, colours: Sequence[Colour]) -> Colour:
    red, green, blue = (
        int(np.clip(value + rng.normal(0, 6), 0, 255)) for value in colours[int(rng.integers(len(colours)))]
    )
    return red, green, blue
