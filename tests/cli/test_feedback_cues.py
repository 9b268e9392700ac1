"""A false alarm that is answered as normal teaches a model's cues at once: from the alarm to the undoing."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.cli.console import clock
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule, EventUpdate
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.detector import load_detector

HEIGHT, WIDTH, RATE = 64, 96, 10
TURN = 140  # frames after which all that is strange comes again
LONG_TURN, FAR_APART = 240, {"box": range(30, 55), "stripes": range(130, 155)}  # no clip of one shows the other
STRANGE = {"box": range(30, 55), "stripes": range(95, 120)}  # frames of a turn in which each stands there
BEGAN_UNIX_S = 1_772_355_600.0
PATIENCE_S = 60.0
OPTIONS = ["--data.height_px", HEIGHT, "--data.width_px", WIDTH]


def write_room(path, frames, *, seed, strange=(), when=STRANGE, turn=TURN):
    """A noisy room through which something grey goes again and again; sometimes something strange is there besides."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    room = np.random.default_rng(1).integers(90, 130, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, height_px=HEIGHT, width_px=WIDTH, frame_rate=RATE) as writer:
        for number in range(frames):
            frame = room + random.normal(0, 3, room.shape)
            left = 2 * (number + 7 * seed) % WIDTH
            frame[34:46, left : left + 12] = 60
            if "box" in strange and number % turn in when["box"]:
                frame[:16, 20 + number % 10 : 40 + number % 10] = 240
            if "stripes" in strange and number % turn in when["stripes"]:
                frame[48:62:2, 60:84] = 10
            writer.write(frame.clip(0, 255).astype(np.uint8)[..., None].repeat(3, 2))
    return path


def succeed(call, *command):
    answer = call(*command)
    assert answer.code == 0, answer.err
    return answer


def set_threshold(call, run, normal, out):
    """Far above the highest score of normal footage, and far below what is strange."""
    import pyarrow.parquet as pq

    succeed(call, "score", normal, "--model", run, "--out", out)
    scores = np.array(pq.read_table(out / "scores.parquet")["score"].to_pylist(), float)
    usual = float(np.nanmedian(scores))
    rule = EventRule(threshold=1, release=1, shortest_s=0.5, merge_s=0.5, pause_s=1.0).with_threshold(
        2.5 * np.nanmax(scores), usual
    )
    setting = AlarmSetting(rule, Budget(1, "hour"), usual, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    replace(Calibration.of({"usual": scores}), alarm=setting).write(run / "model")


def watch_room(tmp_path_factory, call, cues):
    """A folder with a model of these cues that watched room.mp4."""
    home = tmp_path_factory.mktemp("watched")
    for number in range(4):
        write_room(home / "data" / "normal" / f"{number}.mp4", 150, seed=number)
    write_room(home / "unseen.mp4", 100, seed=5)
    write_room(home / "room.mp4", TURN, seed=9, strange=STRANGE)
    run, cache = home / "runs" / "room", tmp_path_factory.mktemp("frames")
    train = ["train", "--data", home / "data", "--data.cache", cache, "--runs", home / "runs", "--name", "room"]
    succeed(call, *train, *OPTIONS, "--cues", cues)
    set_threshold(call, run, home / "unseen.mp4", tmp_path_factory.mktemp("usual") / "scored")
    how = ["--model", run, "--speed", 8, "--max-delay-s", 300, "--records", home / "records"]
    succeed(call, "watch", home / "room.mp4", *how)
    return home


@pytest.fixture(scope="module")
def watched(tmp_path_factory, call):
    """A folder with a model of cues alone that watched room.mp4: two alarms, of the box and the stripes."""
    return watch_room(tmp_path_factory, call, "movement,appearance")


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory, call):
    """The same by a model of the appearance cue alone, so that every alarm is by its looks."""
    return watch_room(tmp_path_factory, call, "appearance")


@pytest.fixture
def home(watched, place):
    """The first of them, to be changed: we stand in it."""
    return shutil.copytree(watched, place, symlinks=True, dirs_exist_ok=True)


@pytest.fixture
def gallery(looked_at, place):
    """The second of them, to be changed: we stand in it."""
    return shutil.copytree(looked_at, place, symlinks=True, dirs_exist_ok=True)


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
    return [kind_of(one["peak_frame"]) for one in found]


