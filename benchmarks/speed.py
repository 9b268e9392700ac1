"""How fast scoring and training are: as published, as a careful engineer rewrites it, and ours, in one run.

    uv run python benchmarks/speed.py                         # latent 32, 64, 128 and 512; minutes
    uv run python benchmarks/speed.py --latents 64 --rounds 9
    uv run python benchmarks/speed.py --what training

Each side runs in a process of its own, so that settings like malloc's stay on its side; the sides take turns,
A B C A B C, and the figures are medians and the ratios of each turn. Scores and gradients are held against each other.
Writes docs/results/speed_<instruction set>_<date>.json.
"""

import argparse
import json
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

SIDES = ("published", "careful", "ours")
SIZE_PX = 256
TRAIN_BATCH = 8
LONGEST_FRAME_S = 60.0
SCORES_A_ROUND = 16  # of ours, which works in batches
BEFORE_A_NORM = r"(en|de)coder\.\d\.convs\.\d\.bias|encoder\.\d\.project\.bias|decoder\.[012]\.project\.bias"
OPTIONS = ("--side", "--latent", "--what", "--folder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", type=int, nargs="+", default=[32, 64, 128, 512])
    parser.add_argument("--train-latents", type=int, nargs="+", default=[64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--what", choices=("scoring", "training", "both"), default="both")
    parser.add_argument("--no-result", action="store_true", help="print only")
    for option in OPTIONS[:2]:
        parser.add_argument(option, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, int(options.latent), options.what, Path(options.folder))
        return
    from results import write_result

    rows = []
    for what, latents in (("scoring", options.latents), ("training", options.train_latents)):
        if options.what in (what, "both"):
            for latent in latents:
                rows.append(compare(what, latent, options.rounds))
                print(told(rows[-1]), flush=True)
    ceiling = matrix_gflops()
    print(f"4096 matrix product: {ceiling:.0f} GFLOP/s")
    for row in rows:
        if "gflop" in row:
            share = row["gflop"] / row["median_s"]["ours"] / ceiling
            row["share_of_ceiling"] = round(share, 3)
            print(f"{row['what']} latent {row['latent']}: ours does the work of {share:.0%} of that, counted as direct")
    if not options.no_result:
        print(write_result("speed", {"size_px": SIZE_PX, "matrix_product_gflop_s": round(ceiling, 1), "rows": rows}))


# The side that compares


def compare(what: str, latent: int, rounds: int) -> dict[str, Any]:
    """Let the sides take turns. Returns their seconds a frame or step, ratios, memory, and how their results agree."""
    with TemporaryDirectory() as folder:
        sides = {side: Side(side, what, latent, folder) for side in SIDES}
        try:
            first = {side: process.ask() for side, process in sides.items()}  # warms up
            running = [side for side in SIDES if first[side].get("skipped") is None]
            times: dict[str, list[float]] = {side: [] for side in running}
            for _ in range(rounds):
                for side in running:
                    times[side].append(sides[side].ask()["seconds"])
            ends = {side: sides[side].ask("end") for side in running}
        finally:
            for process in sides.values():
                process.close()
        agreement = {
            side: disagreement(ends[side]["result"], ends["ours"]["result"]) for side in running if side != "ours"
        }
    medians = {side: median(values) for side, values in times.items()}
    row: dict[str, Any] = {
        "what": what,
        "latent": latent,
        "unit": "frame" if what == "scoring" else f"step of {TRAIN_BATCH}",
        "rounds": rounds,
        "median_s": {side: round(value, 5) for side, value in medians.items()},
        "all_s": {side: [round(value, 5) for value in values] for side, values in times.items()},
        "ratio_to_ours": {
            side: round(median(a / b for a, b in zip(times[side], times["ours"], strict=True)), 2)
            for side in running
            if side != "ours"
        },
        "peak_memory_gb": {side: round(ends[side]["peak_gb"], 2) for side in running},
        "largest_relative_difference_to_ours": agreement,
        "skipped": {side: first[side]["skipped"] for side in SIDES if side not in running},
        "notes": {side: first[side]["note"] for side in running if first[side].get("note")},
    }
    if ends["ours"].get("gflop"):
        row["gflop"] = ends["ours"]["gflop"]
    return row


class Side:
    """One side's process: asked with a line, answers with a line of JSON."""

    def __init__(self, side: str, what: str, latent: int, folder: str) -> None:
        command = [
            sys.executable,
            __file__,
            "--side",
            side,
            "--latent",
            str(latent),
            "--what",
            what,
            "--folder",
            folder,
        ]
        self.name = side
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word: str = "go") -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the side {self.name} ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def disagreement(path: str, ours: str) -> float:
    """The largest difference of two results over the largest value: of scores, or of one weight's gradients.

    Biases before a batch norm are left out: it takes them away again, so that their gradients are rounding alone.
    """
    import torch

    theirs, own = torch.load(path, weights_only=True), torch.load(ours, weights_only=True)
    compared = [name for name in own if not re.fullmatch(BEFORE_A_NORM, name)]
    return max(float((theirs[name] - own[name]).abs().max() / own[name].abs().max()) for name in compared)


def told(row: dict[str, Any]) -> str:
    sides = [f"{side} {seconds * 1000:.1f} ms" for side, seconds in row["median_s"].items()]
    ratios = [f"{ratio:.2f} x {side}" for side, ratio in row["ratio_to_ours"].items()]
    memory = f"peak {row['peak_memory_gb'].get('ours', 0):.2f} GB"
    agree = ", ".join(f"{value:.1e}" for value in row["largest_relative_difference_to_ours"].values())
    skipped = "".join(f"; {side}: {why}" for side, why in row["skipped"].items())
    return (
        f"{row['what']} latent {row['latent']}, a {row['unit']}: {', '.join(sides)}; ours is {', '.join(ratios)}; "
        f"{memory}; differences {agree}{skipped}"
    )


def matrix_gflops() -> float:
    import torch

    left, right = torch.rand(4096, 4096), torch.rand(4096, 4096)
    left @ right
    best = min(timed(lambda: left @ right) for _ in range(3))
    return 2 * 4096**3 / best / 1e9


def timed(action: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s


def best_of_two(action: Callable[[], object]) -> float:
    """Seconds of the second run where the first was bearable: a first run is slower than those after it."""
    first_s = timed(action)
    return first_s if first_s > LONGEST_FRAME_S else min(first_s, timed(action))


# The sides that are compared


def work(side: str, latent: int, what: str, folder: Path) -> None:
    import resource

    import torch

    run, results, gflop, note = (scoring if what == "scoring" else training)(side, latent)
    skipped = f"{note} a frame" if note.startswith("more than") else None
    for line in sys.stdin:
        answer: dict[str, Any] = {"note": note, "skipped": skipped}
        if line.strip() == "end":
            torch.save(results(), folder / f"{side}.pt")
            answer["result"] = str(folder / f"{side}.pt")
            answer["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            answer["gflop"] = gflop
        elif skipped is None:
            answer["seconds"] = run()
        print(json.dumps(answer), flush=True)


Sides = tuple[Callable[[], float], Callable[[], dict[str, Any]], float, str]


def scoring(side: str, latent: int) -> Sides:
    """Seconds a scored frame; published and careful one clip at a time, ours as it scores files."""
    import torch

    from maskedskipunet.model.score import frame_score, score_map

    torch.set_grad_enabled(False)
    network, images = trained_network(latent), some_frames(SCORES_A_ROUND + 2)
    if side == "ours":
        return score_as_we_do(network, images)
    warnings.simplefilter("ignore")  # torch's, when oneDNN is switched off
    from formulations import AsPublished, CarefulRewrite

    clip = torch.from_numpy(images).permute(3, 0, 1, 2)[None].float() / 255  # (1, 3, N, H, W)
    forms: dict[str, Callable[[torch.Tensor], torch.Tensor]] = (
        {"oneDNN": AsPublished(network), "without oneDNN in the skips": AsPublished(network, onednn_in_skips=False)}
        if side == "published"
        else {"": CarefulRewrite(network)}
    )

    def score(form: Callable[[torch.Tensor], torch.Tensor], first: int) -> torch.Tensor:
        window = clip[:, :, first : first + 3]
        with torch.inference_mode():
            return frame_score(score_map(window[:, :, 1], form(window)))

    seconds = {name: best_of_two(lambda form=form: score(form, 0)) for name, form in forms.items()}  # type: ignore[misc]
    best = min(seconds, key=lambda name: seconds[name])
    note = f"more than {LONGEST_FRAME_S:.0f} s" if seconds[best] > LONGEST_FRAME_S else best
    turns = count()

    def run() -> float:
        return timed(lambda: score(forms[best], next(turns) % SCORES_A_ROUND))

    return run, lambda: {"scores": torch.cat([score(forms[best], first) for first in range(4)])}, 0.0, note


def score_as_we_do(network: Any, images: Any) -> Sides:
    import torch

    from maskedskipunet.data.frames import Frame
    from maskedskipunet.inference.prepare import prepare
    from maskedskipunet.inference.scorer import score_frames
    from maskedskipunet.machine import keep_memory
    from maskedskipunet.model.config import InputFormat

    keep_memory()
    how, prepared = InputFormat(height_px=SIZE_PX, width_px=SIZE_PX), prepare(network)

    def endless() -> Iterator[Frame]:
        for index in count():
            yield Frame(index, index / 25, images[index % len(images)])

    stream = score_frames(endless(), prepared, how)
    next(stream)

    def run() -> float:
        return timed(lambda: [next(stream) for _ in range(SCORES_A_ROUND)]) / SCORES_A_ROUND

    def results() -> dict[str, Any]:
        frames = [Frame(index, index / 25, image) for index, image in enumerate(images[:6])]
        scores = [frame.score for frame in score_frames(frames, prepared, how)][1:-1]
        return {"scores": torch.tensor(scores)}

    return run, results, 2 * streaming_gmac(network), str(prepared.stages(SIZE_PX, SIZE_PX).forms)


def training(side: str, latent: int) -> Sides:
    """Seconds a step: loss, gradients, Adam."""
    import torch

    from maskedskipunet.machine import keep_memory
    from maskedskipunet.model.score import reconstruction_loss

    def learn(form: Callable[[torch.Tensor], torch.Tensor]) -> None:
        reconstruction_loss(clips[:, :, 1], form(clips)).backward()  # type: ignore[no-untyped-call]

    network = trained_network(latent).train()
    batch = torch.from_numpy(some_frames(TRAIN_BATCH + 2)).permute(3, 0, 1, 2).float() / 255
    clips = torch.stack([batch[:, at : at + 3] for at in range(TRAIN_BATCH)])
    forward: Callable[[torch.Tensor], torch.Tensor] = network
    if side == "published":
        from formulations import AsPublished

        forms = [AsPublished(network), AsPublished(network, onednn_in_skips=False)]
        forward = min(forms, key=lambda form: best_of_two(lambda: learn(form)))
    elif side == "ours":
        from maskedskipunet.training.module import use_tiles

        keep_memory()
        use_tiles(network, True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        learn(forward)
        optimizer.step()

    def results() -> dict[str, Any]:
        fresh = trained_network(latent).train()
        network.load_state_dict(fresh.state_dict())
        network.zero_grad()
        learn(forward)
        return {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}

    return lambda: timed(step), results, 0.0, ""


def trained_network(latent: int) -> Any:
    """Random weights, with batch statistics as training leaves them, not 0 and 1; the same for each side."""
    import torch

    import maskedskipunet as msu

    torch.manual_seed(0)
    network = msu.create_model("masked_skips", latent_dim=latent).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "running_mean" in name:
                value.copy_(torch.randn_like(value) / 5)
            elif "running_var" in name:
                value.copy_(torch.rand_like(value) + 0.2)
    return network


def some_frames(number: int) -> Any:
    """Smooth noise that moves: uint8 (N, H, W, 3)."""
    import numpy as np

    coarse = np.random.default_rng(0).integers(0, 256, (number, SIZE_PX // 16, SIZE_PX // 16, 3), dtype=np.uint8)
    return coarse.repeat(16, 1).repeat(16, 2)


def streaming_gmac(network: Any) -> float:
    """Direct multiplications of one frame, each frame encoded once, in units of 10^9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    frame = torch.empty(1, 3, SIZE_PX, SIZE_PX, device="meta")
    lean = network.to("meta")
    with FlopCounterMode(display=False) as counter:
        levels = lean.encode(frame)
        lean.decode([level[:, None].expand(-1, 3, -1, -1, -1) for level in levels])
    return float(counter.get_total_flops()) / 2e9


if __name__ == "__main__":
    main()
