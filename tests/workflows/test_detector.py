import json
import re
import shutil
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image as Picture

import maskedskipunet as msu
from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import ConfigError, DataError, FrameError, MaskedSkipUNetError, ShapeError, WeightsError
from maskedskipunet.runs import RunFolder
from maskedskipunet.view.reasons import plain_event
from maskedskipunet.workflows.detector import Detector, load_detector
from maskedskipunet.workflows.score import score

DOCS = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="session")
def detector(alarming: Path) -> Detector:
    return load_detector(alarming)


@pytest.fixture
def video(footage: Path) -> Path:
    return footage / "test" / "01.mp4"


def frames_of(video: Path) -> list[Image]:
    return [frame.image for frame in read_video(video) if frame.image is not None]


def test_scores_and_events_are_those_that_score_writes(
    detector: Detector, alarming: Path, video: Path, tmp_path: Path
) -> None:
    score(video, alarming, tmp_path)
    results = detector.predict(video)

    table = pq.read_table(tmp_path / "scores.parquet").to_pydict()
    assert [result.index for result in results] == table["frame"]
    assert [result.time_s for result in results] == table["time"]
    assert [result.score for result in results] == [
        None if expected is None else pytest.approx(expected, abs=1e-6) for expected in table["score"]
    ]
    assert {result.threshold for result in results} == set(table["threshold"])
    assert {result.source for result in results} == {"01"}

    (told,) = json.loads((tmp_path / "events.json").read_text())["events"]
    assert told.pop("picture") == "events/001.jpg"
    found = {result.event.id: result.event for result in results if result.event is not None}
    (event,) = found.values()
    assert (event.kind_id, told["kind_id"]) == (event.id, told["id"])  # the first of their kind
    assert json.loads(json.dumps(plain_event(replace(event, id=told["id"], kind_id=told["kind_id"])))) == {
        name: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value for name, value in told.items()
    }
    inside = range(told["start_frame"], told["end_frame"] + 1)
    assert [result.index for result in results if result.is_alarm] == list(inside)


def test_a_path_a_pattern_frames_and_an_array_of_them_give_the_same(detector: Detector, video: Path) -> None:
    expected = [result.score for result in detector.predict(str(video))]
    frames = frames_of(video)

    for source in (f"{video.parent}/0[1].mp4", frames, np.stack(frames), iter(frames), (frame for frame in frames)):
        results = detector.predict(source, fps=None)
        assert [result.score for result in results] == [
            None if found is None else pytest.approx(found, rel=1e-4) for found in expected
        ]
        assert [result.time_s for result in results] == pytest.approx([at / 10 for at in range(12)])


def test_a_folder_of_images_and_several_sources_are_taken_one_after_another(
    detector: Detector, footage: Path, tmp_path: Path
) -> None:
    images = tmp_path / "room"
    images.mkdir()
    for number, frame in enumerate(frames_of(footage / "test" / "01.mp4")[:5]):
        Picture.fromarray(frame).save(images / f"{number}.png")

    results = detector.predict([images, footage / "normal" / "a.mp4", frames_of(footage / "normal" / "a.mp4"), images])

    assert [(result.source, result.index) for result in results] == [
        (name, at) for name, count in (("room", 5), ("a", 8), ("frames", 8), ("room-2", 5)) for at in range(count)
    ]
    assert [result.score is None for result in results[:7]] == [True, False, False, False, True, True, False]


def test_a_stream_tells_of_an_event_as_it_grows_and_kept_results_learn_of_it(alarming: Path, video: Path) -> None:
    calibration = Calibration.read(alarming)
    assert calibration is not None
    assert calibration.alarm is not None
    rule = replace(calibration.alarm.rule, shortest_s=0.15)  # frames are a tenth of a second apart
    detector = load_detector(alarming)
    detector._criteria = AlarmCriteria(rule)
    kept, at_once = [], []
    for result in detector.predict(video, stream=True):
        kept.append(result)
        at_once.append(result.event)

    known = [at for at, event in enumerate(at_once) if event is not None]
    first = kept[known[0]].event
    assert first is not None
    assert first.start_frame < known[0]  # it was told of once it had lasted
    assert kept[first.start_frame].event == first
    assert all(event is None or event.end_frame == at for at, event in enumerate(at_once))
    assert {event.id for event in at_once if event is not None} == {first.id}
    assert kept[-1].event is None


