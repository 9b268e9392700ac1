import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data import store
from maskedskipunet.data.cache import cache_entries, frames_folder
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import ABANDONED_AFTER_S, StoreFormat, StoreRequest, store_videos
from maskedskipunet.errors import ConfigError, DataError, DiskSpaceError, FrameError
from maskedskipunet.progress import Silent

SMALL = StoreFormat(height_px=32, width_px=48, channels=3)
Usage = namedtuple("Usage", "total used free")


class Watched(Source):
    """A source that tells which videos are decoded."""

    decoded: list = []  # noqa: RUF012  # shared on purpose, emptied before each test

    def frames(self):
        self.decoded.append(self.path.name)
        return super().frames()


class Failing(Watched):
    """A source whose third frame is bad."""

    def frames(self):
        yield from islice(super().frames(), 2)
        raise FrameError("frame 2 is bad", str(self.path))


@pytest.fixture(autouse=True)
def decoded():
    """Names of the videos that were decoded."""
    Watched.decoded.clear()
    return Watched.decoded


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def videos(tmp_path, film):
    """Requests for three videos of 12, 8 and 5 frames."""
    folder = tmp_path / "footage"
    folder.mkdir()
    paths = [film(frames=count).write(folder / f"{name}.mp4") for name, count in (("a", 12), ("b", 8), ("c", 5))]
    return [StoreRequest(name=path.stem, source=Watched(path=path)) for path in paths]


@pytest.fixture
def images(tmp_path):
    """A request for a folder of six images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        PIL.Image.fromarray(noise).save(folder / f"{number}.png")
    return StoreRequest(name="images", source=Watched(path=folder))


def changed(request, **changes):
    return replace(request, source=replace(request.source, **changes))


def parts(cache):
    return sorted(frames_folder(cache).glob(".*"))


def tree(folder):
    """Everything that there is to know of a folder's files."""
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in (folder, *folder.rglob("*"))
    }


# What is stored


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", [{}, {"stride": 3}, {"fps": 5.0}, {"fps": 5.0, "stride": 2}])
def test_the_store_holds_what_decoding_and_resizing_give(cache, videos, images, channels, how):
    size = StoreFormat(height_px=32, width_px=48, channels=channels)
    requests = [changed(request, **how) for request in (*videos, images)]
    for request, stored in zip(requests, store_videos(requests, size, cache), strict=True):
        frames = list(request.source.frames())
        assert stored.name == request.name
        assert stored.index.tolist() == [frame.index for frame in frames]
        assert stored.good.tolist() == [True] * len(frames)
        expected = [network_frame(frame.image, height_px=32, width_px=48, channels=channels) for frame in frames]
        assert np.array_equal(stored.frames, np.stack(expected))
        assert stored.frames.dtype == np.uint8


def test_stored_frames_are_on_disk_and_cannot_be_written_to(cache, videos):
    stored = store_videos(videos, SMALL, cache)[0]
    assert str(cache) in Path("/proc/self/maps").read_text()
    assert not stored.frames.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        stored.frames[0] = 0


@pytest.mark.parametrize(("size", "told"), [(1024, True), (32, False)])
def test_what_decoded_frames_take_is_told_before_they_are_written(cache, videos, size, told):
    class Listener(Silent):
        def __init__(self):
            self.notes = []

        def note(self, message):
            self.notes.append(message)

    listener = Listener()
    store_videos(videos[:1], StoreFormat(height_px=size, width_px=size, channels=3), cache, progress=listener)
    if told:
        (note,) = listener.notes
        assert f"the decoded frames take 38.5 MB in {cache}" in note
        assert "`maskedskipunet cache clear`" in note
    else:
        assert listener.notes == []
    store_videos(videos[:1], StoreFormat(height_px=size, width_px=size, channels=3), cache, progress=listener)
    assert len(listener.notes) == told  # nothing is decoded the second time


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


def test_stored_frames_keep_no_file_open_and_outlive_the_cache(cache, videos):
    before = open_files()
    stored = store_videos(videos, SMALL, cache)
    frames = stored[0].frames.copy()

    assert open_files() == before
    shutil.rmtree(cache)
    assert np.array_equal(stored[0].frames, frames)


