"""The whole way, live: a camera's stream, its scores, events, records and a receiver, while each of them fails."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskedskipunet as msu
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.model.config import InputFormat
from maskedskipunet.monitor.camera import ReconnectPolicy
from maskedskipunet.monitor.clips import ClipConfig
from maskedskipunet.monitor.monitor_events import Alarm, CameraState, Gap, MonitorEvent, ScoredFrame
from maskedskipunet.monitor.recorder import RecordingConfig
from maskedskipunet.monitor.watching import WatchConfig
from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.dispatcher import Dispatcher
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.records import outbox
from maskedskipunet.records.checking import check
from maskedskipunet.records.store import Records
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.workflows.watch import Recording, WatchOptions, watch_cameras

from ..notify.receivers import Receiver

WHOLE_S = 240.0  # until a test is in vain


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, how: InputFormat, footage: Path) -> Path:
    """A model whose threshold a third of the footage's frames reach, here and there."""
    import torch

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    bare = msu.create_model("masked_skips", latent_dim=8).eval()
    bare.input_format = how
    bare.save_pretrained(folder)
    scorer = load_scorer(folder, "cpu")
    found = [one.score for one in scorer.score(read_video(footage))]
    scores = np.array([np.nan if score is None else score for score in found])
    usual, high = map(float, np.nanquantile(scores, [0.5, 0.67]))
    rule = EventRule(threshold=high, release=high, shortest_s=0.1, merge_s=0.15, pause_s=0.0, update_s=0.5)
    setting = AlarmSetting(rule, Budget(1, "hour"), usual, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    replace(Calibration.of({"room": scores}), alarm=setting).write(folder)
    return folder


def test_no_event_is_lost_and_none_handled_twice_while_camera_and_receiver_come_and_go(
    rtsp: Callable[..., Any], footage: Path, model: Path, tmp_path: Path
) -> None:
    server, receiver, folder = rtsp(footage, speed=2, login="me:hunter2"), Receiver(), tmp_path / "records"
    server.cut_at = 30
    receiver.steps = [(503, {}), (200, {}), (503, {})]
    heard: list[MonitorEvent] = []
    until_s = time.monotonic() + WHOLE_S
    sinks = read_sinks({"hook": {"type": "webhook", "url": receiver.url, "update_every_s": 0}})
    config = RecordingConfig(clips=ClipConfig(before_s=0.5, after_s=0.5), keep_free_bytes=0)

    with ExitStack() as receiving:

        def hear(event: MonitorEvent) -> None:
            heard.append(event)
            if isinstance(event, CameraState) and event.condition == "lost":
                server.cut_at = None
            if isinstance(event, Gap):  # only now it takes anything
                receiving.enter_context(receiver.up())

        def should_continue() -> bool:
            assert time.monotonic() < until_s, heard[-5:]
            after = len(heard) - next((at for at, one in enumerate(heard) if isinstance(one, Gap)), len(heard))
            return after < 45 or not receiver.handled

        watch_cameras(
            {"door": CameraAddress.parse(server.url)},
            model,
            [hear],
            WatchOptions(
                reconnect_policy=ReconnectPolicy(first_s=120, stall_s=30, again_s=0.1, longest_s=0.2),
                config=WatchConfig(max_delay_s=300),
                recording=Recording(folder, config, sinks),
            ),
            should_continue=should_continue,
        )
        told = {(one.update.event.id, one.update.phase) for one in heard if isinstance(one, Alarm)}
        assert len({event_id for event_id, _ in told}) > 3
        assert {phase for _, phase in told} >= {"new", "end"}
        assert sum(isinstance(one, ScoredFrame) for one in heard) > 50

        with Records.open(folder, watching=True) as records:
            subscribed_sinks = build_sinks(sinks, records, ["door"])
            with Dispatcher(records, subscribed_sinks):
                while _waiting(records):
                    assert time.monotonic() < until_s
                    time.sleep(0.02)
            recorded = {event.event.id: event for event in records.events()}

    assert told == {(event_id, phase) for event_id, _ in told for phase in _phases(told, event_id)}
    handled = {(message["id"], message["phase"]) for message in receiver.handled.values()}
    assert {one for one in told if one[1] != "update"} <= handled <= told  # updates may give way to what comes next
    bodies: dict[str, set[str]] = {}
    for headers, body in receiver.requests:
        bodies.setdefault(headers["Idempotency-Key"], set()).add(json.dumps(json.loads(body), sort_keys=True))
    assert all(len(same) == 1 for same in bodies.values())
    assert set(recorded) == {event_id for event_id, _ in told}
    assert all(event.phase == "end" and event.has_clip and event.has_picture for event in recorded.values())
    assert check(folder).is_clean
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hunter2" not in everything


def _phases(told: set[tuple[str, str]], event_id: str) -> set[str]:
    """An event that begins ends."""
    return {"new", "end"} | {phase for other, phase in told if other == event_id}


def _waiting(records: Records) -> int:
    with records.read() as session:
        return outbox.counts(session)["hook"].waiting
