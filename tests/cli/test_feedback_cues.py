"""A false alarm that is answered as normal teaches a model's cues at once: from the alarm to the undoing, by commands."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.video import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.records.store import Records

HEIGHT, WIDTH, RATE = 64, 96, 10
STRANGE = {"box": range(30, 55), "stripes": range(95, 120)}  # frames of room.mp4 in which each stands there
OPTIONS = ["--data.height_px", HEIGHT, "--data.width_px", WIDTH, "--cues", "movement,appearance"]


def write_room(path, frames, *, seed, strange=()):
    """A noisy room through which something grey goes again and again; sometimes something strange is there besides."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    room = np.random.default_rng(1).integers(90, 130, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, height_px=HEIGHT, width_px=WIDTH, frame_rate=RATE) as writer:
        for number in range(frames):
            frame = room + random.normal(0, 3, room.shape)
            left = 2 * (number + 7 * seed) % WIDTH
            frame[30:46, left : left + 12] = 60
            if "box" in strange and number in STRANGE["box"]:
                frame[4:24, 20 + number % 10 : 40 + number % 10] = 240
            if "stripes" in strange and number in STRANGE["stripes"]:
                frame[48:62:2, 60:84] = 10
            writer.write(frame.clip(0, 255).astype(np.uint8)[..., None].repeat(3, 2))
    return path


def succeed(call, *command):
    answer = call(*command)
    assert answer.code == 0, answer.err
    return answer


def set_threshold(call, run, normal, out):
    """A tenth above the highest score of normal footage."""
    import pyarrow.parquet as pq

    succeed(call, "score", normal, "--model", run, "--out", out)
    scores = np.array(pq.read_table(out / "scores.parquet")["score"].to_pylist(), float)
    usual = float(np.nanmedian(scores))
    rule = EventRule(threshold=1, release=1, shortest_s=0.5, merge_s=0.5, pause_s=1.0).at(1.1 * np.nanmax(scores), usual)
    setting = AlarmSetting(rule, Budget(1, "hour"), usual, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    replace(Calibration.of({"usual": scores}), alarm=setting).write(run / "model")


@pytest.fixture(scope="module")
def watched(tmp_path_factory, call):
    """A folder with a model of cues alone that watched room.mp4: two alarms, of the box and the stripes."""
    home = tmp_path_factory.mktemp("watched")
    for number in range(4):
        write_room(home / "data" / "normal" / f"{number}.mp4", 150, seed=number)
    write_room(home / "unseen.mp4", 100, seed=5)
    write_room(home / "room.mp4", 140, seed=9, strange=STRANGE)
    run, cache = home / "runs" / "room", tmp_path_factory.mktemp("frames")
    train = ["train", "--data", home / "data", "--data.cache", cache, "--runs", home / "runs", "--name", "room"]
    succeed(call, *train, *OPTIONS)
    set_threshold(call, run, home / "unseen.mp4", tmp_path_factory.mktemp("usual") / "scored")
    how = ["--model", run, "--speed", 8, "--max-delay-s", 300, "--records", home / "records"]
    succeed(call, "watch", home / "room.mp4", *how)
    return home


@pytest.fixture
def home(watched, place):
    """The same, to be changed: we stand in it."""
    return shutil.copytree(watched, place, symlinks=True, dirs_exist_ok=True)


def events(home):
    """Ids of the events in the order of their begin, and how each was answered."""
    with Records.open(home / "records", create=False) as records:
        return {recorded.event.id: recorded.answer for recorded in records.events()}


def alarms(cli, home):
    """What `score` finds in room.mp4: the frames of each alarm."""
    name = f"scored{len([*home.glob('scored*')])}"
    answer = cli("score", "room.mp4", "--model", "runs/room", "--out", name)
    assert answer.code == 0, answer.err
    found = json.loads((home / name / "events.json").read_text())["events"]
    return [kind for one in found for kind, frames in STRANGE.items() if one["peak_frame"] in frames]


def model_files(home):
    """Every file of the run that says how it judges, and the clips that it keeps."""
    folders = [home / "runs" / "room" / part for part in ("model", "feedback")]
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_a_false_alarm_is_learned_at_once_another_anomaly_stays_and_all_is_undone(cli, home):
    box, stripes = events(home)
    assert alarms(cli, home) == ["box", "stripes"]
    assert cli("feedback", "runs/room", stripes, "--anomaly").code == 0
    before = model_files(home)

    tried = cli("feedback", "runs/room", box, "--normal", "--dry-run")
    assert (tried.code, model_files(home) == before, events(home)[box]) == (0, True, None)
    assert "the cues would learn what these events look like" in tried.out

    answer = cli("feedback", "runs/room", box, "--normal", "--json", "f.json")
    assert answer.code == 0, answer.err
    figures = json.loads((home / "f.json").read_text())
    assert (figures["by"], figures["lost"]) == ("cues", [])
    effects = {one["id"]: (one["alarms_before"], one["alarms_after"]) for one in figures["events"]}
    assert effects == {box: (True, False), stripes: (True, True)}
    assert "the earlier cues: runs/room/model/cues.1.safetensors" in answer.out
    assert "to take it back: maskedskipunet feedback runs/room --undo\n" in answer.out
    assert events(home) == {box: "normal", stripes: "anomaly"}
    assert alarms(cli, home) == ["stripes"]

    undone = cli("feedback", "runs/room", "--undo")
    assert undone.code == 0, undone.err
    assert "cues.safetensors: is as it was before" in undone.out
    assert model_files(home) == before
    assert events(home) == {box: None, stripes: "anomaly"}
    assert alarms(cli, home) == ["box", "stripes"]
    assert "no answers changed this model" in cli("feedback", "runs/room", "--undo").refusal()
