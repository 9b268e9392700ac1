from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import ConfigError, DataError, LabelError, VideoError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.progress import Silent
from maskedskipunet.workflows import footage

HOW = InputFormat(height_px=32, width_px=32)


def write_video(path: Path, count: int, frame_rate: float = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(count)
    with VideoWriter(path, height_px=32, width_px=32, frame_rate=frame_rate) as writer:
        for _ in range(count):
            writer.write(noise.integers(0, 256, (32, 32, 3), np.uint8))
    return path


def clips_of(
    path: Path, how: InputFormat = HOW, *, clip_length: int = 3, channels: int = 3, **settings: object
) -> tuple[Clips, Clips]:
    config = DataConfig(path=path, height_px=32, width_px=32, **settings)  # type: ignore[arg-type]
    return footage.training_clips(config, how, geometry=ClipGeometry(clip_length), channels=channels, progress=Silent())


def lengths(clips: Clips) -> list[int]:
    return [len(video.frames) for video in clips.videos]


# Training clips


def test_every_window_of_every_training_video_is_a_clip(tmp_path: Path) -> None:
    for name, count in (("a", 5), ("b", 3), ("c", 2)):
        write_video(tmp_path / "train" / f"{name}.mp4", count)

    train, holdback = clips_of(tmp_path)

    assert (lengths(train), len(train), len(holdback)) == ([5, 3, 2], 3 + 1, 0)
    assert train.batch([0, 3]).shape == (2, 3, 3, 32, 32)
    assert len(clips_of(tmp_path, clip_length=1, channels=1)[0]) == 10


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((256, 256), "footage of 32x32 is enlarged to 256x256, which takes about 64 times as long; "
                     "--data.height_px 32 --data.width_px 32 keeps its size"),
        ((32, 48), "footage of 32x32 is enlarged to 48x32, which takes about 1.5 times as long; "
                   "--data.height_px 32 --data.width_px 32 keeps its size"),
        ((32, 32), None),
    ],
)  # fmt: skip
def test_footage_that_is_much_enlarged_is_told_with_what_keeps_its_size(
    size: tuple[int, int], told: str | None, tmp_path: Path
) -> None:
    class Listener(Silent):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    write_video(tmp_path / "train" / "a.mp4", 5)
    config = DataConfig(path=tmp_path, height_px=size[0], width_px=size[1])
    footage.note_enlarged(config, HOW, Listener())

    assert notes == ([] if told is None else [told])


def test_a_limit_on_frames_is_shared_in_proportion_to_length_and_taken_from_the_start(tmp_path: Path) -> None:
    for name, count in (("a", 12), ("b", 6), ("c", 1)):
        write_video(tmp_path / "train" / f"{name}.mp4", count)
    whole, _ = clips_of(tmp_path)

    train, _ = clips_of(tmp_path, max_frames=10)

    assert lengths(train) == [6, 3], "a video whose share is no frame is left out"
    for part, all_of_it in zip(train.videos, whole.videos, strict=False):
        np.testing.assert_array_equal(part.frames, all_of_it.frames[: len(part.frames)])
    assert lengths(clips_of(tmp_path, max_frames=19)[0]) == [12, 6, 1]


def test_a_stride_leaves_frames_out_before_clips_are_cut(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 9)

    train, _ = clips_of(tmp_path / "a.mp4", replace(HOW, stride=2))

    assert train.videos[0].index.tolist() == [0, 2, 4, 6, 8]
    assert len(train) == 3


@pytest.mark.parametrize(
    ("count", "settings", "longest"), [(2, {}, 2), (9, {"max_frames": 2}, 2), (3, {"holdback": 0.5}, 2)]
)
def test_footage_without_a_single_clip_is_refused(
    tmp_path: Path, count: int, settings: dict[str, float], longest: int
) -> None:
    write_video(tmp_path / "a.mp4", count)

    with pytest.raises(DataError, match=rf"no 3 good frames follow one another.*longest video gives {longest}"):
        clips_of(tmp_path / "a.mp4", **settings)


def test_too_little_held_back_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 10)

    with pytest.raises(DataError, match=r"what is held back holds no clip.*larger --data\.holdback"):
        clips_of(tmp_path / "a.mp4", holdback=0.1)