def test_more_videos_than_files_may_be_open_are_stored_and_read(tmp_path):
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "from maskedskipunet.data.sources import Source\n"
        "from maskedskipunet.data.store import StoreFormat, StoreRequest, store_videos\n"
        "folder = Path(sys.argv[1])\n"
        "requests = []\n"
        "for number in range(80):\n"
        "    (folder / str(number)).mkdir()\n"
        "    Image.new('RGB', (8, 8), (number, 0, 0)).save(folder / str(number) / '0.png')\n"
        "    requests.append(StoreRequest(name=str(number), source=Source(path=folder / str(number))))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "stored = store_videos(requests, StoreFormat(height_px=16, width_px=16, channels=3), folder / 'cache')\n"
        "print(*(video.frames[0, 0, 0, 0] for video in stored))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)

    assert done.stdout.split() == [str(number) for number in range(80)], done.stderr


def test_too_many_open_files_are_not_taken_for_damage(cache, videos, monkeypatch):
    store_videos(videos[:1], SMALL, cache)

    def refuse(path):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(store, "_mapped", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        store_videos(videos[:1], SMALL, cache)


def test_a_cache_whose_name_is_no_text_holds_frames_too(tmp_path, videos):
    cache = tmp_path / os.fsdecode(b"caf\xe9")
    assert store_videos(videos[:1], SMALL, cache)[0].frames.shape[0] == 12


def test_bad_frames_are_kept_as_holes(cache, images):
    (images.source.path / "3.png").write_bytes(b"")
    stored = store_videos([changed(images, on_bad_frame="skip")], SMALL, cache)[0]
    assert stored.good.tolist() == [True, True, True, False, True, True]
    assert stored.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert stored.frames[3].max() == 0
    assert stored.frames[4].max() > 0


@pytest.mark.parametrize(("most", "kept"), [(0, 0), (1, 1), (5, 5), (12, 12), (99, 12)])
def test_at_most_so_many_frames_are_taken_from_the_start(cache, videos, most, kept):
    stored = store_videos([replace(videos[0], max_frames=most)], SMALL, cache)[0]
    assert stored.index.tolist() == list(range(kept))
    assert stored.frames.shape == (kept, 3, 32, 48)


def test_no_request_gives_no_video_and_writes_nothing(cache):
    assert store_videos([], SMALL, cache) == []
    assert not cache.exists()


def test_progress_counts_every_frame(cache, videos):
    told = []

    class Listener:
        @contextmanager
        def stage(self, title, total, unit="frames"):
            told.append(total)
            yield told.append

    store_videos(videos, SMALL, cache, progress=Listener())
    assert told[0] == sum(told[1:]) == 25


# What is stored once


def test_what_is_stored_is_not_decoded_again(cache, videos, images, decoded):
    first = store_videos([*videos, images], SMALL, cache)
    assert sorted(decoded) == ["a.mp4", "b.mp4", "c.mp4", "images"]
    decoded.clear()
    second = store_videos([*videos, images], SMALL, cache)
    assert decoded == []
    for before, after in zip(first, second, strict=True):
        assert np.array_equal(before.frames, after.frames)


def test_a_video_asked_for_twice_is_stored_once(cache, videos):
    first, second = store_videos([videos[0], replace(videos[0], name="again")], SMALL, cache)
    assert np.array_equal(first.frames, second.frames)
    assert (first.name, second.name) == ("a", "again")
    assert len(cache_entries(cache)) == 1
    assert parts(cache) == []


@pytest.mark.parametrize(
    "changes",
    [{"fps": 5.0}, {"fps": 4.0}, {"stride": 2}, {"image_fps": 5.0}, {"on_bad_frame": "skip"}],
)
def test_another_sampling_is_stored_anew(cache, videos, images, decoded, changes):
    store_videos([videos[0], images], SMALL, cache)
    decoded.clear()
    store_videos([changed(videos[0], **changes), changed(images, **changes)], SMALL, cache)
    assert sorted(decoded) == ["a.mp4", "images"]
    decoded.clear()
    store_videos([videos[0], images], SMALL, cache)  # and what was there stays
    assert decoded == []


@pytest.mark.parametrize("changes", [{"height_px": 48}, {"width_px": 32}, {"channels": 1}])
def test_another_size_or_number_of_channels_is_stored_anew(cache, videos, decoded, changes):
    store_videos(videos[:1], SMALL, cache)
    store_videos(videos[:1], replace(SMALL, **changes), cache)
    assert decoded == ["a.mp4", "a.mp4"]


def test_another_number_of_frames_is_stored_anew(cache, videos, decoded):
    for most in (None, 5, 6, 5):
        store_videos([replace(videos[0], max_frames=most)], SMALL, cache)
    assert decoded == ["a.mp4"] * 3


def test_a_changed_video_is_stored_anew(cache, videos, decoded, film, number_of):
    path = videos[2].source.path
    store_videos(videos[2:], SMALL, cache)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    store_videos(videos[2:], SMALL, cache)
    assert decoded == ["c.mp4"] * 2
    said = path.stat()
    film(frames=7).write(path)
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))  # now only its size tells
    assert len(store_videos(videos[2:], SMALL, cache)[0].frames) == 7


