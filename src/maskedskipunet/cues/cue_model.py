"""The cues of a model: the knowledge of normal footage beside its network, and its file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from maskedskipunet.cues.appearance_cue import AppearanceCue
from maskedskipunet.cues.fusion import Fusion
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learned_cue import LearnedCue, learned_cues
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.cues.tails import Tails
from maskedskipunet.detection.reading import CUES, LONGEST_SMOOTHING_S, RECONSTRUCTION
from maskedskipunet.errors import WeightsError
from maskedskipunet.files import atomic_write, require_plain_file

CUES_NAME = "cues.safetensors"
FORMAT_VERSION = 1
_TAILS = "reconstruction.frames"
_HEADER_KEY = "maskedskipunet.cues"
_CURE = "Train the model again, or take its earlier file back"


@dataclass(frozen=True)
class CueModel:
    """The cues of a model and their fusion.

    reconstruction: tails of the network's frame scores; None for a model without a network. learned: the cues beside
    the network by name, in the order of CUES. smoothing_s: the score is the median of the last so many seconds; 0: no
    smoothing.
    """

    grid: PlaceGrid
    reconstruction: Tails | None
    learned: Mapping[str, LearnedCue] = field(default_factory=dict)
    smoothing_s: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its cues, in the order of CUES."""
        return (*([] if self.reconstruction is None else [RECONSTRUCTION]), *self.learned)

    @property
    def cues(self) -> list[LearnedCue]:
        """The cues that run beside the network."""
        return list(self.learned.values())

    @property
    def movement(self) -> MovementCue | None:
        """The movement cue, if there is one."""
        return next((cue for cue in self.cues if isinstance(cue, MovementCue)), None)

    @property
    def appearance(self) -> AppearanceCue | None:
        """The appearance cue, if there is one."""
        return next((cue for cue in self.cues if isinstance(cue, AppearanceCue)), None)

    def with_cues(self, cues: Iterable[LearnedCue]) -> "CueModel":
        """Return a model in which these cues replace those of the same names."""
        return replace(self, learned={**self.learned, **{cue.name: cue for cue in cues}})

    def without(self, name: str) -> "CueModel":
        """Return a model without the cue of this name."""
        tails = None if name == RECONSTRUCTION else self.reconstruction
        learned = {other: cue for other, cue in self.learned.items() if other != name}
        return replace(self, reconstruction=tails, learned=learned)

    @property
    def fusion(self) -> Fusion:
        """The fusion of their scores into one."""
        return Fusion(self.grid, self.reconstruction)

    def fits(self, height_px: int, width_px: int, channels: int) -> bool:
        """Return whether it can judge frames of this size with so many channels."""
        is_size = (self.grid.height_px, self.grid.width_px) == (height_px, width_px)
        return is_size and all(cue.fits_channels(channels) for cue in self.cues)

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
        arrays: dict[str, Any] = {} if self.reconstruction is None else dict(self.reconstruction.arrays(_TAILS))
        for cue in self.cues:
            own = cue.arrays()
            assert not own.keys() & arrays.keys(), f"{cue.name} stores arrays under names of another cue"
            arrays |= own
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def read(cls, folder: Path) -> "CueModel | None":
        """Return the cues in a model's folder; None if it has none. Raises WeightsError for a damaged file."""
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
        tails = Tails.from_arrays(_TAILS, arrays, 1) if RECONSTRUCTION in names else None
        wanted = {name: cue for name, cue in learned_cues().items() if name in names}
        learned = {name: cue.from_arrays(grid, arrays) for name, cue in wanted.items()}
        smoothing_s = float(described["smoothing_s"])
        if not 0 <= smoothing_s <= LONGEST_SMOOTHING_S:
            raise ValueError(f"scores smoothed over {smoothing_s} s")
        return cls(grid, tails, learned, smoothing_s)
