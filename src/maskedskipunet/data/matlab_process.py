"""The process that reads `.mat` files, run by its path: scipy's reader can be made to crash, which ends it alone.

A request is a line of JSON, [path, variable]. The answer is a line of JSON, {"fault": …} or {"found": …}, and the
bytes of the arrays in it, one after another. It imports numpy and scipy alone, so that it is there at once.
"""

import json
import resource
import sys
from typing import IO, Any

import numpy as np
from scipy.io import loadmat

MEMORY_BYTES = 8_000_000_000
_SENT = "biufcSU"  # kinds of arrays; of others the shape alone is told


def main(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    for line in requests:
        path, name = json.loads(line)
        header, arrays = _answer(path, name)
        answers.write(json.dumps(header).encode() + b"\n")
        for array in arrays:
            answers.write(array.tobytes())
        answers.flush()


def _answer(path: str, name: str) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
    try:
        found = loadmat(path, variable_names=[name]).get(name)
    except NotImplementedError:
        return {"fault": "7.3"}, []
    except MemoryError:
        return {"fault": f"it needs more than {MEMORY_BYTES // 1_000_000_000} GB of memory"}, []
    except Exception as error:  # noqa: BLE001  # on damaged files loadmat raises nearly any kind
        return {"fault": getattr(error, "strerror", None) or str(error) or type(error).__name__}, []
    if found is None:
        return {"found": None}, []
    array = np.asarray(found)
    parts = [np.asarray(part) for part in array.ravel()] if array.dtype == object else [array]
    header = [[_kind(part.dtype), part.shape] for part in parts]
    shape = array.shape if array.dtype == object else None
    return {"found": {"cells": shape, "arrays": header}}, [part for part in parts if part.dtype.kind in _SENT]


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind in _SENT:
        return dtype.str
    return "|O" if dtype.kind == "O" else "|V1"


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
