"""Hold any method's scores against ground truth, by every protocol."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.boxes import read_boxes
from maskedskipunet.data.campus_scenes import clips_of_scene
from maskedskipunet.data.labels import labels_of
from maskedskipunet.data.layouts import VideoItem, label_set, recognise
from maskedskipunet.data.mask_notes import differences
from maskedskipunet.data.masks import frames_with_image, read_masks
from maskedskipunet.data.nearby_truth import warn_of_unused_truth
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.reading import CUES, FUSED
from maskedskipunet.errors import ConfigError, DataError, LabelError
from maskedskipunet.evaluation.frame_alignment import (
    AlignedScores,
    FrameAlignment,
    align_scores,
    clip_lengths,
    over_missing_frames,
    scored_lengths,
)
from maskedskipunet.evaluation.frames import LabelledScores
from maskedskipunet.evaluation.maps import AveragedMaps, Maps, read_maps
from maskedskipunet.evaluation.pixels import PixelCounts
from maskedskipunet.evaluation.protocols import frame_protocols
from maskedskipunet.evaluation.readers import Series, read_cues, read_series
from maskedskipunet.evaluation.regions import FrameRegions, RegionCounts, box_regions, mask_regions, thresholds
from maskedskipunet.evaluation.smoothing import Smoothing
from maskedskipunet.evaluation.truth import GroundTruth, read_ground_truth
from maskedskipunet.progress import Advance, Progress, Silent

LARGEST_PATCH_PX = 512

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation. figures: a key for each protocol, ready for JSON."""

    videos: Sequence[LabelledScores]
    figures: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of comparing scores with labels.

    alignment: which frames the scores belong to. normality: scores say how normal a frame is (maps, how anomalous a
    pixel is). maps: a folder as read_maps takes it, for pixels and regions where the data set has masks. map_patch_px:
    average them over squares of so many pixels first. seed: of the bootstrap.
    Raises ConfigError for settings that cannot be.
    """

    alignment: FrameAlignment = field(default_factory=FrameAlignment)
    normality: bool = False
    smoothing: Smoothing | None = None
    maps: Path | None = None
    map_patch_px: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.map_patch_px is not None and not 1 <= self.map_patch_px <= LARGEST_PATCH_PX:
            cure = f"Use 1 to {LARGEST_PATCH_PX}, such as 16"
            raise ConfigError(f"squares of {self.map_patch_px} pixels", "--map-patch", cure)


def evaluate(
    scores: Path,
    *,
    data: Path | None = None,
    scene: str | None = None,
    ground_truth: Path | None = None,
    clips: Sequence[int] | None = None,
    options: EvaluateOptions | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return every protocol's figure for per-frame scores.

    scores: as read_series takes them. data: the data set whose test clips they are of, or of one scene of it, or
    ground_truth: a file of labels, with clips the lengths of its clips where it does not say.
    Raises DataError for scores that cannot be read or do not fit, LabelError for such labels.
    """
    options = options or EvaluateOptions()
    series, alignment = read_series(scores), options.alignment
    if ground_truth is not None:
        truth = read_ground_truth(ground_truth, clips, scored_lengths(series, alignment))
        if not truth.borders and not series.concatenated:
            truth = truth.split(clip_lengths(series, sum(truth.frames), alignment), "the scores")
        evaluator = _Evaluator(truth, options)
    elif data is not None:
        evaluator = _of_data(data, scene, options)
    else:
        raise DataError("no ground truth is named", "evaluate", "Name --data or --ground-truth")
    aligned = evaluator.align(series)
    videos = evaluator.labelled(aligned)
    if not any(video.scored.any() for video in videos if video.labels is not None):
        raise DataError("no frame with a label has a score", str(scores), "Name scores that are not all missing")
    figures = {
        "ground_truth": evaluator.truth.said_by,
        "label_set": label_set(evaluator.items),
        "scene": scene,
        "matching": aligned.matching,
        "first_frame": alignment.first,
        "last_frame": alignment.last,
        "normality": options.normality,
        **evaluator.protocols(videos),
    }
    if cues := read_cues(scores, (*CUES, FUSED)):
        figures["cues"] = {
            name: evaluator.protocols(evaluator.labelled(evaluator.align(cue))) for name, cue in cues.items()
        }
    if options.maps is not None and any(item.masks is not None or item.boxes is not None for item in evaluator.items):
        figures |= evaluator.localization(options.maps, progress or Silent())
    return Evaluation(videos, figures)


@dataclass(frozen=True)
class _Evaluator:
    """Compares scores with ground truth.

    items: the test clips of a data set, if there is one. has_images: for each of them, which frames have an image.
    """

    truth: GroundTruth
    options: EvaluateOptions
    items: tuple[VideoItem, ...] = ()
    has_images: Sequence[NDArray[np.bool_]] | None = None

    def align(self, series: Series) -> AlignedScores:
        """Align scores with the frames of the clips."""
        truth = self.truth
        if self.has_images is not None:
            series = over_missing_frames(series, truth.names, self.has_images)
        return align_scores(series, truth.names, truth.frames, self.options.alignment, borders=truth.borders)

    def labelled(self, aligned: AlignedScores) -> list[LabelledScores]:
        """Return the scores of each clip with its labels."""
        return [
            LabelledScores(name, -values if self.options.normality else values, labels)
            for name, values, labels in zip(self.truth.names, aligned.scores, self.truth.labels, strict=True)
        ]

    def protocols(self, videos: Sequence[LabelledScores]) -> dict[str, Any]:
        """Return the figures of each protocol of frames."""
        smoothing, seed = self.options.smoothing, self.options.seed
        return frame_protocols(videos, smoothing, borders=self.truth.borders, seed=seed)

    def localization(self, maps: Path, progress: Progress) -> dict[str, Any]:
        """Return the figures of pixels and regions."""
        side = self.options.map_patch_px
        found, matching = read_maps(maps, self.truth.names, self.truth.frames, self.options.alignment)
        if side is not None:
            found = [AveragedMaps(clip_maps, side) for clip_maps in found]
        figures = _pixels_and_regions(self.items, self.truth, found, maps, progress)
        return {"maps_matching": matching, "map_patch_px": side, **figures}


