"""Ground truth without its footage: labels of frames from a file or folder of labels alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.labels import LabelKind, LabelSource, labels_for, mat_ranges, ucsd_ranges
from maskedskipunet.data.naming import natural_key
from maskedskipunet.errors import DataError, LabelError
from maskedskipunet.evaluation.readers import Clip, read_series

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class GroundTruth:
    """Labels of the test clips, in natural order.

    labels: 0 or 1, (frames,) each, None for a clip without. frames: of each clip. borders: whether the clips are
    told apart; False: one sequence stands for all.
    """

    names: tuple[str, ...]
    labels: tuple[Labels | None, ...]
    frames: tuple[int, ...]
    said_by: str
    borders: bool = True

    def cut(self, lengths: Mapping[str, int], said_by: str) -> "GroundTruth":
        """One sequence cut into clips of these names and lengths. Raises LabelError when they do not add up."""
        (labels,) = self.labels
        assert labels is not None
        frames = tuple(lengths.values())
        if sum(frames) != len(labels):
            fault = f"clips of {sum(frames)} frames in all, but {len(labels)} labels"
            raise LabelError(fault, said_by, "State the length of each test clip, in order")
        parts = np.split(labels, np.cumsum(frames)[:-1])
        return GroundTruth(tuple(lengths), tuple(parts), frames, f"{self.said_by}, clips by {said_by}")


def read_ground_truth(path: Path, lengths: Sequence[int] | None = None) -> GroundTruth:
    """Labels from a file or a folder with one a clip.

    UCSD's .m or a .mat with `gt` states ranges, so lengths, those of the clips, must be given. A .npy, .txt or .csv
    of one column holds the labels of all clips; where lengths do not cut it, one sequence stands for all.
    Raises LabelError (DataError where a file cannot be read) for what does not fit.
    """
    if path.suffix.lower() in (".m", ".mat") and path.is_file():
        return _ranges(path, lengths)
    series = read_series(path, "label")
    if series.concatenated:
        labels = series.clips[0].values.astype(np.uint8)
        whole = GroundTruth((path.stem,), (labels,), (len(labels),), path.name, borders=False)
        return whole if lengths is None else whole.cut(_named(lengths), "--clips")
    if not series.clips:
        raise LabelError(
            "no frame has a label in it", str(path), "Name a file with labels, or the data set with --data"
        )
    if lengths is not None:
        raise LabelError("the ground truth has clips of its own", str(path), "Leave --clips out")
    clips = sorted(series.clips, key=lambda clip: natural_key(clip.name))
    for clip in clips:
        _require_every_frame(clip, path)
    labels_of = tuple(clip.values.astype(np.uint8) for clip in clips)
    return GroundTruth(
        tuple(clip.name for clip in clips), labels_of, tuple(len(labels) for labels in labels_of), path.name
    )


def read_lengths(text: str) -> list[int]:
    """Lengths of clips from `180,150,…`, or from a file with one a line. Raises DataError."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        if not Path(text).is_file():
            raise DataError("neither lengths of clips nor a file", "--clips", "Write 180,150 say") from error
        numbers = read_series(Path(text), "score").clips[0].values.tolist()
    if not numbers or not all(number >= 1 and number == int(number) for number in numbers):
        raise DataError("found a length that is no number of frames", "--clips", "Write 180,150 say")
    return [int(number) for number in numbers]


def _ranges(path: Path, lengths: Sequence[int] | None) -> GroundTruth:
    kind: LabelKind = "ucsd" if path.suffix.lower() == ".m" else "mat"
    ranges = ucsd_ranges(path) if kind == "ucsd" else mat_ranges(path)
    if lengths is None:
        cure = f"State the lengths of its {len(ranges)} clips with --clips, 180,150 say, or use --data"
        raise LabelError("the ground truth states ranges, not how long the clips are", str(path), cure)
    if len(lengths) != len(ranges):
        fault = f"the ground truth states {len(ranges)} clips, --clips {len(lengths)}"
        raise LabelError(fault, str(path), "State the length of each test clip, in order")
    labels = [
        labels_for(LabelSource(path, kind, stated, number), length)
        for number, (stated, length) in enumerate(zip(ranges, lengths, strict=True), start=1)
    ]
    return GroundTruth(tuple(_named(lengths)), tuple(labels), tuple(lengths), f"{path.name}, clips by --clips")


def _require_every_frame(clip: Clip, path: Path) -> None:
    if clip.frames is not None and not np.array_equal(clip.frames, np.arange(len(clip.frames))):
        fault = f"found labels of {len(clip.frames)} frames up to frame {clip.frames[-1]}, expected all from 0 on"
        raise LabelError(fault, f"{path}, clip {clip.name}", "Label every frame")


def _named(lengths: Sequence[int]) -> dict[str, int]:
    """Numbers for names, as many digits each: their natural order is their order."""
    digits = len(str(len(lengths)))
    return {f"{number:0{digits}d}": length for number, length in enumerate(lengths, start=1)}
