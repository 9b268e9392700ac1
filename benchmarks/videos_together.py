"""Does it help to score several videos side by side?

    uv run python benchmarks/videos_together.py UCSDped2/Test [--clips 8] [--rounds 3]

Scores the first clips of a folder one after another and side by side, in turns, so that each pair of times saw the same
machine, with untrained networks (their times are those of trained ones). What counts is the ratio within a pair, and
how far it varies: of seconds by the clock, and of processor seconds, which others on the machine change less.
Writes docs/results/videos_together_<instruction set>_<date>.json.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from results import write_result

import maskedskipunet as msu
from maskedskipunet.data.naming import natural_key
from maskedskipunet.model.config import InputFormat
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.score import ScoreOptions
from maskedskipunet.workflows.score_many import score_many

SIZES = ((8, 64, 96), (16, 128, 128), (32, 256, 256))  # latent_dim, height, width
TOGETHER = (2, 4)


class Spent(NamedTuple):
    """Seconds."""

    clock: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the networks, the smallest first")
    options = parser.parse_args()
    folders = [path for path in options.footage.iterdir() if path.is_dir() and not path.name.endswith("_gt")]
    folders.sort(key=lambda path: natural_key(path.name))
    videos = [NamedVideo(folder.name, folder) for folder in folders[: options.clips]]
    figures = [measured(videos, *size, options.rounds) for size in SIZES[: options.sizes]]
    print(write_result("videos_together", {"clips": len(videos), "networks": figures}))


def measured(videos: list[NamedVideo], latent: int, height_px: int, width_px: int, rounds: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        network = msu.create_model("masked_skips", latent_dim=latent)
        network.input_format = InputFormat(height_px=height_px, width_px=width_px)
        network.save_pretrained(f"{folder}/model")
        seconds(videos[:1], Path(folder), 1)  # finds the fastest form of the network's parts
        pairs: dict[int, list[tuple[Spent, Spent]]] = {together: [] for together in TOGETHER}
        for _ in range(rounds):
            for together in TOGETHER:
                pair = seconds(videos, Path(folder), 1), seconds(videos, Path(folder), together)
                pairs[together].append(pair)
                print(latent, together, *pair, flush=True)
    told = {
        "latent": latent,
        "network_px": [height_px, width_px],
        "threads": torch.get_num_threads(),
        "together": {str(together): described(of_one) for together, of_one in pairs.items()},
    }
    print(json.dumps(told), flush=True)
    return told


def described(pairs: list[tuple[Spent, Spent]]) -> dict[str, Any]:
    """Each pair, one after another against side by side, and the medians of the ratios."""
    faster = [alone.clock / beside.clock for alone, beside in pairs]
    cheaper = [alone.processor / beside.processor for alone, beside in pairs]
    return {
        "clock_s": [[round(alone.clock, 2), round(beside.clock, 2)] for alone, beside in pairs],
        "processor_s": [[round(alone.processor, 2), round(beside.processor, 2)] for alone, beside in pairs],
        "median_times_faster": round(median(faster), 3),
        "median_times_less_processor": round(median(cheaper), 3),
    }


def seconds(videos: list[NamedVideo], folder: Path, together: int) -> Spent:
    with TemporaryDirectory(dir=folder) as out:
        clock, processor = time.perf_counter(), time.process_time()
        result = score_many(videos, folder / "model", Path(out), ScoreOptions(device="cpu", together=together))
        assert not result.failed, result.failed
        return Spent(time.perf_counter() - clock, time.process_time() - processor)


if __name__ == "__main__":
    main()
