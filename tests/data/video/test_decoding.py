import errno
import logging
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.video import decoding as video
from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import DiskSpaceError, VideoError

QUIET_HEVC = (("x265-params", "log-level=none"),)
HASTY = (("deadline", "realtime"), ("cpu-used", "8"))
EVEN = (("qmin", "5"), ("qmax", "5"))  # packets of like sizes


def noise(seed, height_px=64, width_px=64):
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def write(path, images, height_px=64, width_px=64):
    with VideoWriter(path, height_px=height_px, width_px=width_px, frame_rate=5) as writer:
        for image in images:
            writer.write(image)


def left_in(folder):
    return sorted(child.name for child in folder.iterdir())


def remux(source, target, *, shift=0, first=0):
    """Copy the packets of a film from number `first` on into another file, their times shifted."""
    with av.open(str(source)) as film, av.open(str(target), "w") as container:
        stream = film.streams.video[0]
        copy = container.add_stream_from_template(stream)
        for number, packet in enumerate(film.demux(stream)):
            if packet.size and number >= first:
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                container.mux(packet)
    return target


def spoil_packet(path, number):
    """Overwrite the data of one packet of a film with noise. Returns its place in the order shown."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        place, size = packets[number].pos, packets[number].size
        shown = sorted(packet.pts for packet in packets).index(packets[number].pts)
    content = bytearray(path.read_bytes())
    content[place + 4 : place + size] = np.random.default_rng(0).bytes(size - 4)
    path.write_bytes(content)
    return shown


# Writing


def test_a_written_video_is_h264_that_browsers_play_while_it_loads(tmp_path, film):
    with VideoWriter(tmp_path / "a.mp4", height_px=48, width_px=80, frame_rate=5) as writer:
        for seed in range(7):
            writer.write(noise(seed, 48, 80))
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.codec_context.height, stream.codec_context.width) == (7, 48, 80)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert probe_video(tmp_path / "a.mp4") == SourceInfo(7, 48, 80, 5.0)


def test_pictures_come_back_nearly_as_they_were_written(tmp_path):
    shade = np.linspace(0, 255, 64).astype(np.uint8)
    picture = np.stack(np.broadcast_arrays(shade[:, None], shade[None, :], np.uint8(128)), axis=2)
    with VideoWriter(tmp_path / "a.mp4", height_px=64, width_px=64, frame_rate=10, crf=5) as writer:
        writer.write(picture)
        writer.write(picture[:, ::-1])
    there, back = (frame.image.astype(int) for frame in read_video(tmp_path / "a.mp4"))
    assert np.abs(there - picture).mean() < 3
    assert np.abs(back - picture[:, ::-1]).mean() < 3
    assert there.shape == (64, 64, 3)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 29.97, 25, 12.5, 5, Fraction(1, 3), 0.2, 240])
def test_any_frame_rate_is_kept_and_nothing_drifts(tmp_path, rate):
    with VideoWriter(tmp_path / "a.mp4", height_px=16, width_px=16, frame_rate=rate) as writer:
        for seed in range(100):
            writer.write(noise(seed, 16, 16))
    assert probe_video(tmp_path / "a.mp4").frame_rate == pytest.approx(float(rate), rel=1e-6)
    times = [frame.time_s for frame in read_video(tmp_path / "a.mp4")]
    assert times == pytest.approx([number / rate for number in range(100)], abs=1e-4)


@settings(max_examples=12)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 9))
def test_any_even_size_and_count_comes_back(tmp_path_factory, half_height, half_width, count):
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    with VideoWriter(path, height_px=2 * half_height, width_px=2 * half_width, frame_rate=7) as writer:
        for seed in range(count):
            writer.write(noise(seed, 2 * half_height, 2 * half_width))
    frames = list(read_video(path))
    assert {frame.image.shape for frame in frames} == {(2 * half_height, 2 * half_width, 3)}
    assert probe_video(path).frame_count == len(frames) == count


def test_a_picture_may_be_a_view_of_a_larger_one(tmp_path, number_of, film):
    film(frames=3).write(tmp_path / "film.mp4")
    with VideoWriter(tmp_path / "a.mp4", height_px=64, width_px=64, frame_rate=5) as writer:
        for frame in read_video(tmp_path / "film.mp4"):
            writer.write(np.concatenate([frame.image, frame.image], axis=1)[:, 64:])
    assert [number_of(frame.image) for frame in read_video(tmp_path / "a.mp4")] == [0, 1, 2]


def test_a_video_appears_when_it_is_whole(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", height_px=64, width_px=64, frame_rate=5) as writer:
        for seed in range(100):
            writer.write(noise(seed))
        assert [name for name in left_in(tmp_path) if not name.startswith(".")] == []
    assert left_in(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("frames", [0, 1, 100])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_nothing_behind_and_the_video_of_before_untouched(tmp_path, error, frames):
    (tmp_path / "a.mp4").write_text("before")

    def fail_in_its_midst():
        with VideoWriter(tmp_path / "a.mp4", height_px=64, width_px=64, frame_rate=5) as writer:
            for seed in range(frames):
                writer.write(noise(seed))
            raise error

    with pytest.raises(error):
        fail_in_its_midst()
    assert left_in(tmp_path) == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "before"


@pytest.mark.parametrize("size_bytes", [1_000, 100_000, 380_000])  # at its start, in its midst, when it is finished
def test_a_disk_that_fills_up_is_named_and_nothing_is_left(tmp_path, size_bytes, no_file_larger_than):
    with pytest.raises(DiskSpaceError, match=r"a\.mp4: no space left for the video"), no_file_larger_than(size_bytes):
        write(tmp_path / "a.mp4", map(noise, range(150)))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_in_the_last_moment_is_named_too(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, "no room")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiskSpaceError, match=r"a\.mp4: no space left"):
        write(tmp_path / "a.mp4", [noise(0)])
    assert left_in(tmp_path) == []


def test_other_faults_of_the_disk_are_told_in_its_own_words(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(VideoError, match=r"a\.mp4: cannot write the video \(Input/output error\)"):
        write(tmp_path / "a.mp4", [noise(0)])
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("height_px", "width_px"), [(63, 64), (64, 63), (0, 64), (64, 0), (-2, 64)])
def test_sizes_that_h264_cannot_have_are_refused(tmp_path, height_px, width_px):
    with pytest.raises(VideoError, match=rf"a\.mp4: H\.264 needs even sizes, not {width_px}x{height_px}"):
        VideoWriter(tmp_path / "a.mp4", height_px=height_px, width_px=width_px, frame_rate=5)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1e-9, Fraction(0)])
def test_rates_that_cannot_be_are_refused(tmp_path, rate):
    with pytest.raises(VideoError, match=r"a video cannot be shown at .* frames a second"):
        VideoWriter(tmp_path / "a.mp4", height_px=64, width_px=64, frame_rate=rate)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 62, 3), np.uint8), r"a frame of shape \(64, 62, 3\) in a video of shape \(64, 64, 3\)"),
        (np.zeros((64, 64), np.uint8), r"a frame of shape \(64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), r"a frame of shape \(64, 64, 4\)"),
        (np.zeros((64, 64, 3), np.float32), "a frame of float32, not uint8"),
    ],
)
def test_a_frame_of_another_shape_or_kind_is_refused_and_nothing_is_left(tmp_path, image, message):
    with pytest.raises(VideoError, match=message):
        write(tmp_path / "a.mp4", [noise(0), image])
    assert left_in(tmp_path) == []


def test_a_video_without_a_frame_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no frame was written"):
        write(tmp_path / "a.mp4", [])
    assert left_in(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone/a\.mp4: cannot write the video \(No such file or directory\)"):
        write(tmp_path / "gone" / "a.mp4", [noise(0)])


def test_a_folder_in_a_videos_place_is_named_and_kept(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(VideoError, match=r"a\.mp4: cannot write the video \(Is a directory\)"):
        write(tmp_path / "a.mp4", [noise(0)])
    assert left_in(tmp_path) == ["a.mp4"]


# Reading: order, times, counts

KINDS = [
    ("mp4", {}),
    ("mp4", {"b_frames": 0}),
    ("mp4", {"codec": "libx265", "options": QUIET_HEVC}),
    ("mp4", {"codec": "mpeg4"}),
    ("mov", {}),
    ("mov", {"codec": "mjpeg"}),
    ("mkv", {}),
    ("mkv", {"codec": "ffv1"}),
    ("webm", {"codec": "libvpx", "options": HASTY}),
    ("webm", {"codec": "libvpx-vp9", "options": HASTY}),
    ("avi", {"b_frames": 0}),
    ("avi", {}),  # H.264 with B-frames: AVI cannot say when they are shown
    ("avi", {"codec": "mpeg4"}),
    ("avi", {"codec": "mjpeg"}),
    ("ts", {}),
    ("mpg", {"codec": "mpeg2video"}),
    ("flv", {}),
    ("wmv", {"codec": "wmv2", "b_frames": 0}),
    ("3gp", {"codec": "mpeg4"}),
]


@pytest.mark.parametrize(("suffix", "how"), KINDS)
def test_frames_of_every_container_come_in_the_order_shown_and_are_counted_beforehand(
    tmp_path, film, number_of, suffix, how
):
    path = film(frames=30, rate=25, noise=20, **how).write(tmp_path / f"a.{suffix}")
    for on_bad_frame in ("stop", "skip"):
        frames = list(read_video(path, on_bad_frame))
        assert [frame.index for frame in frames] == list(range(30))
        assert [number_of(frame.image) for frame in frames] == list(range(30))
        assert [frame.time_s for frame in frames] == pytest.approx([number / 25 for number in range(30)], abs=1e-3)
        assert probe_video(path, on_bad_frame) == SourceInfo(30, 64, 64, 25.0)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
def test_times_of_a_variable_frame_rate_come_from_the_stream(tmp_path, film, suffix):
    pts_ms = [0, 40, 80, 500, 510, 520, 1900, 1950, 2000, 5000]
    path = film(frames=10, pts_ms=pts_ms).write(tmp_path / f"a.{suffix}")
    assert [frame.time_s for frame in read_video(path)] == pytest.approx([ms / 1000 for ms in pts_ms], abs=1e-3)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts"])
def test_the_rate_of_a_recording_with_pauses_is_that_of_its_bursts_in_every_container(tmp_path, film, suffix):
    pts_ms = [20_000 * burst + 100 * number for burst in range(4) for number in range(8)]
    path = film(frames=len(pts_ms), pts_ms=pts_ms, b_frames=0).write(tmp_path / f"a.{suffix}")
    assert probe_video(path).frame_rate == pytest.approx(10)


@settings(max_examples=12)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.integers(0, 3), st.sampled_from(["mkv", "mp4"]))
def test_any_times_come_back_in_order(tmp_path_factory, film, number_of, gaps_ms, b_frames, suffix):
    pts_ms = np.cumsum([0, *gaps_ms]).tolist()
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    frames = list(read_video(film(frames=len(pts_ms), pts_ms=pts_ms, b_frames=b_frames).write(path)))
    assert [frame.time_s for frame in frames] == pytest.approx([ms / 1000 for ms in pts_ms], abs=2e-3)
    assert [number_of(frame.image) for frame in frames] == list(range(len(pts_ms)))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_time_is_counted_from_the_first_frame_wherever_a_streams_clock_starts(tmp_path, film, suffix):
    late = remux(film().write(tmp_path / "film.mp4"), tmp_path / f"late.{suffix}", shift=123_456)
    frames = list(read_video(late))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(12)], abs=2e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_what_an_edit_cut_from_the_start_is_not_there(tmp_path, film, number_of, suffix, cut):
    path = film().write(tmp_path / "film.mp4")
    with av.open(str(path)) as container:
        frame_ticks = round(1 / (10 * container.streams.video[0].time_base))
    cut_off = remux(path, tmp_path / f"cut.{suffix}", shift=-cut * frame_ticks)
    frames = list(read_video(cut_off))
    assert [number_of(frame.image) for frame in frames] == list(range(cut, 12))
    assert [frame.index for frame in frames] == list(range(12 - cut))
    assert frames[0].time_s == 0
    assert probe_video(cut_off).frame_count == 12 - cut


def test_what_an_edit_cut_from_the_end_is_not_there(tmp_path, film, number_of):
    path = film().write(tmp_path / "film.mp4")
    content = bytearray(path.read_bytes())
    duration = content.index(b"elst") + 12
    assert int.from_bytes(content[duration : duration + 4]) == 1200  # milliseconds
    content[duration : duration + 4] = (700).to_bytes(4)
    path.write_bytes(content)
    assert [number_of(frame.image) for frame in read_video(path)] == list(range(7))
    assert probe_video(path).frame_count == 7


@pytest.mark.parametrize("on_bad_frame", ["stop", "skip"])
@pytest.mark.parametrize("suffix", ["ts", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_recording_that_starts_between_key_frames_begins_at_the_first(
    tmp_path, film, number_of, suffix, b_frames, on_bad_frame
):
    how = {"key_every": 10, "b_frames": b_frames, "options": (("sc_threshold", "0"),)}
    path = film(frames=30, **how).write(tmp_path / f"film.{suffix}")
    cut = remux(path, tmp_path / f"cut.{suffix}", first=14)
    frames = list(read_video(cut, on_bad_frame))
    assert [number_of(frame.image) for frame in frames] == list(range(20, 30))
    assert [frame.index for frame in frames] == list(range(10))
    assert probe_video(cut, on_bad_frame).frame_count == 10


def test_recordings_joined_end_to_end_are_read_as_one(tmp_path, film, number_of):
    path = film(frames=30, rate=25).write(tmp_path / "a.ts")
    path.write_bytes(path.read_bytes() * 3)
    frames = list(read_video(path))
    assert [number_of(frame.image) for frame in frames] == [*range(30)] * 3
    times = np.array([frame.time_s for frame in frames])
    assert np.diff(times) == pytest.approx(np.full(89, 0.04), abs=0.09)
    assert np.diff(times).min() > 0
    assert probe_video(path).frame_count == 90


def test_hidden_reference_pictures_of_vp8_are_not_counted(tmp_path, film, number_of):
    film(codec="libvpx", options=HASTY).write(tmp_path / "film.webm")
    path = tmp_path / "hidden.webm"
    with av.open(str(tmp_path / "film.webm")) as source, av.open(str(path), "w") as container:
        stream = source.streams.video[0]
        copy = container.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if packet.size:
                content = bytearray(bytes(packet))
                content[0] &= 0xFF if number != 5 else ~0x10  # the bit that says: show it
                hidden = av.Packet(bytes(content))
                hidden.pts, hidden.dts, hidden.time_base = packet.pts, packet.dts, packet.time_base
                hidden.is_keyframe, hidden.stream = packet.is_keyframe, copy
                container.mux(hidden)
    frames = list(read_video(path))
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert probe_video(path).frame_count == 11


def test_titles_that_are_no_utf8_do_not_disturb(tmp_path, film):
    path = tmp_path / "a.mkv"
    with av.open(str(film().write(tmp_path / "film.mp4"))) as source, av.open(str(path), "w") as container:
        container.metadata["title"] = "TITLETITLE"
        copy = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    assert b"TITLETITLE" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"TITLETITLE", b"\x83J\x83\x81\x83\x89\xe9\xff\xfe!"))
    assert len(list(read_video(path))) == probe_video(path).frame_count == 12


def test_a_name_that_is_no_utf8_is_read(tmp_path, film):
    path = tmp_path / "caf\udce9.mp4"
    path.write_bytes(film().write(tmp_path / "film.mp4").read_bytes())
    assert len(list(read_video(path))) == 12


def test_a_reader_left_early_closes_its_file(tmp_path, film):
    def is_open():
        return any(link.readlink() == path for link in Path("/proc/self/fd").iterdir() if link.is_symlink())

    path = film().write(tmp_path / "a.mp4").resolve()
    frames = read_video(path)
    next(frames)
    assert is_open()
    frames.close()
    assert not is_open()


@pytest.mark.skipif(not hasattr(av.video.stream.VideoStream, "set_display_rotation"), reason="needs a newer PyAV")
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_film_that_is_to_be_turned_is_turned(tmp_path, degrees):
    """Its first rows are bright: they come to lie on the left when it is turned by 90 degrees, counterclockwise."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        stream.set_display_rotation(degrees)
        image = np.zeros((32, 48, 3), np.uint8)
        image[:8] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    (frame,) = read_video(tmp_path / "a.mp4")
    info = probe_video(tmp_path / "a.mp4")
    assert (
        (info.height_px, info.width_px, 3) == frame.image.shape == ((32, 48, 3) if degrees % 180 == 0 else (48, 32, 3))
    )
    bright = {0: frame.image[:6], 90: frame.image[:, :6], 180: frame.image[-6:], 270: frame.image[:, -6:]}
    assert [side for side, pixels in bright.items() if pixels.mean() > 200] == [degrees]


