"""Finds the clips and the labelled test videos below a path."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.cache import cache_folder
from maskedskipunet.data.campus_scenes import clips_of_scene
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.config import SMALLEST_PX, DataConfig
from maskedskipunet.data.frames import OnBadFrame, SourceInfo
from maskedskipunet.data.labels import labels_of
from maskedskipunet.data.layouts import Dataset, VideoItem, recognise
from maskedskipunet.data.nearby_truth import warn_of_unused_truth
from maskedskipunet.data.sampling import NAMES_SHOWN, are_alike, require_rate, require_rates
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import StoredVideo, StoreFormat, StoreRequest, store_videos
from maskedskipunet.errors import DataError
from maskedskipunet.input_format import SIZE_STEP, InputFormat
from maskedskipunet.progress import Progress
from maskedskipunet.scoring.ignored import IgnoredRegions

NOTES_SHOWN = 5
MUCH_LARGER = 1.5  # times as many pixels: from here on a person should know what it costs


@dataclass(frozen=True)
class LabelledVideo:
    """One test video, found to be readable. labels: uint8, one a frame of the source, None if there are none."""

    item: VideoItem
    source: Source
    info: SourceInfo
    labels: NDArray[np.uint8] | None


def source_of(path: Path, input_format: InputFormat, on_bad_frame: OnBadFrame) -> Source:
    """Return the source of a video's frames, sampled for a network."""
    return Source(
        path=path,
        fps=input_format.fps,
        stride=input_format.stride,
        image_fps=input_format.image_fps,
        on_bad_frame=on_bad_frame,
    )


def training_clips(
    config: DataConfig, input_format: InputFormat, *, geometry: ClipGeometry, channels: int, progress: Progress
) -> tuple[Clips, Clips]:
    """Return the clips to train on and those held back, all frames decoded into the store.

    Raises DataError when there is no footage to train on or too little of it, or none of the scene asked for.
    """
    items, sources = training_sources(config, input_format, progress)
    require_rates({str(source.path): source.probe() for source in sources}, input_format.fps, str(config.footage))
    requests = [
        StoreRequest(name=item.name, source=source, max_frames=share)
        for item, source, share in zip(items, sources, _shares(sources, config.max_frames), strict=True)
        if share != 0
    ]
    videos = store_videos(
        requests,
        StoreFormat(height_px=config.height_px, width_px=config.width_px, channels=channels),
        cache_folder(config.cache),
        progress=progress,
    )
    ignored = IgnoredRegions.of(input_format)
    infos = [request.source.probe() for request in requests]
    videos = [
        replace(video, ignored=ignored.mask(info.height_px, info.width_px))
        for video, info in zip(videos, infos, strict=True)
    ]
    kept, held_back = split_holdback(videos, config.holdback)
    train, holdback = Clips.of(kept, geometry), Clips.of(held_back, geometry)
    if not len(train):
        longest = max((len(video.frames) for video in kept), default=0)
        raise DataError(
            f"{geometry.shortage()} in the footage (its longest video gives {longest})",
            str(config.footage),
            f"Name longer footage, or a smaller --data.{'stride' if geometry.spacing == 1 else 'spacing'}",
        )
    if config.holdback and not len(holdback):
        raise DataError("what is held back holds no clip", str(config.footage), "Use a larger --data.holdback")
    return train, holdback


def training_sources(
    config: DataConfig, input_format: InputFormat, progress: Progress | None = None
) -> tuple[Sequence[VideoItem], list[Source]]:
    """Return the videos to train on. progress: gets a note of what is left out.

    Raises DataError if there are none, or none of the scene asked for.
    """
    dataset = recognise(config.footage)
    if not dataset.train:
        seen = f"; seen: {', '.join(dataset.ignored[:NOTES_SHOWN])}" if dataset.ignored else ""
        fault = f"there is no normal footage to train on{seen}"
        raise DataError(fault, str(config.footage), where_training_goes(dataset))
    if progress is not None:
        _note_left_out(dataset, progress)
    items = clips_of_scene(dataset.train, config.scene, config.footage)
    return items, [source_of(item.path, input_format, config.on_bad_frame) for item in items]


def _note_left_out(dataset: Dataset, progress: Progress) -> None:
    for note in dataset.ignored[:NOTES_SHOWN]:
        progress.note(f"not used: {note}")
    if (more := len(dataset.ignored) - NOTES_SHOWN) > 0:
        progress.note(f"and {more} more notes, which `maskedskipunet check {dataset.root}` gives")


def source_shape(config: DataConfig, input_format: InputFormat) -> float:
    """Return width over height of the training footage's own picture, the usual one where there are several."""
    infos = [source.probe() for source in training_sources(config, input_format)[1]]
    return float(median(info.width_px / max(1, info.height_px) for info in infos))


