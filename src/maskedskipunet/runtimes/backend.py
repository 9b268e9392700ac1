"""Exported files as the backend of a scorer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from maskedskipunet.errors import ShapeError, WeightsError
from maskedskipunet.model.storage import WEIGHTS_NAME
from maskedskipunet.runtimes.description import Description, Part
from maskedskipunet.runtimes.graph_file import FRAMES, RECONSTRUCTION, TARGET, GraphFile
from maskedskipunet.runtimes.onnx_file import OnnxFile, read_onnx_description
from maskedskipunet.runtimes.openvino_file import OpenVinoFile, read_openvino_description

T = TypeVar("T")

BATCH_SIZE, WIDE = 8, 256  # latent_dim; wide networks fill the machine with few frames
SUFFIXES: dict[str, str] = {".onnx": "onnx", ".xml": "openvino"}
OPENERS: dict[str, Callable[[Path, int], GraphFile]] = {".onnx": OnnxFile, ".xml": OpenVinoFile}
READERS: dict[str, Callable[[Path], Description]] = {
    ".onnx": read_onnx_description,
    ".xml": read_openvino_description,
}
MODEL = "model"  # the name of the file for whole clips, without its suffix; the parts are named as they are called
_COPY = "Copy the whole folder that export wrote"


def open_file(path: Path, part: Part) -> GraphFile:
    """Open an exported file, by its suffix. part: what it must compute. Raises WeightsError, or ConfigError if its
    runtime is not installed.
    """
    if not path.exists():
        raise WeightsError("the file is missing", str(path), _COPY)
    file = OPENERS[path.suffix.lower()](path, torch.get_num_threads())
    return _require_part(file, file.description, path, part)


def read_exported(path: Path) -> Description:
    """Return the description of an exported file for whole clips. Raises as open_file does."""
    if not path.exists():
        raise WeightsError("no such model", str(path), "Name a file that `maskedskipunet export` wrote")
    description = READERS[path.suffix.lower()](path)
    return _require_part(description, description, path, "clip")


def _require_part(value: T, description: Description, path: Path, part: Part) -> T:
    if description.part != part:
        name = f"{MODEL if part == 'clip' else part}{path.suffix}"
        cure = f"Name {path.with_name(name)}" if part == "clip" else _COPY
        raise WeightsError(f"the file holds the part {description.part!r}, not {part!r}", str(path), cure)
    return value


def exported_file(path: Path) -> Path | None:
    """Return the exported file that a path means: itself, or that of an exported folder; None for other models."""
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return path
    if (path / WEIGHTS_NAME).exists():
        return None
    return next((path / f"{MODEL}{end}" for end in SUFFIXES if (path / f"{MODEL}{end}").is_file()), None)


def open_backend(path: Path) -> "FileBackend":
    """Open an exported model by its file for whole clips; its two parts lie beside it.

    Raises WeightsError for a file that is missing, damaged, or of another model.
    """
    model_id = read_exported(path).model_id

    def beside(part: Part) -> GraphFile:
        place = path.with_name(f"{part}{path.suffix}")
        file = open_file(place, part)
        if file.description.model_id != model_id:
            raise WeightsError(f"the file is a part of another model than {path.name}", str(place), _COPY)
        return file

    backend = FileBackend(beside("encode"), beside("reconstruct"), SUFFIXES[path.suffix.lower()])
    _require_fitting(backend, path)
    return backend


def _require_fitting(backend: "FileBackend", path: Path) -> None:
    """Require that the parts take and give what their description says, on a blank clip. Raises WeightsError."""
    shape = (backend.channels, *backend.size_px)
    try:
        levels = backend.encode(torch.zeros(backend.clip_length, *shape))
        found = backend.reconstruct_runs([levels], *backend.size_px)
        fits = found.shape == (1, *shape)
    except Exception as error:  # the faults of the runtimes have no common base
        raise WeightsError("the files do not compute what their description says", str(path), _COPY) from error
    if not fits:
        raise WeightsError("the files do not compute what their description says", str(path), _COPY)


class FileBackend:
    """A network in exported files, in two halves; see `scoring.backend.Backend`. runtime: the name of what runs it."""

    device = torch.device("cpu")
    precision = "float32"

    def __init__(self, encoder: GraphFile, decoder: GraphFile, runtime: str) -> None:
        self.description: Description = encoder.description
        self.runtime = runtime
        self._encoder, self._decoder = encoder, decoder
        self._levels = [name for name in decoder.inputs if name != TARGET]
        self.channels = self.description.network.channels
        self.clip_length = self.description.network.frames
        size = self.description.input_format
        self.size_px = size.height_px, size.width_px

    @property
    def batch_size(self) -> int:
        return BATCH_SIZE if self.description.network.latent_dim < WIDE else BATCH_SIZE // 2

    def describe(self) -> dict[str, Any]:
        """Return plain values that say which network it is, as `metrics.json` holds them."""
        network = self.description.network
        return {
            "variant": network.variant,
            "latent_dim": network.latent_dim,
            "clip_length": network.frames,
            "channels": network.channels,
            "masked_weights": network.masked_weights,
            "parameters": self.description.parameters,
            "precision": self.precision,
            "runtime": self.runtime,
        }

    def encode(self, frames: Tensor) -> list[Tensor]:
        """Return features of single frames: (N, C, H, W) in [0, 1] -> a tensor of N rows for each level."""
        if frames.shape[2:] != self.size_px:
            height_px, width_px = frames.shape[2:]
            raise ShapeError(f"frames of {width_px}x{height_px} for a model exported for another size", "frames")
        pixels = (frames * 255).round().byte().permute(0, 2, 3, 1).contiguous()
        found = self._encoder.run({FRAMES: pixels.numpy()})
        return [torch.from_numpy(found[name]) for name in self._levels]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        """Return the target frames of the clips in several runs of frames -> (clips of all runs, C, H, W)."""
        length = self.clip_length
        inputs = {}
        for name, level in zip(self._levels, zip(*runs, strict=True), strict=True):
            clips = torch.cat([rows.unfold(0, length, 1) for rows in level]).movedim(-1, 1)  # (N, T, …)
            inputs[name] = clips.contiguous().numpy()
        count = len(inputs[self._levels[0]])
        target = np.zeros((count, height_px, width_px, self.channels), np.uint8)  # the scorer compares by itself
        return torch.from_numpy(self._decoder.run({**inputs, TARGET: target})[RECONSTRUCTION])
