import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import DataError, MaskedSkipUNetError, WeightsError
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.score import ScoreOptions, score


def as_images(video: Path, folder: Path, count: int | None = None) -> Path:
    """A video's first frames as a folder of images."""
    folder.mkdir()
    for frame in list(read_video(video))[:count]:
        assert frame.image is not None
        Picture.fromarray(frame.image).save(folder / f"{frame.index:03d}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def video(footage: Path) -> Path:
    return footage / "test" / "01.mp4"


def test_a_video_file_gets_scores_a_plot_and_a_comparison_video(
    trained: RunFolder, video: Path, tmp_path: Path, listener: Any
) -> None:
    result = score(video, trained.path, tmp_path / "out", ScoreOptions(with_video=True), progress=listener)

    assert set(contents(tmp_path / "out")) == {"scores.parquet", "scores.png", "comparison.mp4"}
    assert (result.scores_path.name, result.plot_path.name) == ("scores.parquet", "scores.png")
    assert result.video_path is not None
    assert len(list(read_video(result.video_path))) == 12
    table = pq.read_table(result.scores_path).to_pydict()
    assert table["video"] == ["01"] * 12
    assert table["label"] == [int(at in range(4, 7)) for at in range(12)]  # of the file of labels beside it
    assert [at for at, found in enumerate(table["score"]) if found is None] == [0, 11]
    np.testing.assert_array_equal(result.scored.scores[1:-1], table["score"][1:-1])
    # Each frame is scored once and drawn once, and counts once.
    assert (listener.stages, listener.done) == ([("scoring and drawing", 12, "frames")], 12)


def test_a_folder_of_images_scores_like_the_video_they_came_from(
    trained: RunFolder, video: Path, tmp_path: Path
) -> None:
    images = as_images(video, tmp_path / "images")

    by_images = score(images, trained.path, tmp_path / "a").scored
    by_file = score(video, trained.path, tmp_path / "b").scored

    assert by_images.name == "images"
    np.testing.assert_allclose(by_images.scores, by_file.scores, rtol=1e-5)
    assert not (tmp_path / "a" / "comparison.mp4").exists()


def test_any_form_of_the_model_scores_alike(trained_network: RunFolder, video: Path, tmp_path: Path) -> None:
    forms = trained_network.path, trained_network.model, trained_network.epoch_weights(3)
    found = [score(video, model, tmp_path).scored.scores for model in forms]

    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-5)


def several_videos(video: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(video, folder / f"{name}.mp4")
    return folder


def only_test_videos(video: Path, folder: Path) -> Path:
    (folder / "test").mkdir(parents=True)
    shutil.copy(video, folder / "test" / "a.mp4")
    return folder


def nothing(video: Path, folder: Path) -> Path:
    return folder


def two_frames(video: Path, folder: Path) -> Path:
    return as_images(video, folder, 2)


def no_video(video: Path, folder: Path) -> Path:
    folder.write_text("no video")
    return folder


def damaged_image(video: Path, folder: Path) -> Path:
    image = as_images(video, folder) / "006.png"
    image.write_bytes(image.read_bytes()[:60])
    return folder


def damaged_video(video: Path, folder: Path) -> Path:
    damaged = folder.with_suffix(".mp4")
    noise = np.random.default_rng(0)
    with VideoWriter(damaged, height_px=32, width_px=48, frame_rate=10) as writer:
        for _ in range(20):
            writer.write(noise.integers(0, 256, (32, 48, 3), np.uint8))
    content = bytearray(damaged.read_bytes())
    middle = (content.index(b"mdat") + len(content)) // 2
    content[middle : middle + 400] = b"\xff" * 400
    damaged.write_bytes(content)
    return damaged


def truncated_video(video: Path, folder: Path) -> Path:
    damaged = folder.with_suffix(".mp4")
    damaged.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    return damaged


REFUSED = [
    (several_videos, "not one video.*one file or one folder of images"),
    (only_test_videos, "not one video"),
    (nothing, "no such file or folder"),
    (no_video, "the file is no video"),
    (two_frames, r"no 3 good frames follow one another in it \(2 frames\).*longer video"),
    (damaged_image, r"006\.png: cannot read the image"),
    (damaged_video, r"frame \d+ cannot be decoded"),
    (truncated_video, "ends early"),
]


@pytest.mark.parametrize("with_video", [True, False])
@pytest.mark.parametrize(("make", "named"), REFUSED)
def test_what_cannot_be_scored_is_refused_and_nothing_is_left_behind(
    trained: RunFolder, video: Path, tmp_path: Path, make: Any, named: str, with_video: bool
) -> None:
    asked = make(video, tmp_path / "asked")
    before = contents(tmp_path)

    with pytest.raises(DataError, match=named) as refused:
        score(asked, trained.path, tmp_path / "out", ScoreOptions(with_video=with_video))

    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert contents(tmp_path) == before


def test_results_before_stay_when_a_video_is_damaged_in_its_middle(
    trained: RunFolder, video: Path, tmp_path: Path
) -> None:
    score(video, trained.path, tmp_path / "out", ScoreOptions(with_video=True))
    before = contents(tmp_path / "out")

    with pytest.raises(MaskedSkipUNetError, match=r"006\.png"):
        score(damaged_image(video, tmp_path / "asked"), trained.path, tmp_path / "out", ScoreOptions(with_video=True))

    assert contents(tmp_path / "out") == before


def test_bad_frames_may_be_skipped(trained: RunFolder, video: Path, tmp_path: Path) -> None:
    result = score(
        damaged_image(video, tmp_path / "asked"),
        trained.path,
        tmp_path / "out",
        ScoreOptions(with_video=True, on_bad_frame="skip"),
    )

    assert np.flatnonzero(np.isnan(result.scored.scores)).tolist() == [0, 5, 6, 7, 11]
    assert result.video_path is not None
    assert len(list(read_video(result.video_path))) == 12


def test_a_model_that_is_none_is_refused(video: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such model"):
        score(video, tmp_path / "none", tmp_path / "out")

    assert not (tmp_path / "out").exists()
