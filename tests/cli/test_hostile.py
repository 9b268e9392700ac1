"""Hostile footage, end to end: one clear line, the right exit code, nothing half written, no hang and no blow-up.

`docs/hostile_input.md` shows the same as a table.
"""

import io
import json
import os
import shutil
import signal
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from maskedskipunet.cli.lines import one_line

PATIENCE_S = 120

DONE, REFUSED = 0, 2


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Whatever waits for ever fails its test."""

    def give_up(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# Makers of hostile files


def film(
    path: Path,
    frames: int = 6,
    *,
    size: tuple[int, int] = (32, 48),
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    times_ms: list[int] | None = None,
) -> Path:
    height_px, width_px = size
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.height, stream.width, stream.pix_fmt = height_px, width_px, pixels
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            image = np.full((height_px, width_px, 3), 60, np.uint8)
            image[: max(1, height_px // 2), : max(1, width_px * number // frames)] = 220
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            if times_ms:
                frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def spoilt(path: Path, mark: bytes, at: int, new: bytes) -> None:
    """A good mp4 with bytes written over, `at` bytes behind the last mark."""
    content = bytearray(film(path).read_bytes())
    start = content.rindex(mark) + at
    content[start : start + len(new)] = new
    path.write_bytes(content)


def cut(path: Path) -> None:
    content = film(path).read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 20])


def sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))


def of_no_codec(path: Path) -> None:
    path.write_bytes(film(path).read_bytes().replace(b"FMP4", b"zZ9q"))


def turned(path: Path) -> None:
    spoilt(path, b"tkhd", 44, struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))


def joined(path: Path) -> None:
    path.write_bytes(film(path).read_bytes() * 2)


def of_sizes(path: Path) -> None:
    path.write_bytes(film(path).read_bytes() + film(path, size=(64, 96)).read_bytes())


def a_list_of_files(path: Path) -> None:
    film(path.with_name("other.mp4"))
    path.write_text("ffconcat version 1.0\nfile other.mp4\nfile other.mp4\n")


def a_playlist(path: Path) -> None:
    film(path.with_name("other.ts"))
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.ts\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    )


def a_session(path: Path) -> None:
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )


def moving_gif(path: Path) -> None:
    frames = [Picture.new("L", (48, 32), 40 * number) for number in range(6)]
    file = io.BytesIO()
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:])
    path.write_bytes(file.getvalue())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bombs(folder: Path) -> None:
    """PNGs of a few kB that state 40000x40000 pixels."""
    folder.mkdir()
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    for number in range(3):
        data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
        (folder / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def pipes(folder: Path) -> None:
    """Images that are a pipe and a device."""
    folder.mkdir()
    os.mkfifo(folder / "0.png")
    (folder / "1.png").symlink_to("/dev/zero")


def folder_called_video(path: Path) -> None:
    path.mkdir()
    film(path / "inside.mp4")


@dataclass(frozen=True)
class Hostile:
    """name: of the file or folder. score, train, watch: what is told; None where all is well, and it is done."""

    name: str
    make: Callable[[Path], object]
    score: str | None
    train: str | None
    watch: str | None = None


OPENED = "cannot open the video"
NOT_ONE = "neither a file nor a folder. Name a video"
NO_VIDEO = "the file is no video. Name a file that ends in"
OTHERS = "cannot open the video (no kind of video that is read)"
PLAIN = "cannot open the video (not a plain file)"
LARGE = "cannot read the image (it is larger than 89478485 pixels)"

REFUSALS = [
    Hostile("cut.mp4", cut, OPENED, OPENED, OPENED),
    Hostile("zero.mp4", Path.touch, *["the video is empty (zero bytes)"] * 3),
    Hostile("sound.mp4", sound, *["the file holds no picture stream"] * 3),
    Hostile("nothing.mp4", lambda path: spoilt(path, b"stsz", 8, struct.pack(">II", 4, 2**31 - 1)), *["no frame"] * 3),
    Hostile(
        "billions.mp4",
        lambda path: spoilt(path, b"stts", 12, struct.pack(">I", 2**31 - 1)),
        "the video ends early: 6 of 2147483647 frames are there",
        "the video ends early: 6 of 2147483647 frames are there",
    ),
    Hostile("codec.avi", of_no_codec, *["no decoder knows how its pictures are stored"] * 3),
    Hostile("list.mp4", a_list_of_files, OTHERS, OTHERS, OTHERS),
    Hostile("playlist.mp4", a_playlist, OPENED, OPENED, OPENED),
    Hostile("playlist.m3u8", a_playlist, NO_VIDEO, NO_VIDEO, OTHERS),
    Hostile("session.mp4", a_session, OTHERS, OTHERS, OTHERS),
    Hostile("moving.gif", moving_gif, NO_VIDEO, NO_VIDEO),
    Hostile("pipe.mp4", os.mkfifo, NOT_ONE, NOT_ONE, PLAIN),
    Hostile("device.mp4", lambda path: path.symlink_to("/dev/zero"), NOT_ONE, NOT_ONE, PLAIN),
    Hostile("circle.mp4", lambda path: path.symlink_to(path), "a broken link", "a broken link", "no such file"),
    Hostile("pipe.txt", os.mkfifo, NOT_ONE, NOT_ONE, PLAIN),
    Hostile("itself.txt", lambda path: path.write_text("itself.txt\n"), "the list names a list", NO_VIDEO, OPENED),
    Hostile("empty.mp4", Path.mkdir, "the folder holds no video", "the folder is empty", "a folder cannot be watched"),
    Hostile("bombs", bombs, LARGE, LARGE, "a folder cannot be watched"),
    Hostile("pipes", pipes, *["cannot read the image (it is empty, zero bytes)"] * 2, "a folder cannot be watched"),
    Hostile("one.mp4", lambda path: film(path, 1), *["no 3 good frames follow one another"] * 2),
    Hostile("sizes.ts", of_sizes, *["frame 6 changes the size to 96x64 after 48x32. Split the video there"] * 2),
]


@pytest.mark.parametrize("hostile", REFUSALS, ids=lambda hostile: hostile.name)
@pytest.mark.parametrize("command", ["score", "train", "watch"])
def test_hostile_footage_is_refused_in_one_line_and_leaves_nothing(cli, run, place, files, small, hostile, command):
    told = getattr(hostile, command)
    if told is None:
        pytest.skip("nothing to refuse")
    hostile.make(place / hostile.name)
    before = files()
    arguments = {
        "score": [hostile.name, "--model", run],
        "train": ["--data", hostile.name, *small],
        "watch": [hostile.name, "--model", run],
    }
    answer = cli(command, *arguments[command])
    assert (answer.code, answer.out) == (REFUSED, "")
    fault = answer.err.splitlines()[-1]
    assert fault.startswith(f"error: {hostile.name}")
    assert told in fault
    assert fault.endswith(".")
    assert "Traceback" not in answer.err
    assert {name for name in files() - before if (place / name).is_file()} == set()


UNEVEN_MS = [0, 40, 400, 410, 415, 2000, 2100, 9000]
YEARS_MS = [0, 100, 200, 10**12, 10**12 + 100, 10**12 + 200]
ODD_NAME = "two\nlines \x1b[31m \N{GRINNING FACE} .mp4"

SURVIVED = [
    ("8K.mp4", lambda path: film(path, 3, size=(4320, 7680), codec="libx264"), 3),
    ("turned.mp4", turned, 6),
    ("variable.mkv", lambda path: film(path, 8, times_ms=UNEVEN_MS, codec="libx264"), 8),
    ("back.ts", joined, 12),
    ("years.mkv", lambda path: film(path, 6, times_ms=YEARS_MS, codec="libx264"), 6),
    ("claims.mp4", lambda path: spoilt(path, b"mp4v", 28, struct.pack(">HH", 65_535, 65_535)), 6),
    ("one_pixel.avi", lambda path: film(path, size=(1, 1), codec="rawvideo", pixels="bgr24"), 6),
    ("narrow.avi", lambda path: film(path, size=(17, 3), codec="rawvideo", pixels="bgr24"), 6),
    ("grey16.mkv", lambda path: film(path, codec="ffv1", pixels="gray16le"), 6),
    ("ten_bits.mkv", lambda path: film(path, codec="ffv1", pixels="yuv444p10le"), 6),
    ("gif.mp4", moving_gif, 6),
    ("folder.mp4", folder_called_video, 6),
    ("http:a.mp4", film, 6),
    (ODD_NAME, film, 6),
]


@pytest.mark.parametrize(("name", "make", "frames"), SURVIVED, ids=[name.splitlines()[0] for name, *_ in SURVIVED])
def test_odd_footage_is_scored_and_drawn(cli, run, place, name, make, frames):
    make(place / name)
    answer = cli("score", name, "--model", run, "--video", "--out", "o")
    assert (answer.code, "Traceback" in answer.err) == (DONE, False)
    assert all(line.startswith("scoring and drawing: ") for line in answer.err.splitlines())  # one line, any name
    (table,) = (place / "o").rglob("scores.parquet")
    columns = pq.read_table(table)
    assert columns.num_rows == frames
    times_s = columns["time"].to_pylist()
    assert times_s == sorted(times_s)
    assert not [*place.rglob("*.part")]
    with av.open(str(table.with_name("comparison.mp4"))) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames


def test_odd_footage_is_learned_from(cli, place, small):
    for name, make, _ in SURVIVED:
        if name != "folder.mp4":
            make(place / name)
    answer = cli("train", "--data", ".", "--name", "odd", *small)
    assert (answer.code, "Traceback" in answer.err) == (DONE, False)
    assert (place / "runs" / "odd" / "model" / "model.safetensors").is_file()


def test_odd_footage_is_watched(cli, run, place):
    counts = {}
    for name, make, frames in SURVIVED:
        if name in ("turned.mp4", "variable.mkv", "back.ts", "narrow.avi", "ten_bits.mkv", "gif.mp4", ODD_NAME):
            make(place / name)
            counts[name] = frames
    counts["variable.mkv"] = 7  # two lie closer than the ten frames a second that this model is used to
    answer = cli("watch", *counts, "--model", run, "--speed", 50, "--scores", "--max-delay-s", PATIENCE_S)
    assert (answer.code, "Traceback" in answer.err) == (DONE, False)
    told = [json.loads(line) for line in answer.out.splitlines()]
    scored = Counter(one["camera"] for one in told if one["kind"] == "scored")
    assert scored == counts
    assert all(
        line.startswith(("watching ", "no alarms, ", *map(one_line, counts))) for line in answer.err.splitlines()
    )


def test_a_file_that_cannot_be_read_stops_no_other(cli, run, place):
    film(place / "good.mp4")
    for hostile in REFUSALS:
        if hostile.name.endswith(".mp4") and hostile.name not in ("pipe.mp4", "device.mp4", "circle.mp4", "empty.mp4"):
            hostile.make(place / hostile.name)
    os.mkfifo(place / "pipe.mp4")
    answer = cli("score", ".", "--model", run, "--out", "o")
    assert answer.code == 1
    assert answer.out.count("failed: ") == 9
    assert "left out in .: pipe.mp4 (not a plain file)" in answer.err
    assert "failed" not in answer.err  # each fault is told once
    assert {path.name for path in (place / "o").rglob("scores.parquet")} == {"scores.parquet"}
    assert (place / "o" / "good" / "scores.parquet").is_file()
    assert not (place / "o" / "cut").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may read everything")
def test_a_file_without_the_right_to_read_it_is_named(cli, run, place):
    film(place / "closed.mp4").chmod(0)
    assert (
        "closed.mp4: cannot open the video (Permission denied)" in cli("score", "closed.mp4", "--model", run).refusal()
    )


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.parametrize("suffix", ["csv", "txt", "npy"])
def test_labels_that_are_no_plain_file_are_told(cli, place, make, suffix):
    (place / "set" / "test").mkdir(parents=True)
    film(place / "set" / "test" / "a.mp4")
    make(place / "set" / "test" / f"a_labels.{suffix}")
    answer = cli("check", "set")
    assert (answer.code, "(not a plain file)" in answer.out) == (1, True)


@pytest.mark.parametrize("name", ["config.json", "calibration.json"])
def test_a_model_whose_description_is_a_pipe_is_told(cli, run, place, name):
    shutil.copytree(run, place / "run")
    (place / "run" / "model" / name).unlink(missing_ok=True)
    os.mkfifo(place / "run" / "model" / name)
    assert "error: run" in cli("score", film(place / "a.mp4"), "--model", "run").err


def test_a_list_of_the_same_video_over_and_over_is_one(cli, run, place):
    film(place / "a.mp4")
    (place / "list.txt").write_text("a.mp4\n" * 1_000_000)
    assert cli("score", "list.txt", "--model", run, "--out", "o").code == DONE
    assert [*(place / "o").rglob("scores.parquet")] == [place / "o" / "a" / "scores.parquet"]


def test_a_list_without_end_is_refused(cli, run, place):
    (place / "list.txt").write_bytes(b"")
    os.truncate(place / "list.txt", 200_000_000)
    assert "list.txt: cannot read the list" in cli("score", "list.txt", "--model", run).refusal()


def nested(first: str, form: str) -> str:
    """Twelve lines, each of which holds the one before nine times."""
    lines = [f"a{n}: &a{n} {form.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 12)]
    return "\n".join([f"a0: &a0 {first}", *lines, ""])


BOMBS = {
    "values": nested("[x, x]", "[{}]"),
    "keys": nested("{x: 1}", "{{<<: [{}]}}"),
    "names": nested("[x, x]", "[{}]") + "? *a11\n: x\n",
    "depth": "[" * 5000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_recipe_and_a_file_of_cameras_that_grow_when_read_are_refused(cli, run, place, bomb):
    (place / "bomb.yaml").write_text(bomb)
    assert "bomb.yaml: not YAML that " in cli("train", "--config", "bomb.yaml").refusal()
    assert "bomb.yaml: not YAML that " in cli("watch", "--config", "bomb.yaml", "--model", run).refusal()
    shutil.copytree(run, place / "run")
    (place / "run" / "config.yaml").write_text(bomb)
    assert "cannot read the run's config" in cli("train", "--resume", "run").refusal()


def test_a_mat_file_that_crashes_its_reader_is_one_clear_line(cli, place, monkeypatch, tmp_path_factory):
    reader = tmp_path_factory.mktemp("reader") / "matlab_process.py"
    reader.write_text("import os, signal, sys\nsys.stdin.readline()\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    from maskedskipunet.data import matlab

    monkeypatch.setattr(matlab, "PROGRAM", reader)
    matlab._reader.close()
    for part in ("training_videos", "testing_videos"):
        (place / "set" / part).mkdir(parents=True)
        film(place / "set" / part / "01.avi")
    (place / "set" / "gt.mat").write_bytes(b"damaged")
    assert "gt.mat: cannot read the .mat file (it is damaged so that its reader" in cli("check", "set").refusal()
