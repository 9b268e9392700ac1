"""How the cues' choices were made: on made anomalies and on normal footage that was not learned, never on a test half.

    uv run python benchmarks/cue_choices.py --ped2 UCSDped2 --upcam upcam [--days upcam_days]

UCSD Ped2: movement and appearance are learned from fourteen training clips, and anomalies are made into the two others
(made_anomalies.py, with more speeds). upcam: they are learned from the hours with hour % 3 = 0, a threshold keeps a
budget on those with = 1, and those with = 2 and whole other days say how many false alarms it gives; anomalies that
stand still are made into them (made_still.py). Writes docs/results/cue_choices_<hardware>_<date>.json.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made_anomalies import KINDS, Frames, Kind, Wardrobe, make
from made_still import STILL_KINDS, make_still
from numpy.typing import NDArray
from results import write_result

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.cache import cache_folder
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import StoredVideo, StoreFormat, StoreRequest, store_videos
from maskedskipunet.detection.events import EventRule, find_events
from maskedskipunet.evaluation.frames import roc_auc
from maskedskipunet.evaluation.smoothing import causal_median
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.calibration import stored_frames

CUES = ("movement", "appearance")
NORMS = (1.0, 2.0, 4.0, 8.0)
HELD_BACK = (4, 12)  # of the sorted training clips of Ped2
MORE_KINDS = (
    *(Kind("as it was", speed) for speed in (0.3, 2.0, 3.0)),
    *(Kind("elsewhere", speed) for speed in (2.0, 4.0)),
    Kind("enlarged", 2.0),
)
SMOOTHINGS = (1, 3, 5, 9)  # frames, one a second
BUDGETS = (1.0, 0.25)  # alarms an hour
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ped2", type=Path, help="the data set UCSDped2; its test half is not read")
    parser.add_argument("--upcam", type=Path, help="the folder upcam; its labelled hour is not read")
    parser.add_argument("--days", type=Path, help="folders of whole days of the same camera")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the making of anomalies")
    options = parser.parse_args()
    content: dict[str, Any] = {"seeds": options.seeds}
    if options.ped2 is not None:
        content["ped2"] = judge_ped2(options.ped2, options.seeds)
    if options.upcam is not None:
        content["upcam"] = judge_upcam(options.upcam, options.days, options.seeds)
    print(write_result("cue_choices", content))


# UCSD Ped2: AUC by kind of made anomaly


def judge_ped2(data: Path, seeds: Sequence[int]) -> dict[str, Any]:
    input_format = InputFormat()
    clips = stored([item.path for item in recognise(data).train], input_format, channels=1)
    held = [clips[number] for number in HELD_BACK]
    learned = [normal(clip) for number, clip in enumerate(clips) if number not in HELD_BACK]
    scorer = scorer_of(
        learn_cues(learned, PlaceGrid.of_size(*size(input_format)), CUES, lambda _: None), input_format, 1
    )
    ordinary = np.concatenate([cue_scores(scorer, clip) for clip in held])
    wardrobe = Wardrobe.of([np.asarray(video.frames) for video in learned])
    made: dict[str, list[Floats]] = defaultdict(list)
    for seed in seeds:
        for number, kind in enumerate((*KINDS, *MORE_KINDS), seed):
            clip = held[number % len(held)]
            anomaly = make(kind, np.asarray(clip.frames), wardrobe, video=clip.name, seed=seed)
            around = slice(max(0, anomaly.first - 2), anomaly.stretch.stop + 2)
            scores = cue_scores(scorer, video_of(anomaly.frames(around)))
            made[f"{kind.name}, {kind.speed:g} x"].append(scores[anomaly.labels[around] == 1])
    kinds = {name: by_variant(ordinary, np.concatenate(scores)) for name, scores in made.items()}
    mean = {
        variant: float(np.mean([kind[variant] for kind in kinds.values()])) for variant in next(iter(kinds.values()))
    }
    return {"held_back": [clip.name for clip in held], "kinds": kinds, "mean": mean}


def by_variant(ordinary: Floats, anomalous: Floats) -> dict[str, float]:
    """AUC of each cue and of their norms. Both: (N, cues)."""
    labels = np.concatenate([np.zeros(len(ordinary)), np.ones(len(anomalous))]).astype(np.uint8)
    every = np.nan_to_num(np.concatenate([ordinary, anomalous]))
    found = {cue: roc_auc(labels, every[:, number]) for number, cue in enumerate(CUES)}
    found |= {f"norm {norm:g}": roc_auc(labels, (every**norm).sum(axis=1) ** (1 / norm)) for norm in NORMS}
    return {name: round(value or 0.0, 4) for name, value in found.items()}


# upcam: false alarms on footage that was not learned, and still anomalies that are found


def judge_upcam(data: Path, days: Path | None, seeds: Sequence[int]) -> dict[str, Any]:
    input_format = InputFormat(height_px=64, width_px=128, fps=1)
    hours = stored([data / "normal" / f"{hour:02d}.mp4" for hour in range(24)], input_format, channels=3)
    model = learn_cues([normal(hour) for hour in hours[::3]], PlaceGrid.of_size(64, 128), CUES, lambda _: None)
    scorer = scorer_of(model, input_format, 3)
    scored = {
        "calibration": [fused(cue_scores(scorer, hour)) for hour in hours[1::3]],
        "verification": [fused(cue_scores(scorer, hour)) for hour in hours[2::3]],
    }
    for day in sorted(days.iterdir()) if days is not None else []:
        films = stored(sorted(day.glob("*.mp4")), input_format, channels=3)
        scored[f"day {day.name}"] = [fused(cue_scores(scorer, film)) for film in films]
    made = []
    for seed in seeds:
        drawn = np.random.default_rng(seed)
        for kind in STILL_KINDS:
            for hour in hours[2::3]:
                frames, labels = make_still(kind, np.asarray(hour.frames), drawn)
                made.append((kind, labels, fused(cue_scores(scorer, video_of(frames)))))
    return {
        f"median of {seconds} s, budget {budget:g} an hour": alarms(scored, made, seconds, budget)
        for seconds in SMOOTHINGS
        for budget in BUDGETS
    }


def alarms(
    scored: Mapping[str, Sequence[Floats]],
    made: Sequence[tuple[str, NDArray[np.uint8], Floats]],
    seconds: int,
    budget: float,
) -> dict[str, Any]:
    """Alarms an hour of each part, and the share of made anomalies that are found, at the threshold of the budget."""
    smooth = {part: [causal_median(one, seconds) for one in several] for part, several in scored.items()}
    every = np.concatenate(smooth["calibration"])
    levels = np.unique(np.quantile(every, np.linspace(0.9, 1, 2000)))
    hours = len(every) / 3600
    too_many = [sum(count(one, level) for one in smooth["calibration"]) > budget * hours for level in levels]
    level = float(levels[min(len(levels) - 1, max(np.flatnonzero(too_many), default=-1) + 1)])
    rates = {
        part: sum(count(one, level) for one in several) * 3600 / sum(map(len, several))
        for part, several in smooth.items()
    }
    found: dict[str, list[bool]] = defaultdict(list)
    for kind, labels, scores in made:
        found[kind].append(count(causal_median(scores, seconds)[labels == 1], level) > 0)
    return {
        "threshold": round(level, 3),
        "alarms_per_hour": {part: round(rate, 3) for part, rate in rates.items()},
        "still_anomalies_found": {kind: round(float(np.mean(several)), 3) for kind, several in found.items()},
    }


def count(scores: Floats, level: float) -> int:
    """Alarms by the rule that `calibrate` uses, one frame a second."""
    rule = EventRule(threshold=level, release=level)
    return len(find_events("", np.arange(len(scores)), np.arange(len(scores), dtype=float), scores, rule))


# What both share


def size(input_format: InputFormat) -> tuple[int, int]:
    return input_format.height_px, input_format.width_px


def stored(paths: Sequence[Path], input_format: InputFormat, channels: int) -> list[StoredVideo]:
    requests = [StoreRequest(name=path.stem, source=Source(path=path, fps=input_format.fps)) for path in paths]
    height_px, width_px = size(input_format)
    form = StoreFormat(height_px=height_px, width_px=width_px, channels=channels)
    return store_videos(requests, form, cache_folder(None))


def video_of(frames: Frames) -> StoredVideo:
    times = np.arange(len(frames))
    return StoredVideo("made", frames, times, np.ones(len(frames), bool), time_s=times.astype(np.float64))


def normal(video: StoredVideo) -> NormalVideo:
    times = np.arange(len(video.frames), dtype=np.float64) if video.time_s is None else video.time_s
    return NormalVideo(video.name, video.frames, times, video.good)


def scorer_of(model: CueModel, input_format: InputFormat, channels: int) -> Scorer:
    return Scorer(None, input_format, cues=model.cues, fuse=model.fusion, cue_channels=channels)


def cue_scores(scorer: Scorer, video: StoredVideo) -> Floats:
    """Surprise of each cue, (N, cues), NaN where a frame has none."""

    def rows() -> Iterator[list[float]]:
        for frame in scorer.score(stored_frames(video)):
            yield [frame.cues.get(cue, np.nan) for cue in CUES]

    return np.array(list(rows()))


def fused(scores: Floats, norm: float = 4.0) -> Floats:
    found: Floats = (np.nan_to_num(scores) ** norm).sum(axis=1) ** (1 / norm)
    return found


if __name__ == "__main__":
    main()
