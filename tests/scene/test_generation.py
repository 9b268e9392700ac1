"""The generated scene: what it promises about its frames, its files and its truth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.errors import ConfigError
from maskedskipunet.scene.generation import KINDS, SceneConfig, SceneTruth, Split, render_video, write_scene

SMALL = SceneConfig(seed=7, height_px=48, width_px=80, train_videos=2, train_frames=8, test_videos=8, test_frames=60)


def images(config: SceneConfig, split: Split, number: int) -> np.ndarray:
    return np.stack([image for image, _ in render_video(config, split, number)])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SceneTruth]:
    folder = tmp_path_factory.mktemp("scene")
    return folder, write_scene(folder, SMALL)


def test_the_same_seed_gives_the_same_bytes() -> None:
    again = replace(SMALL)
    assert np.array_equal(images(SMALL, "test", 3), images(again, "test", 3))


def test_another_seed_another_number_and_the_other_part_give_other_frames() -> None:
    short = replace(SMALL, test_frames=8)
    one = images(short, "test", 1)
    for config, split, number in ((replace(short, seed=8), "test", 1), (short, "test", 2), (short, "normal", 1)):
        assert not np.array_equal(one, images(config, split, number))  # type: ignore[arg-type]


def test_more_training_videos_leave_the_test_videos_as_they_were() -> None:
    short = replace(SMALL, test_frames=4)
    assert np.array_equal(images(short, "test", 2), images(replace(short, train_videos=9), "test", 2))


def test_the_training_part_holds_no_anomaly() -> None:
    assert all(kind == "" for number in (1, 2) for _, kind in render_video(SMALL, "normal", number))


def test_each_kind_comes_in_two_test_videos_alone_and_with_normal_frames_around(
    written: tuple[Path, SceneTruth],
) -> None:
    _, truth = written
    found = [set(kinds) for kinds in truth.kinds.values()]
    assert sorted(found, key=sorted) == sorted(({"", kind} for kind in KINDS * 2), key=sorted)


def test_a_third_to_a_half_of_the_test_frames_are_anomalous() -> None:
    config = replace(SMALL, height_px=16, width_px=32, test_frames=120)
    config = replace(config, height_px=48, width_px=80)
    kinds = [kind for number in range(1, 9) for _, kind in render_video(config, "test", number)]
    assert 0.3 < np.mean([bool(kind) for kind in kinds]) < 0.5


def test_an_anomaly_comes_and_goes_once() -> None:
    config = replace(SMALL, test_frames=120)
    for number in range(1, 5):
        present = [bool(kind) for _, kind in render_video(config, "test", number)]
        assert np.count_nonzero(np.diff(present)) == 2


@pytest.mark.parametrize("number", range(1, 5))
def test_each_kind_comes_once_from_each_side(number: int) -> None:
    def where_it_stands_out(video: int) -> float:
        """Mean column, as a share of the width, of what differs between the first anomalous frames and late ones."""
        shown = [image for image, kind in render_video(SMALL, "test", video) if kind]
        early, late = shown[1].astype(float), shown[-2].astype(float)
        change = np.abs(early - late).sum(axis=(0, 2))
        return float(change[: change.size // 2].sum() / change.sum())

    assert where_it_stands_out(number) != where_it_stands_out(number + 4)


def test_the_files_hold_the_promised_frames(written: tuple[Path, SceneTruth]) -> None:
    folder, truth = written
    assert [path.relative_to(folder).as_posix() for path in truth.normal] == ["normal/01.mp4", "normal/02.mp4"]
    for path, count in [(path, 8) for path in truth.normal] + [(path, 60) for path in truth.test]:
        info = probe_video(path)
        assert (info.frame_count, info.height_px, info.width_px, info.frame_rate) == (count, 48, 80, 10.0)


def test_a_written_frame_looks_like_the_rendered_one(written: tuple[Path, SceneTruth]) -> None:
    _, truth = written
    frame = next(read_video(truth.test[0]))
    rendered, _ = next(render_video(SMALL, "test", 1))
    assert frame.image is not None
    assert np.abs(frame.image.astype(float) - rendered).mean() < 6


def test_labels_and_kinds_on_disk_agree_with_the_truth(written: tuple[Path, SceneTruth]) -> None:
    folder, truth = written
    kinds = json.loads((folder / "test" / "kinds.json").read_text())
    assert {name: tuple(row) for name, row in kinds.items()} == truth.kinds
    for name, labels in truth.labels.items():
        lines = (folder / "test" / f"{name}_labels.csv").read_text().splitlines()
        assert lines == [str(label) for label in labels]
        assert labels == tuple(int(kind != "") for kind in kinds[name])
        assert len(lines) == SMALL.test_frames


@pytest.mark.parametrize(("height_px", "width_px"), [(96, 160), (128, 192), (64, 176)])
def test_any_size_of_multiples_of_16_can_be_had(height_px: int, width_px: int) -> None:
    image, _ = next(render_video(SceneConfig(height_px=height_px, width_px=width_px), "normal", 1))
    assert image.shape == (height_px, width_px, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize(
    "wrong", [{"height_px": 100}, {"width_px": 0}, {"frame_rate": 0.0}, {"train_frames": 0}, {"seed": -1}]
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong)).split("_")[0]):
        SceneConfig(**wrong)  # type: ignore[arg-type]
