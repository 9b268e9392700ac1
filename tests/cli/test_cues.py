"""Models with all cues, of cues alone and of a network alone, from `train` to `watch`; and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from safetensors.numpy import load_file, save_file

import maskedskipunet as msu
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.workflows.score_cache import KEPT_NAME, ScoreCache

CUES = ["reconstruction", "movement", "appearance"]
NAMED = {"run": CUES, "cue_run": ["movement", "appearance"], "network_run": []}
EACH = pytest.mark.parametrize("model", NAMED)
WITH_CUES = pytest.mark.parametrize("model", ["run", "cue_run"])


@pytest.fixture(scope="module")
def cue_run(footage, tmp_path_factory, run):
    """A run without a network; tests leave it as it is."""
    from maskedskipunet.cli.main import main

    runs = tmp_path_factory.mktemp("cue-runs")
    named = ["--data", str(footage), "--data.height_px=32", "--data.width_px=32", "--runs", str(runs)]
    assert main(["train", *named, "--name", "cues", "--cues", "movement,appearance"]) == 0
    return runs / "cues"


@pytest.fixture
def model_path(request, model):
    return request.getfixturevalue(model)


def write_disturbed(path, frames=30):
    """The square of the footage goes up and down, and now and then something covers half the picture."""
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for number in range(frames):
            frame = np.full((32, 48, 3), 60, np.uint8)
            left = 2 * (number % 6)
            frame[8:16, left : left + 8] = 220
            if number % 20 >= 12:
                frame[:, 24 + number % 3 :] = 5 * number
            writer.write(frame)
    return path


def write_usual(path):
    """Five minutes of the square of the footage, with a little noise that grows now and then."""
    random = np.random.default_rng(0)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=0.25) as writer:
        for number in range(80):
            frame = np.full((32, 48, 3), 60, np.uint8)
            left = 2 * (number % 6)
            frame[8:16, left : left + 8] = 220
            noise = random.integers(0, 2 + number % 7 // 3, frame.shape)
            writer.write((frame + noise).astype(np.uint8))
    return path


def columns(path: Path) -> dict[str, list]:
    return pq.read_table(path).to_pydict()


def test_a_network_alone_is_the_same_network_and_its_scores_stand_in_a_column_of_the_others(
    cli, run, network_run, make, place
):
    video = make.video(place / "v.mp4", 9)
    weights = [(each / "model" / "model.safetensors").read_bytes() for each in (run, network_run)]
    assert weights[0] == weights[1]
    assert not (network_run / "model" / "cues.safetensors").exists()

    for name, each in (("all", run), ("alone", network_run)):
        assert cli("score", video, "--model", each, "--out", name).code == 0

    fused, alone = columns(place / "all" / "scores.parquet"), columns(place / "alone" / "scores.parquet")
    assert fused["reconstruction"] == alone["score"]
    assert [score is None for score in fused["score"]] == [score is None for score in alone["score"]]
    assert [*alone] == ["video", "frame", "time", "score", "label"]
    assert [*fused] == [*alone, *CUES]


@EACH
def test_each_kind_of_model_is_tested(cli, model, model_path, footage, place):
    answer = cli("test", model_path, "--data", footage, "--out", "out", "--json", "figures.json", "--maps")

    assert answer.code == 0, answer.err
    figures = json.loads((place / "figures.json").read_text())
    assert list(figures.get("cues", {})) == NAMED[model]
    assert ("AUC of each cue alone" in answer.out) == bool(NAMED[model])
    for cue in NAMED[model]:
        assert {"micro_auc", "macro_auc_two_class_videos"} <= figures["cues"][cue].keys()
    assert ("parameters" in figures) == (model != "cue_run")
    stored = columns(place / "out" / "scores.parquet")
    assert list(stored)[5:] == NAMED[model]
    scored = [score is not None for score in stored["score"]]
    assert sum(scored) == (12 if model == "cue_run" else 8)
    assert {path.name for path in (place / "out" / "videos").iterdir()} == {"c.mp4", "d.mp4"}
    evaluated = cli("evaluate", place / "out" / "scores.parquet", "--data", footage, "--json", "again.json")
    assert evaluated.code == 0, evaluated.err
    assert json.loads((place / "again.json").read_text())["micro_auc"] == pytest.approx(figures["micro_auc"])


@EACH
def test_each_kind_of_model_is_calibrated_scores_tells_events_and_watches(cli, model, model_path, place):
    folder = shutil.copytree(model_path, place / "model")
    disturbed = write_disturbed(place / "disturbed.mp4")
    answer = cli("calibrate", write_usual(place / "usual.mp4"), "--model", folder, "--false-alarms-per-hour", 20)
    assert answer.code == 0, answer.err
    (kept,) = ScoreCache.read_of_any_model(folder / KEPT_NAME).videos.values()
    assert sorted(kept.cues) == sorted(NAMED[model])
    assert all(np.array_equal(np.isnan(kept.scores), np.isnan(scores)) for scores in kept.cues.values())

    found = msu.load_detector(folder).predict(disturbed, threshold=1.0)
    usual, high = np.quantile([result.score for result in found if result.score is not None], [0.3, 0.9])
    calibration = Calibration.read(folder / "model")
    rule = replace(
        calibration.alarm.rule.with_threshold(float(high), float(usual)), shortest_s=0.0
    )  # that is reached for sure
    replace(calibration, alarm=replace(calibration.alarm, rule=rule)).write(folder / "model")
    answer = cli("score", disturbed, "--model", folder, "--out", "out")
    assert answer.code == 0, answer.err

    stored, events = columns(place / "out" / "scores.parquet"), json.loads((place / "out" / "events.json").read_text())
    assert list(stored)[5:] == ["threshold", *NAMED[model]]
    assert events["events"]
    for event in events["events"]:
        assert event["boxes"]
        if not NAMED[model]:
            assert "reason" not in event
            continue
        reason = event["reason"]
        assert reason["cue"] == next(iter(reason["shares"]))
        assert set(reason["shares"]) == set(reason["readings"]) <= set(NAMED[model])
        assert sum(reason["shares"].values()) == pytest.approx(1, abs=0.003)
        assert reason["sentence"]
        assert "\n" not in reason["sentence"]
    table = (place / "out" / "events.csv").read_text().splitlines()
    assert "reason" in table[0].split(",")
    assert len(table) == 1 + len(events["events"])
    if NAMED[model]:
        assert events["events"][0]["reason"]["sentence"].split(";")[0] in table[1]

    results = msu.load_detector(folder).predict(disturbed)
    assert [result.score for result in results] == [
        None if score is None else pytest.approx(score, abs=1e-3) for score in stored["score"]
    ]
    assert {result.event.start_s for result in results if result.event is not None} == {
        event["start_s"] for event in events["events"]
    }

    watched = cli("watch", disturbed, "--model", folder, "--scores", "--speed", 50, "--max-delay-s", 300)
    assert watched.code == 0, watched.err
    told = [json.loads(line) for line in watched.out.splitlines()]
    assert [one["score"] for one in told if one["kind"] == "scored"] == [
        None if score is None else pytest.approx(score, abs=1e-3) for score in stored["score"]
    ]
    assert len({one["id"] for one in told if one["kind"] == "alarm"}) == len(events["events"])


@WITH_CUES
def test_what_is_ignored_changes_no_score(cli, model_path, make, place):
    folders = [make.images(place / name, 6) for name in ("usual", "wild")]
    for number, path in enumerate(sorted(folders[1].iterdir())):
        image = np.asarray(Picture.open(path)).copy()
        image[:, 30:] = np.random.default_rng(number).integers(0, 256, (32, 18, 3))
        Picture.fromarray(image).save(path)

    for folder in folders:
        answer = cli("score", folder, "--model", model_path, "--ignore", "30,0,18,32", "--out", f"of-{folder.name}")
        assert answer.code == 0, answer.err

    usual, wild = (columns(place / f"of-{folder.name}" / "scores.parquet") for folder in folders)
    assert {name: usual[name] for name in usual if name != "video"} == {
        name: wild[name] for name in wild if name != "video"
    }


@EACH
def test_a_bad_frame_has_no_score_and_breaks_nothing(cli, model, model_path, make, place):
    images = make.images(place / "images", 9)
    (images / "004.png").write_text("no picture")

    answer = cli("score", images, "--model", model_path, "--on-bad-frame", "skip", "--out", "out")

    assert answer.code == 0, answer.err
    stored = columns(place / "out" / "scores.parquet")
    missing = [number for number, score in enumerate(stored["score"]) if score is None]
    assert missing == ([4] if model == "cue_run" else [0, 3, 4, 5, 8])
    for cue in NAMED[model]:
        assert stored[cue][4] is None


def test_a_single_frame_is_judged_by_how_it_looks_alone(cli, cue_run, run, make, place):
    image = make.images(place / "image", 1)

    assert cli("score", image, "--model", cue_run, "--out", "out").code == 0
    stored = columns(place / "out" / "scores.parquet")
    assert stored["score"] == stored["appearance"] != [None]
    assert "movement" not in stored
    assert cli("score", image, "--model", run, "--out", "none").code == 2  # no clip is whole


def test_a_runs_own_config_names_its_cues_and_a_recipe_may_list_them(cli, cue_run, footage, place):
    names = ("--runs", "runs", "--data", footage)
    assert cli("train", "--config", cue_run / "config.yaml", *names, "--name", "again").code == 0
    again, first = (
        (folder / "model" / "cues.safetensors").read_bytes() for folder in (place / "runs" / "again", cue_run)
    )
    assert again == first

    (place / "recipe.yaml").write_text("cues: [movement]\ndata: {height_px: 32, width_px: 32}\n")
    answer = cli("train", "--config", "recipe.yaml", *names, "--name", "moves")
    assert answer.code == 0, answer.err
    assert cli("score", footage / "test" / "c.mp4", "--model", "runs/moves", "--out", "out").code == 0
    assert [*columns(place / "out" / "scores.parquet")][5:] == ["movement"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--cues", "movement,smell"], "cues: there is no cue 'smell'"),
        (["--cues", ""], "no cue is named"),
        (["--cues", " , "], "Use one or more of reconstruction, movement, appearance"),
        (["--cues", "movement", "--from", "CUES"], "a model without a network is not fine-tuned"),
        (["--from", "CUES"], "the model has no network, only cues"),
    ],
)
def test_cues_that_cannot_be_are_refused(cli, cue_run, footage, small, place, more, told):
    more = [str(cue_run) if each == "CUES" else each for each in more]

    assert told in cli("train", "--data", footage, "--runs", "runs", *small, *more).refusal()
    assert not list(place.rglob("config.yaml"))


def test_what_needs_a_network_refuses_a_model_without_one(cli, cue_run, footage, place):
    video = footage / "test" / "c.mp4"
    for command in (
        ["bench", "--model", cue_run],
        ["score", video, "--model", cue_run, "--precision", "bfloat16"],
        ["test", cue_run, "--out", "out", "--precision", "bfloat16"],
        ["watch", video, "--model", cue_run, "--precision", "bfloat16"],
    ):
        assert "network" in cli(*command).refusal()
    assert "there is no option '--cues'" in cli("ablate", "--data", footage, "--cues", "movement").refusal()
    with pytest.raises(msu.MaskedSkipUNetError, match="the model has no network, only cues"):
        msu.load_model(cue_run)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path: Path) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, path)


def future(path: Path) -> None:
    described = {"format": 99, "cues": ["movement"], "height_px": 32, "width_px": 32, "window_px": 16}
    save_file(load_file(path), path, metadata={"maskedskipunet.cues": json.dumps(described)})


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncated, foreign, future, emptied])
@WITH_CUES
def test_damaged_cues_are_refused_by_every_command_in_one_line(cli, model_path, footage, place, damage):
    folder = Path(shutil.copytree(model_path, place / "model"))
    cues, video = folder / "model" / "cues.safetensors", footage / "test" / "c.mp4"
    damage(cues)

    for command in (
        ["score", video, "--model", folder, "--out", "out"],
        ["test", folder, "--out", "out"],
        ["calibrate", video, "--model", folder, "--false-alarms-per-hour", 1],
        ["watch", video, "--model", folder],
    ):
        refusal = cli(*command).refusal()
        assert "cannot read the model's cues" in refusal
        assert str(cues) in refusal
    assert not (place / "out").exists()
    assert not (folder / "model" / "calibration.json").exists()
