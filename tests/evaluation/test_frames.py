import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from maskedskipunet.errors import ShapeError
from maskedskipunet.evaluation.frames import (
    LabelledScores,
    auc_by_kind,
    frame_metrics,
    micro_auc,
    roc_auc,
    video_auc,
)

NAN = float("nan")


def video(name: str, scores: list[float], labels: list[int] | None) -> LabelledScores:
    return LabelledScores(name, np.array(scores, np.float64), None if labels is None else np.array(labels, np.uint8))


@st.composite
def videos(draw: st.DrawFn) -> list[LabelledScores]:
    """Some videos, with and without labels, some frames without a score, and many ties."""
    made = []
    for number in range(draw(st.integers(0, 4))):
        frames = draw(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 1), st.booleans()), max_size=12))
        scores = [NAN if missing else float(score) for score, _, missing in frames]
        made.append(video(f"v{number}", scores, draw(st.sampled_from([[label for _, label, _ in frames], None]))))
    return made


def pairs_in_order(labels: NDArray[np.uint8], scores: NDArray[np.float64]) -> float:
    """The area by its meaning: how often an anomalous frame scores over a normal one, ties counting half."""
    anomalous, normal = scores[labels == 1][:, None], scores[labels == 0][None]
    return float((anomalous > normal).mean() + (anomalous == normal).mean() / 2)