# Reading: what is no video


@pytest.mark.parametrize("on_bad_frame", ["stop", "skip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.mp4: the video is empty \(zero bytes\)"),
        (b"hello\n" * 100, r"a\.mp4: cannot open the video \(Invalid data"),
        (bytes(5000), r"a\.mp4: cannot open the video"),
        (None, r"a\.mp4: cannot open the video \(No such file"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, content, message, on_bad_frame):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=message):
        probe_video(tmp_path / "a.mp4", on_bad_frame)
    with pytest.raises(VideoError, match=message):
        next(read_video(tmp_path / "a.mp4", on_bad_frame))


def test_frames_too_large_to_be_any_are_refused(tmp_path, film, monkeypatch):
    path = film().write(tmp_path / "a.mp4")
    monkeypatch.setattr(video, "MAX_PIXELS", 100)
    with pytest.raises(
        VideoError, match=r"a\.mp4: frames of [0-9x]+ are larger than 100 pixels\. Make the video smaller"
    ):
        probe_video(path)
    with pytest.raises(VideoError, match="are larger than 100 pixels"):
        next(read_video(path))


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(VideoError, match="cannot open the video"):
        probe_video(tmp_path)


@pytest.mark.parametrize("on_bad_frame", ["stop", "skip"])
def test_an_mp4_whose_index_at_its_end_is_lost_cannot_be_opened(tmp_path, film, on_bad_frame):
    path = film(noise=40).write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(VideoError, match=r"a\.mp4: cannot open the video"):
        probe_video(path, on_bad_frame)
    with pytest.raises(VideoError, match=r"a\.mp4: cannot open the video"):
        next(read_video(path, on_bad_frame))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_of_sound_alone_is_refused(tmp_path, suffix):
    with av.open(str(tmp_path / f"a.{suffix}"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"the file holds no picture stream"):
        probe_video(tmp_path / f"a.{suffix}")
    with pytest.raises(VideoError, match=r"the file holds no picture stream"):
        next(read_video(tmp_path / f"a.{suffix}"))


def test_a_video_without_a_frame_in_it_is_refused(tmp_path, film):
    path = film(container_options=(("movflags", "faststart"),)).write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"mdat") + 4])
    with pytest.raises(VideoError, match=r"a\.mp4: the video holds no frame"):
        probe_video(path)
    with pytest.raises(VideoError, match=r"a\.mp4: no frame of the video can be decoded"):
        list(read_video(path, "skip"))


