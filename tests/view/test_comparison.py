from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from maskedskipunet.data.frames import Image
from maskedskipunet.errors import ShapeError
from maskedskipunet.view.comparison import ComparisonRenderer, ErrorMap, write_comparison
from maskedskipunet.view.comparison_layout import Box
from maskedskipunet.view.plots import ScoreCurve


def renderer(
    count: int = 30,
    size: tuple[int, int] = (48, 64),
    *,
    scores: NDArray[np.float64] | None = None,
    labels: NDArray[np.uint8] | None = None,
    threshold: float | None = None,
    name: str = "Test001",
) -> ComparisonRenderer:
    return ComparisonRenderer(
        ScoreCurve(name, np.arange(count) / 10, np.linspace(0, 1, count) if scores is None else scores, labels, None),
        source_height_px=size[0],
        source_width_px=size[1],
        error_scale=0.5,
        threshold=threshold,
    )


def pictures(position: int = 0, size: tuple[int, int] = (48, 64)) -> tuple[Image, Image, ErrorMap]:
    """A frame with a moving square, a reconstruction that misses it, and the errors."""
    frame = np.full((*size, 3), 80, np.uint8)
    frame[4:20, 2 + position : 18 + position] = 220
    rebuilt = np.full((32, 32, 3), 80, np.uint8)
    errors = np.zeros((32, 32))
    errors[4:12, 2:10] = 0.5
    return frame, rebuilt, errors


def scored(picture: Image, drawn: ComparisonRenderer) -> Image:
    return drawn.layout.scores.of(picture)


def caption(picture: Image, panel: Box) -> Image:
    return Box(panel.top - 24, panel.left, 20, panel.width).of(picture)


