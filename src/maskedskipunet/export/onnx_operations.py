"""The exported network written as a graph of ONNX; the only home of the library onnx."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.errors import ConfigError
from maskedskipunet.export.definition import ExportedNetwork, encode, judge, judge_clips, reconstruct
from maskedskipunet.runtimes.description import KEY, Description, Part
from maskedskipunet.runtimes.graph_file import CLIP, FRAMES, RECONSTRUCTION, SCORE, SCORE_MAP, TARGET, level_name

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPERATORS, FILE_VERSION = 17, 8  # of 2022: every runtime of today reads them
LARGEST_BYTES = 2_000_000_000  # of one file, by its format
BATCH = "batch"  # the name of the open dimension


class OnnxOperations:
    """See `export.operations.Operations`; a value is its name in the graph."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._known: dict[tuple[Any, ...], str] = {}

    def scaled(self, pixels: str) -> str:
        return self._node("Div", self._cast(pixels), self._constant(np.float32(255)))

    def convolution(self, images: str, weight: Tensor, bias: Tensor, stride: int = 1) -> str:
        side = weight.shape[-1]
        inputs = (images, self._weights(weight), self._weights(bias))
        margin = 0 if stride > 1 else side // 2
        return self._node("Conv", *inputs, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[margin] * 4)

    def relu(self, value: str) -> str:
        return self._node("Relu", value)

    def sigmoid(self, value: str) -> str:
        return self._node("Sigmoid", value)

    def joined(self, values: Sequence[str], axis: int) -> str:
        return self._node("Concat", *values, axis=axis)

    def depth_to_space(self, images: str) -> str:
        return self._node("DepthToSpace", images, blocksize=2, mode="CRD")

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        return self._node("Reshape", value, self._constant(np.array(shape, np.int64)))

    def permuted(self, value: str, order: Sequence[int]) -> str:
        return self._node("Transpose", value, perm=list(order))

    def sliced(self, value: str, axis: int, start: int, stop: int) -> str:
        bounds = (self._constant(np.array([number], np.int64)) for number in (start, stop, axis))
        return self._node("Slice", value, *bounds)

    def padded(self, value: str, axis: int, count: int) -> str:
        pads = np.zeros(10, np.int64)  # before and after each of five dimensions
        pads[[axis, 5 + axis]] = count
        return self._node("Pad", value, self._constant(pads), mode="constant")

    def painted(self, pixels: str, mask: Tensor, grey: int) -> str:
        return self._node("Where", self._constant(mask.numpy()), self._constant(np.uint8(grey)), pixels)

    def cleared(self, maps: str, mask: Tensor) -> str:
        return self._node("Where", self._constant(mask.numpy()), self._constant(np.float32(0)), maps)

    def distance(self, left: str, right: str, divisor: float) -> str:
        difference = self._node("Sub", left, right)
        squares = self._node("Mul", difference, difference)
        total = self._node("ReduceSum", squares, self._constant(np.array([1], np.int64)), keepdims=0)
        return self._node("Div", self._node("Sqrt", total), self._constant(np.float32(divisor)))

    def patch_means(self, maps: str, size: int) -> str:
        return self._node("AveragePool", maps, kernel_shape=[size] * 2, strides=[size] * 2)

    def highest(self, images: str) -> str:
        return self._node("ReduceMax", images, axes=[1, 2, 3], keepdims=0)

    def larger(self, left: str, right: str) -> str:
        return self._node("Max", left, right)

    def named(self, value: str, name: str) -> None:
        """Give a value the name of an output."""
        if not any(value in node.output for node in self.nodes):  # an input that is passed on as it is
            self._node("Identity", value, output=name)
            return
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if other == value else other for other in names]

    def _cast(self, value: str) -> str:
        from onnx import TensorProto

        return self._node("Cast", value, to=TensorProto.FLOAT)

    def _node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def _weights(self, weights: Tensor) -> str:
        return self._store(weights.float().contiguous().numpy(), "weights")

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._store(array, "constant")
        return self._known[key]

    def _store(self, array: NDArray[Any], kind: str) -> str:
        from onnx import numpy_helper

        name = f"{kind}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def onnx_graph(network: ExportedNetwork, description: Description) -> "ModelProto":
    """Return the model of the part that the description names. Raises ConfigError if onnx is not installed, or the
    network is too large for one file.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        cure = "Install it with pip install 'maskedskipunet[onnx]' or 'maskedskipunet[openvino]'"
        raise ConfigError("this format needs onnx", "--format", cure) from error
    operations = OnnxOperations()
    inputs, outputs = _ports(operations, network, description.part)
    size_bytes = sum(len(constant.raw_data) for constant in operations.constants)
    if size_bytes > LARGEST_BYTES:
        fault = f"weights of {size_bytes / 1e9:.1f} GB, and a file of ONNX holds 2 GB"
        raise ConfigError(fault, "--format", "Export the model as pt2")
    kinds = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.float32): TensorProto.FLOAT}
    taken, given = (
        [helper.make_tensor_value_info(name, kinds[kind], [BATCH, *shape]) for name, (kind, shape) in ports.items()]
        for ports in (inputs, outputs)
    )
    name = f"maskedskipunet_{description.part}"
    graph = helper.make_graph(operations.nodes, name, taken, given, operations.constants)
    model = helper.make_model(
        graph,
        producer_name=KEY,
        producer_version=description.version,
        ir_version=FILE_VERSION,
        opset_imports=[helper.make_opsetid("", OPERATORS)],
    )
    helper.set_model_props(model, {KEY: description.to_json()})
    return model


Ports = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]
"""Inputs or outputs by name: type, and shape without the batch."""


def _ports(operations: OnnxOperations, network: ExportedNetwork, part: Part) -> tuple[Ports, Ports]:
    """Write the nodes of one part; return its inputs and outputs."""
    pixels, number = np.dtype(np.uint8), np.dtype(np.float32)
    length, frame = network.config.frames, network.frame_shape
    kind = pixels if network.mixes_frames else number
    features = {level_name(level): (kind, shape) for level, shape in network.feature_shapes.items()}
    judged = {SCORE: (number, ()), SCORE_MAP: (number, frame[:2])}
    if part == "encode":
        for name, level in zip(features, encode(operations, network, FRAMES), strict=True):
            operations.named(level, name)
        return {FRAMES: (pixels, frame)}, features
    if part == "clip":
        inputs: Ports = {CLIP: (pixels, (length, *frame))}
        maps, score = judge_clips(operations, network, CLIP)
    else:
        inputs = {name: (kind, (length, *shape)) for name, (kind, shape) in features.items()}
        inputs |= {TARGET: (pixels, frame)}
        reconstruction = reconstruct(operations, network, list(features))
        maps, score = judge(operations, network, TARGET, reconstruction, ignoring=False)
        operations.named(reconstruction, RECONSTRUCTION)
        judged[RECONSTRUCTION] = (number, (network.config.channels, *frame[:2]))
    operations.named(score, SCORE)
    operations.named(maps, SCORE_MAP)
    return inputs, judged