def test_a_changed_image_in_a_folder_is_stored_anew(cache, images, decoded):
    folder = images.source.path
    store_videos([images], SMALL, cache)
    os.utime(folder / "3.png", ns=(0, 0))
    store_videos([images], SMALL, cache)
    (folder / "6.png").write_bytes((folder / "0.png").read_bytes())
    assert len(store_videos([images], SMALL, cache)[0].frames) == 7
    (folder / "2.png").unlink()
    assert store_videos([images], SMALL, cache)[0].good.tolist() == [True, True, False, True, True, True, True]
    (folder / "notes.txt").touch()
    store_videos([images], SMALL, cache)
    assert len(decoded) == 4


def test_a_link_to_a_video_is_the_same_video(cache, videos, decoded, tmp_path):
    (tmp_path / "link.mp4").symlink_to(videos[0].source.path)
    store_videos(videos[:1], SMALL, cache)
    store_videos([changed(videos[0], path=tmp_path / "link.mp4")], SMALL, cache)
    assert decoded == ["a.mp4"]


# What goes wrong while it is stored


@pytest.mark.parametrize("workers", [1, 3])
def test_after_an_error_in_one_video_the_whole_ones_are_kept_and_nothing_else(cache, videos, decoded, workers):
    bad = StoreRequest(name="bad", source=Failing(path=videos[1].source.path))
    store_videos(videos[:1], SMALL, cache)
    with pytest.raises(FrameError, match="frame 2 is bad"):
        store_videos([videos[0], bad, videos[2]], SMALL, cache, workers=workers)
    assert parts(cache) == []
    assert "b.mp4" not in {Path(entry.source).name for entry in cache_entries(cache)}
    decoded.clear()
    store_videos(videos, SMALL, cache)
    assert "a.mp4" not in decoded
    assert "b.mp4" in decoded


def test_interrupted_it_keeps_whole_videos_and_goes_on_from_there(cache, videos, decoded):
    class Endless(Watched):
        """Interrupts the main thread as Ctrl-C does, then goes on until it is stopped."""

        def frames(self):
            first = next(super().frames())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            yield from repeat(first, 1_000_000)

    endless = StoreRequest(name="endless", source=Endless(path=videos[1].source.path))
    with pytest.raises(KeyboardInterrupt):
        store_videos([videos[0], endless, videos[2]], SMALL, cache, workers=1)
    assert decoded == ["a.mp4", "b.mp4"]
    assert parts(cache) == []
    assert [entry.source for entry in cache_entries(cache)] == [str(videos[0].source.path)]
    decoded.clear()
    store_videos(videos, SMALL, cache)
    assert sorted(decoded) == ["b.mp4", "c.mp4"]


