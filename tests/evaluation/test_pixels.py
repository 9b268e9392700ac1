import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from maskedskipunet.errors import ShapeError
from maskedskipunet.evaluation.maps import enlarged
from maskedskipunet.evaluation.pixels import PixelCounts, detection_score


def mask_of(height_px: int, width_px: int, count: int) -> np.ndarray:
    """A mask whose first pixels are anomalous."""
    mask = np.zeros(height_px * width_px, bool)
    mask[:count] = True
    return mask.reshape(height_px, width_px)


@pytest.mark.parametrize(("height_px", "width_px"), [(8, 12), (13, 17), (5, 6)])
def test_the_pixel_auc_is_scikit_learns_over_all_pixels(height_px: int, width_px: int) -> None:
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 2**16, (6, 8, 12)).astype(np.uint16) // 100 * 100  # with ties
    masks = rng.random((6, height_px, width_px)) < 0.2
    counts = PixelCounts()
    for score_map, mask in zip(maps, masks, strict=True):
        counts.add(score_map, mask)

    shown = np.array([enlarged(score_map, height_px, width_px) for score_map in maps])
    expected = roc_auc_score(masks.ravel(), shown.ravel())
    assert counts.figures()["pixel_auc"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("anomalous", "expected"),
    [
        ([9], 9),  # 40 % of one pixel is one
        ([9, 5], 9),  # of two: 0.8, so one
        ([9, 7, 5], 7),  # of three: 1.2, so two
        ([9, 8, 7, 6, 5], 8),  # of five: two exactly
        ([9, 8, 7, 6, 5, 4], 7),  # of six: 2.4, so three
        ([9, 9, 1, 1, 1], 9),
    ],
)
def test_a_frame_is_detected_once_40_percent_of_its_anomalous_pixels_are(anomalous: list[int], expected: int) -> None:
    score_map = np.array([[*anomalous, 99, 0]], np.uint16)  # what lies beside the anomaly counts for nothing

    assert detection_score(score_map, mask_of(1, len(anomalous) + 2, len(anomalous))) == expected


def test_a_normal_frame_is_a_false_alarm_once_any_pixel_is() -> None:
    assert detection_score(np.array([[3, 8], [0, 1]], np.uint16), np.zeros((2, 2), bool)) == 8


def test_the_40_percent_criterion_by_hand() -> None:
    counts = PixelCounts()
    for values, anomalous in (
        ([50, 40, 10, 0, 0], 5),
        ([30, 0, 0, 0, 0], 1),
        ([35, 0, 0, 0, 0], 0),
        ([20, 5, 0, 0, 0], 0),
    ):
        counts.add(np.array([values], np.uint16), mask_of(1, 5, anomalous))

    figures = counts.figures()

    # Anomalous frames score 40 (two of five) and 30, normal ones 35 and 20: three of four pairs are in order.
    assert figures["pixel_40_auc"] == 0.75
    assert figures["pixel_40_eer"] == 0.5
    assert (figures["frames_with_map"], figures["frames_with_anomalous_pixels"]) == (4, 2)


def test_one_class_alone_has_no_figure() -> None:
    counts = PixelCounts()
    counts.add(np.zeros((2, 2), np.uint16), np.zeros((2, 2), bool))

    figures = counts.figures()

    assert (figures["pixel_auc"], figures["pixel_40_auc"], figures["pixel_40_eer"]) == (None, None, None)


def test_a_mask_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"a mask of shape \(2, 2, 3\)\. Use \(H, W\)"):
        PixelCounts().add(np.zeros((2, 2), np.uint16), np.zeros((2, 2, 3), bool))