def _pixels_and_regions(
    items: Sequence[VideoItem], truth: GroundTruth, found: Sequence[Maps], where: Path, progress: Progress
) -> dict[str, Any]:
    """Evaluate the maps in two passes: pixels and the masks' regions first, then regions at the thresholds found.

    Where the data set states boxes and tracks, its regions are those, and its pixels what they cover.
    """
    frames, labels = truth.frames, truth.labels
    marked = [index for index, item in enumerate(items) if item.masks is not None or item.boxes is not None]
    total = sum(frames[index] for index in marked)
    pixels = PixelCounts()
    truths: list[tuple[list[FrameRegions], tuple[int, int]]] = []
    with progress.stage("pixels", total) as advance:
        for index in marked:
            own = _own_regions(items[index], frames[index])
            walk = _Walk(items[index], own, found[index], pixels, advance)
            by_masks = mask_regions(walk.masks())
            truths.append((by_masks if own is None else own, walk.size_px))
            for note in differences(np.array(walk.marked, np.uint8), labels[index]):
                log.warning("clip %s %s", items[index].name, note)
    figures = pixels.figures()
    if not figures["frames_with_map"]:
        raise DataError("no frame has a map", str(where), "Make the maps again")
    regions = RegionCounts(thresholds(pixels.normal + pixels.anomalous), figures["frames_with_map"])
    with progress.stage("regions", total) as advance:
        for index, (regions_of_clip, size_px) in zip(marked, truths, strict=True):
            regions.add_clip(regions_of_clip, found[index].maps(), *size_px)
            advance(frames[index])
    has_boxes = [items[index].boxes is not None for index in marked]
    regions_from = "boxes" if all(has_boxes) else "boxes and masks" if any(has_boxes) else "masks"
    return {**figures, **regions.figures(), "clips_with_masks": len(marked), "regions_from": regions_from}


def _own_regions(item: VideoItem, frames: int) -> list[FrameRegions] | None:
    return None if item.boxes is None else box_regions(read_boxes(item.boxes, item.path), frames)


def _covered(item: VideoItem, regions: Sequence[FrameRegions]) -> Iterator[NDArray[np.bool_]]:
    """Yield a mask a frame, True within the boxes that the data set states."""
    info = Source(path=item.path, on_bad_frame="skip").probe()
    for frame in regions:
        mask = np.zeros((info.height_px, info.width_px), np.bool_)
        for left, top, right, bottom in frame.boxes.tolist():
            mask[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)] = True
        yield mask


class _Walk:
    """One clip's masks as they come by, each compared with the score map of its frame."""

    def __init__(
        self,
        item: VideoItem,
        own: Sequence[FrameRegions] | None,
        maps: Maps,
        pixels: PixelCounts,
        advance: Advance,
    ) -> None:
        self._masks = _covered(item, own) if own is not None and item.masks is None else read_masks(item)
        self._maps, self._pixels, self._advance = maps, pixels, advance
        self.size_px = (0, 0)
        self.marked: list[bool] = []

    def masks(self) -> Iterator[NDArray[np.bool_]]:
        maps = self._maps.maps()
        ahead = next(maps, None)
        for number, mask in enumerate(self._masks):  # as many as frames, and as large
            self.size_px = mask.shape[0], mask.shape[1]
            if ahead is not None and ahead[0] == number:
                self._pixels.add(ahead[1], mask)
                ahead = next(maps, None)
            self._advance(1)
            self.marked.append(bool(mask.any()))
            yield mask


def _of_data(path: Path, scene: str | None, options: EvaluateOptions) -> _Evaluator:
    """Return the labels of a data set's test clips, their frames counted but not read, and which frames
    have an image.
    """
    dataset = recognise(path)
    if not dataset.test:
        raise DataError("there are no test videos", str(path), "Name a data set with test videos")
    warn_of_unused_truth(dataset.ignored, path)
    items = clips_of_scene(dataset.test, scene, path)
    if all(item.labels is None for item in items):
        raise LabelError("no test video has labels", str(path), "Name them with --ground-truth")
    infos = [Source(path=item.path, on_bad_frame="skip").probe() for item in items]
    labels = [
        None if item.labels is None else labels_of(item.labels, info) for item, info in zip(items, infos, strict=True)
    ]
    frames = [info.frame_count for info in infos]
    files = {item.labels.path for item in items if item.labels is not None}
    said_by = next(iter(files)).name if len(files) == 1 else f"{len(files)} label files"
    has = sum(label is not None for label in labels)
    said_by += "" if has == len(labels) else f", for {has} of {len(labels)} clips"
    names = tuple(item.name for item in items)
    has_images = [frames_with_image(info) for info in infos]
    return _Evaluator(GroundTruth(names, tuple(labels), tuple(frames), said_by), options, items, has_images)
