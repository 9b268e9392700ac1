"""The reproduction runs whole on a miniature, goes on where it was, and its page says what its result holds."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from maskedskipunet.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reproduction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, writing into a folder of the test's."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import ped2_page
    import reproduce_ped2
    import results

    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ped2_page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ped2_page, "PAGE", tmp_path / "ped2.md")
    monkeypatch.setattr(reproduce_ped2, "command", in_this_process)
    return reproduce_ped2


def in_this_process(*arguments: object) -> None:
    """What the script starts a process for: seconds of imports each."""
    assert main([str(argument) for argument in arguments]) == 0


def call(reproduction: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["reproduce_ped2.py", *map(str, arguments)])
    reproduction.main()


def test_each_stage_stands_alone_and_what_is_done_is_not_done_again(
    reproduction: ModuleType, monkeypatch: pytest.MonkeyPatch, miniatures: Any, tmp_path: Path
) -> None:
    data, recipe = miniatures.ped1(tmp_path / "data"), tmp_path / "small.yaml"
    recipe.write_text(
        "model: {latent_dim: 8}\n"
        "data: {height_px: 32, width_px: 32, holdback: 0.5}\n"
        "training: {epochs: 2, batch_size: 4, accelerator: cpu}\n"
    )
    asked = ["--data", data, "--config", recipe, "--runs", tmp_path / "runs"]
    (data / "Test").rename(tmp_path / "Test")  # as on a machine that was sent the training half
    call(reproduction, monkeypatch, *asked, "--stages", "train", "--", "--training.epochs", 1)
    (data / "Train").rename(tmp_path / "Train")
    (tmp_path / "Test").rename(data / "Test")
    call(reproduction, monkeypatch, *asked, "--stages", "test")
    monkeypatch.setattr(reproduction, "command", lambda *_: pytest.fail("this was done already"))
    call(reproduction, monkeypatch, *asked)

    (path,) = (tmp_path / "results").glob("ped2_*.json")
    result = json.loads(path.read_text())
    assert [(run["seed"], run["masked_weights"], len(run["epochs"])) for run in result["runs"]] == [
        (0, "learned", 1),
        (0, "frozen", 1),
    ]
    for run in result["runs"]:
        folder = tmp_path / "runs" / f"seed0_{run['masked_weights']}"
        config = yaml.safe_load((folder / "config.yaml").read_text())
        metrics = json.loads((folder / "tested" / "epoch_01" / "metrics.json").read_text())
        assert config["model"]["masked_weights"] == run["masked_weights"]
        assert run["last_epoch"]["micro_auc"] == metrics["micro_auc"]
        network = [part["cues"]["reconstruction"]["micro_auc"] for part in (run["last_epoch"], metrics)]
        assert network == [run["epochs"][0]["micro_auc"]] * 2  # weights after an epoch have no other cue
        assert run["last_epoch"]["frames_with_map"] == 4  # of the one clip that has masks
        assert metrics["calibration"]["normal_videos"] == run["calibration"]["normal_videos"]
        assert metrics["calibration"]["normal_frames"] == 3
        assert run["trained_on"] == "training clips not held back"
    page = (tmp_path / "ped2.md").read_text()
    for run in result["runs"]:
        assert f"{run['last_epoch']['micro_auc']:.4f}" in page
        assert f"{run['epochs'][0]['micro_auc_first_frame_label']:.4f} ({run['masked_weights']})" in page
    assert "small.yaml" in page


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import ped2_page

    return ped2_page


def test_several_seeds_are_told_by_mean_and_deviation(page: ModuleType) -> None:
    runs = [
        {"masked_weights": "learned", "last_epoch": {"micro_auc": 0.9}},
        {"masked_weights": "learned", "last_epoch": {"micro_auc": 0.8}},
        {"masked_weights": "frozen", "last_epoch": {"micro_auc": 0.1}},
    ]

    (learned, frozen) = page.columns_of(runs)
    assert page.over_seeds(runs, learned, "micro_auc") == "0.8500 ± 0.0707"
    assert page.over_seeds(runs, frozen, "micro_auc") == "0.1000"


def test_a_model_of_several_cues_has_a_column_of_each_beside_the_fused_one(page: ModuleType) -> None:
    cues = {"reconstruction": {"micro_auc": 0.7}, "movement": {"micro_auc": 0.8}}
    runs = [{"masked_weights": "learned", "last_epoch": {"micro_auc": 0.9, "rbdc": 0.5, "cues": cues}}]

    columns = list(page.columns_of(runs))

    assert [column.title for column in columns] == ["fused, kernels learned", "reconstruction alone", "movement alone"]
    assert [page.over_seeds(runs, column, "micro_auc") for column in columns] == ["0.9000", "0.7000", "0.8000"]
    assert [page.over_seeds(runs, column, "rbdc") for column in columns] == ["0.5000", "–", "–"]


def test_what_choosing_an_epoch_on_the_test_half_would_have_added_stands_beside_the_epochs(page: ModuleType) -> None:
    epochs = [
        {"micro_auc": 0.7, "micro_auc_gaussian": 0.75},
        {"micro_auc": 0.9, "micro_auc_gaussian": 0.95},
        {"micro_auc": 0.8, "micro_auc_gaussian": 0.85},
    ]
    run = {"masked_weights": "frozen", "seed": 3, "epochs": epochs}

    assert page.each_epoch(run) == "| frozen | 3 | 0.700; 0.750 | 0.900; 0.950 | 0.800; 0.850 | 0.100 |"
