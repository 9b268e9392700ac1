import json
import os
import stat
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.cache import CACHE_VARIABLE, cache_entries, cache_folder, clear_cache, frames_folder
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import StoreFormat, StoreRequest, store_videos
from maskedskipunet.errors import ConfigError


@pytest.fixture
def cache(tmp_path):
    """A cache with two videos, of 3 and 9 frames, and things that are not ours to touch."""
    for count in (3, 9):
        (tmp_path / f"images{count}").mkdir()
        for number in range(count):
            PIL.Image.new("RGB", (8, 8)).save(tmp_path / f"images{count}" / f"{number}.png")
    requests = [StoreRequest(name="a", source=Source(path=tmp_path / f"images{count}")) for count in (3, 9)]
    store_videos(requests, StoreFormat(height_px=32, width_px=48, channels=1), tmp_path / "cache")
    (tmp_path / "cache" / "notes.txt").write_text("mine")
    (tmp_path / "cache" / "models").mkdir()
    (tmp_path / "cache" / "models" / "a.bin").write_text("mine too")
    return tmp_path / "cache"


def disk_bytes(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_cache_is_where_one_says_or_the_environment_or_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(Path("chosen")) == Path("chosen")
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_folder() == tmp_path / "xdg" / "maskedskipunet"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path("/home/someone/.cache/maskedskipunet")
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert cache_folder() == Path("/home/someone/.cache/maskedskipunet")


@pytest.fixture
def without_home(monkeypatch, tmp_path):
    """A user of whom the system knows nothing, and a folder for temporary files."""
    for name in ("HOME", "XDG_CACHE_HOME", CACHE_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr("maskedskipunet.data.cache.gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_a_user_without_a_home_has_a_cache_of_their_own_among_temporary_files(without_home):
    folder = cache_folder()

    assert folder == without_home / f"maskedskipunet-{os.getuid()}" == cache_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_frames_are_never_put_where_somebody_else_chose(without_home):
    (without_home / "theirs").mkdir()
    (without_home / f"maskedskipunet-{os.getuid()}").symlink_to(without_home / "theirs")

    with pytest.raises(ConfigError, match=r"another user's.*--data.cache or MASKEDSKIPUNET_CACHE"):
        cache_folder()


def test_entries_are_listed_the_largest_first_with_what_they_take(cache, tmp_path):
    large, small = cache_entries(cache)
    assert (large.source, large.shape) == (str(tmp_path / "images9"), (9, 1, 32, 48))
    assert (small.source, small.shape) == (str(tmp_path / "images3"), (3, 1, 32, 48))
    assert (large.size_bytes, small.size_bytes) == (disk_bytes(large.folder), disk_bytes(small.folder))


def test_an_empty_cache_or_none_lists_nothing_and_clears_nothing(tmp_path):
    for cache in (tmp_path, tmp_path / "gone"):
        assert cache_entries(cache) == []
        assert clear_cache(cache) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("meta", ["", "[]", "null", "{}", '{"source": "a"}', '{"source": "a", "shape": 3}', "\xff"])
def test_what_is_damaged_or_unfinished_is_not_listed(cache, meta):
    for name in ("damaged", ".abc.part"):
        (frames_folder(cache) / name).mkdir()
        (frames_folder(cache) / name / "meta.json").write_text(meta, encoding="latin-1")
    (frames_folder(cache) / ".abc.part" / "meta.json").write_text(json.dumps({"source": "a", "shape": [1, 1, 1, 1]}))
    (frames_folder(cache) / "stray").write_text("a file")
    assert len(cache_entries(cache)) == 2


def test_clearing_removes_every_frame_and_part_and_nothing_else(cache, tmp_path):
    (frames_folder(cache) / ".abc.part").mkdir()
    (frames_folder(cache) / ".abc.part" / "frames.u8").write_bytes(bytes(1000))
    there = disk_bytes(frames_folder(cache))
    assert clear_cache(cache) == there
    assert cache_entries(cache) == []
    assert sorted(path.name for path in cache.rglob("*")) == ["a.bin", "models", "notes.txt"]
    assert len(list((tmp_path / "images9").iterdir())) == 9


def test_frames_can_be_stored_again_after_clearing(cache, tmp_path):
    clear_cache(cache)
    source = Source(path=tmp_path / "images3")
    how = StoreFormat(height_px=32, width_px=32, channels=3)
    assert len(store_videos([StoreRequest(name="a", source=source)], how, cache)[0].frames) == 3


def test_frames_that_are_in_use_survive_clearing(cache, tmp_path):
    request = StoreRequest(name="a", source=Source(path=tmp_path / "images3"))
    stored = store_videos([request], StoreFormat(height_px=32, width_px=48, channels=1), cache)[0]
    clear_cache(cache)
    assert np.array_equal(stored.frames, np.zeros((3, 1, 32, 48)))


def test_links_in_the_store_are_removed_and_what_they_lead_to_is_kept(cache, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a.txt").write_text("a" * 5000)
    (frames_folder(cache) / "folder").symlink_to(tmp_path / "precious")
    (frames_folder(cache) / "file").symlink_to(tmp_path / "precious" / "a.txt")
    assert clear_cache(cache) < 5000 + 12 * 32 * 48 + 8000
    assert (tmp_path / "precious" / "a.txt").read_text() == "a" * 5000
    assert not frames_folder(cache).exists()


def test_a_store_that_is_a_link_is_left_alone(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a.txt").touch()
    (tmp_path / "frames").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match="the frame store is a link, which is not followed"):
        clear_cache(tmp_path)
    assert (tmp_path / "precious" / "a.txt").exists()


def test_a_cache_that_is_a_link_to_a_larger_disk_works(cache, tmp_path):
    (tmp_path / "link").symlink_to(cache)
    assert len(cache_entries(tmp_path / "link")) == 2
    assert clear_cache(tmp_path / "link") > 0
    assert not frames_folder(cache).exists()
    assert (tmp_path / "link").is_symlink()
