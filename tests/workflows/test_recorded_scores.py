"""`score --records`: events, clips, pictures and the curve of a file stand in the records, once, however often."""

import os
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import ConfigError, RecordsError
from maskedskipunet.records.checking import check
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.input_selection import find_videos
from maskedskipunet.workflows.recorded_scores import RecordsTarget, record_scores
from maskedskipunet.workflows.score import ScoreOptions, score
from maskedskipunet.workflows.score_many import score_many
from maskedskipunet.workflows.scoring import ScoredVideo

RATE, COUNT = 10, 300


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "2026-03-01_09-00-00.mp4"
    with VideoWriter(path, height_px=49 - 1, width_px=64, frame_rate=RATE) as writer:
        for number in range(COUNT):
            writer.write(np.full((48, 64, 3), number % 250, np.uint8))
    return path


def scored_of(events=(), name="door", every=1):
    index = np.arange(0, COUNT, every)
    scores = np.linspace(0.1, 0.4, len(index))
    scores[:2] = np.nan
    return ScoredVideo(name, index, index / RATE, scores, None, 0.3, tuple(events))


def event_of(event_id="a", start_s=12.0, end_s=14.0, score=0.4):
    frames = [round(time_s * RATE) for time_s in (start_s, end_s, start_s + 1)]
    return Event(event_id, "door", start_s, end_s, start_s + 1, *frames, score, 0.3, ((8, 8, 16, 16),), 0.01)


STARTS = "%Y-%m-%d_%H-%M-%S"


@pytest.fixture
def target(tmp_path):
    return RecordsTarget(folder=tmp_path / "records", camera="door", starts=STARTS)


def test_an_event_of_a_file_has_a_clip_of_what_was_scored_around_it_its_pictures_and_its_time(video, target, tmp_path):
    picture = tmp_path / "001.jpg"
    picture.write_bytes(to_jpeg(np.zeros((48, 64, 3), np.uint8)))
    scored = scored_of([event_of(), event_of("b", 0.5, 1.0)], every=2)
    done = record_scores(scored, Source(path=video, stride=2), target, [(picture, picture), (None, None)])
    assert (done.camera, done.is_start_known, done.clips) == ("door", True, 2)
    with Records.open(target.folder) as records:
        later, first = sorted(records.events(), key=lambda one: one.event.id)
        began = datetime(2026, 3, 1, 9, 0, 0).timestamp()  # local, as the name is
        assert later.began_unix_s == began + 12
        assert (later.has_clip, later.has_picture, later.has_normal_picture) == (True, True, True)
        assert (first.has_clip, first.has_picture) == (True, False)
        frames = [*read_video(records.clip_path("a", later.began_unix_s))]
        assert len(frames) == 61  # five seconds before and after its two, every second frame
        assert frames[-1].time_s == pytest.approx(12.0)
        brightness = [int(frame.image.mean()) for frame in (frames[0], frames[-1])]
        assert brightness == pytest.approx([70, 190], abs=3)
        assert records.cameras() == {"door": str(video.resolve())}
        curve = records.curves.read("door", began, began + 30)
        assert curve.frames.sum() == 148
        assert curve.threshold.tolist() == pytest.approx([0.3] * 30)
    assert check(target.folder).is_clean
    assert {path.name for path in target.folder.iterdir()} <= {
        "records.db", "records.db-wal", "records.db-shm", "events", "curves", ".lock", ".turn.lock", ".watch.lock"
    }  # fmt: skip


def test_scored_again_a_file_is_there_once_with_the_newer_scores(video, target):
    for scores in (1, 2):
        scored = scored_of([event_of(f"e{scores}", score=0.4 * scores)])
        scored = replace(scored, scores=scored.scores * scores)
        done = record_scores(scored, Source(path=video), target)
    assert (done.events.added, done.events.updated) == (0, 1)
    with Records.open(target.folder) as records:
        (event,) = records.events()
        assert (event.event.id, event.event.top_score, event.has_clip) == ("e1", 0.8, True)
        curve = records.curves.read("door", event.began_unix_s - 12, event.began_unix_s + 30)
        assert curve.frames.sum() == COUNT - 2
        assert curve.highest.max() == pytest.approx(0.8)
    assert check(target.folder).is_clean