def pooled(made: list[LabelledScores]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Labels and scores of every frame that has both."""
    both = [
        (label, score)
        for one in made
        if one.labels is not None
        for label, score in zip(one.labels.tolist(), one.scores.tolist(), strict=True)
        if score == score
    ]
    return np.array([label for label, _ in both], np.uint8), np.array([score for _, score in both], np.float64)


@settings(max_examples=100)
@given(videos())
def test_the_micro_auc_takes_all_frames_with_score_and_label_together(made: list[LabelledScores]) -> None:
    labels, scores = pooled(made)

    if set(labels.tolist()) == {0, 1}:
        assert micro_auc(made) == pytest.approx(pairs_in_order(labels, scores), abs=1e-12)
        assert micro_auc(made) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    else:
        assert micro_auc(made) is None


@settings(max_examples=60)
@given(
    made=videos(),
    rescale=st.sampled_from([np.exp, np.arctan, lambda s: 3 * s - 100, lambda s: s**3 + s, lambda s: s / 1e6]),
)
def test_no_strictly_increasing_rescaling_changes_an_auc(
    made: list[LabelledScores], rescale: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    rescaled = [LabelledScores(one.name, rescale(one.scores), one.labels) for one in made]

    assert frame_metrics(rescaled) == frame_metrics(made)


def test_rescaling_each_video_by_itself_is_another_protocol() -> None:
    made = [video("quiet", [0.0, 0.1], [0, 1]), video("loud", [0.5, 0.6], [0, 1])]

    assert micro_auc(made) == 0.75
    assert frame_metrics(made)["macro_auc_two_class_videos"] == 1.0


@settings(max_examples=40)
@given(videos(), st.randoms())
def test_the_order_of_videos_changes_no_figure(made: list[LabelledScores], random: object) -> None:
    other = frame_metrics(made[::-1])

    assert {name: value for name, value in frame_metrics(made).items() if name != "macro_auc_two_class_videos"} == {
        name: value for name, value in other.items() if name != "macro_auc_two_class_videos"
    }
    assert frame_metrics(made)["macro_auc_two_class_videos"] == pytest.approx(other["macro_auc_two_class_videos"])


@settings(max_examples=60)
@given(videos())
def test_every_figure_of_a_set_of_videos_is_what_its_name_says(made: list[LabelledScores]) -> None:
    figures = frame_metrics(made)

    by_video = {one.name: None if one.labels is None else micro_auc([one]) for one in made}
    two_class = [auc for auc in by_video.values() if auc is not None]
    labelled = [one.labels for one in made if one.labels is not None]
    assert figures["video_auc"] == by_video
    assert figures["micro_auc"] == micro_auc(made)
    assert figures["macro_auc_two_class_videos"] == (
        pytest.approx(sum(two_class) / len(two_class)) if two_class else None
    )
    assert figures["one_class_videos"] == len(labelled) - len(two_class)
    assert figures["videos"] == len(made)
    assert figures["videos_with_labels"] == len(labelled)
    assert figures["frames"] == sum(len(one.scores) for one in made)
    assert figures["frames_scored"] == sum(score == score for one in made for score in one.scores)
    assert figures["frames_anomalous"] == sum(int(labels.sum()) for labels in labelled)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_frames_without_a_score_are_left_out() -> None:
    whole = video("a", [NAN, 0.1, 0.3, 0.2, NAN], [1, 0, 1, 0, 0])

    assert whole.scored.tolist() == [False, True, True, True, False]
    assert video_auc(whole) == micro_auc([whole]) == 1.0


def test_one_class_videos_have_no_auc_of_their_own_but_count_in_the_micro_auc() -> None:
    made = [video("normal", [0.4, 0.2], [0, 0]), video("both", [0.1, 0.3], [0, 1]), video("anomalous", [0.5], [1])]

    figures = frame_metrics(made)

    assert figures["video_auc"] == {"normal": None, "both": 1.0, "anomalous": None}
    assert figures["one_class_videos"] == 2
    assert figures["micro_auc"] == pytest.approx(5 / 6)


def test_a_class_whose_frames_all_lack_scores_is_no_class() -> None:
    assert video_auc(video("a", [NAN, 0.2, 0.3], [1, 0, 0])) is None


@pytest.mark.parametrize("made", [[], [video("a", [0.1, 0.2], None)], [video("a", [], [])], [video("a", [NAN], [1])]])
def test_without_labelled_scores_there_is_no_auc(made: list[LabelledScores]) -> None:
    figures = frame_metrics(made)

    assert figures["micro_auc"] is None
    assert figures["macro_auc_two_class_videos"] is None


def test_videos_without_labels_change_no_auc() -> None:
    labelled, other = video("a", [0.1, 0.2, 0.3], [0, 1, 0]), video("b", [0.9, 0.0], None)

    assert micro_auc([labelled, other]) == micro_auc([labelled]) == 0.5
    assert frame_metrics([labelled, other])["video_auc"] == {"a": 0.5, "b": None}


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_one_class_alone_spans_no_roc_curve(labels: list[int]) -> None:
    assert roc_auc(np.array(labels, np.uint8), np.arange(len(labels), dtype=np.float64)) is None


def test_labels_of_another_length_are_refused_with_the_videos_name() -> None:
    with pytest.raises(ShapeError) as refusal:
        video("Test001", [0.1, 0.2, 0.3], [0, 1])

    assert str(refusal.value) == "Test001: 3 scores and 2 labels."


def test_the_auc_of_a_kind_holds_its_frames_against_all_normal_ones_and_no_other_kind() -> None:
    made = [video("a", [0.1, 0.9, 0.5, NAN], None), video("b", [0.3, 0.2, 0.4], None)]
    kinds = {"a": ["", "cart", "runner", "cart"], "b": ["", "runner", ""]}

    assert auc_by_kind(made, kinds) == {"cart": 1.0, "runner": pytest.approx((3 + 1) / 6)}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(["", "x", "y"])), min_size=1))
def test_with_one_kind_of_anomaly_its_auc_is_the_micro_auc(frames: list[tuple[int, str]]) -> None:
    scores = [float(score) for score, _ in frames]
    kinds = [kind for _, kind in frames]
    by_kind = auc_by_kind([video("a", scores, None)], {"a": kinds})

    assert list(by_kind) == sorted(set(kinds) - {""})
    for name, auc in by_kind.items():
        kept = [(score, int(kind == name)) for score, kind in frames if kind in ("", name)]
        assert auc == micro_auc([video("a", [float(score) for score, _ in kept], [label for _, label in kept])])


def test_a_kind_without_scored_frames_or_without_normal_ones_has_no_auc() -> None:
    assert auc_by_kind([video("a", [NAN, 0.1], None)], {"a": ["cart", ""]}) == {"cart": None}
    assert auc_by_kind([video("a", [0.2, 0.1], None)], {"a": ["cart", "cart"]}) == {"cart": None}
    assert auc_by_kind([video("a", [NAN], None)], {"a": ["cart"]}) == {"cart": None}
    assert auc_by_kind([video("a", [0.1], None)], {"a": [""]}) == {}
    assert auc_by_kind([], {}) == {}


def test_kinds_that_do_not_fit_their_video_are_refused_even_when_the_sum_fits() -> None:
    made = [video("a", [0.1, 0.2], None), video("b", [0.3], None)]

    with pytest.raises(ShapeError, match="a: 2 scores and 1 kinds"):
        auc_by_kind(made, {"a": [""], "b": ["", "cart"]})
