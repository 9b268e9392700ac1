"""Opens exported OpenVINO files with OpenVINO."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.files import require_plain_file
from maskedskipunet.runtimes.description import KEY, Description
from maskedskipunet.runtimes.graph_file import Arrays

# Without these a processor with bfloat16 or float16 computes in it unasked, and the scores differ.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "PERFORMANCE_HINT": "LATENCY"}


class OpenVinoFile:
    """An exported OpenVINO file, `.xml` with `.bin` beside it, compiled for the CPU.

    threads: how many compute. Raises ConfigError if openvino is not installed, WeightsError for a file that it cannot
    read or that is not ours.
    """

    def __init__(self, path: Path, threads: int) -> None:
        model = _read(path)
        self.description = _description(model, path)
        self._outputs = [value.get_any_name() for value in model.outputs]
        try:
            settings = {**EXACT, "INFERENCE_NUM_THREADS": threads}
            self._model = openvino_core(str(path)).compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise WeightsError("OpenVINO cannot run the model", str(path), "Export the model again") from error

    @property
    def inputs(self) -> list[str]:
        return [value.get_any_name() for value in self._model.inputs]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        found = self._model.create_infer_request().infer(dict(inputs))  # one each, so that threads stay apart
        return {name: np.array(found[index]) for index, name in enumerate(self._outputs)}


def read_openvino_description(path: Path) -> Description:
    """Return the description inside an OpenVINO file. Raises as OpenVinoFile does."""
    return _description(_read(path), path)


def load_openvino(where: str) -> Any:
    """Return the library. where: what needs it, for the error. Raises ConfigError if it is not installed."""
    try:
        with _without_reports():
            import openvino
    except ImportError as error:
        cure = "Install it with pip install 'maskedskipunet[openvino]'"
        raise ConfigError("a model for OpenVINO needs openvino", where, cure) from error
    return openvino


def openvino_core(where: str) -> Any:
    """Return the one core that this process reads and compiles models with. where, errors: as load_openvino."""
    return _core(load_openvino(where))


@cache
def _core(openvino: Any) -> Any:
    """Return a core for good. With its last user, OpenVINO would take away the stack that it gave signals.

    Where that happens in another thread, the next Ctrl-C kills the process (seen with OpenVINO 2026.4, on processors
    with AMX).
    """
    return openvino.Core()


@contextmanager
def _without_reports() -> Iterator[None]:
    """Hide the package through which OpenVINO tells its makers, over the network, that it was imported."""
    reporter = "openvino_telemetry"
    if reporter in sys.modules:  # imported by the program that we are part of: its own decision
        yield
        return
    sys.modules[reporter] = None  # type: ignore[assignment]  # an import of it fails, which OpenVINO expects
    try:
        yield
    finally:
        del sys.modules[reporter]


def _read(path: Path) -> Any:
    core = openvino_core(str(path))
    try:
        for part in (path, path.with_suffix(".bin")):
            require_plain_file(part)
        return core.read_model(path)
    except OSError as error:
        fault = f"cannot read the model ({error.strerror})"
        raise WeightsError(fault, str(error.filename or path), "Copy the whole folder that export wrote") from error
    except RuntimeError as error:
        raise WeightsError("OpenVINO cannot read the model", str(path), "Export the model again") from error


def _description(model: Any, path: Path) -> Description:
    text = str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None
    return Description.from_json(text, path)
