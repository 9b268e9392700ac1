"""A backend, a cue and a sink are each added with one class and one line, and work from end to end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from maskedskipunet.cli.main import main
from maskedskipunet.cues.answers import learn_answer
from maskedskipunet.cues.cue import Cue, CueScore
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learned_cue import LearnedCue, learned_cues
from maskedskipunet.cues.normal_footage import Halves
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.alarm_finder import AlarmCriteria, AlarmFinder
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import Event, EventRule, EventUpdate
from maskedskipunet.detection.reading import CUES, CueReading
from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.input_format import InputFormat
from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.config import SETTINGS
from maskedskipunet.notify.dispatcher import Dispatcher
from maskedskipunet.notify.settings import Settings, SinkContext
from maskedskipunet.notify.sink import Attachments
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.progress import Advance
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.store import Records
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.loading import BACKENDS, load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.training.config import TrainConfig

FORMAT = InputFormat(height_px=32, width_px=32)
STORED_RUN = Path(__file__).parent / "golden" / "run_0_1_0"
RULE = EventRule(threshold=0.5, release=0.4, shortest_s=0.2)


def footage() -> list[Frame]:
    """A dark room in which the light is on for half a second."""
    levels = [10] * 10 + [250] * 5 + [10] * 10
    return [Frame(index, index / 10, np.full((40, 50, 3), level, np.uint8)) for index, level in enumerate(levels)]


def events_of(scorer: Scorer, rule: EventRule = RULE) -> list[Event]:
    finder = AlarmFinder("room", AlarmCriteria(rule))
    updates: list[EventUpdate] = []
    for score in scorer.score(footage(), with_maps=True):
        updates += finder.add(score, height_px=40, width_px=50).updates
    updates += finder.finish()
    return [update.event for update in updates if update.phase == "end"]


# -- a backend --------------------------------------------------------------------------------------------------------


class DarkRoom:
    """A network that expects a dark room, whatever it is shown. It imports nothing of the package."""

    device, channels, clip_length, batch_size, precision = torch.device("cpu"), 3, 3, 4, "float32"

    def describe(self) -> Mapping[str, Any]:
        return {"variant": "dark room"}

    def encode(self, frames: Tensor) -> Sequence[Tensor]:
        return [frames.mean(dim=(1, 2, 3))]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        clips = sum(len(features[0]) - self.clip_length + 1 for features in runs)
        return torch.zeros(clips, self.channels, height_px, width_px)


def open_dark_room(path: Path, device: str, precision: Precision) -> tuple[Backend, InputFormat]:
    return DarkRoom(), FORMAT


def test_a_backend_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "dark room", open_dark_room)

    scorer = load_scorer(STORED_RUN, backend="dark room", calibrated=False)

    (event,) = events_of(scorer)
    assert (event.start_frame, event.end_frame) == (10, 14)
    assert event.top_score == pytest.approx(250 / 255, abs=1e-3)
    assert event.boxes == ((0, 0, 50, 40),)


def test_a_backend_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"there is no backend 'onxn'.*Use one of torch"):
        load_scorer(STORED_RUN, backend="onxn")


# -- a cue ------------------------------------------------------------------------------------------------------------


class Light:
    """Finds more light strange than there ever was in normal footage. It is its own run, for it remembers nothing."""

    name, late_frames, wants_images, judges_looks = "light", 0, False, False
    early_frames, history_s = 0, 0.0
    needed_frames, short_footage_fault = 1, "does not know the lamp"

    def __init__(self, usual: float) -> None:
        self.usual = usual

    @classmethod
    def count_looks(cls, halves: Halves) -> int:
        return sum(len(video.frames) for half in halves for video in half)

    @classmethod
    def learn(cls, halves: Halves, grid: PlaceGrid, aspect_ratio: float | None, advance: Advance) -> "Light":
        videos = [video for half in halves for video in half]
        for video in videos:
            advance(len(video.frames))
        return cls(max(float(video.pixels().mean(axis=(1, 2, 3)).max()) for video in videos))

    def arrays(self) -> dict[str, np.ndarray]:
        return {"light.usual": np.array([self.usual])}

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, np.ndarray]) -> "Light":
        return cls(float(arrays["light.usual"][0]))

    def fits_channels(self, channels: int) -> bool:
        return True

    def start_run(self) -> "Light":
        return self

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        return [self._judge(sized) for sized in frames]

    def finish(self) -> list[CueScore]:
        return []

    def _judge(self, sized: SizedFrame) -> CueScore:
        if sized.pixels is None:
            return CueScore(None)
        surprise = max(0.0, float(sized.pixels.mean()) - self.usual) / 50
        return CueScore(surprise, reading=CueReading(surprise, (0.0, 0.0, 0.5, 0.5), finding="the light is on"))


LINE = f"{__name__}:Light"  # of the table
LIGHT_RULE = EventRule(threshold=3.0, release=2.0, shortest_s=0.2)


def write_footage(path: Path, frames: list[Frame]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=40, width_px=48, frame_rate=10) as writer:
        for frame in frames:
            assert frame.image is not None
            writer.write(np.ascontiguousarray(frame.image[:, :48]))
    return path


def train(home: Path, cues: str) -> Path:
    write_footage(home / "footage" / "normal" / "a.mp4", footage()[:10])
    size = ["--data.height_px=32", "--data.width_px=32", "--model.latent_dim=8", "--training.epochs=1"]
    named = ["--data", str(home / "footage"), "--data.cache", str(home / "cache"), "--runs", str(home), "--name", cues]
    assert main(["train", *named, *size, "--cues", cues]) == 0
    return home / cues


def test_a_cue_is_a_class_and_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CUES, "light", LINE)

    run = train(tmp_path, "light")
    assert "the light cue does not know the lamp" in capsys.readouterr().err
    alarm = AlarmSetting(LIGHT_RULE, Budget(1, "hour"), 0.0, 1.0, 0, 0.0, 3.0, 1.0, 10.0, extrapolated=False)
    Calibration(("a",), 10, (0.0, 1.0), (1.0, 0.1), alarm).write(run / "model")
    video = write_footage(tmp_path / "b.mp4", footage())
    assert main(["score", str(video), "--model", str(run), "--out", str(tmp_path / "out")]) == 0

    (event,) = json.loads((tmp_path / "out" / "events.json").read_text())["events"]
    assert (event["start_frame"], event["end_frame"]) == (10, 14)
    assert event["reason"]["cue"] == "light"
    assert event["reason"]["sentence"].startswith("the light is on; about one in ")
    assert "the light is on; about one in " in capsys.readouterr().out
    scores = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert scores.column("light").to_pylist() == pytest.approx(scores.column("score").to_pylist())


def test_a_cue_joins_the_others_of_a_model_with_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(CUES, "light", LINE)

    run = train(tmp_path, "reconstruction,appearance,light")

    model = CueModel.read(run / "model")
    assert model is not None
    assert model.names == ("reconstruction", "appearance", "light")
    assert model.learned["light"].usual == pytest.approx(10, abs=2)
    (event,) = events_of(load_scorer(run, "cpu", calibrated=False), LIGHT_RULE)
    assert event.reason is not None
    assert set(event.reason.shares) == {"reconstruction", "appearance", "light"}
    learned = learn_answer(model, "5f1c", load_scorer(run, "cpu", calibrated=False).sized_frames(footage()))
    assert learned.appearance is not model.appearance
    assert learned.learned["light"] is model.learned["light"]  # which cannot learn from answers


def test_a_cue_that_has_no_line_is_refused_with_those_that_have() -> None:
    with pytest.raises(ConfigError, match=r"there is no cue 'light'.*Use one or more of reconstruction, movement, app"):
        TrainConfig(cues=("light",))


def test_a_model_with_a_cue_that_has_no_line_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    CueModel(PlaceGrid.of_size(32, 32), None, {"light": Light(5.0)}).write(tmp_path)

    with pytest.raises(WeightsError, match=r"cues that this version does not know: \['light'\]"):
        CueModel.read(tmp_path)
    monkeypatch.setitem(CUES, "light", LINE)
    assert CueModel.read(tmp_path) is not None


def test_two_cues_cannot_store_arrays_of_one_name(tmp_path: Path) -> None:
    cues = {"light": Light(5.0), "lamp": Light(6.0)}

    with pytest.raises(AssertionError, match="names of another cue"):
        CueModel(PlaceGrid.of_size(32, 32), None, cues).write(tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", [name for name, line in CUES.items() if line is not None])
def test_each_line_of_the_table_names_a_cue(name: str) -> None:
    cue = learned_cues()[name]

    assert cue.name == name
    wanted = {member for base in (LearnedCue, Cue) for member in vars(base) if not member.startswith("_")}
    assert [member for member in wanted if not hasattr(cue, member)] == []


def test_a_cue_stands_beside_the_network_and_leaves_its_score() -> None:
    scores = [*Scorer(DarkRoom(), FORMAT, cues=[Light(0.0)]).score(footage())]

    assert [score.score for score in scores] == [score.score for score in Scorer(DarkRoom(), FORMAT).score(footage())]
    assert [score.cues["light"] for score in scores[9:11]] == pytest.approx([10 / 50, 250 / 50])


# -- a sink -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LogbookSettings(Settings):
    """path: the file that gets a line for each message."""

    path: Path

    def build(self, context: SinkContext) -> "Logbook":
        return Logbook(self.path, ", ".join(context.cameras))


class Logbook:
    """Writes who did what."""

    def __init__(self, path: Path, cameras: str) -> None:
        self._path = path
        self._write(f"watches {cameras}")

    def send(self, delivery: Delivery, files: Attachments) -> None:
        self._write(f"{delivery.message['camera']} {delivery.phase}")

    def close(self) -> None:
        self._write("closed")

    def _write(self, line: str) -> None:
        with self._path.open("a") as file:
            file.write(line + "\n")


def test_a_sink_is_a_class_with_its_settings_and_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(SETTINGS, "logbook", LogbookSettings)
    book = tmp_path / "book.txt"
    sinks = read_sinks({"hut": {"type": "logbook", "path": str(book), "phases": ["new", "end"]}})

    with Records.open(tmp_path / "records", watching=True) as records:
        subscribed_sinks = build_sinks(sinks, records, ["door", "yard"])
        event = Event("a", "room", 1.0, 2.5, 1.5, 5, 12, 7, 0.4, 0.3, ())
        for phase in ("new", "end"):
            update = EventUpdate(phase, event)
            records.record(
                update, camera="door", began_unix_s=1e9, subscriptions=[subscribed_sinks["hut"].subscription]
            )
        with Dispatcher(records, subscribed_sinks):
            pass  # closing delivers what waits

    assert book.read_text().splitlines() == ["watches door, yard", "door new", "door end", "closed"]


def test_what_a_new_kind_of_sink_needs_is_asked_for_like_that_of_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "logbook", LogbookSettings)

    with pytest.raises(ConfigError, match="hut: path is missing"):
        read_sinks({"hut": {"type": "logbook"}})
    with pytest.raises(ConfigError, match=r"type must be one of .*, logbook"):
        read_sinks({"hut": {"type": "logbok"}})
