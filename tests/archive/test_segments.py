"""Cutting a video: every frame is in one segment, and around each lies what its scores depend on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.archive.segments import Cutting, Overlap, Segment, source_name
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sampling import sample, sample_part
from maskedskipunet.data.video.index import VideoIndex
from maskedskipunet.data.video.key_frame import KeyFrame

CUTTING = Cutting(fps=None, stride=1, seconds=20, overlap=Overlap(2, 5.0, 3, 4), key="k")


def index_of(count: int, every: int, seed: int = 0, rate: float = 10.0) -> VideoIndex:
    steps = np.random.default_rng(seed).uniform(0.5, 1.5, count - 1) / rate
    times = np.concatenate([[0.0], np.cumsum(steps)])
    keys = tuple(KeyFrame(number, 100 * number, number, 1000 * number) for number in range(0, count, every))
    return VideoIndex(times, keys, 0.0, 1000 * np.arange(1, count + 1), rate)


def cut(cutting: Cutting, index: VideoIndex, began_s: float | None = None) -> Sequence[Segment]:
    return cutting.cut("name", "/a.mp4", "1", index, began_s)


@given(
    count=st.integers(1, 900),
    every=st.integers(1, 400),
    fps=st.none() | st.sampled_from([3.0, 5.0, 9.5]),
    stride=st.integers(1, 4),
    batch=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_segments_hold_every_sampled_frame_once_and_read_what_they_need(
    count: int, every: int, fps: float | None, stride: int, batch: int, seed: int
) -> None:
    index = index_of(count, every, seed)
    frames = [Frame(number, time_s, None) for number, time_s in enumerate(index.times_s.tolist())]
    kept = [*sample(frames, fps=fps, stride=stride)]
    overlap = Overlap(early_frames=2, history_s=4.0, late_frames=3, batch_size=batch)

    segments = cut(replace(CUTTING, fps=fps, stride=stride, overlap=overlap), index)

    assert [number for part in segments for number in range(part.start, part.end)] == [*range(len(kept))]
    for part in segments:
        begin = 0 if part.key is None else part.key.index
        found = dict(sample_part(frames[begin:], fps=fps, stride=stride, kept_before=part.kept_before))
        needed = [kept[number] for number in range(part.first, part.last)]
        assert [found[number] for number in range(part.first, part.last)] == needed
        since_s = kept[part.start].time_s - overlap.history_s
        oldest = next(number for number, frame in enumerate(kept) if frame.time_s >= since_s)
        assert part.first <= max(0, oldest - overlap.early_frames)
        assert part.first % batch == 0
        assert part.last == len(kept) or (part.last >= part.end + overlap.late_frames and part.last % batch == 0)
        assert part.key is None or part.key.index < kept[part.first].index
    assert len({part.id for part in segments}) == len(segments)


def test_segments_begin_at_key_frames_and_are_as_long_as_asked_for() -> None:
    segments = cut(CUTTING, index_of(3000, 50))

    assert all(part.start % 50 == 0 for part in segments)
    assert len(segments) > 8
    assert all(20 <= part.end_s - part.start_s < 30 for part in segments[:-1])
    assert [part.limit for part in segments] == sorted(part.limit for part in segments)
    assert segments[0].limit < segments[-1].limit == 3_000_000


def test_a_video_that_cannot_be_sought_in_is_one_segment() -> None:
    (part,) = cut(CUTTING, replace(index_of(3000, 50), keys=()))

    assert (part.start, part.end, part.key) == (0, 3000, None)


def test_a_segment_ends_at_midnight() -> None:
    midnight = 1_772_409_600.0  # 2026-03-02 in UTC
    segments = cut(replace(CUTTING, seconds=1e6), index_of(3000, 10), midnight - 100)

    assert [part.day for part in segments] == ["2026-03-01", "2026-03-02"]
    assert segments[1].start_s == pytest.approx(100, abs=2)
    assert {part.day for part in cut(CUTTING, index_of(30, 10))} == {"unknown"}


def test_an_id_changes_with_all_that_scores_depend_on_and_a_segment_is_kept_as_plain_values() -> None:
    index = index_of(30, 10)
    (part,) = cut(CUTTING, index)
    others = [
        *CUTTING.cut("name", "/b.mp4", "1", index, None),
        *CUTTING.cut("name", "/a.mp4", "2", index, None),
        *cut(replace(CUTTING, key="other"), index),
    ]

    assert len({part.id, *(other.id for other in others)}) == 4
    (again,) = cut(CUTTING, index)
    assert again == part
    keyed = cut(CUTTING, index_of(3000, 50))[3]
    assert Segment.from_dict(keyed.to_dict()) == keyed


def test_names_of_videos_are_short_safe_and_their_own() -> None:
    addresses = ["/a/x y.mp4", "/b/x y.mp4", "s3://b/é" + 200 * "n" + ".mp4", "https://h/..", "/a/x y.mkv"]
    names = [source_name(address) for address in addresses]

    assert len(set(names)) == len(names)
    assert all(len(name) < 80 and name[0] not in "._-" and " " not in name for name in names)