def test_one_scene_alone_is_trained_and_tested_on(miniatures, tmp_path: Path) -> None:
    miniatures.shanghaitech(tmp_path)

    train, _ = clips_of(tmp_path, scene="02")

    assert [video.name for video in train.videos] == ["02_003"]
    config = DataConfig(path=tmp_path, scene="02")
    assert [video.item.name for video in footage.test_videos(config, HOW)] == ["02_0007"]
    assert len(footage.test_videos(replace(config, scene=None), HOW)) == 2


def test_a_scene_is_looked_for_in_the_half_that_is_asked_for(miniatures, tmp_path: Path) -> None:
    miniatures.shanghaitech(tmp_path)
    (tmp_path / "training" / "videos" / "02_003.avi").rename(tmp_path / "training" / "videos" / "13_003.avi")

    with pytest.raises(DataError, match=r"none of the 2 clips is of scene 02\. Choose from 01, 13\."):
        clips_of(tmp_path, scene="02")
    with pytest.raises(DataError, match=r"none of the 2 clips is of scene 13\. Choose from 01, 02\."):
        footage.test_videos(DataConfig(path=tmp_path, scene="13"), HOW)


@pytest.mark.parametrize(
    ("layout", "cure"),
    [
        ("test/a.mp4", "under normal/, train/ or training/"),
        ("Test/Test001/001.png", "under Train/"),
        ("testing_videos/01.mp4", "under training_videos/"),
    ],
)
def test_footage_to_test_on_alone_cannot_be_trained_on(tmp_path: Path, layout: str, cure: str) -> None:
    path = tmp_path / layout
    if path.suffix == ".mp4":
        write_video(path, 5)
    else:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no frame is read before this is found")

    with pytest.raises(DataError, match=f"no normal footage to train on.*{cure}"):
        clips_of(tmp_path)


@pytest.mark.usefixtures("nothing_measured")
def test_a_rate_that_a_training_video_does_not_have_is_refused_before_any_is_decoded(
    tmp_path: Path, own_cache: Path
) -> None:
    write_video(tmp_path / "train" / "a.mp4", 5, frame_rate=25)
    write_video(tmp_path / "train" / "b.mp4", 5, frame_rate=10)

    with pytest.raises(ConfigError, match=r"b\.mp4: the source has 10 frames a second.*20"):
        clips_of(tmp_path, replace(HOW, fps=20.0))

    assert list(own_cache.rglob("*")) == []


def test_a_training_video_of_nearly_the_rate_is_taken_with_the_others(tmp_path: Path) -> None:
    for name, rate in (("a", 5), ("b", 4.9), ("c", 10)):
        write_video(tmp_path / "train" / f"{name}.mp4", 10, frame_rate=rate)

    train, _ = clips_of(tmp_path, replace(HOW, fps=5.0))

    assert lengths(train) == [10, 10, 5]


def test_all_training_videos_of_too_few_frames_a_second_are_told_at_once(tmp_path: Path) -> None:
    for name, rate in (("a", 5), ("b", 4), ("c", 2.5), ("d", 3), ("e", 3.3)):
        write_video(tmp_path / "train" / f"{name}.mp4", 5, frame_rate=rate)

    fault = "4 of 5 videos have fewer frames a second than the 5 asked for"
    with pytest.raises(ConfigError, match=fault + r": .*c\.mp4 \(2\.5\), .* and 1 more.*--data\.fps 2\.5 or less"):
        clips_of(tmp_path, replace(HOW, fps=5.0))


# Held back


def stored(counts: Sequence[int]) -> list[StoredVideo]:
    return [
        StoredVideo(
            str(number),
            np.full((count, 1, 1, 1), number, np.uint8),
            np.arange(count),
            np.ones(count, np.bool_),
        )
        for number, count in enumerate(counts)
    ]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.floats(0, 1, exclude_max=True))
def test_what_is_held_back_is_not_trained_on_and_nothing_is_lost(counts: list[int], share: float) -> None:
    videos = stored(counts)
    kept, held = footage.split_holdback(videos, share)

    def frames(part: Sequence[StoredVideo]) -> list[tuple[str, int]]:
        return [(video.name, int(place)) for video in part for place in video.index]

    assert sorted(frames(kept) + frames(held)) == sorted(frames(videos))
    assert all(len(video.frames) == len(video.index) == len(video.good) for video in (*kept, *held))
    assert kept
    if not share:
        assert not held
    if len(videos) > 1 and share:
        assert len(held) == min(len(videos) - 1, max(1, round(len(videos) * share)))


