"""Writes one part of a network as a file of a runtime, whole or not at all."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from maskedskipunet.errors import DiskSpaceError, WeightsError
from maskedskipunet.export.definition import ExportedNetwork
from maskedskipunet.export.onnx_operations import onnx_graph
from maskedskipunet.export.torch_operations import torch_module
from maskedskipunet.files import atomic_write
from maskedskipunet.runtimes.description import KEY, Description
from maskedskipunet.runtimes.openvino_file import load_openvino, openvino_core

Format = Literal["onnx", "openvino", "pt2"]
PT2_DESCRIPTION = f"{KEY}.json"  # the extra file inside a `.pt2` file
EXAMPLES = 2  # rows that a `.pt2` file is traced with; one would be taken for the only number


@dataclass(frozen=True)
class FileFormat:
    """A format of exported files. suffixes: of the files that one part takes, the main one first."""

    suffixes: Sequence[str]
    write: Callable[[ExportedNetwork, Description, Path], None]


def write_onnx(network: ExportedNetwork, description: Description, path: Path) -> None:
    """Write `.onnx`."""
    content = onnx_graph(network, description).SerializeToString()
    with atomic_write(path) as part:
        part.write_bytes(content)


def write_openvino(network: ExportedNetwork, description: Description, path: Path) -> None:
    """Write `.xml`, and `.bin` beside it."""
    openvino = load_openvino("--format")
    graph = onnx_graph(network, description)
    least_bytes = sum(len(constant.raw_data) for constant in graph.graph.initializer if len(constant.dims) == 4)
    model = openvino_core("--format").read_model(graph.SerializeToString())
    model.set_rt_info(description.to_json(), [KEY])
    try:
        openvino.save_model(model, path, compress_to_fp16=False)
        is_whole = path.with_suffix(".bin").stat().st_size >= least_bytes and path.stat().st_size > 0
    except (RuntimeError, OSError):
        is_whole = False
    if not is_whole:  # it has no word for why
        path.unlink(missing_ok=True)
        path.with_suffix(".bin").unlink(missing_ok=True)
        cure = "Free some space, or name another folder with --to"
        raise DiskSpaceError("OpenVINO could not write the whole file, perhaps for lack of space", str(path), cure)


def write_pt2(network: ExportedNetwork, description: Description, path: Path) -> None:
    """Write `.pt2`, a program of torch.export."""
    module = torch_module(network, description.part)
    inputs = example_inputs(network, description)
    batch = torch.export.Dim("batch", min=1)
    shapes: Any = [{0: batch} for _ in inputs]
    if description.part == "reconstruct":
        shapes = (shapes[0], tuple(shapes[1:]))  # target, and the levels that follow it
    with torch.no_grad():
        program = torch.export.export(module, inputs, dynamic_shapes=tuple(shapes), strict=False)
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={PT2_DESCRIPTION: description.to_json()})
    with atomic_write(path) as part:
        part.write_bytes(content.getbuffer())


FORMATS: dict[Format, FileFormat] = {
    "onnx": FileFormat((".onnx",), write_onnx),
    "openvino": FileFormat((".xml", ".bin"), write_openvino),
    "pt2": FileFormat((".pt2",), write_pt2),
}


def example_inputs(network: ExportedNetwork, description: Description) -> tuple[torch.Tensor, ...]:
    """Return inputs of the shapes that one part takes, of a few rows."""
    length, frame = network.config.frames, network.frame_shape
    if description.part == "encode":
        return (torch.zeros(EXAMPLES, *frame, dtype=torch.uint8),)
    if description.part == "clip":
        return (torch.zeros(EXAMPLES, length, *frame, dtype=torch.uint8),)
    kind = torch.uint8 if network.mixes_frames else torch.float32
    levels = [torch.zeros(EXAMPLES, length, *shape, dtype=kind) for shape in network.feature_shapes.values()]
    return (torch.zeros(EXAMPLES, *frame, dtype=torch.uint8), *levels)


class Pt2File:
    """A `.pt2` file that was just written, read back. It is trusted: such files may run code."""

    def __init__(self, path: Path) -> None:
        extra = {PT2_DESCRIPTION: ""}
        try:
            self._module = torch.export.load(path, extra_files=extra).module()
        except (RuntimeError, OSError, ValueError) as error:
            raise WeightsError("torch.export cannot read the file", str(path), "Export the model again") from error
        self.description = Description.from_json(extra[PT2_DESCRIPTION], path)

    def run(self, *inputs: Any) -> Any:
        with torch.no_grad():
            return self._module(*(torch.from_numpy(value) for value in inputs))
