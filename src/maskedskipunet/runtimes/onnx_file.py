"""Opens exported ONNX files with ONNX Runtime; the only home of onnxruntime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.files import require_plain_file
from maskedskipunet.runtimes.description import KEY, Description
from maskedskipunet.runtimes.graph_file import Arrays

if TYPE_CHECKING:
    import onnxruntime

FATAL = 4  # only its gravest messages: whatever it raises is told by us


class OnnxFile:
    """An exported ONNX file in ONNX Runtime, on the CPU.

    threads: how many compute. Raises ConfigError if onnxruntime is not installed, WeightsError for a file that it
    cannot read or that is not ours.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._session = _open(path, threads)
        self.description = _description(self._session, path)

    @property
    def inputs(self) -> list[str]:
        return [value.name for value in self._session.get_inputs()]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        names = [value.name for value in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))


def read_onnx_description(path: Path) -> Description:
    """Return the description inside an ONNX file. Raises as OnnxFile does."""
    return _description(_open(path, 1, optimise=False), path)


def _open(path: Path, threads: int, *, optimise: bool = True) -> "onnxruntime.InferenceSession":
    try:
        import onnxruntime
    except ImportError as error:
        cure = "Install it with pip install 'maskedskipunet[onnx]'"
        raise ConfigError("a model in ONNX needs onnxruntime", str(path), cure) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = FATAL
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        require_plain_file(path)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        fault = f"cannot read the model ({error.strerror})"
        raise WeightsError(fault, str(path), "Name a file that export wrote") from error
    except Exception as error:  # the faults of its library have no common base
        raise WeightsError("ONNX Runtime cannot read the model", str(path), "Export the model again") from error


def _description(session: "onnxruntime.InferenceSession", path: Path) -> Description:
    return Description.from_json(session.get_modelmeta().custom_metadata_map.get(KEY), path)
