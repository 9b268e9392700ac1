"""A backend, a cue and a sink are each added with one class and one line, and work from end to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.fusion import Fusion
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.alarm_finder import AlarmCriteria, AlarmFinder
from maskedskipunet.detection.events import Event, EventRule, EventUpdate
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.errors import ConfigError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.input_format import InputFormat
from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.config import SETTINGS
from maskedskipunet.notify.dispatcher import Dispatcher
from maskedskipunet.notify.settings import Settings, SinkContext
from maskedskipunet.notify.sink import Attachments
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.store import Records
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.loading import BACKENDS, load_scorer
from maskedskipunet.scoring.scorer import Scorer

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
    """Finds light strange. It is its own run, for it remembers nothing."""

    name, late_frames, wants_images = "light", 0, False

    def start_run(self) -> "Light":
        return self

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        return [self._judge(sized) for sized in frames]

    def finish(self) -> list[CueScore]:
        return []

    def _judge(self, sized: SizedFrame) -> CueScore:
        if sized.pixels is None:
            return CueScore(None)
        surprise = float(sized.pixels.mean()) / 50
        return CueScore(surprise, reading=CueReading(surprise, (0.0, 0.0, 0.5, 0.5)))


def test_a_cue_is_a_class_and_an_entry_of_the_scorer() -> None:
    scorer = Scorer(None, FORMAT, cues=[Light()], fuse=Fusion(PlaceGrid.of_size(32, 32), None))

    (event,) = events_of(scorer, EventRule(threshold=3.0, release=2.0, shortest_s=0.2))

    assert (event.start_frame, event.end_frame) == (10, 14)
    assert event.top_score == pytest.approx(5.0)
    assert event.boxes == ((0, 0, 25, 20),)
    assert event.reason is not None
    assert (event.reason.cue, event.reason.shares) == ("light", {"light": 1.0})


def test_a_cue_stands_beside_the_network_and_leaves_its_score() -> None:
    scores = [*Scorer(DarkRoom(), FORMAT, cues=[Light()]).score(footage())]

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
