import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError, DiskSpaceError
from maskedskipunet.files import (
    atomic_folder,
    atomic_write,
    disk_full_as_error,
    existing_folder,
    keep_earlier,
    read_text,
    readable_bytes,
    require_free_space,
    require_writable,
)

Usage = namedtuple("Usage", "total used free")
DISK_FULL_ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


def write(path, text="new", error=None):
    with atomic_write(path) as part:
        part.write_text(text)
        if error is not None:
            raise error


def left_in(folder):
    return sorted(child.name for child in folder.iterdir())


# Whole files


def test_a_file_appears_when_it_is_whole_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    with atomic_write(path) as part:
        part.write_text("new")
        assert not path.exists()
        assert part.parent == path.parent
        assert part.name.startswith(".")
    assert path.read_text() == "new"
    assert left_in(path.parent) == ["c.txt"]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)  # an empty one may be there
    with atomic_folder(tmp_path / "a" / "b") as part:
        (part / "c.txt").write_text("new")
        assert left_in(tmp_path / "a" / "b") == []
    assert left_in(tmp_path / "a") == ["b"]
    assert left_in(tmp_path / "a" / "b") == ["c.txt"]


@pytest.mark.parametrize("number", DISK_FULL_ERRORS)
def test_of_a_folder_that_fails_nothing_is_left(tmp_path, number):
    def fill():
        with atomic_folder(tmp_path / "a") as part:
            (part / "c.txt").write_text("new")
            raise OSError(number, "full")

    with pytest.raises(DiskSpaceError):
        fill()
    assert left_in(tmp_path) == []


def test_a_folder_that_comes_into_being_meanwhile_is_left_as_it_is(tmp_path):
    def meet():
        with atomic_folder(tmp_path / "a") as part:
            (part / "c.txt").write_text("new")
            (tmp_path / "a").write_text("mine")

    with pytest.raises(ConfigError, match="something of that name already"):
        meet()
    assert left_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "mine"


def test_a_file_of_before_is_replaced_in_one_step(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "before"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError("a"), KeyboardInterrupt(), SystemExit(1), OSError(errno.EIO, "a")])
def test_an_error_leaves_nothing_and_the_file_of_before_untouched(tmp_path, error):
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(type(error)) as raised:
        write(tmp_path / "a.txt", error=error)
    assert raised.value is error
    assert left_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


@pytest.mark.parametrize("number", DISK_FULL_ERRORS)
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, number):
    with pytest.raises(
        DiskSpaceError, match=r"a\.txt: no space left on the disk\. Free some space, or name another folder"
    ):
        write(tmp_path / "a.txt", error=OSError(number, "no room"))
    assert left_in(tmp_path) == []


def test_a_disk_that_fills_up_while_the_file_is_written_is_named(tmp_path, no_file_larger_than):
    with pytest.raises(DiskSpaceError, match=r"a\.txt: no space left on the disk"), no_file_larger_than(1000):
        write(tmp_path / "a.txt", "a" * 5000)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_in_the_last_moment_is_named(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[step], full)
    with pytest.raises(DiskSpaceError, match=r"a\.txt: no space left"):
        write(tmp_path / "a.txt")
    monkeypatch.undo()
    assert left_in(tmp_path) == []