@pytest.mark.parametrize("count", [1, 2, 7, 20_000])
def test_every_picture_of_a_video_has_the_same_size(count: int) -> None:
    drawn = renderer(count)
    shape = (drawn.height_px, drawn.width_px, 3)

    assert drawn.render(0, None, None, None).shape == shape
    assert drawn.render(count - 1, *pictures()).shape == shape
    assert drawn.render(count // 2, *pictures()).dtype == np.uint8


@pytest.mark.parametrize("count", [12, 150, 397, 3000])
def test_a_picture_does_not_know_what_comes_later(count: int) -> None:
    rng = np.random.default_rng(count)
    past = count // 2
    scores = rng.random(count)
    other = np.concatenate([scores[: past + 1], rng.permutation(scores[past + 1 :])])

    first, second = (renderer(count, scores=each).render(past, *pictures()) for each in (scores, other))

    assert (first == second).all()


@pytest.mark.parametrize("count", [12, 3000])
def test_right_of_the_playhead_the_plot_is_empty(count: int) -> None:
    scores = np.random.default_rng(0).random(count)
    drawn = renderer(count, scores=scores)
    position = count // 2
    width = drawn.layout.scores.width
    now = int(width * 0.65)

    plot = scored(drawn.render(position, *pictures()), drawn)[16:]
    late = scored(drawn.render(count - 1, *pictures()), drawn)[16:]

    assert not _curve_coloured(plot[:, now:]).any()
    assert _curve_coloured(plot[:, : int(width * 0.5)]).any()
    assert _curve_coloured(late[:, now:]).any()


def test_pictures_may_be_asked_for_in_any_order() -> None:
    drawn, again = renderer(), renderer()
    forward = [drawn.render(position, *pictures()) for position in range(0, 30, 5)]
    backward = [again.render(position, *pictures()) for position in reversed(range(0, 30, 5))]

    assert all((one == other).all() for one, other in zip(forward, reversed(backward), strict=True))


def test_null_scores_leave_a_gap_in_the_curve() -> None:
    scores = np.full(60, 0.5)
    scores[0], scores[1], scores[20:40] = 0.0, 1.0, np.nan
    drawn = renderer(60, scores=scores)

    columns = _curve_coloured(scored(drawn.render(59, *pictures()), drawn)).any(axis=0)

    assert np.diff(np.flatnonzero(columns)).max() > drawn.layout.scores.width * 0.25


def test_a_frame_without_a_score_has_no_dot_and_says_so() -> None:
    scores = np.array([0.0, 1.0, np.nan, 0.5])
    drawn = renderer(4, scores=scores)
    without = drawn.render(2, *pictures())
    with_score = renderer(4, scores=np.nan_to_num(scores, nan=0.4)).render(2, *pictures())

    assert (caption(without, drawn.layout.scores) != caption(with_score, drawn.layout.scores)).any()
    bright = [(scored(picture, drawn) > 235).all(axis=2).sum() for picture in (without, with_score)]
    assert bright[0] == 0
    assert bright[1] > 30


def test_an_anomalous_frame_has_a_border_around_it_and_the_word_above_it() -> None:
    labels = np.array([0, 1], np.uint8)
    drawn = renderer(2, labels=labels, scores=np.array([0.5, 0.5]))
    normal, anomalous = (drawn.render(position, *pictures()) for position in (0, 1))
    panel = drawn.layout.frame
    edge = Box(panel.top, panel.left - 3, panel.height, 3)

    assert (edge.of(normal) != edge.of(anomalous)).all(axis=2).all()
    assert (panel.of(normal) == panel.of(anomalous)).all()
    right = slice(panel.width - 100, panel.width)
    words = [caption(picture, panel)[:, right] for picture in (normal, anomalous)]
    assert (words[0] != words[1]).any(axis=2).sum() > 500


def test_ground_truth_is_shaded_over_the_whole_axis_from_the_start() -> None:
    labels = np.zeros(40, np.uint8)
    labels[20:30] = 1
    with_truth, without = renderer(40, labels=labels), renderer(40, labels=np.zeros(40, np.uint8))

    differs = [scored(each.render(0, *pictures()), each) for each in (with_truth, without)]
    columns = np.flatnonzero((differs[0] != differs[1]).any(axis=2).any(axis=0))

    assert columns.min() > with_truth.layout.scores.width * 0.5
    assert len(columns) > with_truth.layout.scores.width * 0.2


def test_a_score_from_the_threshold_on_is_called_out() -> None:
    drawn = renderer(3, scores=np.array([0.4, 0.5, 0.6]), threshold=0.5)
    yellow = [
        (caption(drawn.render(position, *pictures()), drawn.layout.scores)[..., 2] < 120)
        & (caption(drawn.render(position, *pictures()), drawn.layout.scores)[..., 0] > 200)
        for position in range(3)
    ]

    assert [bool(found.any()) for found in yellow] == [False, True, True]


def test_the_frame_stands_in_its_panel_and_the_errors_glow_in_theirs() -> None:
    drawn = renderer()
    frame, rebuilt, errors = pictures()
    picture = drawn.render(5, frame, rebuilt, errors)

    shown = drawn.layout.picture_in(drawn.layout.frame).of(picture)
    assert abs(float(shown.mean()) - float(frame.mean())) < 2
    glowing = drawn.layout.picture_in(drawn.layout.errors).of(picture).astype(int)
    coloured = (glowing.max(axis=2) - glowing.min(axis=2)) > 40
    height, width = coloured.shape
    assert coloured[height // 8 : height // 3, width // 12 : width // 4].mean() > 0.9
    assert not coloured[height // 2 :].any()


def test_what_is_missing_leaves_a_dark_panel_that_says_so() -> None:
    drawn = renderer()
    picture = drawn.render(0, pictures()[0], None, None)

    for panel in (drawn.layout.errors, drawn.layout.reconstruction):
        part = panel.of(picture)
        assert np.median(part) < 50
        assert 100 < (part.min(axis=2) > 120).sum() < 3000


def test_a_frame_that_could_not_be_decoded_may_still_have_errors() -> None:
    drawn = renderer()

    picture = drawn.render(3, None, *pictures()[1:])

    assert np.median(drawn.layout.frame.of(picture)) < 50
    assert drawn.layout.errors.of(picture).max() > 200


def test_a_long_name_does_not_run_into_the_word_beside_it() -> None:
    long, short = (renderer(2, labels=np.ones(2, np.uint8), name=name) for name in ("camera " * 40, "c"))
    panel = long.layout.frame

    captions = [caption(each.render(1, *pictures()), panel) for each in (long, short)]

    # The badge and the gap before it are the same.
    assert (captions[0][:, -110:] == captions[1][:, -110:]).all()
    assert (captions[0] != captions[1]).any()


@pytest.mark.parametrize("position", [-1, 30])
def test_a_position_outside_the_video_is_refused(position: int) -> None:
    with pytest.raises(ShapeError, match=f"frame {position} of a video with 30 scores"):
        renderer().render(position, *pictures())


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="a frame of shape"):
        renderer().render(0, np.zeros((10, 10, 3), np.uint8), None, None)


def test_scores_and_labels_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="times, scores and labels"):
        renderer(5, labels=np.zeros(4, np.uint8))


def test_the_video_decodes_to_as_many_frames_as_h264(tmp_path: Path) -> None:
    drawn = renderer(12, labels=np.ones(12, np.uint8))
    frames = [(pictures(position) if 0 < position < 11 else (pictures()[0], None, None)) for position in range(12)]

    write_comparison(tmp_path / "Test001.mp4", frames, drawn, 10)

    with av.open(str(tmp_path / "Test001.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == (drawn.height_px, drawn.width_px)
        assert float(stream.average_rate or 0) == 10
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 12
    assert np.abs(decoded[5].astype(int) - drawn.render(5, *frames[5])).mean() < 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["Test001.mp4"]


def test_a_failed_render_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[tuple[Image, Image, ErrorMap]]:
        yield pictures()
        raise RuntimeError("the scorer died")

    with pytest.raises(RuntimeError, match="the scorer died"):
        write_comparison(tmp_path / "Test001.mp4", failing(), renderer(3), 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_frames_than_scores_is_refused_and_leaves_no_file(count: int, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="3 scores"):
        write_comparison(tmp_path / "Test001.mp4", [pictures()] * count, renderer(3), 10)
    assert list(tmp_path.iterdir()) == []


def _curve_coloured(picture: Image) -> NDArray[np.bool_]:
    """Where the curve's light blue is."""
    parts = picture.astype(int)
    found: NDArray[np.bool_] = (parts[..., 2] > 170) & (parts[..., 2] - parts[..., 0] > 80)
    return found
