import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.sources import Source
from maskedskipunet.errors import ConfigError, DataError, FrameError, VideoError


@pytest.fixture
def folder(tmp_path):
    """Ten images of 8x6, in an order that only numbers tell, among other files."""
    for number in range(1, 11):
        PIL.Image.fromarray(np.full((6, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_a_folder_of_images_has_the_rate_it_is_said_to_have(folder):
    assert Source(path=folder).probe() == SourceInfo(10, 6, 8, 10.0)
    source = Source(path=folder, image_fps=4)
    assert source.probe().frame_rate == 4
    frames = list(source.frames())
    assert [frame.time_s for frame in frames] == [number / 4 for number in range(10)]
    assert [frame.image.max() for frame in frames] == list(range(1, 11))


def test_a_video_has_its_own_rate(tmp_path, film, number_of):
    source = Source(path=film(frames=10, rate=25).write(tmp_path / "a.mp4"), image_fps=3)
    assert source.probe() == SourceInfo(10, 64, 64, 25.0)
    assert [number_of(frame.image) for frame in source.frames()] == list(range(10))


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({}, range(30)),
        ({"stride": 4}, range(0, 30, 4)),
        ({"fps": 5}, range(0, 30, 5)),
        ({"fps": 5, "stride": 2}, range(0, 30, 10)),
        ({"fps": 25}, range(30)),
    ],
)
def test_kept_frames_keep_their_place_and_time_and_are_foretold(tmp_path, film, number_of, how, kept):
    source = Source(path=film(frames=30, rate=25).write(tmp_path / "a.mp4"), **how)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(kept)
    assert [number_of(frame.image) for frame in frames] == list(kept)
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in kept], abs=1e-3)
    assert abs(source.expected_frames() - len(frames)) <= 1


def test_images_are_sampled_by_the_rate_they_are_said_to_have(folder):
    assert [frame.index for frame in Source(path=folder, fps=5).frames()] == [0, 2, 4, 6, 8]
    assert [frame.index for frame in Source(path=folder, fps=5, image_fps=20).frames()] == [0, 4, 8]


def test_more_frames_a_second_than_there_are_is_refused(tmp_path, film, folder):
    video = film().write(tmp_path / "a.mp4")
    for source in (Source(path=video, fps=25), Source(path=folder, fps=25)):
        with pytest.raises(ConfigError, match=r"the source has 10 frames a second, fewer than the 25 asked for"):
            list(source.frames())


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone: no such file or folder\. Check the path"):
        Source(path=tmp_path / "gone").probe()
    with pytest.raises(DataError, match="gone"):
        list(Source(path=tmp_path / "gone").frames())


def test_bad_frames_stop_or_are_left_out_as_told(tmp_path, film, folder):
    (folder / "3.png").write_bytes(b"")
    with pytest.raises(FrameError, match=r"3\.png"):
        list(Source(path=folder).frames())
    frames = list(Source(path=folder, on_bad_frame="skip").frames())
    assert [frame.image is None for frame in frames] == [number == 2 for number in range(10)]

    video = film(frames=40, noise=40, codec="mjpeg").write(tmp_path / "a.avi")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(VideoError, match="the video ends early"):
        Source(path=video).probe()
    skipping = Source(path=video, on_bad_frame="skip")
    assert skipping.probe().frame_count == len(list(skipping.frames())) < 40


def test_a_hole_counts_when_frames_are_sampled(folder):
    (folder / "3.png").write_bytes(b"")
    frames = list(Source(path=folder, on_bad_frame="skip", stride=2).frames())
    assert [(frame.index, frame.image is None) for frame in frames] == [
        (0, False), (2, True), (4, False), (6, False), (8, False)
    ]  # fmt: skip