def test_a_threshold_that_is_given_takes_the_place_of_the_models(alarming: Path, trained: RunFolder) -> None:
    assert load_detector(alarming, threshold=7.0).threshold == 7.0
    with pytest.raises(ConfigError, match="a threshold of nan"):
        load_detector(alarming, threshold=float("nan"))


def test_a_model_without_a_threshold_gives_scores_and_is_warned_of_once(trained: RunFolder, video: Path) -> None:
    detector = load_detector(trained.path)
    with pytest.warns(UserWarning, match="no threshold, so no frame is in an event: set one with `maskedskipunet cal"):
        results = detector.predict(video)
    again = detector.predict(video)  # a second warning would be an error here

    assert [result.event for result in (*results, *again)] == [None] * 24
    assert (results[5].threshold, results[5].normal_share, detector.threshold) == (None, None, None)
    assert results[5].score is not None
    low = detector.predict(video, threshold=1e-6)
    assert sum(result.is_alarm for result in low) == 10


def test_a_heat_map_has_the_size_of_the_source_and_lies_where_the_network_erred(
    detector: Detector, tmp_path: Path, footage: Path
) -> None:
    large = [np.kron(frame, np.ones((3, 3, 1), np.uint8)) for frame in frames_of(footage / "test" / "01.mp4")]
    result = detector.predict(large)[5]

    heatmap, score_map = result.heatmap, result.score_map
    assert heatmap is not None
    assert score_map is not None
    assert (heatmap.shape, heatmap.dtype) == ((96, 144), np.float32)
    row, column = np.unravel_index(score_map.argmax(), score_map.shape)
    assert heatmap[3 * row + 1, 3 * column + 1] == pytest.approx(score_map.max(), rel=1e-5)
    assert detector.predict(large)[0].heatmap is None


def test_a_plot_leaves_the_frame_alone_and_is_written_as_the_ending_says(
    detector: Detector, video: Path, tmp_path: Path
) -> None:
    result = next(result for result in detector.predict(video) if result.is_alarm)
    assert result.image is not None
    before = result.image.copy()
    shown = result.plot()

    assert (shown.shape, shown.dtype) == (result.image.shape, np.uint8)
    assert (shown != result.image).any()
    np.testing.assert_array_equal(result.image, before)
    written = result.save(tmp_path / "new" / "alarm.png")
    np.testing.assert_array_equal(np.asarray(Picture.open(written)), shown)
    assert result.save(str(tmp_path / "alarm.JPG")).stat().st_size > 0
    with pytest.raises(ConfigError, match=r"alarm\.txt: no kind of picture.*\.png"):
        result.save(tmp_path / "alarm.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alarm.JPG", "new"]


def test_a_bad_frame_stops_or_leaves_a_result_without_image(detector: Detector, video: Path) -> None:
    frames: list[Image | None] = [*frames_of(video)]
    frames[5] = None

    with pytest.raises(FrameError, match="frames: frame 5 is None"):
        detector.predict(frames)
    results = detector.predict(frames, on_bad_frame="skip")
    assert [at for at, result in enumerate(results) if result.score is None] == [0, 4, 5, 6, 11]
    assert (results[5].image, results[5].heatmap) == (None, None)
    with pytest.raises(FrameError, match="frame 5 is bad, so there is nothing to show"):
        results[5].plot()


def test_a_stream_that_is_closed_closes_its_source_and_holds_few_frames(detector: Detector) -> None:
    made: list[weakref.ref[Image]] = []
    closed: list[str] = []

    def endless() -> Iterator[Image]:
        try:
            while True:
                frame = np.full((32, 48, 3), len(made) % 200, np.uint8)
                made.append(weakref.ref(frame))
                yield frame
        finally:
            closed.append("source")

    results = detector.predict(endless(), stream=True)
    most = 0
    for _ in range(60):
        next(results)
        most = max(most, sum(frame() is not None for frame in made))
    results.close()

    assert most < 40
    assert closed == ["source"]
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_with_batches_of_one_a_result_comes_as_soon_as_it_can(detector: Detector) -> None:
    given = 0

    def counted() -> Iterator[Image]:
        nonlocal given
        for _ in range(30):
            given += 1
            yield np.zeros((32, 48, 3), np.uint8)

    with_few = detector.predict(counted(), stream=True, batch_size=1)
    assert next(with_few).index == 0
    assert given <= 4  # two for the clip, one being read ahead, one waiting for its place
    with_few.close()


