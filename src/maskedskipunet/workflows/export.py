"""Exports a trained model as files of another runtime, and holds their scores against the plain network's."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet import __version__
from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.data.ignoring import GREY
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.export.definition import ExportedNetwork
from maskedskipunet.export.writing import FORMATS, Format, Pt2File
from maskedskipunet.files import atomic_folder, disk_full_as_error, require_free_space
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.model.score import frame_score, score_map
from maskedskipunet.model.storage import write_description
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runtimes.backend import MODEL, exported_file, open_backend, open_file
from maskedskipunet.runtimes.description import Description, Part
from maskedskipunet.runtimes.graph_file import CLIP, SCORE
from maskedskipunet.scoring.ignored import IgnoredRegions

TOLERANCE = 1e-4  # of a score, relative
SAMPLES = 2  # clips that are compared
PARTS: Sequence[Part] = ("clip", "encode", "reconstruct")
COPIES = 2.1  # of the weights in a format's files: a whole and two halves, and what is around them


@dataclass(frozen=True)
class ExportResult:
    """An exported model.

    file: the one for whole clips. files: all that were written. difference: the largest of a score on the sample clips,
    relative to the plain network's.
    """

    file: Path
    files: Sequence[Path]
    difference: float
    description: Description


@dataclass(frozen=True)
class _Model:
    """A trained model as it is exported. folder: where its cues and its calibration lie; None for weights alone."""

    network: MaskedSkipUNet
    input_format: InputFormat
    folder: Path | None
    cues: CueModel | None
    calibration: Calibration | None


def export(model: Path, format: Format, folder: Path, *, progress: Progress | None = None) -> ExportResult:
    """Write a trained model into a new folder: the network for whole clips and in two parts, its cues and calibration.

    model: a run, or anything else that load_model takes. Raises WeightsError for a model that cannot be loaded,
    ConfigError if the folder is taken, if a library is missing, or if the scores of the files are not the network's.
    """
    if format not in FORMATS:
        raise ConfigError(f"there is no format {format!r}", "--format", f"Use one of {', '.join(FORMATS)}")
    if folder.suffix.lower() in {end for form in FORMATS.values() for end in form.suffixes}:
        raise ConfigError("names a file where a folder is wanted", str(folder), f"Name {folder.with_suffix('')}")
    trained = _load(model)
    description = _describe(trained)
    size_bytes = int(COPIES * 4 * description.parameters)
    require_free_space(folder, size_bytes, what="the exported model", cure="Name another folder with --to")
    size, progress = trained.input_format, progress or Silent()
    ignored = IgnoredRegions.of(size).mask(size.height_px, size.width_px)
    network = ExportedNetwork.of(trained.network, size.height_px, size.width_px, ignored)
    with atomic_folder(folder) as part:
        with progress.stage(f"writing {format}", len(PARTS), "files") as advance:
            for name in PARTS:
                described = replace(description, part=name)
                FORMATS[format].write(network, described, part / _file_name(name, format))
                advance(1)
        _write_beside(trained, part)
        with progress.stage("comparing scores", SAMPLES, "clips") as advance:
            difference = _checked(trained, part / _file_name("clip", format), folder)
            advance(SAMPLES)
    return ExportResult(folder / _file_name("clip", format), sorted(folder.iterdir()), difference, description)


def _file_name(part: Part, format: Format) -> str:
    return f"{MODEL if part == 'clip' else part}{FORMATS[format].suffixes[0]}"


def _load(model: Path) -> _Model:
    if exported_file(model) is not None:
        raise ConfigError("the model is an exported one already", str(model), "Name the run that it was exported from")
    network = load_model(model)
    try:
        folder: Path | None = model_folder(model)
    except WeightsError:
        folder = None
    cues = None if folder is None else CueModel.read(folder)
    calibration = None if folder is None else Calibration.read(folder)
    return _Model(network, network.input_format or InputFormat(), folder, cues, calibration)


def _describe(trained: _Model) -> Description:
    weights = hashlib.sha256()
    for value in trained.network.state_dict().values():
        weights.update(value.contiguous().numpy().tobytes())
    cues = () if trained.cues is None else tuple(cue.name for cue in trained.cues.cues)
    return Description(
        part="clip",
        network=trained.network.config,
        input_format=trained.input_format,
        version=__version__,
        model_id=weights.hexdigest()[:16],
        parameters=sum(weight.numel() for weight in trained.network.parameters()),
        cues=cues,
        calibration=None if trained.calibration is None else _describe_calibration(trained.calibration, cues),
    )


def _describe_calibration(calibration: Calibration, cues: Sequence[str]) -> dict[str, Any]:
    """Return the threshold and what it is of, as an exported file holds it."""
    return {
        "score_of": [RECONSTRUCTION, *cues],
        "frames": calibration.frames,
        "highest_normal_score": calibration.levels[-1],
        "threshold": None if calibration.alarm is None else calibration.alarm.rule.threshold,
        "alarm": None if calibration.alarm is None else calibration.alarm.to_dict(),
    }


def _write_beside(trained: _Model, folder: Path) -> None:
    """Write the description, the cues and the calibration beside the exported files, as a model folder holds them."""
    write_description(folder, trained.network.config, trained.input_format)
    with disk_full_as_error(folder):
        for name in (CUES_NAME, CALIBRATION_NAME):
            if trained.folder is not None and (trained.folder / name).is_file():
                shutil.copyfile(trained.folder / name, folder / name)


# Are the scores the plain network's?


def _checked(trained: _Model, file: Path, folder: Path) -> float:
    """Return the largest relative difference of scores. Raises ConfigError if it is above the tolerance."""
    network, size = trained.network, trained.input_format
    clips = sample_clips(network.config.frames, size.height_px, size.width_px, network.config.channels)
    ignored = IgnoredRegions.of(size).mask(size.height_px, size.width_px)
    of_parts = plain_scores(network, clips)
    wanted = of_parts if ignored is None else plain_scores(network, clips, ignored)
    difference = 0.0
    for found, expected in _found(file, clips, wanted, of_parts):
        errors = np.abs(found - expected) / np.maximum(np.abs(expected), np.finfo(np.float32).tiny)
        difference = max(difference, float(np.nan_to_num(errors, nan=np.inf).max()))
    if difference > TOLERANCE:
        fault = f"the exported scores differ from the network's by {difference:.1e}, more than {TOLERANCE:g}"
        raise ConfigError(fault, str(folder), "Use another --format, or another version of its runtime")
    return difference


def _found(
    file: Path, clips: NDArray[np.uint8], wanted: NDArray[np.float32], of_parts: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield scores found by the exported files, in whole and in two parts, with those that are wanted."""
    middle = clips.shape[1] // 2
    if file.suffix == ".pt2":
        score, _ = Pt2File(file).run(clips)
        yield score.numpy(), wanted
        levels = Pt2File(file.with_name("encode.pt2")).run(clips.reshape(-1, *clips.shape[2:]))
        levels = [level.reshape(*clips.shape[:2], *level.shape[1:]).numpy() for level in levels]
        score, *_ = Pt2File(file.with_name("reconstruct.pt2")).run(clips[:, middle], *levels)
        yield score.numpy(), of_parts
        return
    yield open_file(file, "clip").run({CLIP: clips})[SCORE], wanted
    backend = open_backend(file)
    frames = torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 255  # (B, T, C, H, W)
    runs = [backend.encode(clip) for clip in frames]
    reconstructions = backend.reconstruct_runs(runs, *clips.shape[2:4])
    yield frame_score(score_map(frames[:, middle], reconstructions)).numpy(), of_parts