def test_a_disk_too_small_is_told_before_anything_is_decoded(cache, videos, decoded, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(DiskSpaceError) as refused:
        store_videos(videos, SMALL, cache)
    message = str(refused.value)
    assert "storing 25 frames of 48x32 needs 118 kB, 1 kB are free" in message
    for cure in ("--data.stride", "--data.max_frames", "smaller --data.height_px"):
        assert cure in message
    assert decoded == []
    assert not cache.exists()


def test_only_what_is_missing_needs_room(cache, videos, monkeypatch):
    store_videos(videos, SMALL, cache)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6 - 30_000, 30_000))
    store_videos(videos, SMALL, cache)
    store_videos([replace(videos[0], max_frames=5)], SMALL, cache)
    with pytest.raises(DiskSpaceError):
        store_videos([replace(videos[0], max_frames=7)], SMALL, cache)


@pytest.mark.parametrize("size_bytes", [10_000, 54_000])  # while frames are written, and just before the last
def test_a_disk_that_fills_up_is_named_and_no_part_is_left(cache, videos, size_bytes, no_file_larger_than):
    with pytest.raises(DiskSpaceError, match="no space left on the disk"), no_file_larger_than(size_bytes):
        store_videos(videos[:1], SMALL, cache)
    assert list(frames_folder(cache).iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_in_the_last_moment_is_named_too(cache, videos, monkeypatch, number):
    def full(*_, **__):
        raise OSError(number, "no room")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DiskSpaceError, match="no space left on the disk"):
        store_videos(videos[:1], SMALL, cache)
    assert list(frames_folder(cache).iterdir()) == []


def test_a_file_in_the_caches_place_is_named(tmp_path, videos, decoded):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ConfigError, match="cache: there is a file where a folder is wanted"):
        store_videos(videos, SMALL, tmp_path / "cache")
    assert decoded == []


def test_a_source_that_is_gone_is_named(cache, videos):
    with pytest.raises(DataError, match=r"gone\.mp4: no such file or folder"):
        store_videos([changed(videos[0], path=videos[0].source.path.with_name("gone.mp4"))], SMALL, cache)


def test_a_broken_link_among_images_is_a_bad_frame(cache, images):
    (images.source.path / "3.png").unlink()
    (images.source.path / "3.png").symlink_to("gone.png")
    with pytest.raises(FrameError, match=r"3\.png: cannot read the image"):
        store_videos([images], SMALL, cache)
    stored = store_videos([changed(images, on_bad_frame="skip")], SMALL, cache)[0]
    assert stored.good.tolist() == [True, True, True, False, True, True]


def test_footage_is_only_read(cache, videos, images, tmp_path):
    for folder in (tmp_path / "footage", tmp_path / "images"):
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
    before = tree(tmp_path / "footage") | tree(tmp_path / "images")
    store_videos([*videos, images], SMALL, cache)
    assert tree(tmp_path / "footage") | tree(tmp_path / "images") == before
    for folder in (tmp_path / "footage", tmp_path / "images"):
        folder.chmod(0o755)


# What was damaged later


def _set_meta(content):
    return lambda home: (home / "meta.json").write_bytes(content)


def _cut_frames(size_bytes):
    return lambda home: os.truncate(home / "frames.u8", size_bytes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda home: (home / "frames.u8").unlink(),
        _cut_frames(0),
        _cut_frames(1),
        _cut_frames(12 * 3 * 32 * 48 - 1),
        _cut_frames(11 * 3 * 32 * 48),
        _cut_frames(13 * 3 * 32 * 48),
        lambda home: (home / "meta.json").unlink(),
        _set_meta(b""),
        _set_meta(b"{"),
        _set_meta(b"\xff\xfe"),
        _set_meta(b"[]"),
        _set_meta(b"null"),
        _set_meta(b'{"shape": null}'),
        _set_meta(b'{"shape": [12]}'),
        _set_meta(b'{"shape": ["12", 3, 32, 48]}'),
        _set_meta(b'{"shape": [12, 3, 32, 47]}'),
        _set_meta(b'{"shape": [-1, 3, 32, 48]}'),
        lambda home: (home / "index.npz").unlink(),
        lambda home: (home / "index.npz").write_bytes(b""),
        lambda home: (home / "index.npz").write_bytes(b"hello"),
        lambda home: os.truncate(home / "index.npz", 200),
        lambda home: np.savez(home / "index.npz", index=np.arange(12)),
        lambda home: np.savez(home / "index.npz", index=np.arange(3), good=np.ones(3, bool)),
        lambda home: (shutil.rmtree(home), home.mkdir()),
    ],
)
def test_damaged_frames_are_told_with_the_cure(cache, videos, damage):
    store_videos(videos[:1], SMALL, cache)
    (home,) = frames_folder(cache).iterdir()
    damage(home)
    with pytest.raises(DataError, match=r"the stored frames are damaged .*`maskedskipunet cache clear`") as refused:
        store_videos(videos[:1], SMALL, cache)
    assert refused.value.where == str(home)
    assert "\n" not in str(refused.value)


