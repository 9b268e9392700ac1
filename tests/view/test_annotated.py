from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import ShapeError
from maskedskipunet.view.annotated import ALARM, CURVE, LEVEL, TRUTH, AnnotatedRenderer, annotate, write_annotated

EVENT = Event("e", "a", 2.0, 4.0, 3.0, 2, 4, 3, 0.9, 0.8, ())


def renderer(height: int = 64, width: int = 96, **changes: object) -> AnnotatedRenderer:
    plain: dict[str, object] = {
        "time_s": np.arange(10.0),
        "scores": np.array([np.nan, 0.1, 0.6, 0.9, 0.6, 0.1, 0.1, 0.2, 0.1, np.nan]),
        "threshold": 0.5,
        "box_level": 0.5,
        "events": (EVENT,),
    }
    return AnnotatedRenderer(height_px=height, width_px=width, **plain | changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests draw small pictures at their own size, but for those of enlarging."""
    if "enlarged" not in request.node.name:
        monkeypatch.setattr("maskedskipunet.view.annotated.readable_scale", lambda height_px: 1)


def spot() -> np.ndarray:
    score_map = np.zeros((32, 48), np.float32)
    score_map[4:14, 8:20] = 1.0
    return score_map


def test_outside_the_strip_a_calm_frame_is_shown_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    drawn = renderer().render(7.0, frame, np.full((32, 48), 0.1, np.float32))

    assert drawn.shape == (64, 96, 3)
    np.testing.assert_array_equal(drawn[:50], frame[:50])


def test_errors_glow_and_are_boxed_while_an_event_goes_on_alone() -> None:
    frame = np.full((64, 96, 3), 100, np.uint8)
    before, during = (renderer().render(time_s, frame, spot()) for time_s in (1.0, 3.0))

    red = (during[:50] == ALARM).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (8, 27, 16, 39)
    assert not (before[:50] == ALARM).all(axis=2).any()
    assert (before[12:24, 20:36] != 100).any()


def test_below_stand_the_threshold_the_event_and_the_moment() -> None:
    drawn = renderer().render(9.0, np.full((64, 96, 3), 100, np.uint8), None)
    strip = drawn[-12:]

    assert (strip == LEVEL).all(axis=2).any()
    assert (strip == ALARM).all(axis=2).any()
    assert (strip[:, -1] == 255).all()


def test_the_curve_hangs_together_between_scores_and_breaks_where_there_are_none() -> None:
    scores = np.array([0.2, 0.8, np.nan, np.nan, 0.1, 0.9, 0.4])
    drawn = renderer(time_s=np.arange(7.0), scores=scores, events=(), threshold=2.0).render(
        6.0, np.zeros((64, 96, 3), np.uint8), None
    )

    curve = np.flatnonzero((drawn[-12:] == CURVE).all(axis=2).any(axis=0))
    assert set(curve) == {*range(17), *range(63, 95)}  # the last column is the moment's


def test_a_caption_stands_on_a_frame_that_is_large_enough_for_it() -> None:
    for height_px, changes in ((200, True), (48, False)):
        frame = np.full((height_px, 240, 3), 100, np.uint8)
        drawn = annotate(frame, None, glow_level=1.0, caption="0.0123")
        assert (drawn != frame).any() == changes
        assert (frame == 100).all()


def test_a_video_keeps_size_and_uneven_times_of_its_source(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 3.0]
    how = renderer()
    pictures = ((time_s, how.render(time_s, np.full((64, 96, 3), 90, np.uint8), None)) for time_s in times)
    write_annotated(tmp_path / "a.mp4", pictures, how, 25)

    info = probe_video(tmp_path / "a.mp4")
    assert (info.frame_count, info.height_px, info.width_px) == (5, 64, 96)
    assert [frame.time_s for frame in read_video(tmp_path / "a.mp4")] == pytest.approx(times, abs=1e-4)


def test_an_odd_size_gets_a_row_or_column_more_and_a_tiny_one_is_drawn_too(tmp_path: Path) -> None:
    assert renderer(33, 47).render(0.0, np.zeros((33, 47, 3), np.uint8), spot()).shape == (34, 48, 3)
    assert renderer(1, 1).render(3.0, np.zeros((1, 1, 3), np.uint8), spot()).shape == (2, 2, 3)
    assert renderer(4, 4).render(3.0, np.zeros((4, 4, 3), np.uint8), spot()).shape == (4, 4, 3)


def test_without_any_score_there_is_a_strip_without_a_curve() -> None:
    drawn = renderer(scores=np.full(10, np.nan), events=()).render(0.0, np.zeros((64, 96, 3), np.uint8), None)

    assert (drawn[-12:] == LEVEL).all(axis=2).any()


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="a frame of shape"):
        renderer().render(0.0, np.zeros((3, 3, 3), np.uint8), None)


def test_scores_that_do_not_belong_to_their_times_are_refused() -> None:
    with pytest.raises(ShapeError, match="scores at"):
        renderer(time_s=np.arange(3.0))


@pytest.mark.parametrize(
    ("size", "shown"), [((64, 96), (320, 480)), ((120, 161), (360, 484)), ((400, 641), (400, 642))]
)
def test_small_footage_is_enlarged_with_its_boxes_and_large_footage_is_not(
    size: tuple[int, int], shown: tuple[int, int], tmp_path: Path
) -> None:
    how, frame = renderer(*size), np.full((*size, 3), 100, np.uint8)
    drawn = how.render(3.0, frame, spot())

    assert drawn.shape == (*shown, 3)
    red = (drawn[: shown[0] // 2] == ALARM).all(axis=2)
    rows = np.flatnonzero(red.any(axis=1)) / shown[0]
    assert (rows[0], rows[-1]) == pytest.approx((4 / 32, 14 / 32), abs=0.03)
    write_annotated(tmp_path / "a.mp4", [(0.0, drawn), (0.1, drawn)], how, 10)
    info = probe_video(tmp_path / "a.mp4")
    assert (info.height_px, info.width_px) == shown


def test_ground_truth_is_a_band_of_its_own_below_the_events() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 0, 0, 0], np.uint8)
    frame = np.zeros((64, 96, 3), np.uint8)
    drawn = renderer(labels=labels).render(0.0, frame, None)

    truth = np.flatnonzero((drawn == TRUTH).all(axis=2).any(axis=0))
    assert (truth[0], truth[-1]) == (53, 63)  # frames 5 and 6 of 0 to 9, over 96 columns
    assert not (renderer(labels=0 * labels).render(0.0, frame, None) == TRUTH).all(axis=2).any()
    assert not (renderer().render(0.0, frame, None) == TRUTH).all(axis=2).any()