def test_whole_videos_are_held_back_spread_evenly() -> None:
    _, held = footage.split_holdback(stored([5] * 10), 0.2)

    assert [video.name for video in held] == ["2", "7"]


def test_of_a_single_video_the_end_is_held_back() -> None:
    (kept,), (held,) = footage.split_holdback(stored([10]), 0.3)

    assert (kept.index.tolist(), held.index.tolist()) == (list(range(7)), [7, 8, 9])


# Test videos


def test_test_videos_come_with_a_label_a_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "test" / "a.mp4", 4)
    write_video(tmp_path / "test" / "b.mp4", 3)
    (tmp_path / "test" / "a_labels.csv").write_text("0\n1\n1\n0\n")

    labelled, bare = footage.test_videos(DataConfig(path=tmp_path), HOW)

    assert labelled.labels is not None
    assert labelled.labels.tolist() == [0, 1, 1, 0]
    assert (labelled.item.name, labelled.info.frame_count) == ("a", 4)
    assert (bare.item.name, bare.labels) == ("b", None)


def test_without_test_videos_it_says_where_they_belong(tmp_path: Path) -> None:
    write_video(tmp_path / "normal" / "a.mp4", 3)

    with pytest.raises(DataError, match=r"no test videos.*under test/ or testing/"):
        footage.test_videos(DataConfig(path=tmp_path), HOW)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "test" / "a.mp4", 4)
    (tmp_path / "test" / "a_labels.csv").write_text("0\n1\n1\n")

    with pytest.raises(LabelError, match=r"a_labels\.csv: found 3 labels, expected 4"):
        footage.test_videos(DataConfig(path=tmp_path), HOW)


@pytest.mark.parametrize("with_labels", [True, False])
def test_a_truncated_video_is_named_without_decoding_it(tmp_path: Path, with_labels: bool) -> None:
    path = write_video(tmp_path / "test" / "a.mp4", 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    if with_labels:
        (tmp_path / "test" / "a_labels.csv").write_text("0\n" * 20)

    with pytest.raises(VideoError, match=r"a\.mp4: the video ends early: \d+ of 20 frames"):
        footage.test_videos(DataConfig(path=tmp_path), HOW)


def test_a_video_that_was_trimmed_without_encoding_it_again_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "test" / "a.mp4"
    trimmed_copy(write_video(tmp_path / "original.mp4", 20), path, lost_frames=5)

    (video,) = footage.test_videos(DataConfig(path=tmp_path), HOW)

    assert video.info.frame_count == len(list(read_video(path))) == 15


def trimmed_copy(source: Path, path: Path, lost_frames: int) -> None:
    """What phones and editors write: all packets, and an edit list that leaves the first out."""
    path.parent.mkdir()
    with av.open(str(source)) as whole, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            earlier = int(Fraction(lost_frames, 10) / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - earlier, packet.dts - earlier, stream
            copy.mux(packet)


@pytest.mark.parametrize(
    ("rates", "common"), [((10, 10), 10.0), ((10,), 10.0), ((10, 25), None), ((5, 5, 4.9), 5.0), ((5, 2), None)]
)
def test_the_rate_of_footage_is_known_where_it_is_one(tmp_path, rates, common):
    videos = [write_video(tmp_path / f"{at}.mp4", 6, rate) for at, rate in enumerate(rates)]
    assert footage.common_rate([footage.source_of(video, HOW, "stop") for video in videos]) == common


def test_videos_of_another_rate_than_in_training_are_noted_once(tmp_path: Path, listener: Any) -> None:
    rates = {"a": 10, "b": 2, "c": 10.2, "d": 25}
    videos = [write_video(tmp_path / f"{name}.mp4", 6, rate) for name, rate in rates.items()]
    sources = [footage.source_of(video, HOW, "stop") for video in videos]
    for how in (HOW, replace(HOW, fps=2.0), replace(HOW, fps=2.0, footage_fps=10.0)):
        footage.note_other_rates(sources, how, listener)
    assert listener.notes == []

    footage.note_other_rates(sources, replace(HOW, footage_fps=10.0), listener)

    (note,) = listener.notes
    assert "2 of 4 videos" in note
    assert "b.mp4 (2), d.mp4 (25)" in note