def test_a_full_disk_is_named_when_the_folder_cannot_even_be_made(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(DiskSpaceError, match=r"a\.txt: no space left"):
        write(tmp_path / "sub" / "a.txt")


def test_other_faults_of_the_disk_tell_the_name_that_was_asked_for(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write(tmp_path / "a.txt")
    assert raised.value.filename == str(tmp_path / "a.txt")
    assert left_in(tmp_path) == ["a.txt"]
    with pytest.raises((NotADirectoryError, FileExistsError)):
        write(Path("/dev/null/b.txt"))


def test_an_error_of_ours_passes_through():
    error = DiskSpaceError("full")
    with pytest.raises(DiskSpaceError) as raised, disk_full_as_error(Path("a.txt")):
        raise error
    assert raised.value is error


def test_other_errors_of_the_system_pass_through():
    with pytest.raises(PermissionError), disk_full_as_error(Path("a.txt")):
        raise PermissionError(errno.EACCES, "Permission denied")


# Room


def room(monkeypatch, free_bytes):
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: (asked.append(Path(path)), Usage(0, 0, free_bytes))[1])
    return asked


def test_what_fits_is_let_through_and_what_does_not_is_refused_with_both_figures(tmp_path, monkeypatch):
    room(monkeypatch, 2_000_000)
    require_free_space(tmp_path, 2_000_000, what="training", cure="Use less")
    message = r"^/.*: training needs 2\.5 MB, 2\.0 MB are free\. Use less\.$"
    with pytest.raises(DiskSpaceError, match=message):
        require_free_space(tmp_path, 2_500_000, what="training", cure="Use less")


def test_the_disk_is_asked_where_a_folder_will_lie_and_nothing_is_made(tmp_path, monkeypatch):
    asked = room(monkeypatch, 10)
    require_free_space(tmp_path / "a" / "b" / "c", 5, what="x", cure="y")
    monkeypatch.chdir(tmp_path)
    require_free_space(Path("d"), 5, what="x", cure="y")
    assert asked == [tmp_path, tmp_path]
    assert left_in(tmp_path) == []


def test_room_is_really_looked_up(tmp_path):
    require_free_space(tmp_path, 1, what="x", cure="y")
    with pytest.raises(DiskSpaceError):
        require_free_space(tmp_path, 10**18, what="x", cure="y")


def test_the_nearest_folder_that_exists_is_found(tmp_path, monkeypatch):
    assert existing_folder(tmp_path / "a" / "b") == tmp_path
    assert existing_folder(Path("/nowhere/at/all")) == Path("/")
    monkeypatch.chdir(tmp_path)
    assert existing_folder(Path("a")) == tmp_path


def test_a_folder_that_can_be_written_to_is_let_through_and_left_as_it_is(tmp_path):
    require_writable(tmp_path)
    require_writable(tmp_path / "a" / "b")
    assert left_in(tmp_path) == []


def test_a_file_in_a_folders_place_is_named(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ConfigError, match=r"a: there is a file where a folder is wanted"):
        require_writable(tmp_path / "a" / "b")


def test_a_folder_that_cannot_be_written_to_is_named():
    with pytest.raises(ConfigError, match=r"/proc: cannot write into the folder"):
        require_writable(Path("/proc/nowhere"))


# Sizes in words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (999, "999 bytes"),
        (999.7, "1 kB"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (999_960_000, "1.0 GB"),
        (1_400_000_000, "1.4 GB"),
        (2_500_000_000_000, "2.5 TB"),
        (7_654_321_000_000_000, "7654.3 TB"),
    ],
)
def test_sizes_are_said_in_the_unit_that_reads_best(count, words):
    assert readable_bytes(count) == words


@given(st.integers(0, 10**15 - 10**12))
def test_a_size_in_words_is_near_the_size_and_never_a_thousand_of_a_unit(count):
    number, unit = readable_bytes(count).split()
    factor = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
    assert float(number) < 1000
    assert abs(float(number) * factor - count) <= 0.5 * factor


@given(st.text(max_size=50))
def test_a_text_is_read_as_it_was_written(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("text") / "a"
    path.write_bytes(text.encode())
    assert read_text(path, max_bytes=len(text.encode())) == text


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (os.mkfifo, "not a plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a plain file"),
        (Path.mkdir, "not a plain file"),
        (lambda path: path.write_bytes(bytes(1001)), "larger than 1 kB"),
    ],
    ids=["pipe", "device", "folder", "large"],
)
def test_what_is_no_plain_file_or_too_large_is_not_read(tmp_path, make, told):
    make(tmp_path / "a")
    with pytest.raises(OSError, match=told) as refusal:
        read_text(tmp_path / "a", max_bytes=1000)
    assert refusal.value.filename == str(tmp_path / "a")


def test_what_will_be_written_anew_is_kept_under_the_next_free_number(tmp_path):
    path = tmp_path / "config.json"
    assert keep_earlier(path) is None
    for number, text in enumerate(("one", "two"), start=1):
        path.write_text(text)
        kept = keep_earlier(path)
        assert kept == tmp_path / f"config.{number}.json"
        assert (kept.read_text(), path.read_text()) == (text, text)