# Reading: what is cut off or damaged


def cut_off(tmp_path, film, suffix, how):
    """A film of 40 frames of which the second half is lost."""
    if suffix == "mp4":
        how = how | {"container_options": (("movflags", "faststart"),)}
    path = film(frames=40, noise=40, key_every=10, **how).write(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


CUT = [
    ("mp4", {}),
    ("mp4", {"codec": "mpeg4", "options": EVEN}),
    ("avi", {"b_frames": 0}),
    ("avi", {}),
    ("avi", {"codec": "mjpeg"}),
    ("avi", {"codec": "mpeg4", "options": EVEN}),
    ("mkv", {}),
    ("webm", {"codec": "libvpx-vp9", "options": HASTY}),
]


@pytest.mark.parametrize(("suffix", "how"), CUT)
def test_a_file_cut_off_is_refused_with_what_is_there(tmp_path, film, suffix, how):
    path = cut_off(tmp_path, film, suffix, how)
    early = rf"a\.{suffix}: the video ends early: [\d.]+ of (40 frames|4\.0 seconds) are there.*--on-bad-frame skip"
    with pytest.raises(VideoError, match=early):
        probe_video(path)
    with pytest.raises(VideoError, match=rf"{early}|frame \d+ cannot be decoded"):
        list(read_video(path))


@pytest.mark.parametrize(("suffix", "how"), CUT)
def test_with_skip_a_file_cut_off_gives_what_is_there(tmp_path, film, number_of, suffix, how, caplog):
    path = cut_off(tmp_path, film, suffix, how)
    with caplog.at_level(logging.WARNING):
        frames = list(read_video(path, "skip"))
    assert probe_video(path, "skip").frame_count == len(frames) >= 12
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [number_of(frame.image) for frame in frames[:-4]] == list(range(len(frames) - 4))
    assert "the video ends early" in caplog.text


def test_a_recording_that_was_never_finished_is_read_to_its_end(tmp_path, film, number_of):
    """A recorder that lost its power wrote no length, so what is there is all there is."""
    path = film(frames=40, noise=40, b_frames=0, container_options=(("live", "1"),)).write(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = list(read_video(path))
    assert len(frames) == probe_video(path).frame_count
    assert 15 < len(frames) < 25
    assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))


