"""Checks a data set: its content and its oddities, found without decoding any video."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from maskedskipunet.data.frames import OnBadFrame, SourceInfo
from maskedskipunet.data.images import probe_images, require_rate
from maskedskipunet.data.label_files import Labels
from maskedskipunet.data.labels import labels_of
from maskedskipunet.data.layouts import Dataset, VideoItem, recognise
from maskedskipunet.data.mask_notes import mask_notes
from maskedskipunet.data.official import official_size
from maskedskipunet.data.sampling import are_alike
from maskedskipunet.data.video.decoding import probe_video
from maskedskipunet.errors import DataError

Split = Literal["train", "test"]

_SHORTEST_CLIP = 3  # frames: below it no variant that looks at neighbouring frames has a single clip
_NAMES_SHOWN = 3
_SEVERAL = 2  # cameras


@dataclass(frozen=True, slots=True)
class VideoRow:
    """One readable video of a report.

    frame_rate: frames a second, None if the source states none. duration_s: seconds, of images at
    the report's image_fps. anomalous_frames: by its labels, None if it has none or none that fit.
    """

    split: Split
    name: str
    kind: Literal["video", "images"]
    frames: int
    height_px: int
    width_px: int
    frame_rate: float | None
    duration_s: float
    anomalous_frames: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a split's readable videos.

    labelled_frames: frames of the videos whose labels fit; anomalous_frames: those of them that are
    anomalous, None if no video has labels.
    """

    videos: int
    frames: int
    duration_s: float
    labelled_frames: int
    anomalous_frames: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of `check`.

    label_set: the kind of ground truth of the test videos, None if they have none. test_videos, masked: the number of
    test videos, readable or not, and of those with matching pixel-level ground truth. oddities: one line each, for
    people. faults: the oddities that make a video unusable. failed: videos that cannot be read, or with labels that do
    not fit; each has a fault.
    """

    layout: str
    root: Path
    label_set: str | None
    test_videos: int
    masked: int
    train: tuple[VideoRow, ...]
    test: tuple[VideoRow, ...]
    oddities: tuple[str, ...]
    failed: int
    faults: tuple[str, ...] = ()

    @property
    def totals(self) -> dict[Split, Totals]:
        """Sums by split."""
        return {"train": _totals(self.train), "test": _totals(self.test)}

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain values, ready for JSON."""
        totals = {split: asdict(sums) for split, sums in self.totals.items()}
        return {
            "layout": self.layout,
            "root": str(self.root),
            "label_set": self.label_set,
            "test_videos": self.test_videos,
            "masked": self.masked,
            "train": [asdict(row) for row in self.train],
            "test": [asdict(row) for row in self.test],
            "totals": totals,
            "oddities": list(self.oddities),
            "faults": list(self.faults),
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class _Finding:
    row: VideoRow | None
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()
    has_masks: bool = False


def check(path: Path, on_bad_frame: OnBadFrame = "stop", image_fps: float = 10.0) -> Report:
    """Check a data set: its videos, their sizes, rates and labels, and oddities.

    Videos are counted without being decoded and of images the headers are read, so a frame that
    is damaged inside is found by reading only. image_fps: frames a second of folders of images.
    A video that cannot be read, or labels that do not fit it, become oddities.
    Raises DataError when the path holds no data set, ConfigError for an image_fps that is not above 0.
    """
    require_rate(image_fps)
    dataset = recognise(path)
    train = [_look_at(item, "train", on_bad_frame, image_fps) for item in dataset.train]
    test = [_look_at(item, "test", on_bad_frame, image_fps) for item in dataset.test]
    findings = train + test
    rows = [finding.row for finding in findings if finding.row]
    return Report(
        dataset.layout,
        dataset.root,
        dataset.label_set,
        len(dataset.test),
        sum(finding.has_masks for finding in test),
        tuple(row for row in rows if row.split == "train"),
        tuple(row for row in rows if row.split == "test"),
        (
            *(line for finding in findings for line in (*finding.faults, *finding.notes)),
            *_differences(rows),
            *_unlike_official(dataset, rows),
            *_notes(dataset),
        ),
        sum(bool(finding.faults) for finding in findings),
        tuple(line for finding in findings for line in finding.faults),
    )


def _look_at(item: VideoItem, split: Split, on_bad_frame: OnBadFrame, image_fps: float) -> _Finding:
    try:
        probe = probe_video if item.kind == "video" else probe_images
        info = probe(item.path, on_bad_frame)
    except DataError as error:
        return _Finding(None, (f"{split}/{item.name} cannot be read: {error}",))
    faults, notes = list[str](), list[str]()
    labels: Labels | None = None
    if item.labels:
        try:
            labels = labels_of(item.labels, info)
        except DataError as error:
            faults.append(f"{split}/{item.name} has labels that do not fit: {error}")
    notes += _labels_beyond_the_end(item, split, info)
    if info.frame_count < _SHORTEST_CLIP:
        frames = f"{info.frame_count} frame{'' if info.frame_count == 1 else 's'}"
        notes.append(f"{split}/{item.name} is short: {frames}, fewer than {_SHORTEST_CLIP}")
    has_masks, of_masks = mask_notes(item, info, labels)
    notes += [f"{split}/{item.name} {note}" for note in of_masks]
    notes += [f"{split}/{item.name}: {note}" for note in info.notes]
    anomalous = None if labels is None else int(labels.sum())
    return _Finding(_row(item, split, info, image_fps, anomalous), tuple(faults), tuple(notes), has_masks)


def _labels_beyond_the_end(item: VideoItem, split: Split, info: SourceInfo) -> list[str]:
    if item.labels is None or not item.labels.clip_to_length or not item.labels.ranges:
        return []
    beyond = max(last for _, last in item.labels.ranges) + 1 - info.frame_count
    note = f"{split}/{item.name} has labels for {beyond} frames beyond its last one, which count nothing"
    return [note] if beyond > 0 else []


def _row(item: VideoItem, split: Split, info: SourceInfo, image_fps: float, anomalous: int | None) -> VideoRow:
    rate = info.frame_rate
    return VideoRow(
        split=split,
        name=item.name,
        kind=item.kind,
        frames=info.frame_count,
        height_px=info.height_px,
        width_px=info.width_px,
        frame_rate=rate,
        duration_s=info.frame_count / (rate or image_fps),
        anomalous_frames=anomalous,
    )


def _unlike_official(dataset: Dataset, rows: Sequence[VideoRow]) -> list[str]:
    """Return differences from the official size of a known data set, which may be intended."""
    size = official_size(dataset)
    if size is None:
        return []
    notes = []
    for split, clips, frames in (
        ("train", size.train_clips, size.train_frames),
        ("test", size.test_clips, size.test_frames),
    ):
        found_totals = _totals(row for row in rows if row.split == split)
        if found_totals.videos and (found_totals.videos != clips or frames not in (None, found_totals.frames)):
            official = f"{size.name} officially has {clips} clips" + (
                "" if frames is None else f" and {frames:,} frames"
            )
            notes.append(
                f"{split}: {official}, here are {found_totals.videos}"
                + ("" if frames is None else f" and {found_totals.frames:,}")
            )
    return notes


def _differences(rows: Sequence[VideoRow]) -> list[str]:
    sizes = _grouped(rows, lambda row: f"{row.width_px}x{row.height_px}")
    known = [row for row in rows if row.frame_rate is not None]
    rates = _grouped(known, lambda row: f"{row.frame_rate:.4g} frames a second")
    if are_alike([row.frame_rate or 0.0 for row in known]):
        rates = {}
    return [
        f"the videos differ in {what}: {'; '.join(f'{value} ({names})' for value, names in groups.items())}"
        for what, groups in (("size", sizes), ("rate", rates))
        if len(groups) > 1
    ]


def _grouped(rows: Sequence[VideoRow], value_of: Callable[[VideoRow], str]) -> dict[str, str]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(value_of(row), []).append(f"{row.split}/{row.name}")
    return {value: _listed(found) for value, found in names.items()}


def _notes(dataset: Dataset) -> list[str]:
    bare = [item.name for item in dataset.test if item.labels is None]
    without_labels = [f"{len(bare)} of {len(dataset.test)} test videos have no labels: {_listed(bare)}"] if bare else []
    return without_labels + _cameras(dataset) + [f"not used: {note}" for note in dataset.ignored]


def _cameras(dataset: Dataset) -> list[str]:
    """Return a note about the cameras of the training videos, if their folders name several."""
    counts = Counter(item.camera for item in dataset.train if item.camera is not None)
    if len(counts) < _SEVERAL:
        return []
    listed = ", ".join(f"{camera} ({count})" for camera, count in sorted(counts.items()))
    return [
        f"the training videos are of {len(counts)} cameras by their folders: {listed}; --data.scene takes one of them"
    ]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _totals(rows: Iterable[VideoRow]) -> Totals:
    rows = tuple(rows)
    labelled = [(row.frames, row.anomalous_frames) for row in rows if row.anomalous_frames is not None]
    return Totals(
        videos=len(rows),
        frames=sum(row.frames for row in rows),
        duration_s=sum(row.duration_s for row in rows),
        labelled_frames=sum(frames for frames, _ in labelled),
        anomalous_frames=sum(anomalous for _, anomalous in labelled) if labelled else None,
    )
