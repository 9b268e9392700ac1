"""Videos in which something was lost: what rests on it is bad, and nothing else."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.h264_numbers import FrameNumbers
from maskedskipunet.errors import VideoError

CELL_BYTES = 188  # of MPEG-TS
Image = NDArray[np.uint8]


def lose_cells(source: Path, target: Path, share: float) -> Path:
    """A copy of an MPEG-TS recording of which some of the cells never came."""
    content, draw = source.read_bytes(), random.Random(1)
    cells = [content[at : at + CELL_BYTES] for at in range(0, len(content), CELL_BYTES)]
    kept = [cell for at, cell in enumerate(cells) if at < 40 or draw.random() >= share]
    target.write_bytes(b"".join(kept))
    return target


def lose_packets(source: Path, target: Path, lost: set[int]) -> Path:
    """A copy of a film without some of its packets, as a recorder keeps a stream of which they never came."""
    with av.open(str(source)) as film, av.open(str(target), "w") as container:
        stream = film.streams.video[0]
        copy = container.add_stream_from_template(stream)
        for number, packet in enumerate(film.demux(stream)):
            if packet.size and number not in lost:
                packet.stream = copy
                container.mux(packet)
    return target


def smeared(frames: list[Frame], whole: list[Frame]) -> list[int]:
    """The frames that pass for good and look otherwise than they did."""
    found = []
    for frame in frames:
        as_it_was = min(whole, key=lambda other: abs(other.time_s - frame.time_s)).image
        if frame.image is not None and np.abs(as_it_was.astype(int) - frame.image).max() > 24:
            found.append(frame.index)
    return found


@pytest.mark.parametrize(
    "how",
    [
        {"key_every": 10, "b_frames": 0},
        {"key_every": 10, "b_frames": 2},
        {"key_every": 10, "b_frames": 0, "codec": "mpeg2video", "rate": 25},
        {"key_every": 10, "codec": "libx265", "options": (("x265-params", "log-level=none:keyint=10:bframes=0"),)},
    ],
    ids=["h264", "h264 with b-frames", "mpeg2", "hevc"],
)
def test_a_recording_with_lost_cells_shows_no_smeared_frame(tmp_path: Path, film: Any, how: dict[str, Any]) -> None:
    whole = film(frames=60, side_px=128, noise=20, **how).write(tmp_path / "whole.ts")
    lossy = lose_cells(whole, tmp_path / "lossy.ts", 0.01)
    frames = [*read_video(lossy, "skip")]

    assert smeared(frames, [*read_video(whole)]) == []
    assert sum(frame.image is None for frame in frames) > 0
    assert sum(frame.image is not None for frame in frames) > 0
    with pytest.raises(VideoError, match="cannot be decoded"):
        [*read_video(lossy)]


@pytest.mark.parametrize("name", ["lossy.mkv", "lossy.mp4", "lossy.ts"])
@pytest.mark.parametrize(("lost", "bad"), [({14}, range(15, 20)), ({20}, range(21, 30)), ({13, 14, 15}, range(16, 20))])
def test_frames_after_one_that_was_never_recorded_are_bad_until_the_next_key_frame(
    tmp_path: Path, film: Any, number_of: Callable[[Image], int], name: str, lost: set[int], bad: range
) -> None:
    options = (("x264-params", "scenecut=0"),)
    whole = film(frames=40, key_every=10, b_frames=0, options=options).write(tmp_path / "whole.mp4")
    lossy = lose_packets(whole, tmp_path / name, lost)
    frames = [*read_video(lossy, "skip")]

    shown = {number_of(frame.image) for frame in frames if frame.image is not None}
    assert shown == {*range(40)} - lost - {*bad}
    assert {round(frame.time_s * 10) for frame in frames if frame.image is None} == {*bad}


def test_a_frame_on_which_no_other_rests_may_be_missing(tmp_path: Path, film: Any) -> None:
    options = (("x264-params", "b-pyramid=none:bframes=2:b-adapt=0:scenecut=0"),)
    whole = film(frames=40, key_every=20, options=options).write(tmp_path / "whole.mp4")
    with av.open(str(whole)) as container:
        stream = container.streams.video[0]
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    resting = next(at for at, data in enumerate(packets) if at > 4 and not data[4] & 0x60)
    lossy = lose_packets(whole, tmp_path / "lossy.mp4", {resting})

    assert all(frame.image is not None for frame in read_video(lossy))


@pytest.mark.parametrize("profile", ["baseline", "main", "high", "high444"])
@pytest.mark.parametrize("name", ["film.mp4", "film.ts"])
def test_whole_h264_has_no_gap_in_its_numbers_whatever_its_profile(
    tmp_path: Path, film: Any, profile: str, name: str
) -> None:
    options = (("profile", profile), ("x264-params", "scenecut=0:cqm=jvt" if profile.startswith("high") else "ref=4"))
    path = film(frames=70, key_every=50, b_frames=0 if profile == "baseline" else 3, options=options).write(
        tmp_path / name
    )
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
        settings = stream.codec_context.extradata

    numbers, without_some = FrameNumbers(settings), FrameNumbers(settings)
    assert [numbers.is_gap(packet) for packet in packets] == [False] * 70
    assert any(without_some.is_gap(packet) for packet in [*packets[:10], *packets[20:40]])


@pytest.mark.parametrize(
    "data", [b"", b"\1", b"\0\0\1", b"\0\0\1\x67", b"\1\x64\0\x1f\xff\xe1\0\x40\x67\x64", bytes(64)]
)
def test_numbers_that_cannot_be_read_tell_of_no_gap(data: bytes) -> None:
    numbers = FrameNumbers(data)
    assert not any(numbers.is_gap(packet) for packet in (data, b"\0\0\1\x41\x9a", b"\0\0\0\2\x41\x9a", data))