def kind_of(frame, when=STRANGE, turn=TURN):
    return next((kind for kind, frames in when.items() if frame % turn in frames), "nothing")


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
    assert "to undo this: maskedskipunet feedback runs/room --undo\n" in answer.out
    assert events(home) == {box: "normal", stripes: "anomaly"}
    assert alarms(cli, home) == ["stripes"]

    undone = cli("feedback", "runs/room", "--undo")
    assert undone.code == 0, undone.err
    assert "cues.safetensors: is as it was before" in undone.out
    assert model_files(home) == before
    assert events(home) == {box: None, stripes: "anomaly"}
    assert alarms(cli, home) == ["box", "stripes"]
    assert "no answers changed this model" in cli("feedback", "runs/room", "--undo").refusal()


def test_what_would_hide_an_answered_anomaly_is_refused_and_changes_nothing(cli, home):
    box, _ = events(home)
    clip = next(home.glob(f"records/events/*/{box}.mp4"))
    with Records.open(home / "records") as records:  # the same thing once more, answered the other way
        (recorded,) = [one for one in records.events() if one.event.id == box]
        records.record(EventUpdate("end", replace(recorded.event, id="twin")), camera="room", began_unix_s=BEGAN_UNIX_S)
        shutil.copy(clip, records.clip_path("twin", BEGAN_UNIX_S))
        records.answer("twin", "anomaly")
    before = model_files(home)

    refused = cli("feedback", "runs/room", box, "--normal")

    assert (refused.code, refused.out) == (2, "")
    assert "error: twin: learned as normal, this would hide what was answered as an anomaly. " in refused.err
    assert (model_files(home), events(home)[box]) == (before, None)
    forced = cli("feedback", "runs/room", box, "--normal", "--force")
    assert "twin was an anomaly and no longer alarms" in forced.out


def test_a_command_that_is_killed_between_its_files_leaves_a_model_that_works_and_the_next_begins_anew(cli, home):
    box, _ = events(home)
    before = model_files(home)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys\n"
            "from maskedskipunet.cli.main import main\n"
            "from maskedskipunet.workflows.answered_clips import AnsweredClips\n"
            "AnsweredClips.add = lambda *arguments: os._exit(9)\n"
            "main(sys.argv[1:])",
            *["feedback", "runs/room", box, "--normal"],
        ],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == 9
    half_done = model_files(home)
    assert half_done != before
    assert CueModel.read(home / "runs" / "room" / "model") is not None

    answer = cli("feedback", "runs/room", box, "--normal")
    assert answer.code == 0, answer.err
    assert "undoing an unfinished answer first" in answer.err
    assert len(json.loads((home / "runs" / "room" / "feedback" / "steps.json").read_text())["steps"]) == 1
    assert cli("feedback", "runs/room", "--undo").code == 0
    assert (model_files(home), events(home)[box]) == (before, None)