DAMAGED = [
    ("mp4", {}),
    ("mp4", {"b_frames": 0}),
    ("mp4", {"codec": "libx265", "options": QUIET_HEVC}),
    ("mov", {"codec": "mjpeg"}),
    ("avi", {"codec": "mjpeg"}),
    ("mp4", {"codec": "mpeg4", "b_frames": 0, "options": EVEN}),
    ("avi", {"codec": "mpeg4", "b_frames": 0, "options": EVEN}),
    ("avi", {"b_frames": 0}),
    ("avi", {}),
]


@pytest.mark.parametrize("spoilt", [5, 10, 13, 38])  # 10 is a key frame
@pytest.mark.parametrize(("suffix", "how"), DAMAGED)
def test_damage_stops_the_reading_at_its_frame_or_leaves_a_hole_there(tmp_path, film, number_of, suffix, how, spoilt):
    path = film(frames=40, noise=40, key_every=10, **how).write(tmp_path / f"a.{suffix}")
    whole = [frame.image for frame in read_video(path)]
    shown = spoil_packet(path, spoilt)
    with pytest.raises(VideoError, match=rf"a\.{suffix}: frame \d+ cannot be decoded.*--on-bad-frame skip") as refused:
        list(read_video(path))
    assert abs(int(refused.value.what.split()[1]) - shown) <= 3  # a decoder tells of it a little late
    frames = list(read_video(path, "skip"))
    assert [frame.index for frame in frames] == list(range(40))
    assert any(frame.image is None for frame in frames)
    assert probe_video(path, "skip").frame_count == 40
    following = (shown // 10 + 1) * 10 + (0 if shown % 10 else 10)
    for frame in [*frames[: max(0, shown // 10 * 10 - 3)], *frames[following + 3 :]]:
        assert np.array_equal(frame.image, whole[frame.index])


def test_a_hole_keeps_its_time_and_is_told(tmp_path, film, caplog):
    path = film(frames=20, noise=40, codec="mjpeg").write(tmp_path / "a.mov")
    spoil_packet(path, 7)
    with caplog.at_level(logging.WARNING):
        frames = list(read_video(path, "skip"))
    assert [frame.index for frame in frames if frame.image is None] == [7]
    assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(20)])
    assert "a.mov: frame 7 is bad and was skipped" in caplog.text


@pytest.fixture(scope="module")
def spoil(tmp_path_factory, film):
    """Gives films whose pictures are damaged somewhere, but not their structure."""
    folder = tmp_path_factory.mktemp("whole")
    for name, how in {
        "h264.mp4": {},
        "hevc.mp4": {"codec": "libx265", "options": QUIET_HEVC},
        "mjpeg.mov": {"codec": "mjpeg"},
        "mpeg4.mp4": {"codec": "mpeg4"},
    }.items():
        film(frames=25, noise=40, key_every=10, **how).write(folder / name)

    def spoilt(name, place, size, seed):
        content = bytearray((folder / name).read_bytes())
        start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
        first = start + int(place * (end - start))
        last = min(first + size, end)
        content[first:last] = np.random.default_rng(seed).bytes(last - first)
        (folder / f"spoilt_{name}").write_bytes(content)
        return folder / f"spoilt_{name}"

    return spoilt


@settings(max_examples=40, derandomize=True)
@given(
    st.sampled_from(["h264.mp4", "hevc.mp4", "mjpeg.mov", "mpeg4.mp4"]),
    st.floats(0, 0.999),
    st.sampled_from([1, 16, 300, 3000]),
    st.integers(0, 99),
)
def test_no_damage_shifts_a_frame_or_surprises(spoil, name, place, size, seed):
    path = spoil(name, place, size, seed)
    frames = list(read_video(path, "skip"))
    assert [frame.index for frame in frames] == list(range(25))
    assert [frame.time_s for frame in frames] == sorted(frame.time_s for frame in frames)
    count = None
    with suppress(VideoError):
        count = len(list(read_video(path)))
    assert count in (None, 25)


def test_a_first_key_frame_that_is_lost_shifts_nothing(spoil, number_of):
    path = spoil("h264.mp4", 0, 1, 0)
    with pytest.raises(VideoError, match=r"h264\.mp4: frame 0 cannot be decoded"):
        list(read_video(path))
    frames = list(read_video(path, "skip"))
    assert frames[0].image is None
    assert [frame.index for frame in frames] == list(range(25))
    assert [number_of(frame.image) for frame in frames[15:]] == list(range(15, 25))


def test_a_change_of_size_stops_the_reading_or_leaves_holes(tmp_path, film, number_of):
    small = film(frames=10).write(tmp_path / "small.ts")
    large = film(frames=10, side_px=96).write(tmp_path / "large.ts")
    path = tmp_path / "a.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    with pytest.raises(VideoError, match=r"a\.ts: frame 10 changes the size to 96x96 after 64x64\. Split the video"):
        list(read_video(path))
    frames = list(read_video(path, "skip"))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.image is None for frame in frames] == [False] * 10 + [True] * 10 + [False] * 10
    assert [number_of(frame.image) for frame in frames[20:]] == list(range(10))


@pytest.mark.real_data
def test_an_hour_of_upcam_is_counted_and_kept_in_time(real_data):
    path = real_data / "upcam" / "test" / "00.mp4"
    assert probe_video(path) == SourceInfo(18_066, 64, 128, 5.0)
    frames = list(islice(read_video(path), 2_000))
    assert [frame.index for frame in frames] == list(range(2_000))
    assert [frame.time_s for frame in frames] == pytest.approx([number / 5 for number in range(2_000)])


def write_timed(path, times, frame_rate=25):
    with VideoWriter(path, height_px=64, width_px=64, frame_rate=frame_rate, timed=True) as writer:
        for number, time_s in enumerate(times):
            writer.write(noise(number), time_s)


def test_a_timed_video_shows_each_frame_when_it_is_told_to(tmp_path):
    times = [0.0, 0.04, 0.08, 1.0, 1.001, 61.5]
    write_timed(tmp_path / "a.mp4", times)
    assert [frame.time_s for frame in read_video(tmp_path / "a.mp4")] == pytest.approx(times, abs=1e-4)


def test_in_a_timed_video_time_never_goes_back_and_no_two_frames_are_shown_at_once(tmp_path):
    write_timed(tmp_path / "a.mp4", [0.0, 5.0, 5.0, 3.0, 6.0])
    times = [frame.time_s for frame in read_video(tmp_path / "a.mp4")]
    assert len(times) == 5
    assert times == sorted(set(times))


def test_a_frame_without_a_time_in_a_timed_video_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(VideoError, match="a frame without a time"):
        write_timed(tmp_path / "a.mp4", [0.0, None])
    assert left_in(tmp_path) == []
