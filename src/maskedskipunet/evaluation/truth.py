"""Ground truth without its footage: labels of frames from a file or folder of labels alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskedskipunet.data.label_files import LABEL_SUFFIXES, Labels, StatedByVideo, StatedLabels, read_label_file
from maskedskipunet.data.labels import LabelKind, LabelSource, filled, labels_for, mat_ranges, ucsd_ranges
from maskedskipunet.data.naming import natural_key, visible_children
from maskedskipunet.data.truth_names import clip_of_label_file
from maskedskipunet.errors import DataError, LabelError
from maskedskipunet.evaluation.readers import OWN_SCORES, read_label_table, read_series


@dataclass(frozen=True)
class GroundTruth:
    """Labels of the test clips, in natural order.

    labels: 0 or 1, (frames,) each, None for a clip without. frames: of each clip. borders: the borders of clips are
    known; False: one sequence holds all clips.
    """

    names: tuple[str, ...]
    labels: tuple[Labels | None, ...]
    frames: tuple[int, ...]
    said_by: str
    borders: bool = True

    def split(self, lengths: Mapping[str, int], said_by: str) -> "GroundTruth":
        """Return one sequence cut into clips of these names and lengths. Raises LabelError when they do not add up."""
        (labels,) = self.labels
        assert labels is not None
        frames = tuple(lengths.values())
        if sum(frames) != len(labels):
            fault = f"clips of {sum(frames)} frames in all, but {len(labels)} labels"
            raise LabelError(fault, said_by, "State the length of each test clip, in order")
        parts = np.split(labels, np.cumsum(frames)[:-1])
        return GroundTruth(tuple(lengths), tuple(parts), frames, f"{self.said_by}, clips by {said_by}")


def read_ground_truth(
    path: Path, lengths: Sequence[int] | None = None, scored: Mapping[str, int] | None = None
) -> GroundTruth:
    """Return labels from a file, or from a folder with a file for each clip, in any known notation (see
    `read_label_file`).

    lengths: of the clips, in order. scored: the same by the scores, by clip, where they come clip by clip.
    UCSD's .m, a .mat with `gt` and other files of ranges do not say how long clips are: one of the two must. A row of
    labels without names holds those of all clips; where lengths do not cut it, one sequence stands for all.
    Raises LabelError (DataError where a file cannot be read) for what does not fit.
    """
    if path.suffix.lower() in (".m", ".mat") and path.is_file():
        return _of_all_clips(path, lengths, scored)
    stated = _stated(path)
    if not stated:
        raise LabelError(
            "no frame has a label in it", str(path), "Name a file with labels, or the data set with --data"
        )
    if any(labels.values is None for labels in stated.values()):
        return _of_ranges(path, stated, lengths, scored)
    if set(stated) == {""} and stated[""].frames is None:
        labels = stated[""].values
        assert labels is not None
        whole = GroundTruth((path.stem,), (labels,), (len(labels),), path.name, borders=False)
        return whole if lengths is None else whole.split(_named(lengths), "--clips")
    if lengths is not None:
        raise LabelError("the ground truth has clips of its own", str(path), "Leave --clips out")
    by_name = {name or path.stem: _every_frame(name or path.stem, labels, path) for name, labels in stated.items()}
    names = sorted(by_name, key=natural_key)
    labels_by_clip = tuple(by_name[name] for name in names)
    return GroundTruth(tuple(names), labels_by_clip, tuple(map(len, labels_by_clip)), path.name)


def read_lengths(text: str) -> list[int]:
    """Read lengths of clips from `180,150,…`, or from a file with one on each line. Raises DataError."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        if not Path(text).is_file():
            raise DataError("neither lengths of clips nor a file", "--clips", "Write 180,150, for example") from error
        numbers = read_series(Path(text)).clips[0].values.tolist()
    if not numbers or not all(number >= 1 and number == int(number) for number in numbers):
        raise DataError("found a length that is no number of frames", "--clips", "Write 180,150, for example")
    return [int(number) for number in numbers]


def _stated(path: Path) -> StatedByVideo:
    """Return the statements of a file or folder, by clip."""
    own = path / OWN_SCORES if path.is_dir() else path
    if own.suffix.lower() == ".parquet" and own.is_file():
        series = read_label_table(own)
        return {clip.name: StatedLabels(clip.values.astype(np.uint8), (), clip.frames) for clip in series.clips}
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise DataError("no such file or folder", str(path), "Name a run, or a file of labels")
    if path.suffix.lower() not in LABEL_SUFFIXES:
        kinds = ", ".join((*LABEL_SUFFIXES, ".m", ".mat", ".parquet"))
        raise LabelError(f"cannot read {path.suffix or 'such'} files", str(path), f"Name a file that ends in {kinds}")
    return read_label_file(path)