NO_SOURCES: list[tuple[Any, type[MaskedSkipUNetError], str]] = [
    ("nosuch.mp4", DataError, "nosuch.mp4: no such file or folder"),
    ([], ConfigError, "there is no source"),
    (None, ConfigError, "NoneType is no source"),
    (True, ConfigError, "bool is no source"),
    (2.5, ConfigError, "float is no source"),
    (np.zeros((32, 48, 3), np.uint8), ShapeError, "one after another"),
    ([np.zeros((32, 48, 3))], ShapeError, r"frame 0 is float64 of shape \(32, 48, 3\).*uint8"),
    ([np.zeros((32, 48, 1), np.uint8)], ShapeError, "frame 0 is uint8 of shape"),
    ([np.zeros((0, 48, 3), np.uint8)], ShapeError, "frame 0 has no pixel"),
    (iter(["a"]), ShapeError, "frame 0 is str"),
    ("ftp://host/a.mp4", ConfigError, "no such kind of stream"),
    ("rtsp://me:hunter2@127.0.0.1:1/x", ConfigError, "127.0.0.1_1_x: a live source never ends. Use stream=True"),
]


@pytest.mark.parametrize(("source", "kind", "fault"), NO_SOURCES)
def test_what_is_no_source_is_refused_in_one_line(
    detector: Detector, source: Any, kind: type[MaskedSkipUNetError], fault: str
) -> None:
    with pytest.raises(kind, match=fault) as refused:
        detector.predict(source)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"fps": 0}, "0 frames a second"),
        ({"on_bad_frame": "ignore"}, "'ignore'"),
        ({"batch_size": 0}, "0 frames together"),
        ({"threshold": float("inf")}, "a threshold of inf"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_read(
    detector: Detector, options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        detector.predict("nosuch.mp4", stream=True, **options)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such model"):
        load_detector(tmp_path / "none")


def test_a_camera_is_asked_for_by_its_number(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def frames(source: Any) -> Iterator[Any]:
        opened.append(str(source.address))
        return iter(())

    monkeypatch.setattr("maskedskipunet.data.live.streams.LiveSource.frames", frames)
    assert [*detector.predict(1, stream=True), *detector.predict("/dev/video2", stream=True)] == []
    assert opened == ["usb:1", "usb:2"]


@pytest.mark.parametrize("path", ["/video", "/snapshot.jpg"])
def test_a_camera_over_http_is_opened_as_watching_opens_it(https_camera: Any, detector: Detector, path: str) -> None:
    https_camera.login, https_camera.asks = "me:hunter2", ['Digest realm="cam", nonce="1", qop="auth"']
    https_camera.levels, https_camera.pause_s = [*range(0, 250, 2)], 0.05
    url = https_camera.url(path, "me:hunter2")
    with pytest.raises(ConfigError, match=r"a live source never ends\. Use stream=True"):
        detector.predict(url)

    results = detector.predict(url, stream=True)
    assert [next(results).score is None for _ in range(4)] == [True, False, False, False]
    assert https_camera.refused == 0


def test_the_documented_examples_run(
    alarming: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(alarming)
    shutil.copy(video, "friday.mp4")
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(examples) == 3

    exec("\n".join(examples), {"clip": torch.rand(1, 3, 3, 64, 64), "target": torch.rand(1, 3, 64, 64)})

    *alarms, scores = capsys.readouterr().out.splitlines()
    assert len(alarms) == len(list(Path("alarms").glob("*.jpg"))) > 0
    assert scores.startswith("[None, ")
    assert Path("my_model").is_dir()
    assert msu.load_detector is load_detector