def test_where_nothing_says_when_a_file_begins_it_ended_when_it_was_changed(video, tmp_path):
    plain = tmp_path / "hall.mp4"
    plain.write_bytes(video.read_bytes())
    os.utime(plain, (1_772_000_000, 1_772_000_000))
    done = record_scores(scored_of(), Source(path=plain), RecordsTarget(folder=tmp_path / "records"))
    assert (done.is_start_known, done.camera) == (False, "door")
    assert done.start_unix_s == pytest.approx(1_772_000_000 - (COUNT - 1) / RATE)


def test_a_file_whose_time_of_change_moved_leaves_no_second_curve_under_its_own_name(video, tmp_path):
    plain = tmp_path / "hall.mp4"
    plain.write_bytes(video.read_bytes())
    for changed in (1_772_000_000, 1_773_000_000):
        os.utime(plain, (changed, changed))
        record_scores(scored_of([event_of(str(changed))]), Source(path=plain), RecordsTarget(folder=tmp_path / "r"))
    with Records.open(tmp_path / "r") as records:
        assert records.curves.days("door") == ["2026-03-08"]
        assert [event.event.id for event in records.events()] == ["1773000000"]


def test_a_name_too_long_for_a_camera_is_shortened_and_one_that_is_given_is_refused(tmp_path):
    target = RecordsTarget(folder=tmp_path)
    assert target.camera_of("a\tb") == "a?b"
    assert len(target.camera_of("x/" * 90)) == 100
    with pytest.raises(RecordsError):
        RecordsTarget(folder=tmp_path, camera="x" * 101)
    with pytest.raises(ConfigError):
        RecordsTarget(folder=tmp_path, starts="%Y")


def test_one_video_is_scored_into_records_with_the_command_of_one_video(alarming, footage, tmp_path):
    target = RecordsTarget(folder=tmp_path / "records")
    found = score(footage / "test" / "01.mp4", alarming, tmp_path / "out", ScoreOptions(records=target))
    assert found.recorded is not None
    assert found.recorded.camera == "01"
    assert found.scored.events
    with Records.open(target.folder) as records:
        assert [one.event.top_score for one in records.events()] == [one.top_score for one in found.scored.events]
        assert all(one.has_picture and one.has_clip for one in records.events())
    assert check(target.folder).is_clean


def test_many_videos_are_recorded_too_and_what_was_finished_without_records_is_scored_for_them(
    alarming, footage, tmp_path
):
    videos = find_videos([str(footage / "test")])
    target = RecordsTarget(folder=tmp_path / "records")
    plain, recorded = ScoreOptions(), ScoreOptions(records=target)
    assert len(score_many(videos, alarming, tmp_path / "out", plain).done) == 2
    first = score_many(videos, alarming, tmp_path / "out", recorded)
    assert [one.recorded.camera for one in first.done if one.recorded] == ["01", "02"]
    assert len(score_many(videos, alarming, tmp_path / "out", recorded).before) == 2
    assert len(score_many(videos, alarming, tmp_path / "out", plain).before) == 2
    with Records.open(target.folder) as records:
        assert [*records.cameras()] == ["01", "02"]


def test_records_that_cannot_be_used_are_told_of_before_anything_is_scored(alarming, footage, tmp_path):
    (tmp_path / "records").write_text("a file")
    options = ScoreOptions(records=RecordsTarget(folder=tmp_path / "records"))
    with pytest.raises(RecordsError):
        score(footage / "test" / "01.mp4", alarming, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()
    with pytest.raises(RecordsError):
        score_many(find_videos([str(footage / "test")]), alarming, tmp_path / "out", options)
