import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.errors import ConfigError, DiskSpaceError, ShapeError
from maskedskipunet.view import plots
from maskedskipunet.view.plots import (
    ALARM,
    LIGHT,
    ScoreCurve,
    peaks_by_column,
    plot_ablation,
    plot_score_curve,
    plot_scores,
    score_limits,
    tick_text,
    time_step_s,
)


def curve(
    name: str = "Test001", count: int = 50, *, labelled: bool = True, auc: float | None = 0.9, level: float = 1.0
) -> ScoreCurve:
    labels = np.zeros(count, np.uint8)
    labels[count // 2 :] = 1
    scores = level * (1 + np.sin(np.arange(count) / 5))
    return ScoreCurve(name, np.arange(count) / 10, scores, labels if labelled else None, auc)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, in order."""
    saved: list[Figure] = []
    save = plots.save_figure

    def keep(figure: Figure, path: Path) -> None:
        saved.append(figure)
        save(figure, path)

    monkeypatch.setattr(plots, "save_figure", keep)
    return saved


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def size_of(path: Path) -> tuple[int, int]:
    with Picture.open(path) as picture:
        assert picture.format == "PNG"
        picture.load()
        return picture.size


def columns_of_the_line(path: Path) -> NDArray[np.intp]:
    """Columns of pixels that hold the colour of the line, below the legend."""
    colour = [int(LIGHT.curve[start : start + 2], 16) for start in (1, 3, 5)]
    with Picture.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))[160:].astype(int)
    return np.flatnonzero((np.abs(pixels - colour) < 12).all(axis=2).any(axis=0))


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (12, 3), (40, 5)])
def test_each_video_has_a_panel_in_a_grid(count: int, columns: int, tmp_path: Path, figures: list[Figure]) -> None:
    plot_scores([curve(f"Test{number:03d}") for number in range(count)], tmp_path / "scores.png", "Ped2")

    assert len(figures[0].axes) == count
    assert len({round(axes.get_position().x0, 4) for axes in figures[0].axes}) == columns
    width, height = size_of(tmp_path / "scores.png")
    assert 900 <= width <= 4000
    assert 500 <= height <= 4000


def test_all_panels_share_one_score_scale_that_holds_every_score(tmp_path: Path, figures: list[Figure]) -> None:
    plot_scores([curve(level=1), curve(level=5)], tmp_path / "scores.png", "")

    first, second = (axes.get_ylim() for axes in figures[0].axes)
    assert first == second
    assert first[0] <= 0
    assert first[1] >= 5 * (1 + np.sin(np.arange(50) / 5)).max()


def test_a_panel_names_its_video_and_its_auc_or_why_it_has_none(tmp_path: Path, figures: list[Figure]) -> None:
    curves = [curve("one", auc=0.98765), curve("two", auc=None), curve("three", labelled=False, auc=None)]

    plot_scores(curves, tmp_path / "scores.png", "")

    said = [{text.get_text() for text in axes.texts} for axes in figures[0].axes]
    assert said == [{"one", "AUC 0.988"}, {"two", "one class"}, {"three", "no labels"}]


def test_the_legend_stands_once_and_names_ground_truth_only_where_there_is_some(
    tmp_path: Path, figures: list[Figure]
) -> None:
    plot_scores([curve(), curve()], tmp_path / "with.png", "")
    plot_scores([curve(labelled=False)], tmp_path / "without.png", "")

    said = [[text.get_text() for legend in figure.legends for text in legend.get_texts()] for figure in figures]
    assert said == [["score", "anomalous (ground truth)"], ["score"]]


def test_thresholds_and_alarms_are_drawn_and_named_where_there_are_some(tmp_path: Path, figures: list[Figure]) -> None:
    quiet = replace(curve("quiet", labelled=False), thresholds=np.full(50, 3.0))
    day = np.where(np.arange(50) < 20, 1.2, 1.8)
    long = replace(curve("long"), thresholds=day, alarms=((0.5, 1.0), (2.0, 2.0), (3.0, 3.1)))
    plot_scores([quiet, long], tmp_path / "scores.png", "")

    said = [text.get_text() for legend in figures[0].legends for text in legend.get_texts()]
    assert said == ["score", "anomalous (ground truth)", "threshold of alarms", "3 alarms"]
    first, second = figures[0].axes
    assert first.get_ylim()[1] > 3.0  # the threshold is seen though no score reaches it
    assert [np.unique(line.get_ydata()).tolist() for axes in (first, second) for line in axes.lines[:1]] == [
        [3.0],
        [1.2, 1.8],
    ]
    bars = [path.get_extents() for bars in second.collections for path in bars.get_paths()][-3:]
    assert [(bar.x0, bar.ymin) for bar in bars] == [(0.5, 0.96), (2.0, 0.96), (3.0, 0.96)]
    assert all(bar.width > 0 for bar in bars)
    red = [int(ALARM[at : at + 2], 16) for at in (1, 3, 5)]
    with Picture.open(tmp_path / "scores.png") as picture:
        assert (np.abs(np.asarray(picture.convert("RGB"))[125:].astype(int) - red) < 12).all(axis=2).any()


def test_a_model_without_a_threshold_is_plotted_as_it_was(tmp_path: Path, figures: list[Figure]) -> None:
    plot_score_curve(curve(labelled=False), tmp_path / "scores.png")

    assert [text.get_text() for legend in figures[0].legends for text in legend.get_texts()] == ["score"]


def test_a_name_that_looks_like_a_formula_is_written_as_it_is(tmp_path: Path, figures: list[Figure]) -> None:
    plot_scores([curve("a$b_{$c^")], tmp_path / "scores.png", "cost $5 and $6_{")
    plot_ablation([("x$_{y$", 0.5)], tmp_path / "ablation.png", "$\\frac$")

    assert "a$b_{$c^" in texts(figures[0])
    assert "x$_{y$" in texts(figures[1])


def test_null_scores_leave_a_gap_in_the_line(tmp_path: Path) -> None:
    whole, holed = curve(count=100, labelled=False), curve(count=100, labelled=False)
    holed.scores[40:60] = np.nan
    plot_score_curve(whole, tmp_path / "whole.png")
    plot_score_curve(holed, tmp_path / "holed.png")

    drawn = [columns_of_the_line(tmp_path / name) for name in ("whole.png", "holed.png")]
    assert np.diff(drawn[0]).max() <= 3
    assert np.diff(drawn[1]).max() > 300


def test_a_score_alone_between_gaps_is_still_seen(tmp_path: Path) -> None:
    alone = curve(count=9, labelled=False)
    alone.scores[[0, 1, 2, 3, 5, 6, 7, 8]] = np.nan
    none = ScoreCurve("Test001", alone.time_s, np.full(9, np.nan), None, 0.9)
    for name, shown in [("alone", alone), ("none", none)]:
        plot_score_curve(shown, tmp_path / f"{name}.png")

    assert len(columns_of_the_line(tmp_path / "alone.png")) > 5
    assert len(columns_of_the_line(tmp_path / "none.png")) == 0


def test_a_video_of_one_frame_without_a_score_can_be_plotted(tmp_path: Path) -> None:
    plot_score_curve(ScoreCurve("x", np.zeros(1), np.full(1, np.nan), np.ones(1, np.uint8), None), tmp_path / "x.png")

    assert size_of(tmp_path / "x.png")[0] > 1000


def test_spans_run_half_a_frame_beyond_their_first_and_last_anomalous_frame() -> None:
    labels = np.array([1, 1, 0, 0, 1, 0], np.uint8)

    spans = ScoreCurve("x", np.arange(6) / 2, np.zeros(6), labels, None).anomalous_spans()

    assert spans == [(-0.25, 1.0), (1.75, 0.5)]


def test_thinning_keeps_the_highest_score_of_every_column() -> None:
    rng = np.random.default_rng(0)
    time_s, scores = np.arange(20_000) / 25, rng.gamma(1, 1, 20_000)

    thin_s, thin = peaks_by_column(time_s, scores, (-0.02, 800.0), 400)

    assert len(thin) == 400
    assert thin.max() == scores.max()
    assert (np.diff(thin_s) > 0).all()
    assert thin[0] == scores[time_s <= thin_s[0]].max()


def test_thinning_leaves_what_fits_and_keeps_long_gaps() -> None:
    time_s, scores = np.arange(1000.0), np.ones(1000)
    scores[300:500] = np.nan

    assert peaks_by_column(time_s, scores, (-0.5, 999.5), 1000)[1] is scores
    thin_s, thin = peaks_by_column(time_s, scores, (-0.5, 999.5), 100)
    assert thin_s[np.isnan(thin)].tolist() == list(range(309, 500, 10))


@pytest.mark.parametrize("length_s", [0.04, 1.0, 7.0, 300.0, 5000.0, 86400.0, 1e7])
def test_a_time_axis_has_a_few_numbers_however_long_it_is(length_s: float) -> None:
    assert 1 <= length_s / time_step_s(length_s, 5) <= 5


def test_no_time_before_the_first_frame_is_written() -> None:
    assert tick_text(-0.2, 1) == ""


def test_a_score_axis_without_scores_goes_from_zero_to_one() -> None:
    assert score_limits([np.full(3, np.nan)]) == (0.0, 1.0)


def test_a_score_axis_has_room_around_a_constant_score_and_holds_the_threshold() -> None:
    low, high = score_limits([np.full(3, 2.0)])
    assert low < 2 < high
    assert score_limits([np.zeros(3)], 4.0)[1] > 4


def test_an_ablation_has_a_bar_a_variant_with_its_value_beside_it(tmp_path: Path, figures: list[Figure]) -> None:
    plot_ablation([("unet", 0.6124), ("masked_skips", 0.984), ("other", None)], tmp_path / "ablation.png", "Ped2")

    (axes,) = figures[0].axes
    assert [round(bar.get_width(), 4) for bar in axes.patches] == [0.6124, 0.984, 0.0]  # type: ignore[attr-defined]
    assert texts(figures[0]) == ["unet", "0.612", "masked_skips", "0.984", "other", "no labels", "chance 0.5"]
    assert axes.get_xlim() == (0, 1)
    assert size_of(tmp_path / "ablation.png")[0] > 900


def test_nothing_to_plot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no curve"):
        plot_scores([], tmp_path / "scores.png", "")
    with pytest.raises(ConfigError, match="no variant"):
        plot_ablation([], tmp_path / "ablation.png", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("times", "scores", "labels"), [(3, 4, None), (3, 3, 2), (0, 0, None)])
def test_a_curve_whose_arrays_do_not_fit_is_refused(times: int, scores: int, labels: int | None) -> None:
    with pytest.raises(ShapeError, match="times, scores and labels"):
        ScoreCurve("x", np.zeros(times), np.zeros(scores), None if labels is None else np.zeros(labels, np.uint8), None)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_: Figure, path: Path, **__: Any) -> None:
        path.write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fill)

    with pytest.raises(DiskSpaceError, match=r"scores\.png: no space left"):
        plot_scores([curve()], tmp_path / "scores.png", "")
    assert list(tmp_path.iterdir()) == []


def test_another_fault_of_the_disk_keeps_its_name_and_the_old_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.png"
    path.write_bytes(b"an older plot")

    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Figure, "savefig", fail)

    with pytest.raises(PermissionError):
        plot_scores([curve()], path, "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.png"]
    assert path.read_bytes() == b"an older plot"