def note_enlarged(config: DataConfig, input_format: InputFormat, progress: Progress) -> None:
    """Say it before hours are spent when frames are trained on that are much larger than the footage's."""
    infos = [source.probe() for source in training_sources(config, input_format)[1]]
    height_px, width_px = (
        int(median(sizes)) for sizes in zip(*((i.height_px, i.width_px) for i in infos), strict=True)
    )
    times = config.height_px * config.width_px / max(1, height_px * width_px)
    if times >= MUCH_LARGER:
        tall, wide = (max(SMALLEST_PX, SIZE_STEP * ceil(size / SIZE_STEP)) for size in (height_px, width_px))
        factor = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
        progress.note(
            f"footage of {width_px}x{height_px} is enlarged to {config.width_px}x{config.height_px}, which takes about "
            f"{factor} times as long; --data.height_px {tall} --data.width_px {wide} keeps its size"
        )


def common_rate(sources: Sequence[Source]) -> float | None:
    """Return the frames a second that videos have, if it is one for all of them; None if it is not, or not known."""
    rates = [source.probe().frame_rate for source in sources]
    known = [float(rate) for rate in rates if rate is not None]
    return float(median(known)) if len(known) == len(sources) > 0 and are_alike(known) else None


def note_other_rates(sources: Sequence[Source], input_format: InputFormat, progress: Progress) -> None:
    """Say once which videos a network looks at that has seen frames closer together, or farther apart, in training."""
    trained_fps = input_format.footage_fps
    if input_format.fps is not None or trained_fps is None:
        return
    rates = [(source.path.name, source.probe().frame_rate or trained_fps) for source in sources]
    others = [f"{name} ({rate:.4g})" for name, rate in rates if not are_alike([rate, trained_fps])]
    if others:
        more = f" and {len(others) - NAMES_SHOWN} more" if len(others) > NAMES_SHOWN else ""
        progress.note(
            f"{len(others)} of {len(rates)} videos have another rate than the {trained_fps:.4g} frames a second that "
            f"the model was trained at: {', '.join(others[:NAMES_SHOWN])}{more}; their clips span another time, so "
            "their scores do not compare. Train with --data.fps to look at all videos at one rate"
        )


def where_training_goes(dataset: Dataset) -> str:
    """Return the cure for a data set without training videos."""
    folders_by_layout = {
        "ucsd": "Train/",
        "street_scene": "Train/",
        "avenue": "training_videos/",
        "shanghaitech": "training/videos/",
        "nwpu_campus": "videos/Train/",
        "msad": "MSAD_normal_training_blur/",
        "corridor": "Train/",
        "ucf_crime": "Training_Normal_Videos_Anomaly/",
    }
    if dataset.layout in folders_by_layout:
        return f"Put training clips under {folders_by_layout[dataset.layout]}"
    return "Put normal videos under normal/, train/ or training/"


def split_holdback(videos: Sequence[StoredVideo], share: float) -> tuple[list[StoredVideo], list[StoredVideo]]:
    """Return videos to train on and videos to hold back: whole videos spread evenly, or the end of a single one."""
    if not share:
        return list(videos), []
    if len(videos) == 1:
        border = round(len(videos[0].frames) * (1 - share))
        return [_part(videos[0], slice(border))], [_part(videos[0], slice(border, None))]
    count = min(len(videos) - 1, max(1, round(len(videos) * share)))
    held = {int((number + 0.5) * len(videos) / count) for number in range(count)}
    kept = [video for index, video in enumerate(videos) if index not in held]
    return kept, [videos[index] for index in sorted(held)]


def test_videos(config: DataConfig, input_format: InputFormat) -> list[LabelledVideo]:
    """Return the test videos of a data set, each probed and its labels compared with its length before any is scored.

    Raises DataError when there are none, none of the scene asked for, or one cannot be read, LabelError when labels
    do not fit.
    """
    dataset = recognise(config.footage)
    if not dataset.test:
        cure = "Put test videos under test/ or testing/, or score one video with `maskedskipunet score`"
        raise DataError("there are no test videos", str(config.footage), cure)
    warn_of_unused_truth(dataset.ignored, config.footage)
    items = clips_of_scene(dataset.test, config.scene, config.footage)
    return [_test_video(item, source_of(item.path, input_format, config.on_bad_frame)) for item in items]


def _test_video(item: VideoItem, source: Source) -> LabelledVideo:
    info = source.probe()
    require_rate(info, source.fps, str(source.path))
    labels = None if item.labels is None else labels_of(item.labels, info)
    return LabelledVideo(item, source, info, labels)


def _shares(sources: Sequence[Source], limit: int | None) -> list[int | None]:
    """Return how many frames each video gives when only so many may be taken in all: in proportion to its length."""
    if limit is None:
        return [None] * len(sources)
    counts = [source.expected_frames() for source in sources]
    if sum(counts) <= limit:
        return [None] * len(sources)
    return [limit * count // sum(counts) for count in counts]


def _part(video: StoredVideo, frames: slice) -> StoredVideo:
    return replace(
        video,
        frames=video.frames[frames],
        index=video.index[frames],
        good=video.good[frames],
        time_s=None if video.time_s is None else video.time_s[frames],
    )
