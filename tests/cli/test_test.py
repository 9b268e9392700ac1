import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

PUBLISHED = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"


@pytest.fixture
def own_run(network_run, tmp_path):
    """A copy of the run, to write results into."""
    return Path(shutil.copytree(network_run, tmp_path / "own run"))


def test_the_figures_are_those_of_the_scores_and_stand_in_table_json_and_metrics(cli, own_run, place):
    answer = cli("test", own_run, "--json", "figures.json")
    assert answer.code == 0
    assert answer.err.startswith("testing and drawing: 12 frames in ")
    scores = pq.read_table(own_run / "scores.parquet").to_pydict()
    scored = [at for at, score in enumerate(scores["score"]) if score is not None]
    labels, values = (np.array([scores[key][at] for at in scored]) for key in ("label", "score"))
    of_c = np.array([scores["video"][at] == "c" for at in scored])
    micro, video = roc_auc_score(labels, values), roc_auc_score(labels[of_c], values[of_c])
    figures = json.loads((place / "figures.json").read_text())
    assert figures == json.loads((own_run / "metrics.json").read_text())
    assert figures["micro_auc"] == pytest.approx(micro)
    assert figures["video_auc"] == {"c": pytest.approx(video), "d": None}
    assert answer.out.splitlines() == [
        "AUC within each video, – where it has one class or no labels",
        "video         AUC",
        "─────────────────",
        f"c          {video:.4f}",
        "d               –",
        "",
        "AUC over frames, scores as they are",
        "protocol                                              AUC",
        "─────────────────────────────────────────────────────────",
        f"micro: all videos' frames together, as published   {micro:.4f}",
        f"macro: mean over videos, 1 of one class left out   {video:.4f}",
        "",
        "8 of 12 frames scored, 2 labelled anomalous",
        "labels: labels beside the videos",
        f"scores: {own_run}/scores.parquet",
        f"plots:  {own_run}/plots",
        f"videos: {own_run}/videos",
    ]
    assert {path.name for path in (own_run / "videos").iterdir()} == {"c.mp4", "d.mp4"}
    assert {path.name for path in (own_run / "plots").iterdir()} == {"all.png", "c.png", "d.png"}


@pytest.mark.parametrize("model", ["run", "run/model", "run/checkpoints/epoch_01.safetensors", "published.pt"])
def test_whatever_holds_a_model_can_be_tested_into_a_folder_of_its_own(cli, run, footage, place, model):
    (place / "run").symlink_to(run)
    shutil.copy(PUBLISHED, place / "published.pt")
    answer = cli("test", model, "--data", footage, "--out", "out", "--videos", "false")
    assert answer.code == 0, answer.err
    assert "videos:" not in answer.out
    assert {path.name for path in (place / "out").iterdir()} == {"scores.parquet", "metrics.json", "plots"}


def test_a_run_whose_footage_is_gone_asks_where_it_is_now(cli, own_run, footage):
    config = own_run / "config.yaml"
    config.write_text(config.read_text().replace(str(footage), "gone/footage"))
    told = "gone/footage: no such file or folder. Name where the run's footage is now with --data."
    assert told in cli("test", own_run).refusal()
    assert cli("test", own_run, "--data", footage, "--videos", "false").code == 0


def test_videos_too_short_for_a_clip_have_no_scores_and_the_reason_is_told(cli, run, make, place):
    make.video(place / "short" / "test" / "a.mp4", 2)
    answer = cli("test", run, "--data", "short", "--out", "out", "--videos", "false")
    assert "0 of 2 frames scored: no clip is whole" in answer.out


def test_names_that_break_lines_or_markup_are_told_and_drawn(cli, run, make, place):
    name = "[red]ü\n" + "y" * 150
    make.video(place / "odd [bold]" / "test" / f"{name}.mp4")
    answer = cli("test", run, "--data", "odd [bold]", "--out", "out [bold]")
    assert answer.code == 0, answer.err
    shown = name.replace("\n", "%n")
    assert f"{shown}    " in answer.out
    assert (place / "out [bold]" / "videos" / f"{shown}.mp4").is_file()
