import json
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from sklearn.metrics import roc_auc_score

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.errors import DataError, DiskSpaceError, LabelError, MaskedSkipUNetError, VideoError, WeightsError
from maskedskipunet.evaluation.baseline import largest_patch_mean
from maskedskipunet.evaluation.maps import open_maps
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows import test as test_module


@pytest.fixture(scope="module")
def tested(trained: RunFolder, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return test_module.test(trained.path, config.data, tmp_path_factory.mktemp("tested"))


@pytest.fixture
def copy(footage: Path, tmp_path: Path) -> Path:
    """The data set, to be changed."""
    shutil.copytree(footage, tmp_path / "copy")
    return tmp_path / "copy"


def rows(folder: RunFolder) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = pq.read_table(folder.scores).to_pydict()
    return columns


def test_every_frame_of_every_test_video_has_its_row(tested: Any) -> None:
    found = rows(tested.out)

    assert found["video"] == ["01"] * 12 + ["02"] * 12
    assert found["frame"] == [*range(12), *range(12)]
    assert found["time"] == pytest.approx([at / 10 for at in range(12)] * 2)
    assert [at for at, score in enumerate(found["score"]) if score is None] == [0, 11, 12, 23]
    assert [at for at, label in enumerate(found["label"]) if label] == [4, 5, 6, 18, 19, 20, 21]


def test_every_protocol_has_its_key_and_agrees_with_an_independent_library(tested: Any) -> None:
    metrics = json.loads(tested.out.metrics.read_text())
    found = rows(tested.out)
    scored = [at for at, score in enumerate(found["score"]) if score is not None]

    def auc(places: list[int]) -> float:
        labels = [found["label"][at] for at in places]
        return float(roc_auc_score(labels, [found["score"][at] for at in places]))

    by_video = {name: auc([at for at in scored if found["video"][at] == name]) for name in ("01", "02")}
    assert metrics == tested.metrics
    assert metrics["micro_auc"] == pytest.approx(auc(scored))
    assert metrics["video_auc"] == pytest.approx(by_video)
    assert metrics["macro_auc_two_class_videos"] == pytest.approx(np.mean(list(by_video.values())))
    assert {name: metrics[name] for name in ("videos", "videos_with_labels", "frames", "frames_scored")} == {
        "videos": 2,
        "videos_with_labels": 2,
        "frames": 24,
        "frames_scored": 20,
    }
    assert (metrics["frames_anomalous"], metrics["one_class_videos"]) == (7, 0)
    assert {"model", "variant", "latent_dim", "clip_length", "channels", "masked_weights", "parameters"} < set(metrics)


def test_what_is_larger_than_all_that_was_learned_scores_higher(tested: Any) -> None:
    assert tested.metrics["micro_auc"] > 0.9


def test_there_is_a_plot_of_all_and_of_each_video_and_a_comparison_video_each(tested: Any) -> None:
    assert {path.name for path in tested.out.plots.iterdir()} == {"all.png", "01.png", "02.png"}
    for path in tested.out.plots.iterdir():
        with Picture.open(path) as picture:
            assert min(picture.size) > 100
    assert {path.name for path in tested.out.videos.iterdir()} == {"01.mp4", "02.mp4"}
    for path in tested.out.videos.iterdir():
        assert len(list(read_video(path))) == 12


def test_without_labels_there_are_scores_and_no_figures(
    trained: RunFolder, config: TrainConfig, copy: Path, tmp_path: Path
) -> None:
    for labels in copy.rglob("*_labels.csv"):
        labels.unlink()

    result = test_module.test(trained.path, DataConfig(path=copy), tmp_path / "out", with_videos=False)

    assert rows(result.out)["label"] == [None] * 24
    metrics = json.loads(result.out.metrics.read_text())
    assert (metrics["micro_auc"], metrics["macro_auc_two_class_videos"]) == (None, None)
    assert metrics["video_auc"] == {"01": None, "02": None}
    assert metrics["videos_with_labels"] == 0
    assert (result.out.plots / "all.png").exists()
    assert not result.out.videos.exists()


def test_one_class_alone_has_no_figure_and_is_counted(trained: RunFolder, copy: Path, tmp_path: Path) -> None:
    (copy / "test" / "01_labels.csv").write_text("0\n" * 12)

    metrics = test_module.test(trained.path, DataConfig(path=copy), tmp_path / "out", with_videos=False).metrics

    assert metrics["video_auc"]["01"] is None
    assert metrics["one_class_videos"] == 1
    assert metrics["macro_auc_two_class_videos"] == metrics["video_auc"]["02"]


def test_a_video_too_short_for_a_clip_is_listed_without_scores(trained: RunFolder, copy: Path, tmp_path: Path) -> None:
    frames = [frame.image for frame in read_video(copy / "test" / "01.mp4")][:2]
    folder = copy / "test" / "03"
    folder.mkdir()
    for number, frame in enumerate(frames):
        assert frame is not None
        Picture.fromarray(frame).save(folder / f"{number}.png")

    result = test_module.test(trained.path, DataConfig(path=copy), tmp_path / "out")

    assert (result.metrics["frames"], result.metrics["frames_scored"]) == (26, 20)
    assert [
        score for name, score in zip(*map(rows(result.out).get, ("video", "score")), strict=True) if name == "03"
    ] == [
        None,
        None,
    ]
    assert not (result.out.videos / "03.mp4").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def truncate(folder: Path) -> None:
    cut(folder / "test" / "02.mp4")


def truncate_without_labels(folder: Path) -> None:
    cut(folder / "test" / "02.mp4")
    (folder / "test" / "02_labels.csv").unlink()


def empty(folder: Path) -> None:
    (folder / "test" / "02.mp4").write_bytes(b"")


def label_too_many(folder: Path) -> None:
    (folder / "test" / "02_labels.csv").write_text("0\n" * 13)


def no_test_videos(folder: Path) -> None:
    shutil.rmtree(folder / "test")


@pytest.mark.parametrize(
    ("damage", "error", "named"),
    [
        (truncate, VideoError, r"02\.mp4: the video ends early"),
        (truncate_without_labels, VideoError, r"02\.mp4: the video ends early"),
        (empty, VideoError, r"02\.mp4: the video is empty"),
        (label_too_many, LabelError, r"02_labels\.csv: found 13 labels, expected 12"),
        (no_test_videos, DataError, "no test videos"),
    ],
)
def test_what_cannot_be_tested_is_named_before_the_first_frame_is_scored(
    trained: RunFolder, copy: Path, tmp_path: Path, listener: Any, damage: Any, error: type[Exception], named: str
) -> None:
    damage(copy)

    with pytest.raises(error, match=named):
        test_module.test(trained.path, DataConfig(path=copy), tmp_path / "out", progress=listener)

    assert listener.stages == []
    assert not (tmp_path / "out").exists()


def test_a_video_damaged_in_its_middle_leaves_the_results_before_as_they_were(
    trained: RunFolder, copy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    test_module.test(trained.path, DataConfig(path=copy), out, with_videos=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (copy / "test" / "02.mp4").unlink()
    folder = copy / "test" / "02"
    folder.mkdir()
    for number, frame in enumerate(read_video(copy / "test" / "01.mp4")):
        assert frame.image is not None
        Picture.fromarray(frame.image).save(folder / f"{number:02d}.png")
    whole = (folder / "07.png").read_bytes()
    (folder / "07.png").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(MaskedSkipUNetError, match=r"07\.png"):
        test_module.test(trained.path, DataConfig(path=copy), out, with_videos=False)

    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_frames_are_sampled_as_the_model_was_trained_whatever_the_config_says(
    trained: RunFolder, config: TrainConfig, tested: Any, tmp_path: Path
) -> None:
    other = replace(config.data, height_px=64, width_px=64, stride=2, fps=5.0)

    result = test_module.test(trained.path, other, tmp_path / "out", with_videos=False)

    found, expected = rows(result.out), rows(tested.out)
    np.testing.assert_allclose(*(np.array(table.pop("score"), float) for table in (found, expected)), rtol=1e-5)
    assert found == expected


def test_what_is_no_model_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(WeightsError, match="holds no trained model"):
        test_module.test(tmp_path / "empty", config.data, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_progress_counts_every_frame(trained: RunFolder, config: TrainConfig, tmp_path: Path, listener: Any) -> None:
    test_module.test(trained.path, config.data, tmp_path, with_videos=False, progress=listener)

    assert listener.stages == [("testing", 24, "frames")]
    assert listener.done == 24


def maps_of(folder: RunFolder, name: str) -> dict[int, np.ndarray]:
    found = open_maps(folder.maps / f"{name}.parquet")
    return {frame: values * found.scale for frame, values in found.maps()}


def test_score_maps_are_kept_when_asked_for_and_hold_the_frame_scores(
    trained_network: RunFolder, config: TrainConfig, tmp_path: Path, listener: Any
) -> None:
    run = trained_network.path
    result = test_module.test(run, config.data, tmp_path, with_videos=False, with_maps=True, progress=listener)

    assert listener.notes == ["keeping the score maps of 24 frames of 48x32 takes up to 79 kB"]
    assert {path.name for path in result.out.maps.iterdir()} == {"01.parquet", "02.parquet"}
    for video in result.videos:
        maps = maps_of(result.out, video.name)
        assert list(maps) == np.flatnonzero(video.labelled.scored).tolist()
        for frame, values in maps.items():
            assert largest_patch_mean(values) == pytest.approx(video.scores[frame], abs=1e-4)
    assert not list(tmp_path.glob(".*"))


def test_maps_of_an_earlier_test_do_not_outlive_its_scores(
    trained: RunFolder, config: TrainConfig, copy: Path, tmp_path: Path
) -> None:
    test_module.test(trained.path, config.data, tmp_path / "out", with_videos=False, with_maps=True)
    (copy / "test" / "02.mp4").unlink()
    (copy / "test" / "02_labels.csv").unlink()
    fewer = test_module.test(trained.path, DataConfig(path=copy), tmp_path / "out", with_videos=False, with_maps=True)
    assert [path.name for path in fewer.out.maps.iterdir()] == ["01.parquet"]

    without = test_module.test(trained.path, config.data, tmp_path / "out", with_videos=False)

    assert not without.out.maps.exists()


def test_maps_that_will_not_fit_are_refused_before_the_first_frame_is_scored(
    trained: RunFolder, config: TrainConfig, tmp_path: Path, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Namespace(free=1000))

    with pytest.raises(DiskSpaceError) as refusal:
        test_module.test(
            trained.path, config.data, tmp_path / "out", with_videos=False, with_maps=True, progress=listener
        )

    assert str(refusal.value) == (
        f"{tmp_path}/out: keeping the score maps of 24 frames of 48x32 needs 79 kB, 1 kB are free. "
        "Leave --maps out, or name another folder with --out."
    )
    assert listener.stages == []


def test_maps_of_a_test_that_fails_leave_those_before(
    trained: RunFolder, config: TrainConfig, tmp_path: Path, listener: Any
) -> None:
    out = tmp_path / "out"
    test_module.test(trained.path, config.data, out, with_videos=False, with_maps=True)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def fail() -> None:
        raise KeyboardInterrupt

    listener.at, listener.does = ("testing", 15), fail
    with pytest.raises(KeyboardInterrupt):
        test_module.test(trained.path, config.data, out, with_videos=False, with_maps=True, progress=listener)

    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_video_that_is_called_as_the_overview_does_not_take_its_place() -> None:
    names = test_module.plot_names(["all", "all_2", "a"])

    assert names == ["all_3", "all_2", "a"]
    assert test_module.plot_names(["ALL"]) == ["all_2"]  # some file systems see no difference
