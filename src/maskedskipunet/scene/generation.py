"""The generated scene: a fixed camera over a walkway, to try training and testing without a download.

Normal life is people walking both ways along the path. In the test part each video also shows one
thing that training never did: a cart, a cyclist, a runner, or someone who walks across the grass.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import ConfigError
from maskedskipunet.progress import Advance
from maskedskipunet.scene.drawing import (
    LAWN,
    PATH_BOTTOM,
    PATH_TOP,
    Sprite,
    View,
    background,
    furnish,
    paint,
    seen_by_sensor,
    units_per_metre,
)
from maskedskipunet.scene.figures import Look, Shape, cycling, driving, random_look, running, walking

KINDS = ("cart", "cyclist", "runner", "off_path")
"""What is anomalous in the scene; a normal frame's kind is the empty string."""

Split = Literal["normal", "test"]

LENGTHS_M: Mapping[str, float] = MappingProxyType(
    {"cart": 2.4, "cyclist": 1.75, "runner": 1.1, "off_path": 0.8, "": 0.8}
)
SPEEDS_M_S: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"cart": (2.3, 2.8), "cyclist": (3.2, 3.8), "runner": (3.3, 3.9), "off_path": (1.2, 1.6), "": (0.8, 1.3)}
)
IN_TWOS = frozenset({"cyclist", "runner"})
ANOMALOUS_SHARE = 0.4  # of what is anomalous inside the picture, from which on the frame counts


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Settings of the generated scene: its amount and its seed.

    seed: another seed is another place, other people and other times. height_px, width_px: multiples
    of 16. frame_rate: frames a second. train_frames, test_frames: frames of each video of that part.
    calibration_videos: further normal videos, as long as those of the test; none by default.
    Raises ConfigError for a setting that cannot be.
    """

    seed: int = 0
    height_px: int = 96
    width_px: int = 160
    frame_rate: float = 10.0
    train_videos: int = 8
    train_frames: int = 75
    test_videos: int = 8
    test_frames: int = 120
    calibration_videos: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"the seed {self.seed} is negative", "scene.seed", "Use 0 or more")
        for name in ("height_px", "width_px"):
            value = getattr(self, name)
            if value < 16 or value % 16:
                raise ConfigError(f"{value} is not a multiple of 16", f"scene.{name}", "Use 96 by 160, for example")
        for name in ("frame_rate", "train_videos", "train_frames", "test_videos", "test_frames"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{getattr(self, name)} is too few", f"scene.{name}", "Use more than 0")
        if self.calibration_videos < 0:
            raise ConfigError(f"{self.calibration_videos} is too few", "scene.calibration_videos", "Use 0 or more")


@dataclass(frozen=True, kw_only=True)
class SceneTruth:
    """The ground truth of the written videos.

    normal: the training videos. calibration: normal ones besides. test: the test videos. kinds: for each
    test video's name without its suffix, the kind of each frame, one of KINDS or an empty string.
    """

    normal: tuple[Path, ...]
    test: tuple[Path, ...]
    kinds: Mapping[str, tuple[str, ...]]
    calibration: tuple[Path, ...] = ()

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """The labels of each test video by name, one for each frame: 0 normal, 1 anomalous."""
        return {name: tuple(int(bool(kind)) for kind in kinds) for name, kinds in self.kinds.items()}


def write_scene(folder: Path, config: SceneConfig, advance: Advance = lambda done: None) -> SceneTruth:
    """Write the scene's videos and their ground truth.

    advance: called with 1 after each video.

    Makes `normal/NN.mp4`, where asked for `calibration/NN.mp4`, `test/NN.mp4`, `test/NN_labels.csv` (a 0 or 1 a line)
    and `test/kinds.json` (the kind of each frame by video) under the folder, which is made where it is missing.
    Raises DiskSpaceError when the disk is full.
    """
    for split in ("normal", "test"):
        (folder / split).mkdir(parents=True, exist_ok=True)
    normal = tuple(folder / "normal" / f"{number:02d}.mp4" for number in range(1, config.train_videos + 1))
    test = tuple(folder / "test" / f"{number:02d}.mp4" for number in range(1, config.test_videos + 1))
    calibration = tuple(
        folder / "calibration" / f"{number:02d}.mp4" for number in range(1, config.calibration_videos + 1)
    )
    kinds = {}
    for number, path in enumerate(normal, start=1):
        _write_video(path, config, "normal", number)
        advance(1)
    for number, path in enumerate(calibration, start=config.train_videos + 1):
        path.parent.mkdir(exist_ok=True)
        _write_video(path, replace(config, train_frames=config.test_frames), "normal", number)
        advance(1)
    for number, path in enumerate(test, start=1):
        kinds[path.stem] = _write_video(path, config, "test", number)
        advance(1)
    truth = SceneTruth(normal=normal, test=test, kinds=kinds, calibration=calibration)
    for name, labels in truth.labels.items():
        (folder / "test" / f"{name}_labels.csv").write_text("".join(f"{label}\n" for label in labels))
    (folder / "test" / "kinds.json").write_text(json.dumps(kinds) + "\n")
    return truth


def render_video(config: SceneConfig, split: Split, number: int) -> Iterator[tuple[Image, str]]:
    """Yield the frames of one video and the kind of each, without a file.

    number: from 1. Yields images uint8 (H, W, 3), and one of KINDS or an empty string.
    The same config gives the same bytes; no two videos share a stream of random numbers.
    """
    scene_seed, *splits = np.random.SeedSequence(config.seed).spawn(3)
    video = splits[split == "test"].spawn(number)[number - 1]
    traffic_rng, light_rng, sensor_rng = (np.random.default_rng(stream) for stream in video.spawn(3))
    place_rng = np.random.default_rng(scene_seed)
    view = View(config.height_px, config.width_px)
    furniture = furnish(place_rng, view)
    still = background(place_rng, view, furniture)
    frames = config.train_frames if split == "normal" else config.test_frames
    duration_s = frames / config.frame_rate
    agents = _pedestrians(traffic_rng, view, duration_s)
    if split == "test":
        agents.extend(_anomaly(traffic_rng, view, duration_s, number))
    start_s, period_s = light_rng.uniform(0, 100), light_rng.uniform(15, 30)
    for index in range(frames):
        time_s = index / config.frame_rate
        seen = [(agent, agent.sprite(time_s)) for agent in agents if agent.is_here(time_s, view)]
        image = paint(still, view, furniture, [sprite for _, sprite in seen], start_s + time_s)
        gain = 1 + 0.03 * np.sin(2 * np.pi * (start_s + time_s) / period_s)
        kinds = [agent.kind for agent, sprite in seen if agent.is_anomalous(sprite, view)]
        yield seen_by_sensor(sensor_rng, image, gain, noise=2.0), max(kinds, default="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """Someone who comes through the picture.

    kind: one of KINDS, or empty for a pedestrian. direction: 1 to the right, -1 to the left. lane: where
    the feet are, units down. speed: units a second. enters_s: when the middle is at `start`, units.
    A pause: for pause_s seconds after `pause_after` units of way. Grass: who walks across the grass
    leaves the path between the first and the second of two ways, in units.
    """

    kind: str
    look: Look
    direction: int
    lane: float
    speed: float
    size: float
    enters_s: float
    start: float
    pause_after: float = 0.0
    pause_s: float = 0.0
    leaves_path: tuple[float, float] | None = None

    def way(self, time_s: float) -> float:
        """Return the distance since the start, in units."""
        gone = self.speed * (time_s - self.enters_s)
        return gone - min(max(gone - self.pause_after, 0.0), self.speed * self.pause_s)

    def is_here(self, time_s: float, view: View) -> bool:
        """Return whether something of the figure or its shadow may be in the picture."""
        return -40 < self.start + self.direction * self.way(time_s) < view.width + 30

    def sprite(self, time_s: float) -> Sprite:
        """Return the figure at a time."""
        way = self.way(time_s)
        foot_y = self.lane
        if self.leaves_path is not None:
            first, second = self.leaves_path
            share = min(max((way - first) / (second - first), 0.0), 1.0)
            foot_y += (LAWN - self.lane) * share * share * (3 - 2 * share)
        moved = self.way(time_s + 0.2) - self.way(time_s - 0.2)
        shapes = self._shapes(way / self.size, swing=min(1.0, moved / (0.4 * self.speed)))
        return Sprite(shapes, self.start + self.direction * way, foot_y, self.direction)

    def is_anomalous(self, sprite: Sprite, view: View) -> bool:
        """Return whether enough of something anomalous is in the picture to call the frame so."""
        if not self.kind:
            return False
        half = LENGTHS_M[self.kind] * units_per_metre(sprite.foot_y) / 2
        visible = (min(sprite.x + half, view.width) - max(sprite.x - half, 0.0)) / (2 * half)
        off_path = sprite.foot_y > PATH_BOTTOM + 2
        return visible >= ANOMALOUS_SHARE and (self.kind != "off_path" or off_path)

    def _shapes(self, distance_m: float, swing: float) -> list[Shape]:
        if self.kind == "cart":
            return driving(self.look, distance_m)
        if self.kind == "cyclist":
            return cycling(self.look, distance_m)
        if self.kind == "runner":
            return running(self.look, distance_m)
        return walking(self.look, distance_m, swing)


def _pedestrians(rng: np.random.Generator, view: View, duration_s: float) -> list[Agent]:
    """Return enough people for some to be in the picture at any time; the first are already walking at the start."""
    agents = []
    enters_s = -18.0
    while enters_s < duration_s:
        direction = int(rng.choice((-1, 1)))
        middle = (PATH_TOP + PATH_BOTTOM) / 2
        lane = rng.uniform(middle + 2, PATH_BOTTOM - 3) if direction == 1 else rng.uniform(PATH_TOP + 3, middle - 2)
        agents.append(_passer(rng, view, "", direction, lane, enters_s))
        enters_s += rng.uniform(1.5, 4.5)
    return agents


def _anomaly(rng: np.random.Generator, view: View, duration_s: float, number: int) -> list[Agent]:
    """Return the test video's one anomaly: the kinds in turn, first all to the right, then all to the left.

    Who rides or runs does so with a friend.
    """
    turn, which = divmod(number - 1, len(KINDS))
    kind, direction = KINDS[which], 1 if turn % 2 == 0 else -1
    first = _anomalous(rng, view, kind, direction, 0.0)
    follows_s = rng.uniform(0.9, 1.4)
    pass_s = (view.width + 2 * LENGTHS_M[kind] * first.size) / first.speed + follows_s
    earliest, latest = 0.15 * duration_s, 0.92 * duration_s - pass_s
    enters_s = rng.uniform(earliest, latest) if latest > earliest else earliest
    first = replace(first, enters_s=enters_s)
    if kind not in IN_TWOS:
        return [first]
    second = _anomalous(rng, view, kind, direction, enters_s + follows_s)
    return [first, replace(second, speed=first.speed)]


def _anomalous(rng: np.random.Generator, view: View, kind: str, direction: int, enters_s: float) -> Agent:
    lane = rng.uniform(PATH_BOTTOM - 6, PATH_BOTTOM - 3) if kind == "off_path" else rng.uniform(52, 59)
    return _passer(rng, view, kind, direction, lane, enters_s)


def _passer(rng: np.random.Generator, view: View, kind: str, direction: int, lane: float, enters_s: float) -> Agent:
    size = units_per_metre(LAWN if kind == "off_path" else lane)
    pauses = not kind and rng.random() < 0.2
    return Agent(
        kind=kind,
        look=random_look(rng),
        direction=direction,
        lane=lane,
        size=size,
        speed=rng.uniform(*SPEEDS_M_S[kind]) * size,
        enters_s=enters_s,
        start=-LENGTHS_M[kind] * size / 2 if direction == 1 else view.width + LENGTHS_M[kind] * size / 2,
        pause_after=rng.uniform(0.15, 0.85) * view.width,
        pause_s=rng.uniform(1.0, 2.5) if pauses else 0.0,
        leaves_path=(0.06 * view.width, 0.32 * view.width) if kind == "off_path" else None,
    )


def _write_video(path: Path, config: SceneConfig, split: Split, number: int) -> tuple[str, ...]:
    kinds = []
    with VideoWriter(
        path, height_px=config.height_px, width_px=config.width_px, frame_rate=config.frame_rate
    ) as writer:
        for image, kind in render_video(config, split, number):
            writer.write(image)
            kinds.append(kind)
    return tuple(kinds)
