"""How fast scoring is in each runtime: torch eager, torch.compile, ONNX Runtime, OpenVINO and ours, in one run.

    uv run python benchmarks/runtimes.py                        # latent 32, 64 and 512 at 256x256; about half an hour
    uv run python benchmarks/runtimes.py --latents 64 --rounds 9
    uv run python benchmarks/runtimes.py --latents 8 --size-px 64 --rounds 2 --no-result   # does it run? a minute

All sides score the same frames through the same scorer, which encodes each frame once; only what computes the two
halves of the network differs: eager and compiled torch, and both runtimes, compute the exported form (batch norms
folded, masks baked in, plain 2-D convolutions), ours its own. Two figures each: `files`, frames scored in the batch
that pays, and `camera`, one frame at a time. Each side runs in a process of its own; the sides take turns, A B C A B C,
and the figures are medians and the ratios of each turn. Scores are held against those of the plain network.
Writes docs/results/runtimes_<instruction set>_<date>.json.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sides import Side

SIDES = ("eager", "compile", "onnx", "openvino", "ours")
MODES = ("files", "camera")
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}
COMPARED = 4  # frames whose scores are held against the plain network's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", type=int, nargs="+", default=[32, 64, 512])
    parser.add_argument("--size-px", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=16, help="scored in a turn, of files; of a camera a quarter")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--name", default="runtimes", help="of the result's file")
    parser.add_argument("--no-result", action="store_true", help="print only")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.folder, options.size_px)
        return
    from results import write_result

    rows = []
    for latent in options.latents:
        rows.append(compare(latent, options.size_px, options.sides, options.rounds, options.frames))
        print(told(rows[-1]), flush=True)
    if not options.no_result:
        print(write_result(options.name, {"size_px": options.size_px, "libraries": libraries(), "rows": rows}))


def libraries() -> dict[str, str]:
    """Versions of the runtimes."""
    from importlib import metadata

    return {name: metadata.version(name) for name in ("torch", "onnx", "onnxruntime", "openvino")}


# The side that compares


def compare(latent: int, size_px: int, names: Sequence[str], rounds: int, frames: int) -> dict[str, Any]:
    """Let the sides take turns. Returns frames a second, ratios to ours, memory, and how far scores are from plain."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        wanted = write_models(latent, size_px, folder, [name for name in names if name in SUFFIXES])
        sides: dict[str, Side] = {}
        first: dict[str, dict[str, Any]] = {}
        times: dict[str, dict[str, list[float]]] = {mode: {} for mode in MODES}
        try:
            for name in names:  # one after the other: each prepares and warms up alone
                sides[name] = Side(name, __file__, {"size-px": size_px}, folder)
                first[name] = sides[name].ask(f"start {frames}")
            running = [name for name in names if not first[name].get("skipped")]
            for mode in MODES:
                for name in running * rounds:
                    scored = frames if mode == "files" else max(1, frames // 4)
                    seconds = sides[name].ask(f"{mode} {scored}")["seconds"]
                    times[mode].setdefault(name, []).append(seconds)
            ends = {name: sides[name].ask(f"end {COMPARED}") for name in running}
        finally:
            for side in sides.values():
                side.close()
    return {
        "latent": latent,
        "rounds": rounds,
        "fps": {mode: {name: round(1 / median(some), 2) for name, some in times[mode].items()} for mode in MODES},
        "all_s_a_frame": {
            mode: {name: [round(value, 5) for value in some] for name, some in times[mode].items()} for mode in MODES
        },
        "ours_is_faster_by": {mode: ratios(times[mode]) for mode in MODES},
        "prepare_s": {name: first[name]["prepare_s"] for name in running},
        "peak_memory_gb": {name: ends[name]["peak_gb"] for name in running},
        "largest_relative_difference_to_plain": {
            name: max(abs(a - b) / b for a, b in zip(ends[name]["scores"], wanted, strict=True)) for name in running
        },
        "chosen": ends.get("ours", {}).get("chosen"),
        "skipped": {name: first[name]["skipped"] for name in names if name not in running},
    }


def ratios(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How many times the seconds of ours each side takes: the median of the ratios of each turn."""
    if "ours" not in times:
        return {}
    others = [name for name in times if name != "ours"]
    return {name: round(median(a / b for a, b in zip(times[name], times["ours"], strict=True)), 2) for name in others}


def told(row: Mapping[str, Any]) -> str:
    lines = []
    for mode in MODES:
        fps = ", ".join(f"{name} {value:.1f}" for name, value in row["fps"][mode].items())
        faster = ", ".join(f"{value:.2f} x {name}" for name, value in row["ours_is_faster_by"][mode].items())
        lines.append(f"latent {row['latent']}, {mode}, frames/s: {fps}; ours is {faster}")
    differences = row["largest_relative_difference_to_plain"]
    lines.append("differences to plain: " + ", ".join(f"{name} {value:.0e}" for name, value in differences.items()))
    return "\n".join([*lines, *(f"{name} does not run: {why}" for name, why in row["skipped"].items())])


def write_models(latent: int, size_px: int, folder: Path, formats: Sequence[str]) -> list[float]:
    """Write a network with random weights and its exported forms. Returns the plain network's scores of some frames."""
    import torch
    from speed import trained_network

    from maskedskipunet.input_format import InputFormat
    from maskedskipunet.model.score import frame_score, score_map
    from maskedskipunet.workflows.export import export

    network = trained_network(latent)
    network.input_format = InputFormat(height_px=size_px, width_px=size_px)
    network.save_pretrained(folder / "model")
    for name in formats:
        export(folder / "model", name, folder / name)  # type: ignore[arg-type]
    images = torch.from_numpy(some_frames(COMPARED + 2, size_px)).permute(3, 0, 1, 2)[None].float() / 255
    with torch.inference_mode():
        clips = [images[:, :, first : first + 3] for first in range(COMPARED)]
        return [frame_score(score_map(clip[:, :, 1], network(clip))).item() for clip in clips]


def some_frames(number: int, size_px: int) -> Any:
    """Smooth noise that moves: uint8 (N, H, W, 3)."""
    import numpy as np

    coarse = np.random.default_rng(0).integers(0, 256, (number, size_px // 16, size_px // 16, 3), dtype=np.uint8)
    return coarse.repeat(16, 1).repeat(16, 2)


# The sides that are compared


def work(side: str, folder: Path, size_px: int) -> None:
    """Answer what is asked on stdin until it ends."""
    from maskedskipunet.machine import share_cores

    share_cores()  # as the command does
    streams: dict[str, Iterator[object]] = {}
    scorer: Any = None
    for line in sys.stdin:
        what, frames = line.split()
        answer: dict[str, Any] = {}
        if what == "start":
            began_s = time.perf_counter()
            try:
                scorer = make_scorer(side, folder, size_px)
                streams = {mode: endless(scorer, size_px, None if mode == "files" else 1) for mode in MODES}
                for mode in MODES:
                    advance(streams[mode], int(frames))  # warms up
            except Exception as error:  # noqa: BLE001  # torch.compile needs a compiler, which is not everywhere
                answer["skipped"] = f"{type(error).__name__}: {str(error).splitlines()[0]:.200}"
            answer["prepare_s"] = round(time.perf_counter() - began_s, 1)
        elif what == "end":
            answer = ending(side, scorer, size_px, int(frames))
        else:
            answer["seconds"] = advance(streams[what], int(frames)) / int(frames)
        print(json.dumps(answer), flush=True)


def make_scorer(side: str, folder: Path, size_px: int) -> Any:
    """Return the scorer of one side: the same but for what computes the network."""
    from maskedskipunet.input_format import InputFormat
    from maskedskipunet.machine import keep_memory
    from maskedskipunet.model.pretrained import load_model
    from maskedskipunet.scoring.loading import load_scorer
    from maskedskipunet.scoring.scorer import Scorer

    keep_memory()
    if side == "ours":
        return load_scorer(folder / "model", "cpu")
    if side in SUFFIXES:
        return load_scorer(folder / side / f"model{SUFFIXES[side]}", "cpu")
    from torch_backend import TorchBackend

    network = load_model(folder / "model")
    backend = TorchBackend(network, size_px, compiled=side == "compile")
    return Scorer(backend, InputFormat(height_px=size_px, width_px=size_px))


def endless(scorer: Any, size_px: int, batch_size: int | None) -> Iterator[object]:
    """Score frames without end."""
    from maskedskipunet.data.frames import Frame

    images = some_frames(18, size_px)
    frames = (Frame(index, index / 25, images[index % len(images)]) for index in count())
    stream: Iterator[object] = scorer.score(frames, batch_size=batch_size)
    return stream


def advance(stream: Iterator[object], frames: int) -> float:
    """Return the seconds that so many scores take."""
    began_s = time.perf_counter()
    for _ in range(frames):
        next(stream)
    return time.perf_counter() - began_s


def ending(side: str, scorer: Any, size_px: int, frames: int) -> dict[str, Any]:
    """Return memory, the scores that are compared, and which form ours took."""
    import resource

    from maskedskipunet.data.frames import Frame

    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # taken first: the rest is only checked
    images = [Frame(index, index / 25, image) for index, image in enumerate(some_frames(frames + 2, size_px))]
    scores = [score.score for score in scorer.score(images)][1:-1]
    chosen = scorer.backend.stages(size_px, size_px).chosen if side == "ours" else None
    return {"peak_gb": round(peak_gb, 2), "scores": scores, "chosen": chosen}


if __name__ == "__main__":
    main()
