import numpy as np
import pytest

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.fusion import Fusion
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.tails import Tails
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CueReading

GRID = PlaceGrid.of_size(48, 96)
ERRORS = np.random.default_rng(0).exponential(0.01, (2000, 1)).astype(np.float32)
FUSION = Fusion(GRID, Tails.fit(ERRORS))
ALONE = Fusion(GRID, None)


def cue(score: float | None, place: int | None = None, height: float = 0.0) -> CueScore:
    places = np.zeros(GRID.count, np.float32)
    if place is not None:
        places[place] = height
    return CueScore(score, places=places, reading=None if score is None else CueReading(score))


def frame(score: float | None, errors: np.ndarray | None = None) -> FrameScore:
    return FrameScore(3, 0.3, score, errors)


def test_the_strangest_cue_leads_and_others_that_agree_add_a_little() -> None:
    scores = [
        ALONE(frame(None), {"movement": cue(first), "appearance": cue(second)}).score or 0
        for first, second in ((4.0, 0.3), (4.0, 3.0), (4.0, 4.0))
    ]

    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(4, abs=0.01)
    assert scores[2] == pytest.approx(4 * 2**0.25)


def test_the_networks_score_counts_by_how_rare_it_is_and_stays_beside_as_it_is() -> None:
    usual, rare = float(np.median(ERRORS)), float(np.quantile(ERRORS, 0.999))

    low, high = (FUSION(frame(score), {"movement": cue(0.3)}) for score in (usual, rare))

    assert low.cues == {"movement": 0.3, "reconstruction": usual}
    assert high.cues["reconstruction"] == rare
    assert low.score == pytest.approx((0.3**4 + 0.301**4) ** 0.25, abs=0.01)
    assert high.score == pytest.approx(3, abs=0.4)
    assert high.readings["reconstruction"].surprise == pytest.approx(high.score or 0, abs=0.01)


def test_a_frame_without_a_score_of_the_network_has_none() -> None:
    assert FUSION(frame(None), {"movement": cue(5.0)}) == frame(None)


def test_a_cue_that_cannot_judge_the_frame_is_left_out() -> None:
    found = FUSION(frame(0.01), {"movement": cue(None), "appearance": cue(2.0)})

    assert set(found.cues) == set(found.readings) == {"appearance", "reconstruction"}
    assert ALONE(frame(None), {"movement": cue(None)}) == frame(None)


def test_how_rare_each_place_looks_is_kept_for_drift() -> None:
    looks = np.linspace(0, 2, GRID.count, dtype=np.float32)
    errors = np.full((48, 96), 0.001, np.float32)

    found = FUSION(frame(0.01, errors), {"movement": cue(1.0), "appearance": CueScore(2.0, looks=looks)})
    without = FUSION(frame(0.01, errors), {"movement": cue(1.0)})

    assert found.seen is looks
    assert without.seen is without.map


def test_the_map_shows_what_every_cue_finds_where_it_finds_it() -> None:
    errors = np.full((48, 96), 0.001, np.float32)
    errors[:16, :16] = 0.2

    found = FUSION(frame(0.2, errors), {"movement": cue(4.0, GRID.count - 1, 4.0)}).map

    assert found is not None
    assert found.shape == (48, 96)
    assert found.dtype == np.float32
    assert found[4, 4] > 3
    assert found[-4, -4] > 3
    assert found[4, -4] < 1 > found[-4, 4]


def test_there_is_no_map_where_none_is_wanted_of_the_network() -> None:
    assert FUSION(frame(0.2), {"movement": cue(4.0, 0, 4.0)}).map is None
    assert ALONE(frame(None), {"movement": cue(4.0, 0, 4.0)}).map is not None
    assert ALONE(frame(None), {"movement": CueScore(4.0)}).map is None


def test_the_reading_of_the_network_says_where_its_error_is_highest() -> None:
    errors = np.zeros((48, 96), np.float32)
    errors[30:44, 70:84] = 1.0

    box = FUSION(frame(0.2, errors), {}).readings["reconstruction"].box

    assert box is not None
    left, top, right, bottom = box
    assert left * 96 <= 77 <= right * 96
    assert top * 48 <= 37 <= bottom * 48
    assert FUSION(frame(0.2), {}).readings["reconstruction"].box is None
