"""The process that reads `.mat` files: what comes through it, and what its crash or hang leaves."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from maskedskipunet.data import matlab
from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.errors import LabelError


def cells(*parts: object) -> "np.ndarray[tuple[int, int], np.dtype[np.object_]]":
    array = np.empty((1, len(parts)), object)
    for at, part in enumerate(parts):
        array[0, at] = part
    return array


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Puts another program in place of the reader; it may use the real one as `real`."""

    def put(code: str) -> None:
        program = tmp_path / "program.py"
        real = f"import sys; sys.path.insert(0, {str(matlab.PROGRAM.parent)!r}); import matlab_process as real\n"
        program.write_text(real + code)
        monkeypatch.setattr(matlab, "PROGRAM", program)
        matlab._reader.close()

    yield put
    matlab._reader.close()


def test_arrays_and_cells_come_through_as_they_are_stored(tmp_path):
    numbers = np.arange(6, dtype=np.int16).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"n": numbers, "c": cells(numbers, numbers), "one": cells(numbers), "e": cells()})
    found = mat_variable(tmp_path / "a.mat", "n")
    assert (found.dtype, found.tolist()) == (np.int16, numbers.tolist())
    pair = mat_variable(tmp_path / "a.mat", "c")
    assert (pair.shape, pair.dtype) == ((1, 2), object)
    assert [cell.tolist() for cell in pair[0]] == [numbers.tolist()] * 2
    assert mat_variable(tmp_path / "a.mat", "one")[0, 0].tolist() == numbers.tolist()
    assert mat_variable(tmp_path / "a.mat", "e").size == 0


def test_what_holds_no_numbers_keeps_its_kind_and_shape(tmp_path):
    savemat(tmp_path / "a.mat", {"s": {"field": 1}, "t": "text", "c": cells(cells(1, 2))})
    assert mat_variable(tmp_path / "a.mat", "s").dtype.kind == "V"
    assert mat_variable(tmp_path / "a.mat", "t").tolist() == ["text"]
    assert mat_variable(tmp_path / "a.mat", "c")[0, 0].shape == (1, 2)


def test_a_crash_is_told_and_the_next_file_is_read(tmp_path, reader):
    reader(
        "for line in sys.stdin:\n"
        "    import os, signal\n"
        "    if 'bad' in line: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    import io\n"
        "    real.main(io.BytesIO(line.encode()), sys.stdout.buffer)\n"
    )
    for name in ("bad", "good"):
        savemat(tmp_path / f"{name}.mat", {"x": 1})
    for _ in range(2):
        with pytest.raises(LabelError, match=r"bad\.mat: .*it is damaged so that its reader crashes"):
            mat_variable(tmp_path / "bad.mat", "x")
        assert mat_variable(tmp_path / "good.mat", "x").tolist() == [[1]]


def test_a_reader_that_was_ended_while_it_waited_is_no_fault_of_the_next_file(tmp_path):
    savemat(tmp_path / "a.mat", {"x": 1})
    assert mat_variable(tmp_path / "a.mat", "x").tolist() == [[1]]
    matlab._reader._process.kill()
    matlab._reader._process.wait()
    assert mat_variable(tmp_path / "a.mat", "x").tolist() == [[1]]


def test_a_reader_that_does_not_end_is_ended(tmp_path, reader, monkeypatch):
    reader("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(matlab, "PATIENCE_S", 0.2)
    savemat(tmp_path / "a.mat", {"x": 1})
    with pytest.raises(LabelError, match="its reader crashes or does not end"):
        mat_variable(tmp_path / "a.mat", "x")


def test_a_file_that_states_more_than_fits_into_memory_is_refused(tmp_path, reader):
    reader("real.MEMORY_BYTES = 1\nreal.main(sys.stdin.buffer, sys.stdout.buffer)\n")
    savemat(tmp_path / "a.mat", {"x": np.zeros((3000, 3000))})
    with pytest.raises(LabelError, match=r"a\.mat: cannot read the \.mat file"):
        mat_variable(tmp_path / "a.mat", "x")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "a.mat")
    with pytest.raises(LabelError, match="not a plain file"):
        mat_variable(tmp_path / "a.mat", "x")


def test_a_name_that_is_no_text_is_read(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.mat"))
    savemat(str(path), {"x": 1})
    assert mat_variable(path, "x").tolist() == [[1]]


def test_reading_takes_no_part_of_us_with_it():
    """So that the process is there at once."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print({'maskedskipunet', 'torch', 'av'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, matlab.PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
