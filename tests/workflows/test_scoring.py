from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import DataError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.network import create_model
from maskedskipunet.progress import Advance
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.scoring import ScoredVideo, VideoOutputs, score_video, write_scores

HOW = InputFormat(height_px=32, width_px=32)


class Blind:
    """Reconstructs black whatever it sees, so that a frame's score is its own brightness and no other's."""

    batch_size, precision = 4, "float32"

    def __init__(self, clip_length: int = 3) -> None:
        self.clip_length, self.channels, self.device = clip_length, 3, torch.device("cpu")

    def describe(self) -> dict[str, object]:
        return {"variant": "blind"}

    def encode(self, frames: Tensor) -> list[Tensor]:
        return [frames]

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        clips = sum(len(features[0]) - self.clip_length + 1 for features in runs)
        return torch.zeros(clips, self.channels, height_px, width_px)


def grey_images(folder: Path, levels: Sequence[int]) -> Source:
    """A folder of images, each of one grey."""
    folder.mkdir()
    for number, level in enumerate(levels):
        Picture.fromarray(np.full((32, 32, 3), level, np.uint8)).save(folder / f"{number:03d}.png")
    return Source(path=folder)


def scores_of(
    source: Source,
    clip_length: int = 3,
    how: InputFormat = HOW,
    *,
    video: Path | None = None,
    labels: NDArray[np.uint8] | None = None,
    advance: Advance = lambda done: None,
    batch_size: int | None = None,
) -> ScoredVideo:
    scorer = Scorer(Blind(clip_length), how)
    outputs = VideoOutputs(comparison=video)
    return score_video("clip", source, scorer, outputs, labels=labels, advance=advance, batch_size=batch_size)


def brightness(levels: Sequence[int]) -> NDArray[np.float64]:
    return np.array(levels) / 255


LEVELS = (0, 30, 90, 200, 60, 120, 250, 10, 40)


@pytest.mark.parametrize("clip_length", [1, 3, 5])
def test_each_score_stands_at_its_own_frame_and_none_where_no_clip_is_centred(tmp_path: Path, clip_length: int) -> None:
    result = scores_of(grey_images(tmp_path / "clip", LEVELS), clip_length)

    half = clip_length // 2
    expected = brightness(LEVELS)
    expected[:half] = expected[len(LEVELS) - half :] = np.nan
    np.testing.assert_allclose(result.scores, expected, atol=1e-5)
    assert result.index.tolist() == list(range(9))
    np.testing.assert_allclose(result.time_s, np.arange(9) / 10)
    assert result.frame_rate == pytest.approx(10)


def test_a_label_stands_at_the_target_frame_of_its_clip(tmp_path: Path) -> None:
    labels = np.array([int(level >= 90) for level in LEVELS], np.uint8)

    result = scores_of(grey_images(tmp_path / "clip", LEVELS), labels=labels)

    assert result.labels is not None
    scored = result.labelled.scored
    np.testing.assert_array_equal(result.scores[scored] >= 90 / 255 - 1e-5, result.labels[scored] == 1)
    assert result.curve.auc == 1


def test_frames_left_out_leave_their_labels_out_and_keep_their_numbers(tmp_path: Path) -> None:
    how = InputFormat(height_px=32, width_px=32, stride=2)
    labels = np.array([0, 1, 0, 1, 1, 1, 0, 1, 0], np.uint8)
    source = grey_images(tmp_path / "clip", LEVELS)

    result = scores_of(Source(path=source.path, stride=2), how=how, labels=labels)

    assert result.index.tolist() == [0, 2, 4, 6, 8]
    assert result.labels is not None
    assert result.labels.tolist() == [0, 0, 1, 0, 0]
    np.testing.assert_allclose(result.scores[1:4], brightness([90, 60, 250]), atol=1e-5)
    assert result.frame_rate == pytest.approx(5)


def test_no_clip_spans_a_frame_that_was_skipped(tmp_path: Path) -> None:
    folder = grey_images(tmp_path / "clip", LEVELS).path
    (folder / "004.png").write_bytes(b"damaged")

    result = scores_of(Source(path=folder, on_bad_frame="skip"), video=tmp_path / "out.mp4")

    assert np.flatnonzero(np.isnan(result.scores)).tolist() == [0, 3, 4, 5, 8]
    assert result.index.tolist() == list(range(9))
    assert len(list(read_video(tmp_path / "out.mp4"))) == 9


