"""Set a model's threshold by a budget of false alarms, from normal footage alone."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.data.frames import Frame, OnBadFrame
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.budget import Budget, NormalScores, set_threshold
from maskedskipunet.detection.calibration import Calibration, keep_earlier
from maskedskipunet.detection.day import DayPart
from maskedskipunet.detection.day_budget import set_thresholds
from maskedskipunet.detection.drift import Block, Blocks, DriftReference
from maskedskipunet.detection.events import EventRule
from maskedskipunet.errors import CalibrationError, ConfigError, DiskSpaceError, RunError
from maskedskipunet.files import require_writable, whole_file
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import rewrite_input_format
from maskedskipunet.progress import Advance, Progress, Silent
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.scoring.ignored import also_ignoring, in_percent
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.view.comparison import film_strip
from maskedskipunet.view.heatmap import dimmed, overlay
from maskedskipunet.workflows.day_parts import require_start_times
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.gathering import NamedVideo
from maskedskipunet.workflows.kept_scores import KEPT_NAME, FootageScores, KeptScores, model_key, video_key

MOMENTS = 12
APART_S = 30.0  # between moments of one video, and how much of it one names
PICTURE_WIDTH_PX = 1280


@dataclass(frozen=True)
class Stretch:
    """A part of a video in seconds, `NAME@START-END`, or all of it, `NAME`."""

    video: str
    start_s: float = float("-inf")
    end_s: float = float("inf")

    def holds(self, video: str, time_s: float) -> bool:
        return self.video == video and self.start_s <= time_s <= self.end_s

    @classmethod
    def read(cls, text: str) -> "Stretch":
        """
        >>> Stretch.read("13@600-630")
        Stretch(video='13', start_s=600.0, end_s=630.0)
        """
        named = re.fullmatch(r"(.+)@([0-9.]+)-([0-9.]+)", text)
        try:
            return cls(named[1], float(named[2]), float(named[3])) if named else cls(text)
        except ValueError as error:
            raise ConfigError(f"{text!r} is no stretch of a video", "exclude", "Use NAME or NAME@START-END") from error


@dataclass(frozen=True)
class Moment:
    """One of the highest scores of normal footage. name: what `exclude` takes. picture: the frame beside its errors."""

    name: str
    video: str
    frame: int
    time_s: float
    score: float
    picture: Path


@dataclass(frozen=True)
class CalibrateResult:
    """calibration: as it was written to `path`. earlier: where the one before it lies now, None where there was none.
    moments: the highest, most striking first. excluded: names of what was left out. kept_path: of the scores, so that
    another budget costs no scoring; None where they could not be kept.
    """

    calibration: Calibration
    path: Path
    earlier: Path | None
    moments: tuple[Moment, ...]
    excluded: tuple[str, ...]
    kept_path: Path | None = None


@dataclass(frozen=True)
class _Scored:
    name: str
    source: Source
    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    blocks: tuple[Block, ...] = ()


def calibrate(
    model: Path,
    videos: Sequence[NamedVideo],
    budget: Budget,
    *,
    exclude: Sequence[str] = (),
    interval_h: float = 24.0,
    parts: Sequence[DayPart] = (),
    starts: str | None = None,
    pictures: Path | None = None,
    on_bad_frame: OnBadFrame = "stop",
    ignore: Sequence[str] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> CalibrateResult:
    """Score normal footage and write what is usual, and the threshold that keeps a budget, into the model's folder.

    videos: normal, and not trained on. exclude: names of videos, or NAME@START-END in seconds, that are left out: what
    is called normal often holds an anomaly. interval_h: hours of new footage whose alarm rate is predicted.
    parts: of the day that get thresholds of their own where there is footage enough. starts: a strptime pattern of the
    videos' names, which tells the time of day that they start at; without one, the files themselves must.
    pictures: folder for the highest-scoring moments (default: `calibration/` in the run or model folder). ignore:
    shapes that are not looked at from now on, besides the model's own, which `config.json` then says. Scores are kept
    in `calibration_scores.npz` of the run, so that another budget on the same footage costs no scoring.
    Raises MaskedSkipUNetError, before anything is written, for what cannot be done.
    """
    progress = progress or Silent()
    folder = model_folder(model)
    pictures = pictures or (folder.parent if folder.name == "model" else folder) / "calibration"
    require_writable(folder)
    require_writable(pictures)
    if not 0 < interval_h < float("inf"):
        raise ConfigError(f"{interval_h:g} hours", "interval", "Use more than 0")
    names = {video.name for video in videos}
    stretches = [Stretch(text) if text in names else Stretch.read(text) for text in exclude]
    _require_known(stretches, videos)
    kept = [video for video in videos if Stretch(video.name) not in stretches]
    if not kept:
        raise CalibrationError("all footage is excluded", "exclude", "Leave some in")
    starts_s = require_start_times(kept, starts) if parts else [None] * len(kept)
    _warn_of_training_footage(folder, kept, progress)
    scorer = load_scorer(model, device, calibrated=False)
    before = scorer.input_format
    sources = [source_of(video.path, before, on_bad_frame) for video in kept]
    scorer = replace(scorer, input_format=in_percent(also_ignoring(before, ignore, "ignore"), sources, "ignore"))
    home = folder.parent if folder.name == "model" else folder
    settings = scorer.input_format.to_dict() | {"on_bad_frame": on_bad_frame}
    kept_scores = KeptScores.read(home / KEPT_NAME, model_key(folder, settings))
    scored = _score_footage(kept, sources, stretches, scorer, kept_scores, progress)
    normal = [
        NormalScores(video.name, video.time_s, video.scores, start_s)
        for video, start_s in zip(scored, starts_s, strict=True)
    ]
    rule = paced_rule(normal)
    if parts:
        setting = set_thresholds(normal, budget, rule, parts, starts=starts, interval_h=interval_h)
    else:
        setting = set_threshold(normal, budget, rule, interval_h=interval_h)
    calibration = replace(
        Calibration.of({video.name: video.scores for video in scored}),
        alarm=setting,
        drift=DriftReference.of([video.blocks for video in scored]),
    )
    if calibration.drift is None:
        progress.note("too little footage to detect drift later: this takes at least two hours")
    moments = _draw_moments(scored, scorer, pictures, kept_scores.drawn)
    if (drawn := frozenset(str(moment.picture.resolve()) for moment in moments)) != kept_scores.drawn:
        _keep(replace(kept_scores, drawn=drawn))
    earlier = keep_earlier(folder)
    if scorer.input_format != before:
        rewrite_input_format(folder, scorer.input_format)
    calibration.write(folder)
    if folder.name == "model":  # so that a network that goes on from this one can be held against the same
        videos_used = {video.name: str(video.path.resolve()) for video in kept}
        write_json(RunFolder(folder.parent).calibrated_on, {"videos": videos_used, "exclude": list(exclude)})
    kept_path = kept_scores.path if kept_scores.path.is_file() else None
    return CalibrateResult(calibration, folder / "calibration.json", earlier, moments, tuple(exclude), kept_path)


def _score_footage(
    videos: Sequence[NamedVideo],
    sources: Sequence[Source],
    stretches: Sequence[Stretch],
    scorer: Scorer,
    kept: KeptScores,
    progress: Progress,
) -> list[_Scored]:
    """Score videos, but for those whose scores are kept; all are kept then, those too of a calibration that fails."""
    left_out = [[(each.start_s, each.end_s) for each in stretches if each.video == video.name] for video in videos]
    keys = [video_key(video.path, spans) for video, spans in zip(videos, left_out, strict=True)]
    new = [number for number, key in enumerate(keys) if key not in kept.videos]
    if len(new) < len(keys):
        progress.note(f"scores of {len(keys) - len(new)} of {len(keys)} videos are kept from an earlier calibration")
    kept.forget_others_of(keys)
    if new:
        kept.drawn = frozenset()
        try:
            with progress.stage("calibrating", sum(sources[number].expected_frames() for number in new)) as advance:
                for number in new:
                    found = _score_normal(sources[number], left_out[number], scorer, advance)
                    kept.videos[keys[number]] = found
        finally:
            _keep(kept)
    all_found = [kept.videos[key] for key in keys]
    return [
        _Scored(video.name, source, found.index, found.time_s, found.scores, found.blocks)
        for video, source, found in zip(videos, sources, all_found, strict=True)
    ]


def _keep(scores: KeptScores) -> None:
    with suppress(DiskSpaceError, OSError):  # a saving, no result
        scores.write()


def _score_normal(
    source: Source,
    left_out: Sequence[tuple[float, float]],
    scorer: Scorer,
    advance: Advance,
) -> FootageScores:
    found, blocks, gathering = [], list[Block](), Blocks()
    for frame in scorer.score(source.frames(), with_maps=True):
        excluded = any(start_s <= frame.time_s <= end_s for start_s, end_s in left_out)
        score = None if excluded else frame.score
        if block := gathering.add(frame.time_s, score, frame.map):
            blocks.append(block)
        found.append((frame.index, frame.time_s, np.nan if score is None else score))
        advance(1)
    index, time_s, scores = (np.array(column) for column in zip(*found, strict=True))
    return FootageScores(index, time_s, scores, tuple(blocks))


def paced_rule(videos: Sequence[NormalScores]) -> EventRule:
    """Return the rule's times for footage of this pace: gaps are merged over two frames at least, however rare frames
    are.
    """
    steps = np.concatenate([np.empty(0), *(np.diff(video.time_s) for video in videos)])
    steps = steps[steps > 0]
    rule = EventRule(threshold=0.0, release=0.0)
    return replace(rule, merge_s=max(rule.merge_s, 2.5 * float(np.median(steps)) if len(steps) else 0.0))


def highest_moments(scored: Sequence[_Scored], count: int) -> list[tuple[int, int]]:
    """Return the highest scores of all videos, no two of one video within half a minute: (video, place in it) each."""
    candidates = []
    for number, video in enumerate(scored):
        left = np.where(np.isnan(video.scores), -np.inf, video.scores)
        for _ in range(count):
            at = int(np.argmax(left))
            if left[at] == -np.inf:
                break
            candidates.append((float(left[at]), number, at))
            left[np.abs(video.time_s - video.time_s[at]) < APART_S] = -np.inf
    return [(number, at) for _, number, at in sorted(candidates, key=lambda found: -found[0])[:count]]


def _require_known(stretches: Sequence[Stretch], videos: Sequence[NamedVideo]) -> None:
    names = [video.name for video in videos]
    for stretch in stretches:
        if stretch.video not in names:
            known = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
            raise ConfigError(f"there is no video {stretch.video!r} in the footage", "exclude", f"Name one of {known}")


def _warn_of_training_footage(folder: Path, videos: Sequence[NamedVideo], progress: Progress) -> None:
    """Frames that were trained on score lower than any to come: a threshold set on them alarms far too often."""
    try:
        trained_on = RunFolder(folder.parent).read_config().get("data", {}).get("path")
    except (RunError, AttributeError):
        return
    if not trained_on:
        return
    root = Path(trained_on).resolve()
    for part in ("", "normal", "train", "training"):
        known = {child.resolve() for child in (root / part).iterdir()} if (root / part).is_dir() else {root}
        if inside := [video.name for video in videos if video.path.resolve() in known]:
            progress.note(
                f"in the footage that was trained on: {', '.join(inside[:3])}{' …' if inside[3:] else ''}; unless that "
                "was held back, new footage will give more alarms than the budget"
            )
            return


def _draw_moments(
    scored: Sequence[_Scored], scorer: Scorer, folder: Path, drawn: Collection[str]
) -> tuple[Moment, ...]:
    """drawn: pictures that were drawn of the same scores already."""
    chosen = highest_moments(scored, MOMENTS)
    planned = {place: _moment(scored[place[0]], place[1], folder) for place in chosen}
    if all(str(each.picture.resolve()) in drawn and each.picture.is_file() for each in planned.values()):
        return tuple(planned.values())
    if folder.is_dir():
        for old in folder.glob("*@*-*.png"):
            old.unlink()
    moments: dict[tuple[int, int], Moment] = {}
    for number in sorted({number for number, _ in chosen}):
        video = scored[number]
        places = sorted(at for other, at in chosen if other == number)
        for at, picture in _pictures(video.source, places, scorer):
            moments[number, at] = planned[number, at]
            with whole_file(planned[number, at].picture) as part:
                Picture.fromarray(picture).save(part, format="PNG")
    return tuple(moments[place] for place in chosen if place in moments)


def _moment(video: _Scored, at: int, folder: Path) -> Moment:
    time_s = float(video.time_s[at])
    start, end = max(0, int(time_s - APART_S / 2)), int(time_s + APART_S / 2) + 1
    name = f"{video.name}@{start}-{end}"
    path = folder / f"{name.replace('/', '_')}.png"
    return Moment(name, video.name, int(video.index[at]), time_s, float(video.scores[at]), path)


def _pictures(source: Source, places: Sequence[int], scorer: Scorer) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield each place's frame beside its errors: read once more, up to the last of them."""
    half_span = scorer.geometry.half_span
    wanted = {at: list[Frame]() for at in places}
    for position, frame in enumerate(source.frames()):
        for at in places:
            if abs(position - at) <= half_span:
                wanted[at].append(frame)
        if position >= places[-1] + half_span:
            break
    for at, frames in wanted.items():
        for scored in scorer.score(frames, with_maps=True):
            image = next(frame.image for frame in frames if frame.index == scored.index)
            if scored.map is not None and image is not None:
                shown = dimmed(image, scorer.ignored.source_mask(*image.shape[:2]))
                glowing = overlay(shown, scored.map, max(float(scored.map.max()), 1e-6))
                yield at, film_strip([shown, glowing], width_px=PICTURE_WIDTH_PX)
