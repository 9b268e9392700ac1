"""`maskedskipunet bench`: how fast this machine scores."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.values import UsageError, read_value
from maskedskipunet.input_format import InputFormat


def run(arguments: Sequence[str]) -> int:
    parser = Parser("bench", "", "Measure how many frames a second networks of some sizes score on this machine.")
    parser.add(
        "--latents",
        type=str,
        metavar="NUMBERS",
        help="Measure these sizes (latent_dim), separated by commas (default: 16 to 512).",
    )
    parser.add("--height-px", type=int, default=256, help="Measure frames of this height.")
    parser.add("--width-px", type=int, default=256, help="Measure frames of this width.")
    parser.add("--model", type=Path, metavar="RUN", help="Measure this trained model instead (default: none).")
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    options = parser.parse(arguments)
    if options.model is not None and options.latents is not None:
        raise UsageError("--model and --latents", "bench", "Give one of them")
    input_format = InputFormat(height_px=options.height_px, width_px=options.width_px)

    from maskedskipunet.machine import cores, instruction_set, processor
    from maskedskipunet.workflows.bench import CAMERA_RATES, PRESETS, bench

    found = bench(
        PRESETS if options.latents is None else _numbers(options.latents),
        input_format,
        model=None if options.model is None else find_model(options.model),
        device=options.device,
        precision=options.precision,
        progress=console.make_progress(),
    )
    machine = {"processor": processor(), "instruction_set": instruction_set(), "cores": cores()}
    figures = [
        {**asdict(speed), "keeps_up_with_fps": [rate for rate in CAMERA_RATES if speed.keeps_up(rate)]}
        for speed in found
    ]
    console.write_figures(options.json, {"machine": machine, "precision": options.precision, "networks": figures})
    console.print_table(
        f"Frames a second at {found[0].width_px}x{found[0].height_px}, {options.precision}",
        ("network", "files", "camera", "ms", *(f"{rate} fps" for rate in CAMERA_RATES)),
        [
            (
                speed.name,
                console.rate(speed.files_fps),
                console.rate(speed.camera_fps),
                f"{speed.camera_ms:.0f}",
                *("yes" if speed.keeps_up(rate) else "no" for rate in CAMERA_RATES),
            )
            for speed in found
        ],
    )
    console.say("files: many frames together. camera: one frame at a time; ms: delay of its score (95th percentile).")
    console.say("The last columns show whether a camera of that rate is possible. Decoding takes extra time.")
    console.say(f"{processor()}, {instruction_set()}, {console.counted(cores() or 1, 'core')}")
    return 0


def _numbers(text: str) -> list[int]:
    return [read_value(int, part.strip(), "--latents") for part in text.split(",")]
