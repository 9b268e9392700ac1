import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from sklearn.metrics import roc_auc_score

from maskedskipunet.evaluation.frames import LabelledScores
from maskedskipunet.scene.generation import KINDS, SceneConfig
from maskedskipunet.training.config import TrainingConfig
from maskedskipunet.workflows import demo as demo_module
from maskedskipunet.workflows.demo import DemoResult, best_moments, demo

FRAMES = 20  # of each of the four test videos, which show a kind of anomaly each


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """A scene and a network so small that the demo takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        scene = partial(SceneConfig, height_px=32, width_px=48, train_videos=1, train_frames=8, test_videos=4)
        patch.setattr(demo_module, "SceneConfig", partial(scene, test_frames=FRAMES))
        patch.setattr(demo_module, "TRAINING", TrainingConfig(epochs=1))
        patch.setattr(demo_module, "LATENT_DIM", 8)
        patch.setattr(demo_module, "CALIBRATION_VIDEOS", 1)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    """A demo where there has been another before."""
    folder = tmp_path_factory.mktemp("demos")
    (folder / "demo").mkdir()
    return demo(folder / "demo")


def test_the_next_free_name_is_taken_and_what_was_there_stays(done: DemoResult) -> None:
    assert done.folder.name == "demo-2"
    assert list((done.folder.parent / "demo").iterdir()) == []
    assert {path.name for path in done.folder.iterdir()} >= {"footage", "run", "demo.json", "demo.png"}


def test_its_figures_are_those_that_were_promised(done: DemoResult) -> None:
    figures = json.loads((done.folder / "demo.json").read_text())

    assert figures == done.figures
    assert set(figures) >= {"auc", "auc_frame_difference", "auc_by_kind", "seconds", "seed", "environment"}
    assert set(figures["auc_by_kind"]) == set(figures["auc_by_kind_frame_difference"]) == set(KINDS)
    assert 0 < figures["seconds"] < 1000


def test_its_figures_agree_with_an_independent_library_on_the_scores_it_wrote(done: DemoResult) -> None:
    table = pq.read_table(done.run.scores).to_pydict()
    kinds = json.loads((done.folder / "footage" / "test" / "kinds.json").read_text())
    rows = [
        (score, label, kinds[video][frame])
        for video, frame, score, label in zip(*map(table.get, ("video", "frame", "score", "label")), strict=True)
        if score is not None
    ]

    assert all(label == bool(kind) for _, label, kind in rows)
    assert done.figures["auc"] == pytest.approx(roc_auc_score([row[1] for row in rows], [row[0] for row in rows]))
    for name in KINDS:
        chosen = [row for row in rows if row[2] in ("", name)]
        expected = roc_auc_score([row[2] == name for row in chosen], [row[0] for row in chosen])
        assert done.figures["auc_by_kind"][name] == pytest.approx(expected)


def test_frame_differencing_is_measured_on_the_same_frames(done: DemoResult, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.array([np.nan, *range(1, FRAMES - 1), np.nan])
    data = SimpleNamespace(height_px=32, width_px=48)

    differences = demo_module._frame_differences(
        LabelledScores("01", scores, None),
        done.folder / "footage" / "test",
        data,  # type: ignore[arg-type]
    )

    np.testing.assert_array_equal(differences.scored, ~np.isnan(scores))
    assert (differences.scores[1:-1] > 0).all()


def test_it_is_trained_and_tested_like_any_other_run_and_shows_each_kind(done: DemoResult) -> None:
    assert done.run.is_finished()
    assert {path.name for path in done.run.videos.iterdir()} == {f"0{number}.mp4" for number in range(1, 5)}
    assert done.film is not None
    assert done.film.is_file()
    assert done.picture is not None
    with Picture.open(done.picture) as picture:
        assert picture.width == demo_module.PICTURE_WIDTH_PX


def test_the_best_moment_of_a_kind_is_where_it_scores_highest() -> None:
    videos = [
        LabelledScores("a", np.array([np.nan, 0.9, 0.2, 0.4]), None),
        LabelledScores("b", np.array([0.3, 0.5, 0.6, np.nan]), None),
    ]
    kinds = {"a": ["cart", "", "cart", "runner"], "b": ["cart", "runner", "", "cyclist"]}

    assert best_moments(videos, kinds) == {"cart": ("b", 0), "runner": ("b", 1)}


def interrupt() -> None:
    raise KeyboardInterrupt


def fail() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(("does", "error"), [(interrupt, KeyboardInterrupt), (fail, ZeroDivisionError)])
def test_a_demo_that_ends_early_leaves_nothing(
    tmp_path: Path, listener: Any, does: Callable[[], None], error: type[BaseException]
) -> None:
    listener.at, listener.does = ("training", 1), does

    with pytest.raises(error) as ended:
        demo(tmp_path / "demo", progress=listener)
    assert not getattr(ended.value, "__notes__", [])  # no advice to go on with what is gone

    assert list(tmp_path.iterdir()) == []
    assert [title for title, *_ in listener.stages] == ["drawing the scene", "decoding footage", "training"]
