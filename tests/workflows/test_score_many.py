import csv
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskedskipunet.data.jpeg import from_jpeg
from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.reading import CUES
from maskedskipunet.errors import CalibrationError, ConfigError, VideoError
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.calibrate import CalibrateOptions, calibrate
from maskedskipunet.workflows.calibration_footage import ScoredFootage
from maskedskipunet.workflows.input_selection import NamedVideo, RemoteVideo, find_sources
from maskedskipunet.workflows.normal_footage import TimeRange, highest_moments
from maskedskipunet.workflows.score import ScoreOptions, score
from maskedskipunet.workflows.score_many import FINISHED_NAME, score_many
from maskedskipunet.workflows.test import alarms_of

MOVED = "nearest normal moments are not shown: the footage that the model was trained on has moved"


@pytest.fixture
def archive(footage: Path, tmp_path: Path) -> list[NamedVideo]:
    """A whole video, a broken one and another whole one."""
    for name in ("01", "02"):
        shutil.copy(footage / "test" / f"{name}.mp4", tmp_path / f"{name}.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    return [NamedVideo(name, tmp_path / f"{name}.mp4") for name in ("01", "broken", "02")]


def test_a_broken_file_is_named_and_the_rest_goes_on(
    trained: RunFolder, archive: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    result = score_many(archive, trained.path, tmp_path / "out", progress=listener)

    assert [video.name for video in result.done] == ["01", "02"]
    ((name, fault),) = result.failed
    assert name == "broken"
    assert "broken.mp4: cannot open the video" in fault
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["01", "02"]
    assert {path.name for path in (tmp_path / "out" / "01").iterdir()} == {
        "scores.parquet",
        "scores.png",
        FINISHED_NAME,
    }
    assert (listener.stages, listener.done) == ([("scoring", 24, "frames")], 24)


def test_an_interrupted_scoring_goes_on_at_the_next_unfinished_video(
    trained: RunFolder, archive: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    listener.at, listener.does = ("scoring", 15), interrupt
    with pytest.raises(KeyboardInterrupt) as interrupted:
        score_many(archive, trained.path, tmp_path / "out", progress=listener)
    assert "goes on at the next unfinished video" in interrupted.value.__notes__[0]
    assert (tmp_path / "out" / "01" / FINISHED_NAME).is_file()
    assert not (tmp_path / "out" / "02" / FINISHED_NAME).exists()

    again = score_many(archive, trained.path, tmp_path / "out")
    assert ([video.name for video in again.done], again.before) == (["02"], ("01",))

    third = score_many(archive, trained.path, tmp_path / "out")
    assert (third.done, third.before) == ((), ("01", "02"))


@pytest.mark.parametrize("together", [2, 5])
def test_videos_scored_together_give_what_they_give_one_by_one(
    alarming: Path, archive: list[NamedVideo], tmp_path: Path, listener: Any, together: int
) -> None:
    alone = score_many(archive, alarming, tmp_path / "alone", ScoreOptions(with_video=True))
    result = score_many(
        archive, alarming, tmp_path / "out", ScoreOptions(with_video=True, together=together), progress=listener
    )

    assert [video.name for video in result.done] == ["01", "02"]
    assert result.failed == alone.failed
    assert listener.done == listener.stages[0][1]
    for name in ("01", "02"):
        ours, theirs = (pq.read_table(tmp_path / folder / name / "scores.parquet") for folder in ("out", "alone"))
        for column in ("frame", "time", "threshold"):
            assert ours[column].to_pylist() == theirs[column].to_pylist()
        np.testing.assert_allclose(
            ours["score"].to_numpy(zero_copy_only=False), theirs["score"].to_numpy(zero_copy_only=False), atol=1e-6
        )
        assert {p.name for p in (tmp_path / "out" / name).iterdir()} == {
            p.name for p in (tmp_path / "alone" / name).iterdir()
        }


def test_videos_scored_together_go_on_where_they_were_interrupted(
    trained: RunFolder, footage: Path, tmp_path: Path, listener: Any
) -> None:
    videos = [NamedVideo("short", footage / "normal" / "a.mp4"), NamedVideo("long", footage / "test" / "01.mp4")]

    def interrupt() -> None:
        raise KeyboardInterrupt

    listener.at, listener.does = ("scoring", 18), interrupt  # the short one's 8 frames are scored by then
    with pytest.raises(KeyboardInterrupt):
        score_many(videos, trained.path, tmp_path / "out", ScoreOptions(together=2), progress=listener)
    assert [path.parent.name for path in (tmp_path / "out").glob(f"*/{FINISHED_NAME}")] == ["short"]

    again = score_many(videos, trained.path, tmp_path / "out", ScoreOptions(together=2))
    assert ([video.name for video in again.done], again.before) == (["long"], ("short",))


def test_a_video_of_fewer_frames_a_second_than_the_model_looks_at_does_not_stop_the_rest(
    trained: RunFolder, archive: list[NamedVideo], footage: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(trained.model, tmp_path / "model")
    described = json.loads((model / "config.json").read_text())
    described["input"]["fps"] = 8.0
    (model / "config.json").write_text(json.dumps(described))
    slow = tmp_path / "slow.mp4"
    with VideoWriter(slow, height_px=32, width_px=48, frame_rate=2) as writer:
        for _ in range(5):
            writer.write(np.zeros((32, 48, 3), np.uint8))

    result = score_many([NamedVideo("slow", slow), archive[0]], model, tmp_path / "out")

    assert [video.name for video in result.done] == ["01"]
    assert "slow.mp4: the source has 2 frames a second, fewer than the 8 asked for" in result.failed[0][1]


def test_what_was_finished_counts_no_more_once_video_settings_or_calibration_change(
    alarming: Path, archive: list[NamedVideo], tmp_path: Path
) -> None:
    model = shutil.copytree(alarming, tmp_path / "model")
    one = archive[:1]

    def done(**changes: Any) -> int:
        return len(score_many(one, model, tmp_path / "out", ScoreOptions(**changes)).done)

    assert [done(), done()] == [1, 0]
    assert [done(on_bad_frame="skip"), done(on_bad_frame="skip")] == [1, 0]
    shutil.copy(archive[2].path, one[0].path)
    assert [done(), done()] == [1, 0]
    (model / "calibration.json").unlink()
    assert [done(), done()] == [1, 0]


def test_a_video_that_fails_when_done_again_is_not_finished_any_more(
    trained: RunFolder, archive: list[NamedVideo], tmp_path: Path
) -> None:
    score_many(archive[:1], trained.path, tmp_path / "out")
    archive[0].path.write_bytes(archive[0].path.read_bytes()[:-300])

    assert len(score_many(archive[:1], trained.path, tmp_path / "out").failed) == 1


def test_with_a_threshold_events_and_an_annotated_video_are_written(
    alarming: Path, footage: Path, tmp_path: Path, listener: Any
) -> None:
    result = score(
        footage / "test" / "01.mp4", alarming, tmp_path / "out", ScoreOptions(with_video=True), progress=listener
    )

    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {path.name for path in result.paths} | {"events"} == written
    events = result.scored.events
    assert events is not None
    assert len(events) == 1
    (event,) = events
    assert event.start_frame < event.end_frame
    assert event.boxes
    assert event.normal_share is not None
    told = json.loads((tmp_path / "out" / "events.json").read_text())
    assert told["events"][0]["id"] == event.id
    assert told["events"][0]["boxes"] == [list(box) for box in event.boxes]
    assert told["rule"]["threshold"] == result.scored.threshold
    (picture,) = result.event_pictures
    assert picture == tmp_path / "out" / told["events"][0]["picture"] == tmp_path / "out" / "events" / "001.jpg"
    assert from_jpeg(picture.read_bytes()).shape == (11 * 32, 11 * 48, 3)  # large enough to see something
    (row,) = csv.DictReader((tmp_path / "out" / "events.csv").read_text().splitlines())
    assert (row["id"], float(row["start_s"]), int(row["peak_frame"])) == (event.id, event.start_s, event.peak_frame)
    assert row["boxes"].split(";")[0] == " ".join(map(str, event.boxes[0]))
    table = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert table.column_names == ["video", "frame", "time", "score", "label", "threshold", *CUES]
    assert set(table["threshold"].to_pylist()) == {result.scored.threshold}
    source, annotated = (
        probe_video(path) for path in (footage / "test" / "01.mp4", tmp_path / "out" / "annotated.mp4")
    )
    assert (annotated.frame_count, annotated.height_px, annotated.width_px) == (source.frame_count, 11 * 32, 11 * 48)
    times = [[frame.time_s for frame in read_video(p)] for p in (footage / "test" / "01.mp4", result.paths[-1])]
    assert times[1] == pytest.approx(times[0], abs=1e-3)
    assert listener.done == listener.stages[0][1]


def test_events_of_all_videos_stand_in_one_table_those_scored_before_too(
    alarming: Path, archive: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    out = tmp_path / "out"
    shutil.copy(archive[0].path, tmp_path / "again.mp4")
    score_many(archive[:1], alarming, out)
    result = score_many([*archive, NamedVideo("in/again", tmp_path / "again.mp4")], alarming, out, progress=listener)

    assert result.events_path == out / "events.csv"
    rows = [*csv.DictReader((out / "events.csv").read_text().splitlines())]
    own = [*csv.DictReader((out / "01" / "events.csv").read_text().splitlines())]
    assert [row["video"] for row in rows] == ["01", *["02"] * (len(rows) - 2), "in/again"]
    assert rows[0] == {"video": "01"} | own[0] | {"picture": f"01/{own[0]['picture']}"}
    assert all((out / row["picture"]).is_file() for row in rows)
    assert listener.notes == ["1 of 4 videos are already finished", MOVED]  # the broken one is told with the results
    assert [name for name, _ in result.failed] == ["broken"]


def test_pictures_of_an_earlier_threshold_go_with_its_events(alarming: Path, footage: Path, tmp_path: Path) -> None:
    model = shutil.copytree(alarming, tmp_path / "model")
    assert score(footage / "test" / "01.mp4", model, tmp_path / "out").event_pictures
    (model / "calibration.json").unlink()
    assert score(footage / "test" / "01.mp4", model, tmp_path / "out").event_pictures == ()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scores.parquet", "scores.png"}


def test_labels_beside_a_video_are_kept_and_new_ones_are_looked_at(
    alarming: Path, archive: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    def labels() -> set[Any]:
        return set(pq.read_table(tmp_path / "out" / "01" / "scores.parquet")["label"].to_pylist())

    score_many(archive[:1], alarming, tmp_path / "out")
    assert labels() == {None}
    (tmp_path / "01_labels.txt").write_text("4-6\n")
    assert score_many(archive[:1], alarming, tmp_path / "out").before == ()
    assert labels() == {0, 1}
    (tmp_path / "01_labels.txt").write_text("4-600\n")
    score_many(archive[:1], alarming, tmp_path / "out", progress=listener)
    assert labels() == {None}
    assert [note.partition(":")[0] for note in listener.notes] == ["the labels are not used", MOVED.partition(":")[0]]


def test_alarms_are_held_against_labels(alarming: Path, footage: Path, tmp_path: Path) -> None:
    calibration = Calibration.read(alarming)
    scored = score(footage / "test" / "01.mp4", alarming, tmp_path / "out").scored
    labels = np.array([int(at in range(4, 7)) for at in range(12)], np.uint8)

    figures = alarms_of(calibration, [replace(scored, labels=labels)])["alarms"]

    assert figures["stretches"] == 1
    assert figures["alarms"] == 1
    assert figures["stretches_found"] + figures["false_alarms"] == 1
    assert alarms_of(None, [scored]) == {}


@pytest.fixture(scope="session")
def normal(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> list[NamedVideo]:
    """Normal footage long enough that alarms can be counted: pictures of noise that changes its strength."""
    random = np.random.default_rng(0)
    videos = []
    for name in ("x", "y"):
        path = tmp_path_factory.mktemp("normal") / f"{name}.mp4"
        with VideoWriter(path, height_px=32, width_px=48, frame_rate=0.5) as writer:
            for at in range(160):
                strong = 60 if at % 8 < 2 else 5
                noise = random.integers(0, strong + at % 40, (32, 48, 3))
                writer.write((80 + noise).astype(np.uint8))
        videos.append(NamedVideo(name, path))
    return videos


def test_a_budget_gives_a_threshold_that_the_model_keeps_and_pictures_of_the_highest_moments(
    alarming: Path, normal: list[NamedVideo], tmp_path: Path
) -> None:
    model = shutil.copytree(alarming, tmp_path / "run" / "model")
    result = calibrate(model, normal, Budget(60, "hour"))

    setting = result.calibration.alarm
    assert setting is not None
    assert Calibration.read(model) == result.calibration
    assert result.earlier == model / "calibration.1.json"
    assert setting.alarms <= 60 * setting.footage_h
    assert setting.rule.merge_s == 5  # two and a half frames of two seconds
    assert [moment.score for moment in result.moments] == sorted((m.score for m in result.moments), reverse=True)
    assert {moment.picture.parent for moment in result.moments} == {tmp_path / "run" / "calibration"}
    assert all(moment.picture.is_file() for moment in result.moments)

    without = calibrate(model, normal, Budget(60, "hour"), CalibrateOptions(exclude=[result.moments[0].name, "y"]))
    assert without.calibration.videos == ("x",)
    assert result.moments[0].name not in {moment.name for moment in without.moments}
    assert len(list((tmp_path / "run" / "calibration").iterdir())) == len(without.moments)


def test_another_budget_on_the_same_footage_scores_nothing_again(
    alarming: Path, normal: list[NamedVideo], tmp_path: Path, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: Any, **how: Any) -> None:
        raise CalibrationError("too little footage")

    model, anew = (Path(shutil.copytree(alarming, tmp_path / name / "model")) for name in ("run", "anew"))
    with monkeypatch.context() as patch:
        patch.setattr("maskedskipunet.workflows.calibrate.set_threshold", refuse)
        with pytest.raises(CalibrationError):  # of it too the scores are kept
            calibrate(model, normal, Budget(1, "week"))
    first = calibrate(model, normal, Budget(60, "hour"), progress=listener)
    drawn_ns = first.moments[0].picture.stat().st_mtime_ns
    second = calibrate(model, normal, Budget(40, "hour"), CalibrateOptions(exclude=["y"]), progress=listener)

    assert {title for title, *_ in listener.stages} == {"drawing the highest moments"}
    assert listener.notes[0] == "scores of 2 of 2 videos are kept from an earlier calibration"
    expected = calibrate(anew, normal[:1], Budget(40, "hour"))
    assert second.calibration == expected.calibration
    assert [(each.name, each.score) for each in second.moments] == [
        (each.name, each.score) for each in expected.moments
    ]

    third = calibrate(model, normal, Budget(60, "hour"), progress=listener)
    assert {title for title, *_ in listener.stages} == {"drawing the highest moments"}  # never "calibrating"
    assert third.calibration == first.calibration
    again = calibrate(model, normal, Budget(40, "hour"), progress=listener)
    assert again.moments == third.moments
    assert drawn_ns < again.moments[0].picture.stat().st_mtime_ns == third.moments[0].picture.stat().st_mtime_ns


def test_what_has_changed_since_is_scored_again_and_only_that(
    alarming: Path, normal: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    model = Path(shutil.copytree(alarming, tmp_path / "run" / "model"))
    videos = [NamedVideo(video.name, Path(shutil.copy(video.path, tmp_path / video.path.name))) for video in normal]
    budget = Budget(60, "hour")

    def scored_frames(**changes: Any) -> list[int]:
        listener.stages.clear()
        calibrate(model, videos, budget, CalibrateOptions(**changes), progress=listener)
        return [total for title, total, _ in listener.stages if title == "calibrating"]

    assert [scored_frames(), scored_frames()] == [[320], []]
    assert [scored_frames(exclude=["x@10-40"]), scored_frames(exclude=["x@10-40"])] == [[160], []]
    shutil.copy(videos[0].path, videos[1].path)
    assert scored_frames(exclude=["x@10-40"]) == [160]
    assert [scored_frames(ignore=["0,0,8,8"]), scored_frames()] == [[320], []]  # kept with the model since
    (tmp_path / "run" / "calibration_scores.npz").write_bytes(b"PK damaged")
    assert scored_frames() == [320]


def test_the_highest_moments_of_one_video_lie_half_a_minute_apart() -> None:
    scores = np.array([1.0, 9.0, 8.0, 7.0, np.nan, 6.0])
    video = ScoredFootage("a", None, np.arange(6), np.arange(6) * 20.0, scores)  # type: ignore[arg-type]

    assert highest_moments([video, replace(video, scores=scores / 2)], 3) == [(0, 1), (0, 3), (0, 5)]


def test_a_time_range_names_a_video_or_a_part_of_it() -> None:
    assert TimeRange.read("13") == TimeRange("13")
    assert TimeRange.read("a@b@1.5-2") == TimeRange("a@b", 1.5, 2.0)
    assert [TimeRange("a", 1, 2).holds(*at) for at in (("a", 1.5), ("a", 3), ("b", 1.5))] == [True, False, False]
    with pytest.raises(ConfigError, match="is not a time range"):
        TimeRange.read("a@1.2.3-2")


@pytest.fixture(scope="module")
def web(footage: Path) -> Iterator[str]:
    """A server that gives the test videos, and half of one; it knows no ranges."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").split("?")[0]
            content = (footage / "test" / name.replace("half", "02")).read_bytes()  # half of it comes
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if name == "half.mp4" else content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://me:hunter2@127.0.0.1:{server.server_port}"
        server.shutdown()


def test_videos_of_a_server_score_as_they_do_here_and_a_broken_download_stops_nothing(
    alarming: Path, footage: Path, web: str, tmp_path: Path, listener: Any
) -> None:
    (tmp_path / "list.txt").write_text("".join(f"{web}/{name}.mp4?key=hunter2\n" for name in ("half", "01")))
    videos = find_sources([str(tmp_path / "list.txt"), str(footage / "test" / "02.mp4")])
    out = tmp_path / "out"

    result = score_many(videos, alarming, out, ScoreOptions(with_video=True), progress=listener)

    assert [(video.name, video.frames) for video in result.done] == [("01", 12), ("02", 12)]
    ((name, fault),) = result.failed
    assert name == "half"
    assert "/half.mp4: the download broke off after" in fault
    here = score(footage / "test" / "01.mp4", alarming, tmp_path / "here").scored.scores
    table = pq.read_table(out / "01" / "scores.parquet")
    np.testing.assert_allclose(table["score"].to_numpy(zero_copy_only=False), here, atol=1e-6)
    assert set(table["video"].to_pylist()) == {"01"}
    assert {path.name for path in (out / "01").iterdir()} >= {"annotated.mp4", "comparison.mp4", "events.json"}
    assert sorted(path.name for path in out.iterdir()) == ["01", "02", "events.csv"]  # nothing that was fetched is left
    assert not [path for path in out.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert "hunter2" not in str((listener.stages, listener.notes, result))

    again = score_many(videos, alarming, out, ScoreOptions(with_video=True))
    assert (again.done, again.before, len(again.failed)) == ((), ("02", "01"), 1)


def test_one_video_of_a_server_may_be_scored_alone(trained: RunFolder, footage: Path, web: str, tmp_path: Path) -> None:
    (video,) = find_sources([f"{web}/01.mp4"])
    assert isinstance(video, RemoteVideo)

    score(video, trained.path, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scores.parquet", "scores.png"}
    (half,) = find_sources([f"{web}/half.mp4"])
    assert isinstance(half, RemoteVideo)
    with pytest.raises(VideoError, match=r"^http://127.0.0.1:\d+/half.mp4: the download broke off"):
        score(half, trained.path, tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_camera_of_single_pictures_is_scored_for_some_seconds_at_the_models_rate(
    trained: RunFolder, tmp_path: Path, http_camera: Any
) -> None:
    http_camera.login, http_camera.asks = "me:hunter2", ['Digest realm="cam", nonce="1", algorithm=SHA-256']
    videos = find_sources([http_camera.url("/snapshot.jpg", "me:hunter2")])
    failed = score_many(videos, trained.path, tmp_path / "out").failed
    assert "it is a camera, whose pictures never end. Say with --seconds how much" in failed[0][1]

    (done,) = score_many(videos, trained.path, tmp_path / "out", ScoreOptions(seconds=1.5)).done
    assert 10 <= done.frames <= 15  # 10 a second, as the model was trained, as far as the machine keeps up
    assert http_camera.refused == 0


def test_of_a_stream_it_must_be_said_how_much(trained: RunFolder, tmp_path: Path) -> None:
    videos = find_sources(["rtsp://me:hunter2@127.0.0.1:1/live"])
    with pytest.raises(ConfigError, match=r"rtsp://127.0.0.1:1/live: a stream never ends.*--seconds"):
        score_many(videos, trained.path, tmp_path / "out")
    with pytest.raises(ConfigError, match="--seconds: -1 seconds"):
        score_many(videos, trained.path, tmp_path / "out", ScoreOptions(seconds=-1))

    failed = score_many(videos, trained.path, tmp_path / "out", ScoreOptions(seconds=1)).failed
    assert failed[0][0] == "127_0_0_1_1_live"
    assert "rtsp://127.0.0.1:1/live: cannot open the stream (Connection refused)" in failed[0][1]
    assert not list(tmp_path.glob("out/*"))
