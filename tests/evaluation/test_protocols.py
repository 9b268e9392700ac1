import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from sklearn.metrics import average_precision_score, roc_auc_score

from maskedskipunet.evaluation.frames import LabelledScores, frame_metrics
from maskedskipunet.evaluation.protocols import MACRO, PER_VIDEO, frame_protocols, padded_auc
from maskedskipunet.evaluation.smoothing import Smoothing

NAN = float("nan")
FIGURES = (*MACRO, *PER_VIDEO, "micro_auc", "average_precision", "equal_error_rate")
RANKS = ("micro_auc", "average_precision", "equal_error_rate", *MACRO[:2])  # what only the order within counts for


def video(name: str, scores: list[float], labels: list[int] | None) -> LabelledScores:
    return LabelledScores(name, np.array(scores, np.float64), None if labels is None else np.array(labels, np.uint8))


def footage(seed: int = 0, videos: int = 4) -> list[LabelledScores]:
    rng = np.random.default_rng(seed)
    made = []
    for number in range(videos):
        labels = (np.arange(60) >= 10 * number).astype(np.uint8)  # the first is all anomalous
        scores = labels + rng.normal(number, 1, 60)
        scores[:2] = NAN
        made.append(LabelledScores(f"v{number}", scores, labels))
    return made


BY_HAND = [
    video("both", [0, 10, 5], [0, 0, 1]),  # in its own order one of two pairs is right
    video("normal", [1, 3], [0, 0]),
    video("anomalous", [2, 2], [1, 1]),
    video("unlabelled", [9, 9, 9], None),
    video("unscored", [NAN, NAN], [0, 1]),
]


def test_the_three_macro_readings_by_hand() -> None:
    figures = frame_protocols(BY_HAND)

    # Padded: both becomes 0, 1, 0.5 and 0, 1: the anomalous 0.5 and 1 against the normal 0, 1, 0.
    both = (2 / 3 + (1 + 1 / 2 + 1) / 3) / 2
    normal = (1 + 1 / 2 + 1) / 3  # 0, 1 and the added 0 against the added 1
    anomalous = (1 / 2 + 1 / 2 + 1) / 3  # 0, 0 and the added 1 against the added 0
    assert figures["macro_auc_two_class_videos"] == 0.5
    assert figures["macro_auc_one_class_as_1"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert [padded_auc(one) for one in BY_HAND[:3]] == pytest.approx([both, normal, anomalous])
    assert figures["macro_auc_padded"] == pytest.approx((both + normal + anomalous) / 3)
    assert figures["one_class_videos"] == 3  # the one without scores among them


def test_the_micro_readings_by_hand() -> None:
    figures = frame_protocols(BY_HAND, Smoothing(window_frames=3))

    # Stretched: 0, 1, [0.5]; 0, 1; [0, 0], anomalous in brackets.
    assert figures["micro_auc_min_max"] == pytest.approx((2 / 4 + 1 / 4 + 1 / 4) / 3)
    # Median of 3, mirrored: 0, 5, [5]; 1, 3; [2, 2]. Causal: 0, 5, [5]; 1, 2; [2, 2].
    assert figures["micro_auc_median"] == pytest.approx((3.5 / 4 + 2 / 4 + 2 / 4) / 3)
    assert figures["micro_auc_median_causal"] == pytest.approx((3.5 / 4 + 2.5 / 4 + 2.5 / 4) / 3)


@pytest.mark.parametrize("seed", range(3))
def test_each_protocol_is_what_independent_libraries_say(seed: int) -> None:
    made = footage(seed)
    figures = frame_protocols(made, Smoothing(3, 7))

    def pooled(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[np.ndarray, np.ndarray]:
        kept = [(one.labels[2:], change(one.scores[2:])) for one in made if one.labels is not None]
        return np.concatenate([labels for labels, _ in kept]), np.concatenate([scores for _, scores in kept])

    for key, change in {
        "micro_auc": lambda scores: scores,
        "micro_auc_min_max": lambda scores: (scores - scores.min()) / (scores.max() - scores.min()),
        "micro_auc_gaussian": lambda scores: gaussian_filter1d(scores, 3),
        "micro_auc_median": lambda scores: median_filter(scores, 7),
    }.items():
        assert figures[key] == pytest.approx(roc_auc_score(*pooled(change)), abs=1e-12)
    assert figures["average_precision"] == pytest.approx(average_precision_score(*pooled(np.array)), abs=1e-12)


def test_what_frame_metrics_promises_stands_among_the_figures() -> None:
    made = footage()
    figures = frame_protocols(made)

    promised = frame_metrics(made)
    assert {key: figures[key] for key in promised} == promised
    assert json.loads(json.dumps(figures, allow_nan=False)).keys() == figures.keys()


def test_each_protocol_has_its_intervals_and_they_hold_the_figure() -> None:
    figures = frame_protocols(footage(videos=12))
    intervals = figures["intervals"]

    assert intervals["by_videos"].keys() == set(FIGURES)
    assert intervals["by_blocks"].keys() == set(FIGURES) - set(MACRO)
    assert (intervals["confidence"], intervals["block_frames"], intervals["seed"]) == (0.95, 50, 0)
    for drawn in (intervals["by_videos"], intervals["by_blocks"]):
        for key, (low, high) in drawn.items():
            assert low <= figures[key] <= high, key


@pytest.mark.parametrize("rescale", [np.exp, lambda scores: scores**3 + scores, lambda scores: scores / 1e6 - 7])
def test_no_strictly_increasing_rescaling_changes_a_raw_figure_or_its_interval(
    rescale: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    made = footage()
    rescaled = [LabelledScores(one.name, rescale(one.scores), one.labels) for one in made]

    before, after = frame_protocols(made), frame_protocols(rescaled)

    for key in RANKS:
        assert before[key] == after[key]
        assert before["intervals"]["by_videos"][key] == after["intervals"]["by_videos"][key]


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 3, 0, 2]])
def test_the_order_of_videos_changes_no_figure(order: list[int]) -> None:
    made = footage()
    before, after = frame_protocols(made), frame_protocols([made[at] for at in order])

    for key in FIGURES:
        assert after[key] == pytest.approx(before[key], abs=1e-12)


def test_turned_scores_turn_the_auc() -> None:
    made = footage()
    turned = frame_protocols([LabelledScores(one.name, -one.scores, one.labels) for one in made])

    assert turned["micro_auc"] == pytest.approx(1 - frame_protocols(made)["micro_auc"])


def test_where_borders_are_not_known_what_needs_them_is_not_available() -> None:
    figures = frame_protocols(footage(videos=1), borders=False)

    for key in (*MACRO, *PER_VIDEO, "videos", "one_class_videos", "video_auc"):
        assert figures[key] is None
    assert figures["intervals"]["by_videos"] == {}
    assert figures["intervals"]["by_blocks"].keys() == {"micro_auc", "average_precision", "equal_error_rate"}


@pytest.mark.parametrize("made", [[], [video("a", [1, 2], None)], [video("a", [NAN], [1])]])
def test_without_labelled_scores_there_is_no_figure(made: list[LabelledScores]) -> None:
    figures = frame_protocols(made)

    assert {figures[key] for key in FIGURES} == {None}


def test_one_class_alone_has_the_macro_readings_that_take_it_and_no_other_figure() -> None:
    figures = frame_protocols([video("a", [1, 2], [0, 0]), video("b", [1, 2], [0, 0])])

    has = {key for key in FIGURES if figures[key] is not None}
    assert has == {"macro_auc_one_class_as_1", "macro_auc_padded"}
