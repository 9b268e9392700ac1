"""A part of a video has the numbers, times and pictures that reading all of it gives, whatever the file's kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from maskedskipunet.data.footage_files import FootageFile
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.video import index as index_module
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.index import index_video
from maskedskipunet.data.video.parts import read_part
from maskedskipunet.errors import VideoError

FRAMES = 90
CLOSED = {"g": "20", "bf": "2"}
OPEN = {"g": "20", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
Write = Callable[..., Path]


def write(
    path: Path, options: dict[str, str] | None = None, codec: str = "libx264", container: dict[str, str] | None = None
) -> Path:
    """Write noise that changes with every frame, at an uneven pace."""
    random = np.random.default_rng(3)
    with av.open(str(path), "w", options=container or {}) as file:
        stream: Any = file.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            image = np.full((48, 64, 3), 40 + number, np.uint8)
            image[number % 32 : number % 32 + 16, 8:40] = random.integers(0, 255, (16, 32, 3))
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = number + (number // 30 * 5 if path.suffix != ".avi" else 0)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


KINDS = {
    "closed groups": ("a.mp4", CLOSED, "libx264", None),
    "open groups": ("a.mp4", OPEN, "libx264", None),
    "index in front": ("a.mp4", CLOSED, "libx264", {"movflags": "faststart"}),
    "fragments": ("a.mp4", CLOSED, "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "Matroska": ("a.mkv", CLOSED, "libx264", None),
    "Matroska, open groups": ("a.mkv", OPEN, "libx264", None),
    "MPEG-4": ("a.mov", {"g": "12"}, "mpeg4", None),
    "transport stream": ("a.ts", CLOSED, "libx264", None),
    "AVI": ("a.avi", {"g": "12"}, "mpeg4", None),
}


def same(found: list[Frame], expected: list[Frame]) -> None:
    assert [(frame.index, frame.time_s) for frame in found] == [(frame.index, frame.time_s) for frame in expected]
    for frame, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(frame.image, other.image)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_what_reading_from_the_start_gives(kind: str, tmp_path: Path) -> None:
    name, options, codec, container = KINDS[kind]
    path = write(tmp_path / name, options, codec, container)
    whole = [*read_video(path)]
    file = FootageFile(str(path))

    index = index_video(file)

    assert index.times_s.tolist() == pytest.approx([frame.time_s for frame in whole], abs=0)
    if kind in ("transport stream", "AVI"):
        assert index.keys == ()
    else:
        assert len(index.keys) > 3
    for key in index.keys:
        same([*read_part(file, key, index.start_s, "stop")], whole[key.index :])
    same([*read_part(file, None, 0.0, "stop")], whole)


def test_the_index_of_mp4_reads_its_headers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.mp4", CLOSED)
    read = []
    original = index_module._HeaderFile._part

    def counted(self: Any, end: int) -> bytes:
        before = self._stored.tell()
        part = original(self, end)
        read.append(len(part) if self._stored.tell() != before else 0)
        return part

    monkeypatch.setattr(index_module._HeaderFile, "_part", counted)
    index_video(FootageFile(str(path)))

    assert 0 < sum(read) < 10_000 < path.stat().st_size


def test_a_damaged_picture_before_a_part_does_not_reach_it_and_one_in_it_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", CLOSED)
    index = index_video(FootageFile(str(path)))
    content = bytearray(path.read_bytes())
    hurt = 45
    content[index.ends[hurt] - 700 : index.ends[hurt]] = 700 * b"\xff"
    path.write_bytes(content)
    whole = [*read_video(path, "skip")]
    assert any(frame.image is None for frame in whole[40:60])
    assert all(frame.image is not None for frame in whole[60:])

    for key in index.keys:
        same([*read_part(FootageFile(str(path)), key, index.start_s, "skip")], whole[key.index :])
    with pytest.raises(VideoError, match=r"frame 4\d cannot be decoded"):
        [*read_part(FootageFile(str(path)), index.keys[2], index.start_s, "stop")]
    late = next(key for key in index.keys if key.index >= 60)
    assert len([*read_part(FootageFile(str(path)), late, index.start_s, "stop")]) == FRAMES - late.index


@pytest.mark.parametrize("movflags", ["faststart", ""])
def test_a_video_that_was_cut_off_says_so_in_its_last_part_alone(movflags: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", CLOSED, container={"movflags": movflags} if movflags else None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    file = FootageFile(str(path))

    if not movflags:  # the index was at the end
        with pytest.raises(VideoError, match="cannot open the video"):
            index_video(file)
        return
    index = index_video(file)
    assert len(index.times_s) == FRAMES
    with pytest.raises(VideoError, match=r"ends early|cannot be decoded"):
        [*read_part(file, index.keys[3], index.start_s, "stop")]
    found = read_part(file, index.keys[1], index.start_s, "stop")
    assert next(found).index == index.keys[1].index


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.mp4", b""), ("b.mp4", b"nothing of the kind"), ("c.mp4", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(VideoError):
            index_video(FootageFile(str(tmp_path / name)))
