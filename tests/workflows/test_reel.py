"""A reel: the strangest moments, apart and of different kinds, in the order of time, as a film and as a sheet."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.errors import ConfigError, DataError, RecordsError
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.reel import caption_of, make_reel, title_of
from maskedskipunet.workflows.reel_moments import ReelMoment, ReelRequest, moments_of_records, moments_of_tables

BEGAN_UNIX_S = 1_772_355_600.0
REASON = EventReason("movement", {"movement": 4.0}, {"movement": CueReading(4.0, speed_ratio=3.0)})


def write_clip(path, frames=20, *, rate=5, height_px=48, width_px=64, brightness=120):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=height_px, width_px=width_px, frame_rate=rate) as writer:
        for number in range(frames):
            writer.write(np.full((height_px, width_px, 3), brightness + number % 5, np.uint8))
    return path


def put(records, event_id, began_s, score, *, camera="door", kind=None, clip=True, picture=True):
    event = Event(
        event_id, "usb:0", 100.0, 102.0, 101.0, 500, 510, 505, score, 0.3, ((8, 8, 16, 16),), 0.01, REASON, kind
    )
    began = BEGAN_UNIX_S + began_s
    if clip:
        write_clip(records.clip_path(event_id, began), 60)
    jpeg = to_jpeg(np.full((48, 64, 3), 200, np.uint8)) if picture else None
    records.record(EventUpdate("end", event), camera=camera, began_unix_s=began, picture=jpeg)


@pytest.fixture
def folder(tmp_path):
    """Six events of two cameras: two are of one kind, two are half a minute apart, one has only a picture."""
    with Records.open(tmp_path / "records") as records:
        put(records, "a", 0, 0.9, kind="a")
        put(records, "b", 600, 0.8, kind="a")
        put(records, "c", 1200, 0.5)
        put(records, "d", 1230, 0.4)
        put(records, "e", 1201, 0.3, camera="yard")
        put(records, "f", 86400, 0.2, camera="yard", clip=False)
    return tmp_path / "records"


def chosen(folder, **asked):
    return [
        (round(moment.peak_unix_s - BEGAN_UNIX_S) - 1, moment.source, moment.rank)
        for moment in moments_of_records(folder, ReelRequest(**asked))
    ]


def test_the_strangest_events_are_chosen_well_apart_with_one_of_a_kind_first_and_shown_by_time(folder):
    assert chosen(folder, moments=3) == [(0, "door", 1), (1200, "door", 2), (1201, "yard", 3)]
    assert chosen(folder, moments=12) == [
        (0, "door", 1),
        (600, "door", 2),
        (1200, "door", 3),
        (1201, "yard", 4),
        (86400, "yard", 5),
    ]
    assert len(chosen(folder, moments=12, apart_s=20.0)) == 6


def test_a_time_and_a_camera_can_be_asked_for(folder):
    assert chosen(folder, camera="yard") == [(1201, "yard", 1), (86400, "yard", 2)]
    assert chosen(folder, since_unix_s=BEGAN_UNIX_S + 1, until_unix_s=BEGAN_UNIX_S + 1200) == [(600, "door", 1)]
    with pytest.raises(RecordsError, match=r"there is no camera 'hall'.*There are: door, yard"):
        chosen(folder, camera="hall")
    with pytest.raises(RecordsError):
        moments_of_records(folder / "none", ReelRequest())


@pytest.mark.parametrize(
    "asked", [{"moments": 0}, {"moments": 10_000}, {"apart_s": -1.0}, {"since_unix_s": 2.0, "until_unix_s": 1.0}]
)
def test_what_cannot_be_asked_for_is_refused(asked):
    with pytest.raises(ConfigError):
        ReelRequest(**asked)


def test_the_film_shows_each_moment_for_some_seconds_and_the_sheet_shows_all(folder, tmp_path):
    moments = moments_of_records(folder, ReelRequest(moments=3))
    reel = make_reel(moments, tmp_path / "out" / "week.mp4", seconds_s=4.0)
    frames = [*read_video(reel.film)]
    assert frames[0].image.shape == (816, 1280, 3)
    assert len(frames) == 3 * 21
    assert reel.seconds_s == pytest.approx(3 * 4.5, abs=0.1)
    assert 118 < frames[30].image[300, 640].mean() < 130  # the picture, as large as it fits
    assert frames[30].image[720:].max() > 200  # words below it
    sheet = from_jpeg(reel.sheet.read_bytes())
    assert reel.sheet == tmp_path / "out" / "week.jpg"
    assert sheet.shape[1] == 1920
    assert sheet[84 + 150, 320].mean() == pytest.approx(200, abs=4)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"week.mp4", "week.jpg"}


def test_boxes_are_drawn_around_the_peak_alone(folder, tmp_path):
    (moment,) = moments_of_records(folder, ReelRequest(moments=1))
    reel = make_reel([moment], tmp_path / "reel.mp4", seconds_s=10.0)
    red = [
        int((frame.image[..., 0].astype(int) - frame.image[..., 2] > 60).sum()) > 500 for frame in read_video(reel.film)
    ]
    assert any(red)
    assert not red[0]
    assert not red[-1]


def test_a_moment_of_which_only_a_picture_is_left_is_shown_still(folder, tmp_path):
    moments = moments_of_records(folder, ReelRequest(camera="yard", moments=2, since_unix_s=BEGAN_UNIX_S + 80_000))
    reel = make_reel(moments, tmp_path / "reel.mp4")
    assert [moment.footage for moment in moments] == [None]
    assert reel.seconds_s == pytest.approx(3.0, abs=0.1)


def test_without_any_moment_or_anything_left_of_one_nothing_is_written(tmp_path):
    gone = ReelMoment(source="door", score=1.0, peak_s=1.0, footage=tmp_path / "gone.mp4", rank=1)
    damaged = ReelMoment(source="door", score=1.0, peak_s=1.0, picture=tmp_path / "p.jpg", rank=1)
    (tmp_path / "p.jpg").write_bytes(b"no picture")
    for moments in ([], [gone], [damaged]):
        with pytest.raises(DataError):
            make_reel(moments, tmp_path / "reel.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["p.jpg"]


@pytest.mark.parametrize(("name", "seconds_s"), [("reel.avi", 8.0), ("folder.mp4", 8.0), ("reel.mp4", 0.0)])
def test_a_film_that_cannot_be_written_is_refused(folder, tmp_path, name, seconds_s):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ConfigError):
        make_reel(moments_of_records(folder, ReelRequest(moments=1)), tmp_path / name, seconds_s=seconds_s)


def test_a_caption_tells_when_where_and_why():
    moment = ReelMoment(source="hall", score=2.0, peak_s=3723.0, reason="moves fast", of_kind=1234, rank=2)
    caption = caption_of(moment, 12, 1.5)
    assert (caption.time, caption.source, caption.rank) == ("1:02:04", "hall", "2nd strangest of 12")
    assert (caption.reason, caption.kind) == ("Moves fast", "1,234 alarms of this kind")
    assert caption.explanation == "Moves fast; 1,234 alarms of this kind"
    assert title_of([moment]) == "The strangest moment"
    assert caption_of(ReelMoment(source="hall", score=2.0, peak_s=0.0, rank=1), 3).rank == "strangest of 3"


@pytest.fixture
def scores(tmp_path):
    """Tables of two videos as `score` writes them: peaks at 20 and 22 s of one, and at 40 s of the other."""
    videos = []
    for name, peaks in (("a", {100: 0.9, 110: 0.8}), ("b", {200: 0.7})):
        scores = np.full(300, 0.1)
        scores[[*peaks]] = [*peaks.values()]
        scores[0] = np.nan
        place = tmp_path / "scores" / name
        place.mkdir(parents=True)
        columns = {"video": pa.array([name] * 300), "frame": pa.array(range(300)), "time": pa.array(np.arange(300) / 5)}
        pq.write_table(pa.table(columns | {"score": pa.array(scores, from_pandas=True)}), place / "scores.parquet")
        videos.append(NamedVideo(name, write_clip(tmp_path / f"{name}.mp4", 300)))
    event = Event("x", "a", 19.0, 23.0, 20.0, 95, 115, 100, 0.9, 0.5, ((4, 4, 8, 8),), 0.1, REASON, "x")
    other = Event("y", "b", 39.0, 41.0, 40.0, 195, 205, 200, 0.7, 0.5, ())
    for one in (event, other):
        told = {"events": [one.to_dict() | {"picture": None}]}
        (tmp_path / "scores" / one.source / "events.json").write_text(json.dumps(told))
    return tmp_path / "scores", videos


def test_the_highest_scores_of_tables_are_chosen_with_what_their_events_say(scores):
    folder, videos = scores
    found = moments_of_tables(folder, videos, ReelRequest(moments=2))
    assert [(moment.source, moment.peak_s, moment.rank) for moment in found] == [("a", 20.0, 1), ("b", 40.0, 2)]
    assert found[0].reason == "moves 3.0 times as fast as 99 % of what passes here"
    assert (found[0].boxes, found[1].boxes, found[1].reason) == (((4, 4, 8, 8),), (), "")
    close = moments_of_tables(folder, videos, ReelRequest(moments=50, apart_s=1.0))
    assert [moment.peak_s for moment in close if moment.rank <= 2] == [20.0, 22.0]
    two = moments_of_tables(folder, videos, ReelRequest(moments=2, apart_s=1.0))  # 20 and 22 s are of one event
    assert [(moment.source, moment.peak_s) for moment in two] == [("a", 20.0), ("b", 40.0)]


def test_a_film_of_a_long_video_shows_just_its_moments(scores, tmp_path):
    folder, videos = scores
    reel = make_reel(moments_of_tables(folder, videos, ReelRequest(moments=2)), tmp_path / "reel.mp4", seconds_s=2.0)
    assert len([*read_video(reel.film)]) == 22
    with Picture.open(reel.sheet) as sheet:
        assert sheet.size[0] < 1920  # two columns


def test_times_can_be_asked_for_where_the_names_of_videos_tell_them(scores, tmp_path):
    folder, videos = scores
    for video, stamp in zip(videos, ("2026-03-01", "2026-03-02"), strict=True):
        os.rename(video.path, named := tmp_path / f"{stamp}.mp4")  # noqa: PTH104
        videos[videos.index(video)] = NamedVideo(video.name, named)
    asked = {"starts": "%Y-%m-%d.%H", "since_unix_s": BEGAN_UNIX_S}
    with pytest.raises(DataError, match="not known when the video begins"):
        moments_of_tables(folder, videos, ReelRequest(**asked))
    noon = [NamedVideo(video.name, video.path.rename(video.path.with_suffix(".12.mp4"))) for video in videos]
    found = moments_of_tables(folder, noon, ReelRequest(**asked | {"since_unix_s": BEGAN_UNIX_S + 86400}))
    assert [moment.source for moment in found] == ["b"]


@pytest.mark.parametrize("content", [b"", b"no table", None])
def test_tables_that_are_none_are_refused(scores, tmp_path, content):
    folder, videos = scores
    if content is None:
        with pytest.raises(DataError, match="there are no scores of these videos"):
            moments_of_tables(tmp_path / "elsewhere", videos, ReelRequest())
        return
    (folder / "a" / "scores.parquet").write_bytes(content)
    with pytest.raises(DataError, match="not a table of scores"):
        moments_of_tables(folder, videos, ReelRequest())


def test_an_event_of_a_file_that_is_still_there_is_shown_from_the_file_itself(tmp_path):
    film = write_clip(tmp_path / "long.mp4", 1000)
    with Records.open(tmp_path / "records") as records:
        for event_id, source in (("a", str(film)), ("b", str(tmp_path / "gone.mp4"))):
            event = Event(event_id, source, 20.0, 190.0, 180.0, 100, 950, 900, 0.5, 0.3, (), 0.01)
            records.record(EventUpdate("end", event), camera=event_id, began_unix_s=BEGAN_UNIX_S)
    first, second = moments_of_records(tmp_path / "records", ReelRequest())
    assert (first.footage, first.shown_at_s) == (film, 180.0)
    assert second.footage is None
    assert make_reel([first], tmp_path / "reel.mp4", seconds_s=4.0).seconds_s == pytest.approx(4.5, abs=0.3)
