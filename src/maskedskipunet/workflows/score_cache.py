"""Scores of a calibration's footage, kept with the run: another budget on the same footage costs seconds, not hours."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from maskedskipunet import __version__
from maskedskipunet.data.images import image_files
from maskedskipunet.detection.drift import Block
from maskedskipunet.errors import DataError
from maskedskipunet.files import atomic_write, require_plain_file
from maskedskipunet.model.storage import EXPORTED_FILES

KEPT_NAME = "calibration_scores.npz"
_DAMAGES = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    BadZipFile,
    zlib.error,
)
_CUE = "cue_"  # how the names of arrays begin that earlier versions do not read
_ARRAYS = ("index", "time_s", "scores", "block_start_s", "block_score", "block_places")


@dataclass(frozen=True)
class FootageScores:
    """The scores of one normal video.

    index, time_s, scores: (N,), NaN if a frame has no score. blocks: what drift is told by. cues: (N,) scores by each
    cue's name, likewise; empty for a model of its network alone, and where an earlier version kept the scores.
    """

    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    blocks: tuple[Block, ...]
    cues: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class ScoreCache:
    """The scores that one model gave to videos, in a file.

    path: of the file. model: tells this model and its settings from any other. videos: scores by a video's own key.
    drawn: pictures of moments that were drawn from just these scores.
    """

    path: Path
    model: str
    videos: dict[str, FootageScores] = field(default_factory=dict)
    drawn: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path, model: str) -> "ScoreCache":
        """Return what was kept of this model; nothing if that is another's, damaged or not there."""
        try:
            kept = cls.read_of_any_model(path)
        except (OSError, DataError):
            return cls(path, model)
        return kept if kept.model == model else cls(path, model)

    @classmethod
    def read_of_any_model(cls, path: Path) -> "ScoreCache":
        """Return what was kept, of whichever model. Raises OSError where nothing is, DataError for a damaged file."""
        try:
            require_plain_file(path)
            with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                header = json.loads(str(file["told"]))
                videos = {str(key): _unpacked(file, number) for number, key in enumerate(header["videos"])}
                return cls(path, str(header["model"]), videos, frozenset(header["drawn"]))
        except _DAMAGES as error:
            raise DataError("the kept scores are damaged", str(path), "Calibrate the model again") from error

    def forget_others_of(self, keys: Sequence[str]) -> None:
        """Drop what was kept of the videos of these keys under another key: they have changed, or what is left out."""
        paths = {json.loads(key)[0] for key in keys}
        self.videos = {key: kept for key, kept in self.videos.items() if key in keys or json.loads(key)[0] not in paths}

    def write(self) -> None:
        """Write the file. Raises DiskSpaceError if there is no room."""
        header = {"model": self.model, "videos": [*self.videos], "drawn": sorted(self.drawn)}
        arrays: dict[str, Any] = {"told": np.array(json.dumps(header))}
        for number, scores in enumerate(self.videos.values()):
            arrays |= {f"{name}_{number}": array for name, array in _packed(scores).items()}
            arrays |= {f"{_CUE}{cue}_{number}": array.astype(np.float32) for cue, array in scores.cues.items()}
        with atomic_write(self.path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)


def model_key(folder: Path, settings: Mapping[str, Any]) -> str:
    """Return what the scores of a model depend on: all its weights, the settings and the version of this program."""
    total = sha256(json.dumps([__version__, settings], sort_keys=True).encode())
    exported = [folder / name for name in EXPORTED_FILES if (folder / name).is_file()]
    for weights in sorted([*folder.glob("*.safetensors"), *exported]):
        total.update(weights.name.encode() + b"\0")
        with weights.open("rb") as file:
            while part := file.read(1 << 20):
                total.update(part)
    return total.hexdigest()


def video_key(video: Path, left_out: Sequence[tuple[float, float]]) -> str:
    """Return what a video's scores depend on besides: the file as it is now, and the seconds of it that are
    left out.
    """
    return json.dumps([str(video.resolve()), footage_identity(video), [*left_out]], sort_keys=True)


def footage_identity(path: Path) -> dict[str, int]:
    """Return what changes when a video does, without reading it. Raises DataError if it cannot be looked at."""
    files = image_files(path) if path.is_dir() else [path]
    try:
        stats = [file.stat() for file in files]
    except OSError as error:
        raise DataError(f"cannot read it ({error.strerror})", str(path), "Check the right to read it") from error
    return {
        "files": len(stats),
        "bytes": sum(stat.st_size for stat in stats),
        "changed_ns": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def _packed(scores: FootageScores) -> dict[str, NDArray[Any]]:
    blocks = scores.blocks
    places = np.array([block.places for block in blocks]) if blocks else np.empty((0, 0))
    starts, medians = (
        np.array(column, np.float64) for column in ([b.start_s for b in blocks], [b.score for b in blocks])
    )
    return dict(zip(_ARRAYS, (scores.index, scores.time_s, scores.scores, starts, medians, places), strict=True))


def _unpacked(file: Mapping[str, NDArray[Any]], number: int) -> FootageScores:
    index, time_s, scores, starts, medians, places = (file[f"{name}_{number}"] for name in _ARRAYS)
    times, values = (np.asarray(array, np.float64) for array in (time_s, scores))
    if not index.ndim == times.ndim == values.ndim == 1 or not np.isfinite(times).all() or np.isinf(values).any():
        raise ValueError("arrays that are no scores")
    if not len(index) == len(time_s) == len(scores) or not len(starts) == len(medians) == len(places):
        raise ValueError("arrays that do not belong together")
    columns = zip(starts.tolist(), medians.tolist(), places, strict=True)
    cues = _cues(file, number)
    if any(array.shape != values.shape or np.isinf(array).any() for array in cues.values()):
        raise ValueError("scores of cues that do not belong to the frames")
    return FootageScores(index, time_s, scores, tuple(Block(*column) for column in columns), cues)


def _cues(file: Mapping[str, NDArray[Any]], number: int) -> dict[str, NDArray[np.float64]]:
    end = f"_{number}"
    names = [name for name in file if name.startswith(_CUE) and name.endswith(end)]
    return {name.removeprefix(_CUE).removesuffix(end): np.asarray(file[name], np.float64) for name in names}
