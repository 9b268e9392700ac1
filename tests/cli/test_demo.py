import json
from functools import partial

import pytest

from maskedskipunet.detection.budget import Budget
from maskedskipunet.scene.generation import SceneConfig
from maskedskipunet.training.config import TrainingConfig
from maskedskipunet.workflows import demo


@pytest.fixture
def small_demo(monkeypatch):
    """The demo over a scene of a few frames."""
    few = {"height_px": 32, "width_px": 48, "train_videos": 1, "train_frames": 6, "test_videos": 2, "test_frames": 30}
    monkeypatch.setattr(demo, "SceneConfig", partial(SceneConfig, **few))
    monkeypatch.setattr(demo, "LATENT_DIM", 8)
    monkeypatch.setattr(demo, "CALIBRATION_VIDEOS", 1)
    monkeypatch.setattr(demo, "TRAINING", TrainingConfig(epochs=1))


def test_the_demo_tells_its_figures_beside_frame_differencing_and_where_all_lies(small_demo, cli, place):
    answer = cli("demo", "--seed", 3, "--json", "figures.json")
    assert answer.code == 0, answer.err
    figures = json.loads((place / "figures.json").read_text())
    assert {"auc", "auc_frame_difference", "auc_by_kind", "seconds"} <= figures.keys()
    assert (figures["seed"], figures) == (3, json.loads((place / "demo" / "demo.json").read_text()))
    title, header, _, *rest = answer.out.splitlines()
    assert (title, header.split()) == ("AUC over frames", ["anomaly", "MaskedSkipUNet", "frame", "differencing"])
    table = {line.rsplit(maxsplit=2)[0].strip() for line in rest[: rest.index("")]}
    assert table == {kind.replace("_", " ") for kind in figures["auc_by_kind"]} | {"all"}
    assert f"{figures['seconds']:.0f} seconds, seed 3" in rest
    assert "plots:   demo/run/plots" in rest
    assert "videos:  demo/run/videos" in rest
    assert "no threshold, so no alarm: " in answer.err  # of so few frames


def test_the_demo_shows_an_alarm_and_what_the_threshold_finds(small_demo, cli, place, monkeypatch):
    monkeypatch.setattr(demo, "BUDGET", Budget(100_000, "hour"))
    answer = cli("demo", "--seed", 3, "--json", "figures.json")
    assert answer.code == 0, answer.err
    alarms = json.loads((place / "figures.json").read_text())["alarms"]
    found = f"{alarms['stretches_found']} of {alarms['stretches']} anomalies found"
    assert f"of other normal footage: {found}" in answer.out
    (alarm,) = [line for line in answer.out.splitlines() if line.startswith("alarm:")]
    assert "\nALARM at 0:00:0" in answer.out
    (why,) = [line for line in answer.out.splitlines() if line.startswith("why:")]
    assert why.split(":")[1].strip() in ("reconstruction", "movement", "appearance")
    picture, film = alarm.removeprefix("alarm:").strip().split(" and ")
    assert (picture.startswith("demo/alarm/events/"), film) == (True, "demo/alarm/annotated.mp4")
    assert (place / picture).is_file()
    assert (place / film).is_file()
    assert "drift" not in answer.err + answer.out
    assert "two hours" not in answer.err


def test_a_demo_beside_another_takes_the_next_free_name(small_demo, cli, place):
    (place / "demo").mkdir()
    answer = cli("demo", "--videos", "false")
    assert answer.code == 0, answer.err
    assert "plots:   demo-2/run/plots" in answer.out
    assert "videos:" not in answer.out
    assert not (place / "demo-2" / "run" / "videos").exists()


def test_a_demo_that_fails_or_is_interrupted_leaves_nothing(small_demo, cli, files, monkeypatch):
    def fail(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train", fail)
    answer = cli("demo")
    assert (answer.code, answer.err.splitlines()[-1]) == (130, "interrupted")
    assert files() == set()
