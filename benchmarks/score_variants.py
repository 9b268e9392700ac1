"""Is there a better frame score than the published one, and should places be calibrated? Judged on normal video alone.

    uv run python benchmarks/score_variants.py --run runs/ped2_cpu/seed0_learned
    uv run python benchmarks/score_variants.py --run RUN --weights RUN/checkpoints/epoch_0[48].safetensors

Anomalies are made into the clips that a run held back (made_anomalies.py), and each variant of the score tells their
frames from the normal ones. No test half is read. Writes docs/results/score_variants_<hardware>_<date>.json and prints
a table of the last weights named.

`variant_scores` gives any variant's scores for maps of other footage.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from made_anomalies import KINDS, Kind, MadeClip, Wardrobe, make
from numpy.typing import NDArray
from results import write_result
from torch import Tensor

from maskedskipunet.data.clips import Clips
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.evaluation.bootstrap import RESAMPLES, blocks, draws, interval
from maskedskipunet.evaluation.ranking import Ranking, area_under_roc
from maskedskipunet.files import atomic_write
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.model.score import PATCH_PX
from maskedskipunet.progress import Silent
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.calibration import stored_frames
from maskedskipunet.workflows.footage import training_clips

Floats = NDArray[np.float64]
CONTEXT = 2  # frames scored before and after a made stretch, for variants that look at neighbouring frames
TRAINING_STRETCH = 8  # frames of each training clip whose maps make a reference
PUBLISHED = "published"
ALL = "all"  # kinds of made anomalies together
DIGITS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run that held clips back")
    parser.add_argument("--weights", type=Path, nargs="+", help="weights of it to judge by (default: its model)")
    parser.add_argument("--data", type=Path, help="where its training half lies now (default: where it was)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the making of anomalies")
    parser.add_argument("--maps", type=Path, help="a folder to keep score maps in, so that they are not made again")
    options = parser.parse_args()
    train, holdback, how = held_back_clips(RunFolder(options.run), options.data)
    made = list(made_clips(train, holdback, options.seeds))
    models = []
    for weights in options.weights or [options.run]:
        footage = scored_footage(weights, how, train, holdback, made, options.maps)
        models.append({"weights": weights.name, "variants": judge(footage)})
        print(f"\n{weights}\n\n{table(models[-1]['variants'])}", flush=True)
    content = {
        "run": options.run.name,
        "config": {key: RunFolder(options.run).read_config()[key] for key in ("model", "training", "data", "seed")},
        "held_back": [video.name for video in holdback.videos],
        "seeds": options.seeds,
        "normal_frames": sum(len(video.frames) - 2 for video in holdback.videos),
        "models": models,
    }
    content["config"]["data"] = {key: content["config"]["data"][key] for key in ("height_px", "width_px", "holdback")}
    print(write_result("score_variants", content))


# Footage: held-back clips, and anomalies made into them


def held_back_clips(run: RunFolder, data: Path | None) -> tuple[Clips, Clips, InputFormat]:
    """The clips a run was trained on, those it held back, and the frames it looks at. No test half is opened."""
    values = run.read_config()
    if data is not None:
        values["data"]["path"] = str(data)
    config = TrainConfig.from_dict(values, str(run.config))
    train, holdback = training_clips(
        config.data,
        config.input_format,
        geometry=config.input_format.clip_geometry(config.model.frames),
        channels=config.model.channels,
        progress=Silent(),
    )
    if len(holdback.videos) < 2:
        raise SystemExit(f"{run.path}: {len(holdback.videos)} clips were held back. Name a run with two or more")
    return train, holdback, config.input_format


def made_clips(train: Clips, holdback: Clips, seeds: Sequence[int]) -> Iterator[MadeClip]:
    """Each kind once a seed, the clips in turn."""
    wardrobe = Wardrobe.of([np.asarray(video.frames) for video in train.videos])
    for seed in seeds:
        for number, kind in enumerate(KINDS, seed):
            video = holdback.videos[number % len(holdback.videos)]
            yield make(kind, np.asarray(video.frames), wardrobe, video=video.name, seed=seed)


# What a network gives: error maps


@dataclass(frozen=True)
class Maps:
    """What a variant looks at, of N neighbouring frames of one video.

    errors: (N, H, W), the score maps. features: how far the encoder's features of the reconstruction are from those
    of the target, by level, (N, H / 2^l, W / 2^l). Both float32. images: uint8 (N, H, W), the target's brightness.
    """

    errors: Tensor
    features: Sequence[Tensor]
    images: Tensor

    def __getitem__(self, frames: slice) -> "Maps":
        return Maps(self.errors[frames], [level[frames] for level in self.features], self.images[frames])

    @classmethod
    def joined(cls, several: Sequence["Maps"]) -> "Maps":
        return cls(
            torch.cat([maps.errors for maps in several]),
            [torch.cat(levels) for levels in zip(*(maps.features for maps in several), strict=True)],
            torch.cat([maps.images for maps in several]),
        )


def video_maps(frames: NDArray[np.uint8], network: PreparedNetwork, how: InputFormat, scales: Sequence[Tensor]) -> Maps:
    """The maps of all frames that a clip is centred on. frames: (N, C, H, W). scales: of feature_scales."""
    video = StoredVideo("", frames, np.arange(len(frames)), np.ones(len(frames), bool))
    errors, features = [], []
    for scored in Scorer(network, how).score(stored_frames(video), with_maps=True):
        if scored.map is not None and scored.reconstruction is not None:
            errors.append(torch.from_numpy(scored.map))
            pair = np.stack([frames[scored.index], scored.reconstruction])
            features.append(
                [distance(level, scale) for level, scale in zip(encode(pair, network), scales, strict=True)]
            )
    half = network.clip_length // 2
    images = torch.from_numpy(frames[half : len(frames) - half].mean(axis=1).round().astype(np.uint8))
    return Maps(torch.stack(errors), [torch.stack(level) for level in zip(*features, strict=True)], images)


@torch.inference_mode()
def encode(images: NDArray[np.uint8], network: PreparedNetwork) -> list[Tensor]:
    """The encoder's features, level 1 to 4: (N, C, H, W) -> (N, H_l, W_l, C_l)."""
    level = torch.from_numpy(images).to(network.device).permute(0, 2, 3, 1).float().contiguous() / 255
    levels = []
    for stage in network.stages(*images.shape[2:]).encoder:
        level = stage(level)
        levels.append(level)
    return levels