def sample_clips(frames: int, height_px: int, width_px: int, channels: int) -> NDArray[np.uint8]:
    """Return some clips to compare scores on: coarse and fine noise that moves, uint8 (SAMPLES, T, H, W, C)."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 160, (SAMPLES, 1, height_px // 8, width_px // 8, channels)).repeat(8, 2).repeat(8, 3)
    moved = np.concatenate([np.roll(coarse, 2 * number, axis=3) for number in range(frames)], axis=1)
    return (moved + random.integers(0, 96, moved.shape)).astype(np.uint8)


@torch.inference_mode()
def plain_scores(
    network: MaskedSkipUNet, clips: NDArray[np.uint8], ignored: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Return the frame scores of the plain network, (B,). clips: uint8 (B, T, H, W, C). ignored: bool (H, W)."""
    pixels = torch.from_numpy(clips).permute(0, 4, 1, 2, 3)  # (B, C, T, H, W)
    mask = torch.zeros(clips.shape[2:4], dtype=torch.bool) if ignored is None else torch.from_numpy(ignored)
    pixels = pixels.masked_fill(mask, GREY).float() / 255
    maps = score_map(pixels[:, :, clips.shape[1] // 2], network(pixels)).masked_fill(mask, 0.0)
    scores: NDArray[np.float32] = frame_score(maps).numpy()
    return scores