# Several at once


def test_threads_that_store_the_same_at_once_all_get_it(cache, videos):
    gate = threading.Barrier(4)
    found = []

    def store():
        gate.wait(10)
        found.append(store_videos(videos, SMALL, cache, workers=2))

    threads = [threading.Thread(target=store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    for stored in found:
        assert [len(video.frames) for video in stored] == [12, 8, 5]
        assert np.array_equal(stored[0].frames, found[0][0].frames)
    assert len(cache_entries(cache)) == 3
    assert parts(cache) == []


def test_processes_that_store_the_same_at_once_all_get_it(cache, videos):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from maskedskipunet.data.sources import Source\n"
        "from maskedskipunet.data.store import StoreFormat, StoreRequest, store_videos\n"
        "requests = [StoreRequest(name=path, source=Source(path=Path(path))) for path in sys.argv[2:]]\n"
        "sys.stdin.readline()\n"
        "stored = store_videos(requests, StoreFormat(height_px=32, width_px=48, channels=3), Path(sys.argv[1]))\n"
        "print(*(len(video.frames) for video in stored))\n"
    )
    command = [sys.executable, "-c", script, str(cache), *(str(video.source.path) for video in videos)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0].split() for process in processes] == [["12", "8", "5"]] * 2
    assert len(cache_entries(cache)) == 3
    assert parts(cache) == []


def test_what_another_process_is_writing_is_left_alone(cache, videos):
    part = frames_folder(cache) / ".abc.part"
    part.mkdir(parents=True)
    (part / "frames.u8").write_bytes(b"frames")
    old_s = time.time() - 2 * ABANDONED_AFTER_S
    os.utime(part, (old_s, old_s))  # a folder is as old as its newest file, and that one grows
    store_videos(videos[:1], SMALL, cache)
    assert (part / "frames.u8").read_bytes() == b"frames"


def test_what_a_killed_process_left_is_removed_when_it_is_old(cache, videos):
    part = frames_folder(cache) / ".abc.part"
    part.mkdir(parents=True)
    (part / "frames.u8").write_bytes(b"frames")
    old_s = time.time() - 2 * ABANDONED_AFTER_S
    os.utime(part / "frames.u8", (old_s, old_s))
    os.utime(part, (old_s, old_s))
    store_videos(videos[:1], SMALL, cache)
    assert parts(cache) == []
    assert len(cache_entries(cache)) == 1


def test_an_entry_says_where_it_came_from(cache, videos):
    store_videos(videos[:1], SMALL, cache)
    (home,) = frames_folder(cache).iterdir()
    meta = json.loads((home / "meta.json").read_text())
    assert meta["source"] == str(videos[0].source.path)
    assert meta["shape"] == [12, 3, 32, 48]
    assert (home / "frames.u8").stat().st_size == 12 * 3 * 32 * 48


@pytest.mark.real_data
def test_a_clip_of_ped2_is_stored_as_it_is(cache, real_data):
    source = Source(path=real_data / "UCSDped2" / "Train" / "Train001")
    (stored,) = store_videos([StoreRequest(name="1", source=source)], replace(SMALL, channels=1), cache)
    assert stored.frames.shape == (120, 1, 32, 48)
    assert stored.good.all()
