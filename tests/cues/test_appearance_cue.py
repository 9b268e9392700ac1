from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.cues.appearance_cue import AppearanceCue
from maskedskipunet.cues.appearance_judging import EARLIER_RISE, LASTING_S, LOOKS, Judge, LastingMeter, LastingRise
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.tails import Tails, mean_of_strangest
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame

Street = Callable[..., np.ndarray]
AsSized = Callable[..., list[SizedFrame]]


@pytest.fixture
def cue(learned: CueModel) -> AppearanceCue:
    assert learned.appearance is not None
    return learned.appearance


def with_box(frames: np.ndarray, top: int, left: int, side: int = 12) -> np.ndarray:
    """The frames with something in them that was never seen."""
    changed = frames.copy()
    changed[:, :, top : top + side, left : left + side] = 255
    return changed


def test_what_never_stood_there_is_strange_and_the_box_says_where(
    cue: AppearanceCue, make_street: Street, as_sized: AsSized
) -> None:
    street = make_street(seed=9)
    usual = cue.start_run().add(as_sized(street))

    strange = cue.start_run().add(as_sized(with_box(street, 2, 60)))

    assert all(found.score is not None for found in usual)
    assert min(found.score or 0 for found in strange) > max(found.score or 0 for found in usual) + 0.5
    for found in strange:
        assert found.reading is not None
        assert found.reading.box is not None
        left, top, right, bottom = found.reading.box
        assert left * 96 < 72
        assert right * 96 > 60
        assert top * 48 < 14
        assert bottom * 48 > 2


@pytest.mark.parametrize(("value", "sign"), [(255, 1), (0, -1)])
def test_what_is_strange_tells_how_it_looks_how_large_it_is_and_where_its_middle_lies(
    cue: AppearanceCue, make_street: Street, as_sized: AsSized, value: int, sign: int
) -> None:
    street = make_street(seed=9)
    street[:, :, 2:18, 60:76] = value

    for found in cue.start_run().add(as_sized(street)):
        reading = found.reading
        assert reading is not None
        assert reading.look is not None
        assert reading.spread is not None
        assert reading.centre is not None
        assert len(reading.look) == street.shape[1]
        assert all(sign * colour > 0.1 for colour in reading.look)
        assert 0 < reading.spread < 0.5
        assert abs(reading.centre[0] * 96 - 68) < 12
        assert abs(reading.centre[1] * 48 - 10) < 10


def test_what_is_usual_tells_no_look(cue: AppearanceCue, make_street: Street, as_sized: AsSized) -> None:
    readings = [found.reading for found in cue.start_run().add(as_sized(make_street(seed=2)))]
    assert [reading.look for reading in readings if reading is not None and reading.surprise < 2] == [None] * sum(
        reading is not None and reading.surprise < 2 for reading in readings
    )


def test_the_nearest_normal_moment_is_named(cue: AppearanceCue, make_street: Street, as_sized: AsSized) -> None:
    for found in cue.start_run().add(as_sized(make_street(seed=2))):
        assert found.reading is not None
        assert found.reading.nearest is not None
        assert found.reading.nearest.video.startswith("video ")
        assert 0 <= found.reading.nearest.time_s <= 1.5
        assert found.reading.lasting_s is None


def test_a_bad_frame_has_no_score_and_the_others_keep_theirs(
    cue: AppearanceCue, make_street: Street, as_sized: AsSized
) -> None:
    street = make_street(seed=5)
    whole, run = cue.start_run().add(as_sized(street)), cue.start_run()

    found = run.add(as_sized(street, bad=(0, 4, 15)))

    assert [number for number, score in enumerate(found) if score.score is None] == [0, 4, 15]
    for number in (1, 8, 14):
        assert found[number].score == pytest.approx(whole[number].score, abs=1e-3)
    assert [score.score for score in run.add(as_sized(street[:2], bad=(0, 1)))] == [None, None]
    assert run.add([]) == []
    assert run.finish() == []


def test_what_is_ignored_changes_nothing_and_is_not_strange_itself(
    cue: AppearanceCue, make_street: Street, as_sized: AsSized
) -> None:
    street = make_street(seed=5)
    ignored = np.zeros((48, 96), bool)
    ignored[:10, 30:] = True

    plain, painted, strange = (
        [found.score or 0 for found in cue.start_run().add(as_sized(frames, ignored=mask))]
        for frames, mask in ((street, None), (street, ignored), (with_box(street, 0, 40, 8), ignored))
    )

    assert strange == painted
    assert max(painted) <= max(plain) + 1e-3  # though grey was never seen there


def judge(places: int, known: int = 1000) -> Judge:
    """Takes distances of an exponential distribution for normal."""
    values = np.random.default_rng(0).exponential(0.1, (known, places)).astype(np.float32)
    tails = Tails.fit(values)
    return Judge(tails, Tails.fit(mean_of_strangest(tails.surprise(values))[:, None]))


