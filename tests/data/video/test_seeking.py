from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.data.video.seeking import frames_at, frames_between, image_at


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-three seconds at an uneven pace, each frame unlike the others."""
    path = tmp_path_factory.mktemp("seeking") / "v.mp4"
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10, timed=True) as writer:
        for at in range(300):
            frame = np.full((32, 48, 3), 40, np.uint8)
            frame[at % 24 : at % 24 + 8, at // 8 : at // 8 + 8] = 220
            writer.write(frame, 0.1 * at + 0.03 * (at % 3) + (3 if at > 200 else 0))
    return path


@pytest.mark.parametrize("seek_from", [0, 10_000])
def test_a_frame_that_is_sought_is_the_one_that_reading_gives(video: Path, seek_from: int) -> None:
    source = Source(path=video)
    read = {frame.index: frame for frame in source.frames()}
    wanted = [(at, read[at].time_s) for at in (299, 0, 7, 150, 201)]

    found = frames_at(source, wanted, seek_from=seek_from)

    assert found.keys() == {at for at, _ in wanted}
    for at, image in found.items():
        np.testing.assert_array_equal(image, read[at].image)


def test_a_frame_that_seeking_does_not_find_is_read(video: Path) -> None:
    read = {frame.index: frame for frame in Source(path=video).frames()}
    found = frames_at(Source(path=video), [(150, 0.05 + read[150].time_s)], seek_from=0)
    np.testing.assert_array_equal(found[150], read[150].image)


def test_images_are_read_and_what_is_not_there_is_missing(tmp_path: Path) -> None:
    for number in range(4):
        Picture.new("RGB", (48, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
    found = frames_at(Source(path=tmp_path), [(2, 0.2), (9, 0.9)], seek_from=0)
    assert {at: int(image[0, 0, 0]) for at, image in found.items()} == {2: 2}
    assert frames_at(Source(path=tmp_path), []) == {}
    assert frames_at(Source(path=tmp_path / "gone.mp4"), [(600, 60.0)]) == {}


@pytest.mark.parametrize("at", [0, 7, 201, 299])
def test_a_moment_is_found_by_its_time_alone(video: Path, at: int) -> None:
    read = {frame.index: frame for frame in Source(path=video).frames()}
    np.testing.assert_array_equal(image_at(Source(path=video), read[at].time_s), read[at].image)


def test_a_moment_of_a_video_that_cannot_be_sought_is_read(tmp_path: Path) -> None:
    import av

    with av.open(tmp_path / "v.avi", "w") as container:
        stream = container.add_stream("mjpeg", 10, width=48, height=32, pix_fmt="yuvj420p")
        for number in range(8):
            picture = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 30 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    source = Source(path=tmp_path / "v.avi")
    read = {frame.index: frame for frame in source.frames()}
    np.testing.assert_array_equal(image_at(source, read[5].time_s), read[5].image)


def test_a_moment_of_a_folder_of_images_is_found_and_what_is_not_there_is_none(tmp_path: Path, video: Path) -> None:
    for number in range(4):
        Picture.new("RGB", (48, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
    found = image_at(Source(path=tmp_path, image_fps=5), 0.4)
    assert found is not None
    assert int(found[0, 0, 0]) == 2
    (tmp_path / "torn.mp4").write_bytes(video.read_bytes()[:500])
    (tmp_path / "empty").mkdir()
    for path, time_s in ((tmp_path, 9.0), (video, 99.0), *((tmp_path / n, 1.0) for n in ("gone", "torn.mp4", "empty"))):
        assert image_at(Source(path=path), time_s) is None


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (15.0, 16.0), (19.9, 30.0), (-5.0, 0.2), (32.0, 99.0)])
def test_the_frames_of_a_time_are_those_that_reading_gives(video: Path, start_s: float, end_s: float) -> None:
    read = [frame for frame in Source(path=video).frames() if start_s <= frame.time_s <= end_s]
    found = [*frames_between(Source(path=video, fps=2.0), start_s, end_s)]

    np.testing.assert_allclose([time_s for time_s, _ in found], [frame.time_s for frame in read], atol=1e-6)
    for (_, image), frame in zip(found, read, strict=True):
        np.testing.assert_array_equal(image, frame.image)


def test_the_frames_of_a_time_of_images_and_of_a_video_without_an_index_are_found(tmp_path: Path, video: Path) -> None:
    (tmp_path / "images").mkdir()
    frames = [frame for frame in Source(path=video).frames() if frame.index < 30]
    for frame in frames:
        Picture.fromarray(frame.image).save(tmp_path / "images" / f"{frame.index:03d}.png")
    found = [*frames_between(Source(path=tmp_path / "images", image_fps=10.0), 0.95, 1.25)]
    assert [time_s for time_s, _ in found] == [1.0, 1.1, 1.2]
    np.testing.assert_array_equal(found[0][1], frames[10].image)

    raw = tmp_path / "v.h264"
    with av.open(str(raw), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = 32, 48
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        container.mux(stream.encode(None))
    read = [frame.time_s for frame in Source(path=raw).frames() if 1.0 <= frame.time_s <= 2.0]
    assert [time_s for time_s, _ in frames_between(Source(path=raw), 1.0, 2.0)] == read
    assert read


def test_footage_that_is_gone_or_damaged_has_no_frames(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video")
    for name in ("v.mp4", "gone.mp4"):
        assert [*frames_between(Source(path=tmp_path / name), 0.0, 1.0)] == []
