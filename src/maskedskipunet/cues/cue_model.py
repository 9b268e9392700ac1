"""What a model knows of normal footage beside its network, and how it is kept on disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from maskedskipunet.cues.appearance import PATCH, Descriptor, new_memory
from maskedskipunet.cues.appearance_cue import AppearanceCue, Judge
from maskedskipunet.cues.cue import Cue
from maskedskipunet.cues.fusion import Fusion
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import Memory
from maskedskipunet.cues.movement import MEASURES, NormalMovement
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.cues.tails import Tails
from maskedskipunet.detection.reading import (
    APPEARANCE,
    CUES,
    LONGEST_SMOOTHING_S,
    MOVEMENT,
    RECONSTRUCTION,
    Moment,
)
from maskedskipunet.errors import WeightsError
from maskedskipunet.files import atomic_write, require_plain_file

CUES_NAME = "cues.safetensors"
FORMAT_VERSION = 1
_ANSWERED = "answered"
_HEADER_KEY = "maskedskipunet.cues"
_CURE = "Train the model again, or take its earlier file back"


@dataclass(frozen=True)
class CueModel:
    """The cues of a model and how they are fused.

    reconstruction: tails of the network's frame scores; None for a model without a network. movement, appearance:
    None where the model goes without. smoothing_s: the score is the median of the last so many seconds; 0: as it is.
    """

    grid: PlaceGrid
    reconstruction: Tails | None
    movement: MovementCue | None
    appearance: AppearanceCue | None
    smoothing_s: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The cues that it has, in the order of CUES."""
        parts = (self.reconstruction, self.movement, self.appearance)
        return tuple(name for name, part in zip(CUES, parts, strict=True) if part is not None)

    @property
    def cues(self) -> list[Cue]:
        """What runs beside the network."""
        return [cue for cue in (self.movement, self.appearance) if cue is not None]

    @property
    def fusion(self) -> Fusion:
        """What makes one score of them."""
        return Fusion(self.grid, self.reconstruction)

    def fits(self, height_px: int, width_px: int, channels: int) -> bool:
        """Return whether it was learned from frames like these."""
        numbers = channels * PATCH**2
        looks_alike = self.appearance is None or self.appearance.descriptor.mean.shape[1] == numbers
        return (self.grid.height_px, self.grid.width_px) == (height_px, width_px) and looks_alike

    def write(self, folder: Path) -> None:
        """Write `cues.safetensors` into a model's folder, whole or not at all."""
        described = {
            "format": FORMAT_VERSION,
            "cues": list(self.names),
            "height_px": self.grid.height_px,
            "width_px": self.grid.width_px,
            "window_px": self.grid.window_px,
            "smoothing_s": self.smoothing_s,
        }
        with atomic_write(folder / CUES_NAME) as part:
            part.write_bytes(save(self._arrays(), metadata={_HEADER_KEY: json.dumps(described)}))

    def _arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        if self.reconstruction is not None:
            arrays |= self.reconstruction.arrays("reconstruction.frames")
        if self.movement is not None:
            arrays |= self.movement.normal.arrays() | self.movement.frames.arrays("movement.frames")
        if self.appearance is not None:
            cue = self.appearance
            parts = cue.descriptor.arrays() | cue.memory.arrays()
            parts |= {} if cue.answered is None else cue.answered.arrays(_ANSWERED)
            arrays |= {name: tensor.numpy() for name, tensor in parts.items()} | _moment_arrays(cue.moments)
            for name, judge in (("now", cue.now), ("lasting", cue.lasting)):
                if judge is not None:
                    arrays |= judge.places.arrays(f"{name}.places") | judge.frames.arrays(f"{name}.frames")
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def read(cls, folder: Path) -> "CueModel | None":
        """Return what write wrote; None where a model has none. Raises WeightsError for a damaged file."""
        path = folder / CUES_NAME
        if not path.exists():
            return None
        try:
            require_plain_file(path)
            with safe_open(path, framework="np") as file:
                described = json.loads((file.metadata() or {})[_HEADER_KEY])
            if described["format"] != FORMAT_VERSION:
                raise ValueError(f"format {described['format']!r}, this version reads {FORMAT_VERSION}")
            return cls._understand(described, load_file(path))
        except (SafetensorError, OSError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise WeightsError(f"cannot read the model's cues ({reason})", str(path), _CURE) from error

    @classmethod
    def _understand(cls, described: Mapping[str, Any], arrays: Mapping[str, Any]) -> "CueModel":
        size_px = (int(described["height_px"]), int(described["width_px"]))
        grid = PlaceGrid.of_size(*size_px)
        if min(size_px) < grid.window_px or described["window_px"] != grid.window_px:
            raise ValueError("places of another picture")
        names = described["cues"]
        if not isinstance(names, list) or not names or not set(names) <= set(CUES):
            raise ValueError(f"cues that this version does not know: {names!r:.80}")
        movement = appearance = reconstruction = None
        if RECONSTRUCTION in names:
            reconstruction = _tails("reconstruction.frames", arrays)
        if MOVEMENT in names:
            normal = NormalMovement.from_arrays(grid, arrays)
            movement = MovementCue(normal, _tails("movement.frames", arrays, MEASURES))
        if APPEARANCE in names:
            descriptor = Descriptor.from_arrays(grid, arrays)
            memory = Memory.from_arrays(arrays, new_memory(descriptor).capacity)
            answered = Memory.from_arrays(arrays, 0, _ANSWERED) if f"{_ANSWERED}.counts" in arrays else None
            for known in filter(None, (memory, answered)):
                if known.exemplars.shape[::2] != (grid.count, descriptor.size):
                    raise ValueError("the memory of another grid")
            lasting = _judge("lasting", grid, arrays) if "lasting.places.knots" in arrays else None
            now, moments = _judge("now", grid, arrays), _moments(arrays)
            appearance = AppearanceCue(descriptor, memory, now, lasting, moments, answered)
        smoothing_s = float(described["smoothing_s"])
        if not 0 <= smoothing_s <= LONGEST_SMOOTHING_S:
            raise ValueError(f"scores smoothed over {smoothing_s} s")
        return cls(grid, reconstruction, movement, appearance, smoothing_s)


def _judge(name: str, grid: PlaceGrid, arrays: Mapping[str, Any]) -> Judge:
    return Judge(_tails(f"{name}.places", arrays, grid.count), _tails(f"{name}.frames", arrays))


def _tails(name: str, arrays: Mapping[str, Any], count: int = 1) -> Tails:
    tails = Tails.from_arrays(name, arrays)
    if tails.scale.shape != (count,):
        raise ValueError(f"{name} of another grid")
    return tails


def _moment_arrays(moments: Sequence[Moment]) -> dict[str, Any]:
    names = list(dict.fromkeys(moment.video for moment in moments))
    number = {name: position for position, name in enumerate(names)}
    return {
        "moments.names": np.frombuffer(json.dumps(names).encode(), np.uint8),
        "moments.videos": np.array([number[moment.video] for moment in moments], np.int32),
        "moments.times": np.array([moment.time_s for moment in moments], np.float64),
    }


def _moments(arrays: Mapping[str, Any]) -> list[Moment]:
    names = json.loads(arrays["moments.names"].tobytes())
    videos, times = arrays["moments.videos"], arrays["moments.times"]
    if videos.ndim != 1 or videos.shape != times.shape or (videos < 0).any():
        raise ValueError("the memory's moments do not belong together")
    return [Moment(str(names[video]), float(time_s)) for video, time_s in zip(videos, times, strict=True)]
