import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.cues.appearance_judging import Judge
from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.learning import with_reconstruction
from maskedskipunet.cues.tails import Tails
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import Event, EventRule, EventUpdate
from maskedskipunet.progress import Silent
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.answered_clips import ClipScorer

BEGAN_UNIX_S = 1_772_355_600.0
WITH_CLIP = ("abc-weak", "abd-middle", "e-strong")  # in the order of their clips' scores
NO_CLIP = "f-none"


def write_clip(path, level):
    random = np.random.default_rng(level)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for _ in range(14):
            writer.write((level + random.integers(0, 20, (32, 48, 3))).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def without_cues(run, tmp_path_factory):
    """A run of the network alone."""
    home = shutil.copytree(run, tmp_path_factory.mktemp("without_cues") / "runs" / "small")
    (home / "model" / CUES_NAME).unlink()
    return home


@pytest.fixture(scope="module")
def clips(without_cues, tmp_path_factory):
    """Three clips and their highest scores, the lowest first."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [write_clip(folder / f"{level}.mp4", level) for level in (0, 90, 230)]
    scored = ClipScorer(without_cues, "cpu", Silent()).score(paths)
    return sorted((float(np.nanmax(scored[path.stem].scores)), path) for path in paths)


@pytest.fixture(scope="module")
def recorded(clips, tmp_path_factory):
    """Four events, each but the last with a clip; the middle one was answered as an anomaly."""
    folder = tmp_path_factory.mktemp("recorded") / "records"
    with Records.open(folder) as records:
        for at, event_id in enumerate((*WITH_CLIP, NO_CLIP)):
            event = Event(event_id, "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, 0.5, 0.4, ((1, 2, 3, 4),), None)
            records.record(EventUpdate("new", event), camera="door", began_unix_s=BEGAN_UNIX_S)
            if event_id != NO_CLIP:
                shutil.copy(clips[at][1], records.clip_path(event_id, BEGAN_UNIX_S))
            records.record(EventUpdate("end", event), camera="door", began_unix_s=BEGAN_UNIX_S)
        records.answer("abd-middle", "anomaly")
    return folder


@pytest.fixture(scope="module")
def alarming(without_cues, clips, tmp_path_factory):
    """A run whose threshold all the clips are above."""
    home = shutil.copytree(without_cues, tmp_path_factory.mktemp("alarming") / "runs" / "small")
    (lowest, _), (middle, _), _ = clips
    rule = EventRule(threshold=0.5 * lowest, release=0.4 * lowest, shortest_s=0.3)
    setting = AlarmSetting(rule, Budget(1, "day"), 0.0, 24.0, 1, 0.0, 0.2, 24.0, 240.0, extrapolated=False)
    replace(Calibration.of({"n": np.linspace(0, middle, 400)}), alarm=setting).write(home / "model")
    return home


@pytest.fixture
def home(alarming, recorded, place):
    shutil.copytree(recorded, place / "records")
    return shutil.copytree(alarming, place / "runs" / "small", symlinks=True)


def judge_of_noise(places):
    """Finds distances as they are from one noisy picture to the next usual."""
    return Judge(
        *(Tails.fit(np.linspace(0, 1, 200, dtype=np.float32)[:, None].repeat(count, 1)) for count in (places, 1))
    )


@pytest.fixture
def home_with_cues(run, alarming, clips, recorded, place):
    """A run with cues too, whose network alone finds all the clips strange, each more than the one before."""
    home = shutil.copytree(run, place / "runs" / "small", symlinks=True)
    (lowest, _), (middle, _), (highest, _) = clips
    usual = np.linspace(0, 0.9 * lowest, 50)
    cues = with_reconstruction(CueModel.read(home / "model"), usual)
    cues = cues.without("movement").with_cues([replace(cues.appearance, now=judge_of_noise(cues.grid.count))])
    cues.write(home / "model")
    levels = cues.reconstruction.surprise(np.array([[lowest], [middle], [highest]], np.float32))[:, 0]
    assert np.all(np.diff(levels) > 0)
    before = Calibration.read(alarming / "model")
    rule = before.alarm.rule.with_threshold(0.9 * float(levels[0]), 0.3)
    replace(before, alarm=replace(before.alarm, rule=rule, median_score=0.3)).write(home / "model")
    shutil.copytree(recorded, place / "records")
    return home


def answers(place):
    with Records.open(place / "records", create=False) as records:
        return {recorded.event.id: recorded.answer for recorded in records.events()}


def threshold(home):
    return Calibration.read(home / "model").alarm.rule.threshold


def everything(place):
    """What lies where, but for what SQLite keeps beside its file."""
    return {
        path.relative_to(place): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and "records.db" not in path.name
    }


def test_a_false_alarm_raises_the_threshold_just_above_it_and_the_anomaly_still_alarms(cli, home, place):
    before = threshold(home)
    answer = cli("feedback", "runs/small", "abc", "--normal", "--json", "f.json")

    assert answer.code == 0, answer.err
    figures = json.loads((place / "f.json").read_text())
    weak, middle = figures["events"]
    assert (weak["id"], weak["answer"], weak["alarms_before"], weak["alarms_after"]) == (
        "abc-weak",
        "normal",
        True,
        False,
    )
    assert (middle["id"], middle["answer"], middle["alarms_after"]) == ("abd-middle", "anomaly", True)
    assert before < threshold(home) == figures["after"]["threshold"] <= np.nextafter(weak["before_score"], np.inf)
    assert weak["top_score"] == 0.5  # as it was told, however long it lasted
    assert "reported" in answer.out
    assert "   0.50000   " in answer.out
    assert 0 < figures["after"]["budget"]["alarms"] < figures["before"]["budget"]["alarms"] == 1
    assert f"threshold raised from {before:.5f} to {threshold(home):.5f}, which stands for about 0." in answer.out
    assert "false alarms per day instead of 1\n" in answer.out
    assert f"the earlier calibration: {home.relative_to(place)}/model/calibration.1.json\n" in answer.out
    assert answers(place) == {"abc-weak": "normal", "abd-middle": "anomaly", "e-strong": None, NO_CLIP: None}
    (kept,) = json.loads((home / "feedback" / "events.json").read_text())["events"]
    assert (kept["id"], kept["camera"]) == ("abc-weak", "door")
    clip = next((place / "records").glob("events/*/abc-weak.mp4"))
    assert (home / "feedback" / kept["clip"]).read_bytes() == clip.read_bytes()

    again = cli("feedback", "runs/small", "abc-weak", "--normal")
    assert "is high enough already" in again.out
    assert not (home / "model" / "calibration.2.json").exists()


def test_what_the_cues_learn_leaves_to_the_network_raises_the_threshold_and_both_are_undone(cli, home_with_cues, place):
    home = home_with_cues
    before, low = everything(place), threshold(home)
    answer = cli("feedback", "runs/small", "abc", "--normal", "--json", "f.json")

    assert answer.code == 0, answer.err
    figures = json.loads((place / "f.json").read_text())
    weak, middle = figures["events"]
    assert (figures["by"], weak["alarms_before"], weak["alarms_after"], middle["alarms_after"]) == (
        "cues",
        True,
        False,
        True,
    )
    assert weak["after_score"] < weak["before_score"]
    assert low < threshold(home) == pytest.approx(weak["after_score"])
    for name in ("cues.1.safetensors", "calibration.1.json"):
        assert f"{home.relative_to(place)}/model/{name}\n" in answer.out

    undone = cli("feedback", "runs/small", "--undo")
    assert undone.code == 0, undone.err
    (place / "f.json").unlink()
    left = everything(place)
    assert {path for path in left if left[path] != before[path]} <= {
        path
        for path in left
        if path.parts[0] == "records"  # that count how often a record was changed
    }
    assert left.keys() == before.keys()
    assert answers(place)["abc-weak"] is None


def test_cues_that_leave_the_network_to_lose_an_anomaly_are_refused_as_a_threshold_is(
    cli, home_with_cues, clips, place
):
    model = home_with_cues / "model"
    known = ClipScorer(home_with_cues, "cpu", Silent()).learn({"known": clips[1][1]}, CueModel.read(model))
    known.write(model)  # so that the network alone finds the anomaly strange
    before = everything(place)
    refused = cli("feedback", "runs/small", "e-", "--normal")
    assert (refused.code, refused.out) == (2, "")
    assert "error: abd-middle: raised to " in refused.err
    assert everything(place) == before


def test_the_threshold_alone_is_raised_where_that_is_asked_for(cli, home_with_cues, place):
    before = everything(place)
    answer = cli("feedback", "runs/small", "abc", "--normal", "--by", "calibrate", "--force")
    assert answer.code == 0, answer.err
    assert "threshold raised from" in answer.out
    cues = (home_with_cues / "model" / CUES_NAME).relative_to(place)
    assert everything(place)[cues] == before[cues]


def test_training_with_clips_gives_the_new_run_cues_that_know_them(cli, home_with_cues, place):
    answer = cli("feedback", "runs/small", "e-", "--normal", "--by", "train", "--epochs", 1)
    assert answer.code == 0, answer.err
    new, old = (CueModel.read(place / "runs" / name / "model") for name in ("001", "small"))
    assert set(new.names) >= set(old.names)
    assert (new.appearance.answered is None, old.appearance.answered) == (False, None)


def test_a_threshold_that_would_lose_an_anomaly_is_refused_until_it_is_forced(cli, home, place):
    before = everything(place)
    refused = cli("feedback", "runs/small", "e-", "--normal")
    assert (refused.code, refused.out) == (2, "")
    assert "error: abd-middle: raised to " in refused.err
    assert "would miss what was answered as an anomaly. Use --by train, or --force to " in refused.err
    assert everything(place) == before
    assert answers(place)["e-strong"] is None

    forced = cli("feedback", "runs/small", "e-", "--normal", "--force")

    assert forced.code == 0
    assert "abd-middle was an anomaly and no longer alarms" in forced.out
    assert answers(place)["e-strong"] == "normal"


def test_a_dry_run_tells_the_same_and_changes_nothing(cli, home, place):
    before = everything(place)
    told = [cli("feedback", "runs/small", "abc", "--normal", "--dry-run", *by) for by in ((), ("--by", "train"))]
    told.append(cli("feedback", "runs/small", "abc", "--anomaly", "--dry-run"))

    assert [answer.code for answer in told] == [0, 0, 0]
    assert "threshold would be raised from " in told[0].out
    assert "the effect of a training is known only after it" in told[1].out
    assert told[0].out.endswith("nothing was changed\n")
    assert told[2].out == "abc-weak: would be answered as an anomaly\n"
    assert everything(place) == before
    assert answers(place)["abc-weak"] is None


def test_how_many_other_alarms_would_vanish_is_told(cli, home, place):
    before = threshold(home)
    with Records.open(place / "records") as records:
        for name, score in (("x-above", 0.9), ("x-just", 1.0001 * before), ("x-below", 0.5 * before)):
            event = Event(name, "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, score, score, (), None)
            records.record(EventUpdate("end", event), camera="door", began_unix_s=BEGAN_UNIX_S)

    tried = cli("feedback", "runs/small", "abc", "--normal", "--dry-run", "--json", "f.json")
    others = json.loads((place / "f.json").read_text())["others"]
    assert set(others["open"]) == {"e-strong", NO_CLIP, "x-above", "x-just", "x-below"}
    assert others["vanishing"] == ["x-just"]  # what was below already was no alarm by this threshold
    told = "of 5 other recorded alarms without an answer, 1 would not be raised at this threshold"
    assert told in tried.out

    done = cli("feedback", "runs/small", "abc", "--normal")
    assert "answer, 1 would not have been raised at this threshold, by their highest scores\n" in done.out


def test_what_feedback_tells_fits_into_eighty_columns(home, terminal):
    from maskedskipunet.cli.main import main

    screen = terminal(80)
    assert main(["feedback", "runs/small", "abc", "--normal", "--device", "cpu", "--dry-run"]) == 0
    shown = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()))
    assert "reported" in screen.getvalue()
    assert max(len(line.rstrip()) for line in shown) <= 80


def test_a_dry_run_says_that_the_real_one_is_refused_unless_that_is_forced(cli, home):
    tried = cli("feedback", "runs/small", "e-", "--normal", "--dry-run")
    assert tried.code == 0
    assert "without --dry-run this is refused: use --by train, or --force to accept it\n" in tried.out
    assert "refused" not in cli("feedback", "runs/small", "e-", "--normal", "--dry-run", "--force").out


def test_a_damaged_clip_of_another_event_is_told_and_stops_nothing_and_one_of_its_own_is_refused(cli, home, place):
    next((place / "records").glob("events/*/abd-middle.mp4")).write_bytes(b"no video")

    answer = cli("feedback", "runs/small", "abc", "--normal")
    assert answer.code == 0
    assert "abd-middle.mp4: cannot open the video" in answer.err
    assert "1 answered event without a clip cannot be scored again" in answer.out

    refused = cli("feedback", "runs/small", "abd", "--normal")
    assert refused.code == 2
    assert "error: abd-middle: no frame of its clip has a score." in refused.err


def test_an_anomaly_is_only_kept(cli, home, place):
    before = everything(home)
    assert cli("feedback", "runs/small", "e-strong", "abc-w", "--anomaly").code == 0
    assert answers(place) == {"abc-weak": "anomaly", "abd-middle": "anomaly", "e-strong": "anomaly", NO_CLIP: None}
    assert everything(home) == before


def test_training_makes_a_new_run_of_both_kinds_of_footage_and_takes_the_thresholds_over(cli, home, place):
    before = everything(home)
    answer = cli("feedback", "runs/small", "e-", "--normal", "--by", "train", "--epochs", 1, "--json", "f.json")

    assert answer.code == 0, answer.err
    new = place / "runs" / "001"
    assert f"trained: {new.relative_to(place)}\n" in answer.out
    assert "kept from the earlier run" in answer.out
    assert "it is not known which that was; its thresholds are taken over" in answer.err
    assert "own footage is gone" not in answer.err
    figures = json.loads((place / "f.json").read_text())
    assert [(event["id"], event["alarms_before"]) for event in figures["events"]] == [
        ("e-strong", True),
        ("abd-middle", True),
    ]
    (strong,) = [event for event in figures["events"] if event["marked"]]
    assert strong["after_score"] < strong["before_score"]
    assert ("e-strong still alarms: train with more --epochs" in answer.out) == strong["alarms_after"]
    assert threshold(new) == threshold(home)
    assert answers(place)["e-strong"] == "normal"
    assert (new / "feedback" / "e-strong.mp4").is_file()
    kept = {home / "feedback" / name for name in ("e-strong.mp4", "events.json")}
    assert {home / path for path in everything(home).keys() - before.keys()} == kept
    assert (new / "model" / "model.safetensors").read_bytes() != (home / "model" / "model.safetensors").read_bytes()


def test_where_the_footage_of_the_calibration_is_known_the_new_run_is_calibrated_by_it(cli, home, place):
    random = np.random.default_rng(0)
    with VideoWriter(place / "noisy.mp4", height_px=32, width_px=48, frame_rate=0.5) as writer:
        for at in range(160):
            noise = random.integers(0, (60 if at % 8 < 2 else 5) + at % 40, (32, 48, 3))
            writer.write((80 + noise).astype(np.uint8))
    assert cli("calibrate", "noisy.mp4", "--model", "runs/small", "--false-alarms-per-hour", 60).code == 0
    shutil.rmtree(place / "runs" / "small" / "calibration")
    config = home / "config.yaml"
    path = next(line for line in config.read_text().splitlines() if line.strip().startswith("path: "))
    config.write_text(config.read_text().replace(path, f"  path: {place / 'gone'}"))

    answer = cli("feedback", "runs/small", "abc", "--normal", "--by", "train", "--epochs", 1)

    assert answer.code == 0, answer.err
    assert "the run's own footage is gone" in answer.err
    assert "set again for 60 false alarms an hour" in answer.out
    assert Calibration.read(place / "runs" / "001" / "model").videos == ("noisy",)


REFUSED = [
    ("small abc --normal --anomaly", "feedback: events are either normal or anomalies."),
    ("small abc", "feedback: no answer is given for the events. Use one of --normal and --anomaly."),
    ("small --normal", "EVENT must be given."),
    ("small zz --normal", "zz: there is no such event."),
    ("small ab --normal", "ab: 2 events begin so (abc-weak, abd-middle). Write more of the id."),
    ("small f --normal", "f-none: the event has no clip."),
    ("small abc --normal --epochs 3", "--epochs and --learning-rate belong to --by train."),
    ("bare abc --normal", "bare: the model has no threshold. Set one with `maskedskipunet calibrate"),
    ("nosuch abc --normal", "nosuch: holds no trained model."),
    ("small abc --normal --by cues", "small: the model has no cues that could learn. Use --by calibrate."),
    ("small abc --undo", "feedback: --undo undoes the last answers as a whole."),
    ("small --undo", "small/model: no answers changed this model."),
    ("small/model abc --normal --by train --records nosuch", "nosuch: there are no records."),
]


@pytest.mark.parametrize(("arguments", "told"), REFUSED)
def test_bad_input_is_refused_in_one_line_and_leaves_all_as_it_was(cli, home, place, monkeypatch, arguments, told):
    shutil.copytree(home, place / "runs" / "bare")
    (place / "runs" / "bare" / "model" / "calibration.json").unlink()
    before = everything(place)
    monkeypatch.chdir(place / "runs")

    words = arguments.split()
    if "--records" not in words:
        words += ["--records", "../records"]
    assert told in cli("feedback", *words).refusal()

    assert everything(place) == before
