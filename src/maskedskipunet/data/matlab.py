"""Variables of MATLAB's files, by scipy in a process of its own: a damaged file can crash its reader."""

import atexit
import json
import subprocess
import sys
import threading
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import LabelError
from maskedskipunet.files import require_plain_file

PROGRAM = Path(__file__).with_name("matlab_process.py")
PATIENCE_S = 300.0  # for one file
_CURE = "Copy it again or leave it out"


def mat_variable(path: Path, name: str) -> NDArray[Any] | None:
    """Return a variable of a `.mat` file as MATLAB shows it, two-dimensional at least; None if there is no such one.

    A cell array is an array of objects. Nothing in the file is executed.
    Raises LabelError when the file cannot be read, and for MATLAB 7.3's format, which is another.
    """
    try:
        require_plain_file(path)
    except OSError as error:
        raise LabelError(f"cannot read the .mat file ({error.strerror})", str(path), _CURE) from error
    fault, found = _reader.read(path, name)
    if fault == "7.3":
        raise LabelError("the file is of MATLAB 7.3's format", str(path), "Save it again with -v7")
    if fault is not None:
        raise LabelError(f"cannot read the .mat file ({fault})", str(path), _CURE)
    return found


class _Reader:
    """The process that reads, started when it is first needed, and again after a crash.

    One for all files: starting takes longer than reading, and some data sets have a file a clip.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path, name: str) -> tuple[str | None, NDArray[Any] | None]:
        """Return what is wrong with the file, if anything is, and its variable, if it has such a one."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self._end()  # someone else ended it meanwhile, which is not the file's fault
            process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            watchdog = threading.Timer(PATIENCE_S, process.kill)
            watchdog.daemon = True
            watchdog.start()
            try:
                process.stdin.write(json.dumps([str(path.absolute()), name]).encode() + b"\n")
                process.stdin.flush()
                return _answer(process.stdout)
            except (EOFError, BrokenPipeError):
                self._end()
                return "it is damaged so that its reader crashes or does not end", None
            except BaseException:  # Ctrl-C, say: an answer half read would be taken for the next one's
                self._end()
                raise
            finally:
                watchdog.cancel()

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: modules beside the program must not be taken for others' of the same name.
        program = [sys.executable, "-P", str(PROGRAM)]
        # A session of its own: Ctrl-C is for us to handle. It ends with us, when its input does.
        self._process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.communicate()


def _answer(stream: IO[bytes]) -> tuple[str | None, NDArray[Any] | None]:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line)
    if "fault" in header:
        return header["fault"], None
    if header["found"] is None:
        return None, None
    parts = [_array(stream, kind, tuple(shape)) for kind, shape in header["found"]["arrays"]]
    if header["found"]["cells"] is None:
        return None, parts[0]
    cells = np.empty(len(parts), object)
    for index, part in enumerate(parts):
        cells[index] = part
    return None, cells.reshape(header["found"]["cells"])


def _array(stream: IO[bytes], kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    dtype = np.dtype(kind)
    if dtype.kind in "OV":  # what is in cells of cells and in structures is nothing to us
        return np.empty(shape, dtype)
    content = bytearray(prod(shape) * dtype.itemsize)
    view, offset = memoryview(content), 0
    while offset < len(content):
        count = stream.readinto(view[offset:])  # type: ignore[attr-defined]  # of a pipe
        if not count:
            raise EOFError
        offset += count
    return np.frombuffer(content, dtype).reshape(shape)


_reader = _Reader()
atexit.register(_reader.close)