def _of_folder(folder: Path) -> StatedByVideo:
    """Return a file a clip, named after it."""
    files = [child for child in visible_children(folder) if child.suffix.lower() in LABEL_SUFFIXES and child.is_file()]
    if not files:
        kinds = ", ".join(LABEL_SUFFIXES)
        raise DataError(f"the folder holds no {kinds}", str(folder), "Name a folder with one such file a clip")
    found: dict[str, StatedLabels] = {}
    for file in files:
        name = clip_of_label_file(file)
        if name in found:
            raise DataError(f"two files are named {name}", str(folder), "Keep one file a clip")
        (stated, *more) = read_label_file(file).values()
        if more:
            raise DataError(f"the table holds {1 + len(more)} videos", str(file), "Name the table itself")
        found[name] = stated
    return found


def _of_all_clips(path: Path, lengths: Sequence[int] | None, scored: Mapping[str, int] | None) -> GroundTruth:
    """Return ranges of all clips in order, without their names."""
    kind: LabelKind = "ucsd" if path.suffix.lower() == ".m" else "mat"
    ranges = ucsd_ranges(path) if kind == "ucsd" else mat_ranges(path)
    named, said_by = _lengths(path, len(ranges), lengths, scored)
    labels = [
        labels_for(LabelSource(path, kind, stated, number), length)
        for number, (stated, length) in enumerate(zip(ranges, named.values(), strict=True), start=1)
    ]
    return GroundTruth(tuple(named), tuple(labels), tuple(named.values()), f"{path.name}, clips by {said_by}")


def _of_ranges(
    path: Path, stated: StatedByVideo, lengths: Sequence[int] | None, scored: Mapping[str, int] | None
) -> GroundTruth:
    """Return ranges by clip, or of one clip without its name."""
    names = sorted(stated, key=natural_key)
    if scored is not None and lengths is None and set(names) <= set(scored) and names != [""]:
        found, said_by = {name: scored[name] for name in sorted(scored, key=natural_key)}, "the scores"
        nothing = StatedLabels(None)  # a clip without a range is normal
        by_name = {name: stated.get(name, nothing) for name in found}
    else:
        found, said_by = _lengths(path, len(names), lengths, scored)
        by_name = dict(zip(found, (stated[name] for name in names), strict=True))
    labels = []
    for name, clip_labels in by_name.items():
        if clip_labels.values is not None and len(clip_labels.values) != found[name]:
            fault = f"found {len(clip_labels.values)} labels, expected {found[name]}"
            raise LabelError(fault, f"{path}, clip {name}", "Give one 0 or 1 for each frame")
        labels.append(
            filled(clip_labels.spans, found[name], path) if clip_labels.values is None else clip_labels.values
        )
    return GroundTruth(tuple(by_name), tuple(labels), tuple(found.values()), f"{path.name}, clips by {said_by}")


def _lengths(
    path: Path, count: int, lengths: Sequence[int] | None, scored: Mapping[str, int] | None
) -> tuple[dict[str, int], str]:
    """Return the length of each of so many clips by its name, in order, and what says it."""
    if lengths is None and scored is not None and len(scored) == count:
        return {name: scored[name] for name in sorted(scored, key=natural_key)}, "the scores"
    clips = "its clip" if count == 1 else f"its {count} clips"
    if lengths is None:
        cure = f"State the lengths of {clips} with --clips, for example 180,150, or use --data"
        raise LabelError("the ground truth states ranges, not how long the clips are", str(path), cure)
    if len(lengths) != count:
        fault = f"the ground truth states {count} clip{'' if count == 1 else 's'}, --clips {len(lengths)}"
        raise LabelError(fault, str(path), "State the length of each test clip, in order")
    return _named(lengths), "--clips"


def _every_frame(name: str, stated: StatedLabels, path: Path) -> Labels:
    """Return labels in the order of their frames, which must be all from 0 on."""
    assert stated.values is not None
    if stated.frames is None:
        return stated.values
    order = np.argsort(stated.frames, kind="stable")
    if not np.array_equal(stated.frames[order], np.arange(len(order))):
        last = int(stated.frames.max(initial=0))
        fault = f"found labels of {len(order)} frames up to frame {last}, expected all from 0 on"
        raise LabelError(fault, f"{path}, clip {name}", "Label every frame")
    return stated.values[order]


def _named(lengths: Sequence[int]) -> dict[str, int]:
    """Return numbers as names with equally many digits, so that their natural order is their order."""
    digits = len(str(len(lengths)))
    return {f"{number:0{digits}d}": length for number, length in enumerate(lengths, start=1)}