def distance(pair: Tensor, scale: Tensor) -> Tensor:
    """Root mean square over channels, each in its own scale: (2, H, W, C) -> (H, W)."""
    return ((pair[0] - pair[1]) / scale).square().mean(dim=-1).sqrt().cpu()


def feature_scales(videos: Sequence[StoredVideo], network: PreparedNetwork) -> list[Tensor]:
    """The deviation of each channel, by level, over a frame of each video; 1 for a channel that never moves."""
    levels = encode(np.stack([video.frames[len(video.frames) // 2] for video in videos]), network)
    scales = [level.flatten(0, 2).std(dim=0) for level in levels]
    return [torch.where(scale > 1e-6, scale, torch.ones_like(scale)) for scale in scales]


# The reference: what is usual


class Reference:
    """What maps of normal footage look like. Statistics are computed when first asked for."""

    def __init__(self, maps: Maps) -> None:
        self.maps = maps
        self._scores: dict[str, Floats] = {}

    def scores(self, name: str) -> Floats:
        """The scores of the normal frames by a variant that needs no reference itself."""
        if name not in self._scores:
            self._scores[name] = variant_scores(name, self.maps)
        return self._scores[name]

    @cached_property
    def places(self) -> Tensor:
        """The mean errors of patches: (N, P)."""
        return patch_means(self.maps.errors, PATCH_PX)

    @cached_property
    def texture_bins(self) -> tuple[Floats, Floats]:
        return expected_error(patch_texture(self.maps.images), self.places)

    @cached_property
    def brightness_bins(self) -> tuple[Floats, Floats]:
        return expected_error(patch_brightness(self.maps.images), self.places)


def expected_error(quality: Tensor, errors: Tensor, bins: int = 20) -> tuple[Floats, Floats]:
    """The mean error of patches by some quality of theirs, in bins of equally many: quality and error of each bin."""
    order = quality.flatten().argsort()
    chunks = [(quality.flatten()[some], errors.flatten()[some]) for some in order.chunk(bins)]
    at, usual = (np.array([float(chunk[number].mean()) for chunk in chunks]) for number in (0, 1))
    return at, usual


# Patches


def patch_means(maps: Tensor, size: int) -> Tensor:
    """Means of patches on the published two grids: of so many pixels, and shifted by half: (N, H, W) -> (N, P)."""
    grids = [F.avg_pool2d(maps[:, None], size).flatten(1)]
    half = size // 2
    if half and maps.shape[1] > size and maps.shape[2] > size:
        grids.append(F.avg_pool2d(maps[:, None, half:-half, half:-half], size).flatten(1))
    return torch.cat(grids, dim=1)


def patch_rows(maps: Tensor, size: int) -> Tensor:
    """The row, in pixels, of each of patch_means' patches: (P,)."""
    rows = torch.arange(maps.shape[1], dtype=torch.float32)[None, :, None].expand(1, *maps.shape[1:])
    return patch_means(rows, size)[0]


def patch_brightness(images: Tensor) -> Tensor:
    """uint8 (N, H, W) -> (N, P), 0 to 1."""
    return patch_means(images / 255, PATCH_PX)


def patch_texture(images: Tensor) -> Tensor:
    """The deviation of the brightness within patches: uint8 (N, H, W) -> (N, P), 0 to 1."""
    variance = patch_means((images / 255).square(), PATCH_PX) - patch_brightness(images).square()
    return variance.clamp(min=0).sqrt()


# The variants of one map


def patches(maps: Maps, size: int) -> Tensor:
    """The published score, of other patches."""
    return patch_means(maps.errors, size).amax(dim=1)


def dense_patches(maps: Maps, size: int, step: int) -> Tensor:
    """Patches on a denser grid."""
    return F.avg_pool2d(maps.errors[:, None], size, step).amax(dim=(1, 2, 3))


def smoothed_maximum(maps: Maps, sigma: float) -> Tensor:
    """The highest error after a Gaussian. sigma: in squares of 2x2 pixels, whose means are taken first."""
    halved = F.avg_pool2d(maps.errors[:, None], 2)
    reach = int(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.sum()
    wide = F.pad(halved, [reach] * 4, mode="replicate")
    return F.conv2d(F.conv2d(wide, weights[None, None, None]), weights[None, None, :, None]).amax(dim=(1, 2, 3))


def mean_error(maps: Maps) -> Tensor:
    return maps.errors.mean(dim=(1, 2))


def highest_pixels(maps: Maps, share: float) -> Tensor:
    """The mean of the highest errors."""
    flat = maps.errors.flatten(1)
    return flat.topk(max(1, round(share * flat.shape[1])), dim=1).values.mean(dim=1)


def highest_patches(maps: Maps, count: int) -> Tensor:
    """The mean of the highest patches of the first grid, which do not overlap."""
    means = F.avg_pool2d(maps.errors[:, None], PATCH_PX).flatten(1)
    return means.topk(min(count, means.shape[1]), dim=1).values.mean(dim=1)


def contrast(maps: Maps) -> Tensor:
    """The published score without what the whole frame has in common."""
    means = patch_means(maps.errors, PATCH_PX)
    return means.amax(dim=1) - means.median(dim=1).values


def feature_patches(maps: Maps, level: int) -> Tensor:
    """The published score of the features' error at a level, 1 to 4, of patches of as many pixels."""
    return patch_means(maps.features[level - 1], max(1, PATCH_PX >> level)).amax(dim=1)


# The variants of neighbouring frames


def frame_difference(maps: Maps) -> Tensor:
    """The published score of how the error changed since the frame before; the first frame has its successor's."""
    change = (maps.errors[1:] - maps.errors[:-1]).abs()
    return patch_means(torch.cat([change[:1], change]), PATCH_PX).amax(dim=1)


def published_mean(maps: Maps, count: int) -> Tensor:
    """The mean of the published scores of so many neighbouring frames, wherever in the frame they come from."""
    scores = patches(maps, PATCH_PX)
    half = count // 2
    wide = torch.cat([scores[:1]] * half + [scores] + [scores[-1:]] * half)
    return wide.unfold(0, count, 1).mean(dim=-1)


def mean_of_frames(maps: Maps, count: int) -> Tensor:
    """The published score of the mean map of so many neighbouring frames, at a place: steady errors alone."""
    half = count // 2
    means = patch_means(maps.errors, PATCH_PX)
    wide = torch.cat([means[:1]] * half + [means] + [means[-1:]] * half)
    return wide.unfold(0, count, 1).mean(dim=-1).amax(dim=1)


# The variants of places


def place_difference(maps: Maps, usual: Reference, quantile: float | None = None, share: float = 1) -> Tensor:
    """The published score over what is usual at the place: its mean or a quantile, or a share of that."""
    places = usual.places
    middle = places.mean(dim=0) if quantile is None else places.quantile(quantile, dim=0)
    return (patch_means(maps.errors, PATCH_PX) - share * middle).amax(dim=1)


def place_z(maps: Maps, usual: Reference, shrink: float, quantile: float | None = None) -> Tensor:
    """In deviations of the place, whose variance is shrunk towards that of all places.

    shrink: weight of the global variance against the place's own: 0 is the plain z-score, infinity leaves one
    deviation for all places.
    """
    places = usual.places
    own = places.var(dim=0)
    own_share = 1 / (1 + shrink)
    variance = own_share * own + (1 - own_share) * own.mean()
    middle = places.mean(dim=0) if quantile is None else places.quantile(quantile, dim=0)
    return ((patch_means(maps.errors, PATCH_PX) - middle) / (variance + 1e-12).sqrt()).amax(dim=1)


def row_z(maps: Maps, usual: Reference) -> Tensor:
    """In deviations of all places as far from the camera: statistics by rows of patches."""
    rows = patch_rows(maps.errors, PATCH_PX)
    means = patch_means(maps.errors, PATCH_PX)
    best = torch.full((len(means),), -torch.inf)
    for row in sorted(set(rows.tolist())):
        same = usual.places[:, rows == row]
        best = best.maximum(((means[:, rows == row] - same.mean()) / (same.std() + 1e-6)).amax(dim=1))
    return best


def place_ratio(maps: Maps, usual: Reference, shrink: float) -> Tensor:
    """As a multiple of the place's mean, which is shrunk towards that of all places as in place_z."""
    middle = usual.places.mean(dim=0)
    own_share = 1 / (1 + shrink)
    return (patch_means(maps.errors, PATCH_PX) / (own_share * middle + (1 - own_share) * middle.mean())).amax(dim=1)


# The variants that know what a patch shows


def over_expected(maps: Maps, usual: Reference, by: str, as_ratio: bool) -> Tensor:
    """The error of a patch against what patches of its texture or brightness usually have."""
    is_texture = by == "texture"
    quality = (patch_texture if is_texture else patch_brightness)(maps.images)
    expected = np.interp(quality.numpy(), *(usual.texture_bins if is_texture else usual.brightness_bins))
    errors, level = patch_means(maps.errors, PATCH_PX), torch.from_numpy(expected).float()
    return (errors / level if as_ratio else errors - level).amax(dim=1)


# The variants that join others


def joined(
    maps: Maps, usual: Reference, names: Sequence[str], how: Callable[[Tensor], Tensor], scale: str = "quantiles"
) -> Tensor:
    """Several variants together, each in a scale that normal frames give it."""
    put = in_quantiles if scale == "quantiles" else in_ranks
    return how(torch.stack([put(variant_scores(name, maps), usual.scores(name)) for name in names]))


def in_quantiles(scores: Floats, normal: Floats) -> Tensor:
    """0 at the median of normal scores, 1 at the 95th of 100."""
    middle, high = np.quantile(normal, [0.5, 0.95])
    return torch.from_numpy((scores - middle) / max(high - middle, 1e-12))


def in_ranks(scores: Floats, normal: Floats) -> Tensor:
    """The share of normal scores below, going on over the highest in steps of the upper half's width."""
    ranked = np.sort(normal)
    inside = np.interp(scores, ranked, np.linspace(0, 1, len(ranked)))
    over = np.maximum(0, scores - ranked[-1]) / max(ranked[-1] - np.median(ranked), 1e-12)
    return torch.from_numpy(inside + over)


def mean_of(stack: Tensor) -> Tensor:
    return stack.mean(dim=0)


def highest_of(stack: Tensor) -> Tensor:
    return stack.amax(dim=0)


# The table of variants

ByItself = Callable[[Maps], Tensor]
Referring = Callable[[Maps, Reference], Tensor]
SIZES = ("patches of 4", "patches of 8", PUBLISHED, "patches of 32", "patches of 64")

BY_ITSELF: Mapping[str, ByItself] = {
    PUBLISHED: partial(patches, size=PATCH_PX),
    **{f"patches of {size}": partial(patches, size=size) for size in (4, 8, 32, 64)},
    "patches, dense": partial(dense_patches, size=PATCH_PX, step=4),
    **{f"smoothed by {sigma}": partial(smoothed_maximum, sigma=sigma / 2) for sigma in (2, 4, 8)},
    "mean of the map": mean_error,
    "highest 1 in 1000": partial(highest_pixels, share=0.001),
    "highest 1 in 100": partial(highest_pixels, share=0.01),
    "highest 3 patches": partial(highest_patches, count=3),
    "over frame's median": contrast,
    **{f"features, level {level}": partial(feature_patches, level=level) for level in (1, 2, 3, 4)},
    "change of error": frame_difference,
    **{f"mean of {count} frames": partial(mean_of_frames, count=count) for count in (3, 5)},
    **{f"published, {count} frames": partial(published_mean, count=count) for count in (3, 5)},
}
REFERRING: Mapping[str, Referring] = {
    "place mean off": place_difference,
    "half place mean off": partial(place_difference, share=0.5),
    "place median off": partial(place_difference, quantile=0.5),
    "place z": partial(place_z, shrink=0.0),
    **{f"place z, shrunk {shrink:g}": partial(place_z, shrink=shrink) for shrink in (0.1, 1.0, 10.0)},
    "median z, shrunk 1": partial(place_z, shrink=1.0, quantile=0.5),
    "row z": row_z,
    "place ratio, shrunk 1": partial(place_ratio, shrink=1.0),
    "texture off": partial(over_expected, by="texture", as_ratio=False),
    "texture ratio": partial(over_expected, by="texture", as_ratio=True),
    "brightness off": partial(over_expected, by="brightness", as_ratio=False),
    "brightness ratio": partial(over_expected, by="brightness", as_ratio=True),
    "sizes, mean": partial(joined, names=SIZES, how=mean_of),
    "sizes, highest": partial(joined, names=SIZES, how=highest_of),
    "features, mean": partial(joined, names=[f"features, level {level}" for level in (1, 2, 3, 4)], how=mean_of),
    **{
        f"ranks, + {told}": partial(joined, names=(PUBLISHED, name), how=mean_of, scale="ranks")
        for told, name in (
            ("level 1", "features, level 1"),
            ("level 2", "features, level 2"),
            ("level 3", "features, level 3"),
            ("level 4", "features, level 4"),
            ("map mean", "mean of the map"),
            ("pixels", "highest 1 in 1000"),
        )
    },
}


@torch.inference_mode()
def variant_scores(name: str, maps: Maps, reference: Reference | None = None) -> Floats:
    """One score a frame, (N,), by a row of the table of variants, higher is more anomalous.

    maps: of neighbouring frames of one video. reference: of normal footage that is neither the footage scored nor,
    for the figures to hold, that trained on; BY_ITSELF needs none.
    """
    if name in BY_ITSELF:
        return BY_ITSELF[name](maps).double().numpy()
    if reference is None:
        raise ValueError(f"{name!r} needs a reference")
    return REFERRING[name](maps, reference).double().numpy()


# Judging


@dataclass(frozen=True)
class TimeRange:
    """Maps with context, and which of their frames count. video: held-back clip. made: None where it is as it was."""

    video: str
    maps: Maps
    counted: slice
    made: MadeClip | None


@dataclass(frozen=True)
class Footage:
    """references: by where their footage is from, then by the held-back clip that they serve."""

    stretches: Sequence[TimeRange]
    references: Mapping[str, Mapping[str, Reference]]


def scored_footage(
    weights: Path, how: InputFormat, train: Clips, holdback: Clips, made: Sequence[MadeClip], kept: Path | None
) -> Footage:
    network = prepare(load_model(weights), "auto", size_px=(how.height_px, how.width_px))
    scales = feature_scales(train.videos, network)
    half = network.clip_length // 2
    key = weights_key(weights)

    def maps_of(name: str, frames: NDArray[np.uint8]) -> Maps:
        return remembered(kept and kept / f"{key} {name}.pt", lambda: video_maps(frames, network, how, scales))

    normal = {video.name: maps_of(video.name, video.frames) for video in holdback.videos}
    stretches = [TimeRange(name, maps, slice(None), None) for name, maps in normal.items()]
    for clip in made:
        first, last = clip.stretch.start, clip.stretch.stop
        before = max(0, first - CONTEXT - half)
        name = f"{clip.video} {clip.kind.name} {clip.kind.speed:g} seed {clip.seed}"
        after = last + CONTEXT + half
        maps = maps_of(name, clip.frames(slice(before, after)))
        counted = slice(max(first, half) - before - half, min(last, len(clip.original) - half) - before - half)
        stretches.append(TimeRange(clip.video, maps, counted, clip))
    starts = [len(video.frames) // 2 for video in train.videos]
    trained = [
        maps_of(f"trained {video.name}", video.frames[start : start + TRAINING_STRETCH])
        for video, start in zip(train.videos, starts, strict=True)
    ]
    of_training = Reference(Maps.joined(trained))
    others = {
        name: Reference(Maps.joined([maps for other, maps in normal.items() if other != name])) for name in normal
    }
    return Footage(stretches, {"held back": others, "trained on": dict.fromkeys(normal, of_training)})


def weights_key(weights: Path) -> str:
    file = weights / "model" / "model.safetensors" if weights.is_dir() else weights
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def remembered(path: Path | None, make_maps: Callable[[], Maps]) -> Maps:
    if path is not None and path.exists():
        return Maps(*torch.load(path))
    maps = make_maps()
    if path is not None:
        with atomic_write(path) as part:
            torch.save((maps.errors, list(maps.features), maps.images), part)
    return maps


@dataclass(frozen=True)
class Frames:
    """All frames that count, in one row. made: each frame's clip, -1 where normal. unit: drawn together."""

    clips: Sequence[MadeClip]
    made: NDArray[np.int64]
    unit: NDArray[np.int64]

    @classmethod
    def of(cls, stretches: Sequence[TimeRange]) -> "Frames":
        clips = [stretch.made for stretch in stretches if stretch.made is not None]
        counts = [len(stretch.maps.errors[stretch.counted]) for stretch in stretches]
        normal = len(stretches) - len(clips)
        video = np.repeat(np.arange(len(stretches)), counts)
        frame = np.concatenate([np.arange(count) for count in counts])
        return cls(clips, np.where(video < normal, -1, video - normal), blocks(video, frame))

    def chosen(self, wanted: Callable[[MadeClip], bool]) -> NDArray[np.bool_]:
        """The normal frames, and those of made clips that are wanted."""
        flags = np.array([wanted(clip) for clip in self.clips] + [True])  # the last for -1
        return flags[self.made]


def groups(clips: Sequence[MadeClip]) -> dict[str, Callable[[MadeClip], bool]]:
    """What figures are told of: all kinds, each kind, each speed and each seed."""

    def is_of(kinds: Sequence[Kind], clip: MadeClip) -> bool:
        return clip.kind in kinds

    counted = [kind for kind in KINDS if not kind.is_control]
    found: dict[str, Callable[[MadeClip], bool]] = {ALL: partial(is_of, counted)}
    for name in dict.fromkeys(kind.name for kind in counted):
        found[name] = partial(is_of, [kind for kind in counted if kind.name == name])
    for speed in sorted({kind.speed for kind in counted}):
        found[f"speed {speed:g}"] = partial(is_of, [kind for kind in counted if kind.speed == speed])
    found["control"] = partial(is_of, [kind for kind in KINDS if kind.is_control])

    def is_of_seed(seed: int, clip: MadeClip) -> bool:
        return clip.seed == seed and not clip.kind.is_control

    for seed in dict.fromkeys(clip.seed for clip in clips):
        found[f"seed {seed}"] = partial(is_of_seed, seed)
    return found


def judge(footage: Footage) -> list[dict[str, Any]]:
    """Each variant's AUC by group, and over all with 95 % intervals of its own and of its gain over the published."""
    frames = Frames.of(footage.stretches)
    published = scores_of(footage, PUBLISHED, "held back")
    compared = {
        group: Comparison(frames, frames.chosen(wanted), published) for group, wanted in groups(frames.clips).items()
    }
    rows = []
    for name in [*BY_ITSELF, *REFERRING]:
        for source in ["held back"] if name in BY_ITSELF else list(footage.references):
            scores = scores_of(footage, name, source)
            figures = {group: comparison.figures(scores, group == ALL) for group, comparison in compared.items()}
            rows.append({"variant": name, "reference": None if name in BY_ITSELF else source, "figures": figures})
    return rows


class Comparison:
    """The AUC of some frames, and its gain over the published score's on the same draws of blocks."""

    def __init__(self, frames: Frames, chosen: NDArray[np.bool_], published: Floats) -> None:
        self.chosen = chosen
        self._labels = (frames.made[chosen] >= 0).astype(np.uint8)
        units, unit = np.unique(frames.unit[chosen], return_inverse=True)
        once = np.ones((1, len(unit)))
        self._weights = np.concatenate([once, draws(len(units), 0, RESAMPLES)[:, unit]])  # first as it is
        self._published = self._aucs(published, self._weights)

    def figures(self, scores: Floats, with_intervals: bool) -> dict[str, Any]:
        if not with_intervals:
            return {"auc": round(float(self._aucs(scores, self._weights[:1])[0]), DIGITS)}
        found = self._aucs(scores, self._weights)
        gain = found - self._published
        return {
            "auc": round(float(found[0]), DIGITS),
            "interval": rounded(interval(found[1:])),
            "gain": round(float(gain[0]), DIGITS),
            "gain_interval": rounded(interval(gain[1:])),
        }

    def _aucs(self, scores: Floats, weights: Floats) -> Floats:
        return Ranking(self._labels, scores[self.chosen]).figures(area_under_roc, weights)


def rounded(ends: tuple[float, float] | None) -> list[float] | None:
    return None if ends is None else [round(end, DIGITS) for end in ends]


def scores_of(footage: Footage, name: str, source: str) -> Floats:
    references = footage.references[source]
    return np.concatenate(
        [
            variant_scores(name, stretch.maps, references[stretch.video])[stretch.counted]
            for stretch in footage.stretches
        ]
    )


# The table

COLUMNS = ("enlarged", "squeezed", "turned", "inverted", "textured", "as it was", "elsewhere", "sped up", "reversed")
SHORT = ("enl", "squ", "tur", "inv", "tex", "fas", "els", "spe", "bac")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """80 columns: AUC over all kinds, the gain over the published score with its interval, AUC by kind, times 1000."""
    lines = [f"{'variant':<21} {'all':>4} {'gain':>4} {'95 %':>10}" + "".join(f" {short}" for short in SHORT)]
    for row in rows:
        figures = row["figures"]
        of_all = figures[ALL]
        told = row["variant"] + (" *" if row["reference"] == "trained on" else "")
        low, high = (round(1000 * end) for end in of_all["gain_interval"])
        lines.append(
            f"{told:<23.23} {thousandths(of_all['auc'])} {1000 * of_all['gain']:>+4.0f} {f'{low:+d},{high:+d}':>10}"
            + "".join(f" {thousandths(figures[name]['auc'])}" for name in COLUMNS)
        )
    lines += [
        "AUC, gain over the published score and its interval, all times 1000.",
        "* referring to footage trained on; others that need a reference, to held back.",
        "fas: pasted as it was, four times as fast. bac: played backwards.",
    ]
    return "\n".join(lines)


def thousandths(auc: float) -> str:
    """In three places.

    >>> thousandths(0.9121), thousandths(0.05), thousandths(0.9996)
    ('912', ' 50', '1.0')
    """
    return "1.0" if auc >= 0.9995 else f"{1000 * auc:>3.0f}"


if __name__ == "__main__":
    main()