def test_a_watch_that_is_running_goes_by_what_the_cues_learned(cli, home):
    video = write_room(home / "long.mp4", 12 * TURN, seed=11, strange=STRANGE)
    command = [sys.executable, "-m", "maskedskipunet", "watch", str(video), "--model", "runs/room", "--speed", "2"]
    process = subprocess.Popen(
        [*command, "--max-delay-s", "300", "--scores", "--records", "watched"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def hear(is_wanted):
        heard = []
        while not heard or not is_wanted(heard[-1]):
            heard.append(json.loads(process.stdout.readline()))
        return heard

    try:
        over = hear(lambda news: (news["kind"], news.get("phase")) == ("alarm", "end"))[-1]
        assert kind_of(over["peak_frame"]) == "box"
        until_s = time.monotonic() + PATIENCE_S
        while (answer := cli("feedback", "runs/room", over["id"], "--normal", "--records", "watched")).code:
            assert time.monotonic() < until_s, answer.err  # its clip is still being cut
            time.sleep(0.5)
        change = hear(lambda news: news["kind"] == "modelchange")
        assert (change[-1]["heeded"], "learned more of what is normal" in change[-1]["told"]) == (True, True)
        first = max(news["index"] for news in change if news["kind"] == "scored") + TURN // 2
        later = hear(lambda news: news["kind"] == "scored" and news["index"] > first + 2 * TURN)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    ended = [news for news in later if (news["kind"], news.get("phase")) == ("alarm", "end")]
    assert {kind_of(news["peak_frame"]) for news in ended if news["start_frame"] > first} == {"stripes"}


def picture(path):
    with Picture.open(path) as image:
        return np.asarray(image.convert("RGB"), float)


def red(image):
    """Where boxes are drawn."""
    return (image[..., 0] > 180) & (image[..., 1] < 150)


def test_an_alarm_by_its_looks_comes_with_the_picture_of_the_nearest_normal_moment(cli, gallery):
    answer = cli("score", "room.mp4", "--model", "runs/room", "--out", "found", "--json", "f.json")
    assert answer.code == 0, answer.err
    found = json.loads((gallery / "found" / "events.json").read_text())["events"]
    looked = [one for one in found if one["reason"]["cue"] == "appearance"]
    assert looked
    for one in looked:
        at_peak, usual = (picture(gallery / "found" / one[key]) for key in ("picture", "normal_picture"))
        assert one["normal_picture"] == one["picture"].replace(".jpg", ".normal.jpg")
        assert at_peak.shape == usual.shape
        assert red(usual).any()
        assert (red(at_peak) & red(usual)).sum() > 0.5 * red(usual).sum()
    assert (gallery / "found" / "events.csv").read_text().splitlines()[0].endswith(",picture,normal_picture")
    shown = json.loads((gallery / "f.json").read_text())["event_list"]
    assert [one.get("normal_picture") for one in shown] == [
        one.get("normal_picture") and f"found/{one['normal_picture']}" for one in found
    ]

    with Records.open(gallery / "records", create=False) as records:
        for recorded in records.events():
            files = records.folder.files(recorded.event.id, recorded.began_unix_s)
            is_looked = recorded.event.reason.cue == "appearance"
            assert recorded.has_normal_picture == files.normal_picture.is_file() == is_looked
            assert json.loads(files.description.read_text())["has_normal_picture"] == is_looked
            if is_looked:
                assert picture(files.picture).shape == picture(files.normal_picture).shape == (HEIGHT, WIDTH, 3)
    assert cli("records", "check", "records").code == 0


def test_where_the_footage_has_moved_there_is_no_picture_and_one_line_that_says_so(cli, gallery):
    config = gallery / "runs" / "room" / "config.yaml"
    gone = config.read_text().replace("path: ", "path: gone/")
    config.write_text(gone)

    answer = cli("score", "room.mp4", "--model", "runs/room", "--out", "found")

    assert answer.code == 0, answer.err
    assert answer.err.count("nearest normal moments are not shown: the footage") == 1
    found = json.loads((gallery / "found" / "events.json").read_text())["events"]
    assert all(one["picture"] and "normal_picture" not in one for one in found)
    assert not [*gallery.glob("found/events/*.normal.jpg")]


@pytest.fixture
def twice(cli, home):
    """The same, but what was watched shows all that is strange twice."""
    write_room(home / "twice.mp4", 2 * LONG_TURN, seed=11, strange=STRANGE, when=FAR_APART, turn=LONG_TURN)
    shutil.rmtree(home / "records")
    how = ["--model", "runs/room", "--speed", 8, "--max-delay-s", 300, "--records", "records"]
    answer = cli("watch", "twice.mp4", *how)
    assert answer.code == 0, answer.err
    return answer


def test_alarms_that_look_alike_are_told_as_one_kind_and_settled_by_one_answer(cli, home, twice):
    with Records.open(home / "records", create=False) as records:
        recorded = records.events()
        messages = [json.loads(one.read_text())["event"] for one in sorted(home.glob("records/events/*/*.json"))]
    alike = {
        kind: [one for one in recorded if kind_of(one.event.peak_frame, FAR_APART, LONG_TURN) == kind]
        for kind in STRANGE
    }
    assert [len(found) for found in alike.values()] == [2, 2]
    for found in alike.values():
        assert {one.event.kind_id for one in found} == {found[0].event.id}
    assert all(message["kind_id"] in {one.event.id for one in recorded} for message in messages)
    assert "; 2 alarms of one kind, first at 0:00:0" in twice.err

    scored = cli("score", "twice.mp4", "--model", "runs/room", "--out", "found")
    assert scored.out.count("2 alarms of one kind, first at 0:00:") == 2
    told = json.loads((home / "found" / "events.json").read_text())["events"]
    assert [one["kind_id"] for one in told] == [told[0]["id"], told[1]["id"]] * 2

    listed = cli("records", "kinds", "records", "--json", "kinds.json")
    assert listed.code == 0, listed.err
    figures = json.loads((home / "kinds.json").read_text())["kinds"]
    assert [(len(kind["events"]), kind["unanswered"]) for kind in figures] == [(2, 2)] * 2
    assert "4 events of 2 kinds" in listed.out

    box = alike["box"]
    one = cli("feedback", "runs/room", box[0].event.id, "--normal", "--dry-run")
    assert "1 other alarm of the same kind has no answer: --all-of-kind gives the same answer to all" in one.out
    records_clip = next(home.glob(f"records/events/*/{box[1].event.id}.mp4"))
    records_clip.unlink()  # as where there was no room
    before = model_files(home)
    assert cli("feedback", "runs/room", alike["stripes"][0].event.id, "--anomaly").code == 0
    settled = cli("feedback", "runs/room", box[0].event.id[:8], "--normal", "--all-of-kind")
    assert settled.code == 0, settled.err
    assert "1 alarm of the same kind answered too, without a clip to learn from" in settled.out
    answers = events(home)
    assert [answers[one.event.id] for one in box] == ["normal"] * 2
    assert [answers[one.event.id] for one in alike["stripes"]] == ["anomaly", None]
    again = cli("score", "twice.mp4", "--model", "runs/room", "--out", "after")
    assert again.code == 0, again.err
    left = json.loads((home / "after" / "events.json").read_text())["events"]
    assert {kind_of(one["peak_frame"], FAR_APART, LONG_TURN) for one in left} == {"stripes"}

    assert cli("feedback", "runs/room", "--undo").code == 0
    assert model_files(home) == before
    assert [events(home)[one.event.id] for one in box] == [None] * 2

    kept = cli("feedback", "runs/room", box[0].event.id, "--anomaly", "--all-of-kind")
    assert kept.code == 0, kept.err
    assert [events(home)[one.event.id] for one in box] == ["anomaly"] * 2


def test_alarms_of_one_kind_are_told_over_several_videos_and_by_predict(cli, home):
    shutil.copy(home / "room.mp4", home / "again.mp4")

    answer = cli("score", "room.mp4", "again.mp4", "--model", "runs/room", "--out", "both", "--json", "both.json")

    assert answer.code == 0, answer.err
    names = ("again", "room")
    first, second = (json.loads((home / "both" / name / "events.json").read_text())["events"] for name in names)
    kinds = json.loads((home / "both.json").read_text())["kinds"]
    if kinds[0]["first_video"] == "room":
        first, second = second, first
    assert [one["kind_id"] for one in first] == [one["id"] for one in first] == [one["kind_id"] for one in second]
    assert [(kind["kind_id"], kind["events"], kind["videos"]) for kind in kinds] == [(one["id"], 2, 2) for one in first]
    for one in first:
        when = f"{clock(one['start_s'])} of {kinds[0]['first_video']}"
        assert f"\n2 alarms of one kind, first at {when}: {one['reason']['sentence']}\n" in answer.out

    results = load_detector(home / "runs" / "room").predict([home / "room.mp4", home / "again.mp4"])
    found = {result.event.id: result.event for result in results if result.event is not None}
    ids = [*found]
    assert [event.kind_id for event in found.values()] == ids[:2] * 2
    assert len(ids) == 4


def test_a_later_watch_goes_on_counting_the_kinds_of_the_records(cli, home, twice):
    how = ["--model", "runs/room", "--speed", 8, "--max-delay-s", 300, "--records", "records"]
    again = cli("watch", "twice.mp4", *how)
    assert again.code == 0, again.err
    assert "4 alarms of one kind, first at " in again.err
