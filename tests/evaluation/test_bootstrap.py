import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from maskedskipunet.evaluation import bootstrap
from maskedskipunet.evaluation.bootstrap import RESAMPLES, blocks, draws, figure_intervals, interval, mean_interval
from maskedskipunet.evaluation.ranking import Ranking, area_under_roc, average_precision


def footage(videos: int, frames: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, score and video of each frame; half of each video is anomalous."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(frames) >= frames // 2, videos).astype(np.uint8)
    scores = labels + rng.normal(0, 1, videos * frames) + np.repeat(rng.normal(0, 0.5, videos), frames)
    return labels, scores, np.repeat(np.arange(videos), frames)


def test_a_resample_is_the_figure_of_the_videos_that_were_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 5000)  # several parts
    labels, scores, video = footage(5)
    expected = []
    for counts in draws(5, seed=3, resamples=200):
        drawn = np.concatenate([np.flatnonzero(video == unit) for unit in np.repeat(np.arange(5), counts)])
        expected.append(roc_auc_score(labels[drawn], scores[drawn]))

    (found,) = figure_intervals(Ranking(labels, scores), [area_under_roc], video, seed=3)

    assert found == pytest.approx(np.quantile(expected, [0.025, 0.975]), abs=1e-12)


def test_the_same_seed_draws_the_same_and_another_otherwise() -> None:
    labels, scores, video = footage(6)
    same = [figure_intervals(Ranking(labels, scores), [area_under_roc], video, seed) for seed in (1, 1, 2)]

    assert same[0] == same[1] != same[2]


@pytest.mark.parametrize("seed", range(3))
def test_an_interval_holds_the_figure_and_shrinks_with_more_footage(seed: int) -> None:
    widths = []
    for videos in (6, 48):
        labels, scores, video = footage(videos, seed=seed)
        ranking = Ranking(labels, scores)
        intervals = figure_intervals(ranking, [area_under_roc, average_precision], video, seed)
        for figure, found in zip((area_under_roc, average_precision), intervals, strict=True):
            value = ranking.figure(figure)
            assert found is not None
            assert value is not None
            assert found[0] < value < found[1]
        assert intervals[0] is not None
        widths.append(intervals[0][1] - intervals[0][0])

    assert widths[1] < widths[0] / 1.5


def test_videos_that_all_say_the_same_leave_nothing_open() -> None:
    labels, scores, video = np.tile([0, 0, 1], 4).astype(np.uint8), np.tile([0.1, 0.3, 0.2], 4), np.repeat(range(4), 3)

    (found,) = figure_intervals(Ranking(labels, scores), [area_under_roc], np.array(video), seed=0)

    assert found == pytest.approx((0.5, 0.5))


def test_one_video_alone_and_none_have_no_interval() -> None:
    labels, scores, video = footage(1)

    assert figure_intervals(Ranking(labels, scores), [area_under_roc], video, seed=0) == [None]
    assert figure_intervals(Ranking(labels[:0], scores[:0]), [area_under_roc], video[:0], seed=0) == [None]
    assert mean_interval(np.array([0.5]), seed=0) is None


def test_there_is_no_interval_where_most_resamples_hold_one_class() -> None:
    labels, scores, video = np.array([0, 1], np.uint8), np.array([0.0, 1.0]), np.array([0, 1])

    assert interval(np.array([np.nan, np.nan, 1.0])) is None
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    (found,) = figure_intervals(Ranking(labels, scores), [area_under_roc], video, seed=0)
    assert found in (None, (1.0, 1.0))


def test_blocks_end_with_their_video() -> None:
    video, frame = np.repeat([0, 1], [5, 3]), np.concatenate([np.arange(5), np.arange(3)])

    assert blocks(video, frame, 2).tolist() == [0, 0, 1, 1, 2, 3, 3, 4]


def test_the_mean_is_drawn_over_the_videos_that_count() -> None:
    values = np.array([0.5, np.nan, 1.0, 0.75])
    expected = []
    for counts in draws(4, seed=0, resamples=RESAMPLES):
        drawn = np.repeat(values, counts)
        if not np.isnan(drawn).all():
            expected.append(np.nanmean(drawn))

    assert mean_interval(values, seed=0) == pytest.approx(np.quantile(expected, [0.025, 0.975]))
    assert mean_interval(np.array([np.nan, np.nan]), seed=0) is None