def test_a_comparison_video_shows_each_frame_with_its_own_reconstruction(tmp_path: Path) -> None:
    told: list[int] = []
    result = scores_of(
        grey_images(tmp_path / "clip", LEVELS), video=tmp_path / "new" / "out.mp4", advance=told.append, batch_size=4
    )

    pictures = [frame.image for frame in read_video(tmp_path / "new" / "out.mp4")]
    shown = [int(picture[150, 200].mean()) for picture in pictures if picture is not None]
    np.testing.assert_allclose(shown, LEVELS, atol=6)
    assert (sum(told), len(result.scores)) == (18, 9)  # each frame is scored once and drawn once
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.mp4"]


def test_a_video_without_any_score_gets_no_comparison_video(tmp_path: Path) -> None:
    result = scores_of(grey_images(tmp_path / "clip", LEVELS[:2]), video=tmp_path / "new" / "out.mp4")

    assert np.isnan(result.scores).all()
    assert not (tmp_path / "new").exists()


def test_one_frame_leaves_the_rate_open_and_can_be_scored_alone(tmp_path: Path) -> None:
    result = scores_of(grey_images(tmp_path / "clip", [51]), clip_length=1, video=tmp_path / "out.mp4")

    assert result.scores.tolist() == pytest.approx([0.2], abs=1e-5)
    assert result.frame_rate == 1


def test_labels_of_a_shorter_video_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="frame 8 was read where 8 frames were counted"):
        scores_of(grey_images(tmp_path / "clip", LEVELS), labels=np.zeros(8, np.uint8))


def test_a_model_brings_the_size_it_was_trained_at_or_the_published_one(tmp_path: Path) -> None:
    network = create_model(latent_dim=8)
    network.save_pretrained(tmp_path / "bare")
    network.input_format = HOW
    network.save_pretrained(tmp_path / "trained")

    assert load_scorer(tmp_path / "bare", "cpu").input_format == InputFormat(height_px=256, width_px=256)
    scorer = load_scorer(tmp_path / "trained", "cpu")
    assert (scorer.input_format, scorer.geometry.length) == (HOW, 3)


# scores.parquet


def two_videos() -> list[ScoredVideo]:
    time_s = np.array([0.0, 0.1, 0.2])
    return [
        ScoredVideo("a", np.array([0, 2, 4]), time_s, np.array([np.nan, 0.25, np.nan]), np.array([0, 1, 0], np.uint8)),
        ScoredVideo("b", np.array([0, 1, 2]), time_s, np.array([0.5, 1.0, 0.0]), None),
    ]


def test_the_table_of_scores_has_a_row_a_frame_and_nulls_where_there_is_nothing(tmp_path: Path) -> None:
    write_scores(tmp_path / "made" / "scores.parquet", two_videos())

    table = pq.read_table(tmp_path / "made" / "scores.parquet")
    assert table.schema.equals(
        pa.schema(
            {
                "video": pa.string(),
                "frame": pa.int64(),
                "time": pa.float64(),
                "score": pa.float64(),
                "label": pa.int8(),
            }
        )
    )
    assert table.to_pydict() == {
        "video": ["a", "a", "a", "b", "b", "b"],
        "frame": [0, 2, 4, 0, 1, 2],
        "time": [0.0, 0.1, 0.2, 0.0, 0.1, 0.2],
        "score": [None, 0.25, None, 0.5, 1.0, 0.0],
        "label": [0, 1, 0, None, None, None],
    }


def test_a_table_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scores(tmp_path / "scores.parquet", two_videos()[:1])

    def fail(table: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("unplugged")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="unplugged"):
        write_scores(tmp_path / "scores.parquet", two_videos())

    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 3


def test_a_video_file_and_the_same_frames_as_images_score_alike(tmp_path: Path) -> None:
    images = grey_images(tmp_path / "clip", LEVELS)
    with VideoWriter(tmp_path / "clip.mp4", height_px=32, width_px=32, frame_rate=10, crf=1) as writer:
        for level in LEVELS:
            writer.write(np.full((32, 32, 3), level, np.uint8))

    by_file, by_images = scores_of(Source(path=tmp_path / "clip.mp4")), scores_of(images)

    np.testing.assert_allclose(by_file.scores, by_images.scores, atol=0.02)
    np.testing.assert_allclose(by_file.time_s, by_images.time_s, atol=1e-5)
