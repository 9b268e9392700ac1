"""What the cues cost: scoring with all of them against the network alone, and frames a second without a network.

    uv run python benchmarks/cue_speed.py --run runs/ped2_cpu/seed0_learned --video UCSDped2/Train/Train001

run: a trained run with all cues. video: of its kind, normal. Both ways score the same frames in turn, several times in
one process; the ratio is that of the medians. Writes docs/results/cue_speed_<hardware>_<date>.json.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from results import write_result

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.frames import Frame
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.footage import source_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    every = load_scorer(options.run)
    model = CueModel.read(options.run / "model")
    if model is None or every.backend is None:
        raise SystemExit(f"{options.run}: not a run with a network and cues")
    alone = replace(every, cues=(), fuse=None, smoothing_s=0.0)
    cues_alone = Scorer(None, every.input_format, cues=every.cues, cue_channels=every.channels)
    frames = list(source_of(options.video, every.input_format, "stop").frames())
    ways = {"network alone": alone, "network and cues": every, "cues alone": cues_alone}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.rounds + 1):
        for name, scorer in ways.items():
            taken = seconds_to_score(scorer, frames)
            if number:  # the first round chooses forms and fills caches
                seconds[name].append(taken)
    middle = {name: median(values) for name, values in seconds.items()}
    pairs = zip(seconds["network and cues"], seconds["network alone"], strict=True)
    ratios = [with_cues / without for with_cues, without in pairs]
    content = {
        "network": dict(every.backend.describe()),
        "size_px": every.size_px,
        "frames": len(frames),
        "rounds": options.rounds,
        "frames_per_second": {name: round(len(frames) / value, 2) for name, value in middle.items()},
        "with_cues_over_network_alone": {
            "median": round(median(ratios), 3),
            "lowest": round(min(ratios), 3),
            "highest": round(max(ratios), 3),
        },
        "memory_of_cues_mb": memory_mb(model),
    }
    print(content)
    print(write_result("cue_speed", content))


def seconds_to_score(scorer: Scorer, frames: Sequence[Frame]) -> float:
    began_s = time.perf_counter()
    for _ in scorer.score(iter(frames)):
        pass
    return time.perf_counter() - began_s


def memory_mb(model: CueModel) -> float:
    """What the exemplars take; the rest of the cues is a few hundred KB."""
    return 0.0 if model.appearance is None else round(model.appearance.memory.size_bytes / 1e6, 1)


if __name__ == "__main__":
    main()
