"""Runs `maskedskipunet export RUN --format FORMAT`: a trained model as files of another runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.files import readable_bytes


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser("export", "RUN --format FORMAT", "Write a trained model as files that other runtimes run.")
    parser.add("model", type=Path, required=True, metavar="RUN", help="Export this run folder or model.")
    parser.add(
        "--format",
        type=Literal["onnx", "openvino", "pt2"],
        required=True,
        help="Write files for ONNX Runtime (.onnx), OpenVINO (.xml and .bin) or torch.export (.pt2).",
    )
    parser.add(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="Write into this new folder (default: exports/NAME-FORMAT).",
    )
    parser.add_json()
    return parser.parse(arguments)


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    model = find_model(options.model)

    from maskedskipunet.workflows.export import export

    named = model.resolve()
    name = named.name if named.is_dir() else named.stem
    folder = options.to or Path("exports") / f"{name}-{options.format}"
    result = export(model, options.format, folder, progress=console.make_progress())
    sizes = {file.name: file.stat().st_size for file in result.files}
    console.write_figures(
        options.json,
        {"file": str(result.file), "bytes": sizes, "largest_relative_difference": result.difference},
    )
    console.print_table(
        "Exported files", ("file", "size"), [(name, readable_bytes(size)) for name, size in sizes.items()], left=1
    )
    console.say(f"scores equal the network's: they differ by at most {result.difference:.0e} of a score")
    if result.description.cues:
        cues = " and ".join(result.description.cues)
        console.say(f"the files compute the network alone; {cues} are in cues.safetensors, for `score --model`")
    console.say(str(result.file))
    return 0
