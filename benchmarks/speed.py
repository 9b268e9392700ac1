"""How fast scoring and training are: as published, as a careful engineer rewrites it, and ours, in one run.

    uv run python benchmarks/speed.py                         # latent 32, 64, 128 and 512; minutes
    uv run python benchmarks/speed.py --latents 64 --rounds 9
    uv run python benchmarks/speed.py --what training

Each side runs in a process of its own, so that settings like malloc's stay on its side; the sides take turns,
A B C A B C, and the figures are medians and the ratios of each turn. Scores and gradients are held against each other,
and gradients in float64 too, on a small network: in float32 any two ways to compute them differ by a hundredth here and
there, and each by as much from float64, as sums over a batch are taken through six cuts at zero.
Writes docs/results/speed_<instruction set>_<date>.json.
"""

import argparse
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sides import Side

SIDES = ("published", "careful", "ours")
SIZE_PX = 256
TRAIN_BATCH = 8
LONGEST_FRAME_S = 60.0
SCORES_A_ROUND = 16  # of ours, which works in batches
EXACT_LATENT, EXACT_SIZE_PX, EXACT_BATCH = 16, 64, 2  # of the gradients in float64
BEFORE_A_NORM = r"(en|de)coder\.\d\.convs\.\d\.bias|encoder\.\d\.project\.bias|decoder\.[012]\.project\.bias"
OPTIONS = ("--side", "--latent", "--what", "--folder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", type=int, nargs="+", default=[32, 64, 128, 512])
    parser.add_argument("--train-latents", type=int, nargs="+", default=[64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--what", choices=("scoring", "training", "both"), default="both")
    parser.add_argument("--name", default="speed", help="of the result's file")
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
            done, direct = (row["gflop"][key] / row["median_s"]["ours"] for key in ("done", "direct"))
            row["share_of_ceiling"] = round(done / ceiling, 3)
            print(
                f"{row['what']} latent {row['latent']}: ours runs at {done:.0f} GFLOP/s, {done / ceiling:.0%} of that; "
                f"counted as direct convolutions, {direct:.0f}"
            )
    if not options.no_result:
        figures = {"size_px": SIZE_PX, "matrix_product_gflop_s": round(ceiling, 1), "rows": rows}
        print(write_result(options.name, figures))


# The side that compares


def compare(what: str, latent: int, rounds: int) -> dict[str, Any]:
    """Let the sides take turns. Returns their seconds a frame or step, ratios, memory, and how their results agree."""
    first: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        sides: dict[str, Side] = {}
        try:
            for side in SIDES:  # one after the other: each measures and warms up alone
                sides[side] = Side(side, __file__, {"latent": latent, "what": what}, Path(folder))
                first[side] = sides[side].ask()
            running = [side for side in SIDES if first[side].get("skipped") is None]
            times: dict[str, list[float]] = {side: [] for side in running}
            for _ in range(rounds):
                for side in running:
                    times[side].append(sides[side].ask()["seconds"])
            ends = {side: sides[side].ask("end") for side in running}
        finally:
            for process in sides.values():
                process.close()
        others = [side for side in running if side != "ours"]
        agreement = {side: disagreement(ends[side]["result"], ends["ours"]["result"]) for side in others}
        exact = (
            {side: disagreement(ends[side]["exact"], ends["ours"]["exact"]) for side in others}
            if "exact" in ends["ours"]
            else None
        )
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
    if exact is not None:
        row["largest_relative_difference_in_float64"] = exact
    row |= {key: ends["ours"][key] for key in ("gflop", "prepare_s") if key in ends["ours"]}
    return row


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
    if exact := row.get("largest_relative_difference_in_float64"):
        agree += f" (in float64 {', '.join(f'{value:.1e}' for value in exact.values())})"
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


def fastest(actions: Mapping[str, Callable[[], object]]) -> tuple[str, float]:
    """The fastest of some ways to do a thing, and its seconds: the best of three turns each, after one that warms up.

    What takes too long the first time is not tried again.
    """
    seconds = {name: timed(action) for name, action in actions.items()}
    tried = [name for name in actions if seconds[name] <= max(LONGEST_FRAME_S, 2 * min(seconds.values()))]
    for _ in range(3 if min(seconds.values()) <= LONGEST_FRAME_S else 0):
        for name in tried:
            seconds[name] = min(seconds[name], timed(actions[name]))
    best = min(seconds, key=lambda name: seconds[name])
    return best, seconds[best]


# The sides that are compared


def work(side: str, latent: int, what: str, folder: Path) -> None:
    import resource

    import torch

    made = (scoring if what == "scoring" else training)(side, latent)
    for line in sys.stdin:
        answer: dict[str, Any] = {"note": made.note, "skipped": made.skipped}
        if line.strip() == "end":
            # Taken first: what follows is only checked.
            answer["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            for name, results in made.results.items():
                torch.save(results(), folder / f"{side} {name}.pt")
                answer[name] = str(folder / f"{side} {name}.pt")
            answer |= made.facts()
        elif made.skipped is None:
            answer["seconds"] = made.run()
        print(json.dumps(answer), flush=True)


@dataclass(frozen=True)
class Work:
    """What one side does. run: once, giving its seconds. results: named, to be held against other sides'.

    facts: to be told beside the figures, asked for at the end. note: which form it took. skipped: why it does not run.
    """

    run: Callable[[], float]
    results: Mapping[str, Callable[[], dict[str, Any]]]
    facts: Callable[[], Mapping[str, Any]] = dict
    note: str = ""
    skipped: str | None = None


def scoring(side: str, latent: int) -> Work:
    """Seconds a scored frame; published and careful one clip at a time, ours as it scores files."""
    import torch

    from maskedskipunet.model.score import frame_score, score_map

    torch.set_grad_enabled(False)
    network, images = trained_network(latent), some_frames(SCORES_A_ROUND + 2)
    if side == "ours":
        return score_as_we_do(latent, network, images)
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

    best, seconds = fastest({name: partial(score, form, 0) for name, form in forms.items()})
    turns = count()

    def run() -> float:
        return timed(lambda: score(forms[best], next(turns) % SCORES_A_ROUND))

    def results() -> dict[str, Any]:
        return {"scores": torch.cat([score(forms[best], first) for first in range(4)])}

    too_long = f"more than {LONGEST_FRAME_S:.0f} s a frame" if seconds > LONGEST_FRAME_S else None
    return Work(run, {"result": results}, note=best, skipped=too_long)


def score_as_we_do(latent: int, network: Any, images: Any) -> Work:
    import torch

    from maskedskipunet.data.frames import Frame
    from maskedskipunet.inference.prepare import prepare
    from maskedskipunet.machine import keep_memory
    from maskedskipunet.model.config import InputFormat
    from maskedskipunet.scoring.scorer import Scorer

    keep_memory()
    input_format = InputFormat(height_px=SIZE_PX, width_px=SIZE_PX)
    prepared = prepare(network, size_px=(SIZE_PX, SIZE_PX))
    scorer = Scorer(prepared, input_format)
    prepare_s = timed(lambda: prepared.stages(SIZE_PX, SIZE_PX))

    def endless() -> Iterator[Frame]:
        for index in count():
            yield Frame(index, index / 25, images[index % len(images)])

    stream = scorer.score(endless())
    next(stream)

    def run() -> float:
        return timed(lambda: [next(stream) for _ in range(SCORES_A_ROUND)]) / SCORES_A_ROUND

    def results() -> dict[str, Any]:
        frames = [Frame(index, index / 25, image) for index, image in enumerate(images[:6])]
        scores = [frame.score for frame in scorer.score(frames)][1:-1]
        return {"scores": torch.tensor(scores)}

    def facts() -> dict[str, Any]:
        gflop = {"done": done_gflop(prepared), "direct": 2 * streaming_gmac(trained_network(latent))}
        return {"gflop": gflop, "prepare_s": round(prepare_s, 1)}

    return Work(run, {"result": results}, facts, note=str(prepared.stages(SIZE_PX, SIZE_PX).chosen))


def training(side: str, latent: int) -> Work:
    """Seconds a step: loss, gradients, Adam."""
    import torch

    from maskedskipunet.machine import keep_memory
    from maskedskipunet.model.score import reconstruction_loss

    def some_clips(number: int, size_px: int) -> torch.Tensor:
        batch = torch.from_numpy(some_frames(number + 2)[:, :size_px, :size_px]).permute(3, 0, 1, 2).float() / 255
        return torch.stack([batch[:, at : at + 3] for at in range(number)])

    def learn(form: Callable[[torch.Tensor], torch.Tensor], clips: torch.Tensor) -> None:
        reconstruction_loss(clips[:, :, 1], form(clips)).backward()  # type: ignore[no-untyped-call]

    def forms_of(network: Any) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
        if side == "published":
            from formulations import AsPublished

            whole, partly = AsPublished(network), AsPublished(network, onednn_in_skips=False)
            return {"oneDNN": whole, "without oneDNN in the skips": partly}
        use_tiles(network, side == "ours")
        return {"": network}

    def gradients(of_latent: int, clips: torch.Tensor) -> dict[str, Any]:
        fresh = trained_network(of_latent).train().to(clips.dtype)
        learn(forms_of(fresh)[best], clips)
        return {name: weight.grad for name, weight in fresh.named_parameters() if weight.grad is not None}

    from maskedskipunet.training.module import use_tiles

    warnings.simplefilter("ignore")  # torch's, when oneDNN is switched off
    if side == "ours":
        keep_memory()
    network, clips = trained_network(latent).train(), some_clips(TRAIN_BATCH, SIZE_PX)
    forms = forms_of(network)
    best = fastest({name: partial(learn, form, clips) for name, form in forms.items()})[0] if len(forms) > 1 else ""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        learn(forms[best], clips)
        optimizer.step()

    few = some_clips(EXACT_BATCH, EXACT_SIZE_PX).double()
    results = {"result": lambda: gradients(latent, clips), "exact": lambda: gradients(EXACT_LATENT, few)}
    return Work(lambda: timed(step), results, note=best)


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


def done_gflop(prepared: Any) -> float:
    """Operations that ours does for one frame of many, in units of 10^9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def added_in_place(_: Any, left: Any, right: Any, **__: Any) -> int:
        return int(2 * left[0] * left[1] * left[2] * right[2])  # of shapes; torch counts only what is not in place

    count = SCORES_A_ROUND
    frames = torch.rand(count + 2, 3, SIZE_PX, SIZE_PX)
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: added_in_place}) as counter:
        encoded = prepared.encode(frames)
        encoding = counter.get_total_flops()
        prepared.reconstruct(encoded, SIZE_PX, SIZE_PX)
    reconstructing = counter.get_total_flops() - encoding
    return float(encoding / (count + 2) + reconstructing / count) / 1e9


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