def test_what_stays_for_a_minute_is_strange_for_longer_than_a_moment_would_tell(cue: AppearanceCue) -> None:
    places = cue.descriptor.grid.count
    usual = Judge(*[Tails.fit(np.linspace(0, 10, 500, dtype=np.float32)[:, None].repeat(n, 1)) for n in (places, 1)])
    patient = AppearanceCue(cue.descriptor, cue.memory, usual, judge(places), cue.moments)
    distances, nearest = np.full(places, 2.0, np.float32), np.zeros(places, np.int64)

    moment = patient.judge(distances, None, nearest)
    minute = patient.judge(distances, distances, nearest)

    assert moment.reading is not None
    assert minute.reading is not None
    assert (minute.score or 0) > (moment.score or 0)
    assert moment.reading.lasting_s is None
    assert minute.reading.lasting_s == LASTING_S


def test_what_lasts_counts_up_to_a_minutes_seconds_as_rare_and_what_is_ordinary_is_left() -> None:
    rise = LastingRise(start=0.3, span=1.0)

    raised = rise(np.array([0.0, 0.3, 0.8, 1.3, 3.0, 11.5], np.float32))

    assert raised.tolist() == pytest.approx(
        [0.0, 0.3, 0.8 + np.log10(60) / 2, 1.3 + np.log10(60), 3 + np.log10(60), 12]
    )


@pytest.mark.parametrize("rise", [LastingRise(), EARLIER_RISE])
def test_what_lasts_longer_never_counts_less(rise: LastingRise) -> None:
    assert (np.diff(rise(np.linspace(0, 12, 200, dtype=np.float32))) >= 0).all()


def test_what_one_minute_in_ten_reaches_is_not_raised() -> None:
    assert LastingRise()(np.float32(1.0)) == 1.0


def test_a_model_keeps_its_rise_and_one_without_has_the_earlier(cue: AppearanceCue) -> None:
    grid, own = cue.descriptor.grid, replace(cue, rise=LastingRise(2.0, 0.25)).arrays()
    without = {name: array for name, array in own.items() if name != "lasting.rise"}

    assert AppearanceCue.from_arrays(grid, own).rise == LastingRise(2.0, 0.25)
    assert AppearanceCue.from_arrays(grid, without).rise == EARLIER_RISE


@pytest.mark.parametrize("damaged", [[1.0], [np.nan, 1.0], [1.0, 0.0], [-1.0, 1.0], [99.0, 1.0]])
def test_a_damaged_rise_is_refused(cue: AppearanceCue, damaged: list[float]) -> None:
    arrays = cue.arrays() | {"lasting.rise": np.array(damaged, np.float32)}

    with pytest.raises(ValueError, match="no rise"):
        AppearanceCue.from_arrays(cue.descriptor.grid, arrays)


def test_lasting_is_the_lower_median_of_a_minute_and_its_last_seconds_and_unknown_before() -> None:
    meter = LastingMeter()
    seen = np.random.default_rng(0).random(20 * 100).astype(np.float32)

    found = [meter.add(number / 10, np.full(2, value, np.float32)) for number, value in enumerate(seen)]

    assert all(median is None for median in found[:500])
    assert found[700] is not None
    assert found[1500] is not None
    looked = seen[900:1501:20]  # a look every two seconds
    assert found[1500][0] == pytest.approx(min(float(np.median(looked)), float(np.median(looked[-6:]))))
    assert len(looked) == LOOKS + 1


def test_what_has_gone_lasts_no_longer_than_a_few_seconds() -> None:
    meter = LastingMeter()
    found = {second: meter.add(float(second), np.full(1, 100 <= second < 200, np.float32)) for second in range(300)}

    lasts = [second for second, median in found.items() if median is not None and median[0] > 0.5]

    assert lasts[0] == pytest.approx(130, abs=3)  # it has been there for half a minute
    assert lasts[-1] == pytest.approx(205, abs=2)  # and is over soon after it ended
    assert lasts == list(range(lasts[0], lasts[-1] + 1))


def test_lasting_holds_a_minute_however_long_a_source_is_and_begins_anew_when_its_clock_goes_back() -> None:
    meter = LastingMeter()
    for number in range(5000):
        meter.add(float(number), np.zeros(2, np.float32))
    assert len(meter._looks) <= LOOKS + 1

    assert meter.add(10.0, np.ones(2, np.float32)) is None
    assert len(meter._looks) == 1


def test_a_clock_that_stands_or_is_unknown_lasts_for_nothing() -> None:
    for time_s in (5.0, float("nan")):
        meter = LastingMeter()
        assert all(meter.add(time_s, np.zeros(1, np.float32)) is None for _ in range(100))
        assert len(meter._looks) <= 1


def test_a_frame_is_as_strange_as_its_strangest_places_are_together() -> None:
    assert mean_of_strangest(np.array([5, 1, 4, 0, 3], np.float32)) == 4
    assert mean_of_strangest(np.array([[5, 1]], np.float32)).tolist() == [3]


def test_score_and_places_share_their_units(cue: AppearanceCue, make_street: Street, as_sized: AsSized) -> None:
    frames = [SizedFrame(Frame(0, 0.0, None), make_street(seed=3)[0])]
    (found,) = cue.start_run().add(frames)

    assert found.score is not None
    assert found.places is not None
    assert found.places.shape == (cue.descriptor.grid.count,)
    assert found.places.max() >= found.score - 1e-5  # the strangest place is no less strange than the mean of three
