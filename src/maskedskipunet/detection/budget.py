"""Alarm budgets: the threshold at which normal footage gives no more alarms than a person will look at.

An alarm is an event by the rule, never a frame. As the threshold falls over all normal footage, the first alarm comes,
then the second and so on: those levels are all that is needed of the scores. A budget bounds the rate of alarms; it is
no quota that a quiet day fills.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.day import DayAlarms, from_stored_names, levels_of_day, rule_of_day, with_stored_names
from maskedskipunet.detection.events import EventRule, Levels, find_spans
from maskedskipunet.detection.source_clock import stream_clock
from maskedskipunet.errors import CalibrationError, ConfigError

CONFIDENCE = 0.95
BLOCKS = 24  # at least so many where footage is long enough: fewer say nothing of how much it varies
SHORTEST_BLOCK_S, LONGEST_BLOCK_S = 60.0, 3600.0
RESAMPLES = 2000
TAIL_RESAMPLES = 60  # each is a fit, of some 8 ms
TAIL_ALARMS = 50  # the highest, which the tail is fitted to
FEWEST_TAIL_ALARMS = 10
HEAVIEST_TAIL = 0.5  # of shapes: from there on not even the variance is finite
SURPLUS_LEVEL = 0.001  # of footage like the calibration's that is taken for unlike it by chance
ALARMS_NEEDED = 10  # in the footage, so that a rate is known to a third

Per = Literal["hour", "day", "week"]
HOURS: Mapping[Per, float] = {"hour": 1.0, "day": 24.0, "week": 168.0}

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """A budget of false alarms in an hour, a day or a week. Raises ConfigError for an invalid one."""

    alarms: float
    per: Per

    def __post_init__(self) -> None:
        if self.per not in get_args(Per):
            raise ConfigError(f"false alarms per {self.per!r}", "budget", "Use hour, day or week")
        if not (isfinite(self.alarms) and self.alarms > 0):
            raise ConfigError(f"{self.alarms:g} false alarms per {self.per}", "budget", "Use more than 0, such as 0.5")

    @property
    def per_hour(self) -> float:
        return self.alarms / HOURS[self.per]

    def __str__(self) -> str:
        alarms = "false alarm" if self.alarms == 1 else "false alarms"
        return f"{self.alarms:g} {alarms} {'an' if self.per == 'hour' else 'a'} {self.per}"


@dataclass(frozen=True)
class NormalScores:
    """The scores of one normal video. time_s, scores: (N,), NaN for a frame without a score. starts_s: the time of day
    at its time 0, in seconds since midnight; None if unknown.
    """

    name: str
    time_s: Floats
    scores: Floats
    starts_s: float | None = None

    @property
    def times_of_day_s(self) -> Floats:
        """The time of day of each frame, NaN if it is not known; beyond a day where the video goes on after
        midnight.
        """
        return stream_clock(self.time_s)[0] + (np.nan if self.starts_s is None else self.starts_s)


@dataclass(frozen=True)
class AlarmSetting:
    """A budget of alarms, and the threshold that keeps it.

    rule: with the threshold. median_score: of normal frames. footage_h: hours of normal footage that it was learned
    from. alarms: how many alarms this footage gives. low_per_hour, high_per_hour: the expected rate of alarms in
    interval_h hours of new normal footage, as a 95 % interval. needed_h: hours of footage from which the rate would be
    known within a third. extrapolated: the budget lies beyond the footage, so that the threshold comes from a fitted
    tail. day: the parts of the day that have their own thresholds, None if there are none; the figures above are then
    of all parts together.
    """

    rule: EventRule
    budget: Budget
    median_score: float
    footage_h: float
    alarms: int
    low_per_hour: float
    high_per_hour: float
    interval_h: float
    needed_h: float
    extrapolated: bool
    day: DayAlarms | None = None

    def rule_at(self, time_of_day_s: float | None) -> EventRule:
        """Return the rule at a time of day, in seconds since midnight; the common one where the time is not known."""
        return rule_of_day(self.rule, self.day, time_of_day_s)

    def levels_at(self, times_of_day_s: Floats) -> Levels:
        """Return the thresholds and release levels at times of day, (N,), NaN if one is not known."""
        return levels_of_day(self.rule, self.day, times_of_day_s)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `day` only if there are parts of the day, because earlier versions do not know it."""
        values = with_stored_names(asdict(self))
        if self.day is None:
            del values["day"]
        else:
            values["day"] = self.day.to_dict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AlarmSetting":
        """Return the inverse of to_dict. Raises KeyError, TypeError, ValueError or ConfigError for anything else."""
        values = from_stored_names(values)
        rule, budget = EventRule(**values.pop("rule")), Budget(**values.pop("budget"))
        day = values.pop("day", None)
        setting = cls(rule=rule, budget=budget, day=None if day is None else DayAlarms.from_dict(day), **values)
        figures = (value for name, value in values.items() if name != "extrapolated")
        if not all(isfinite(figure) for figure in figures):
            raise ValueError("its alarms are no numbers")
        return setting


@dataclass(frozen=True)
class AlarmCounts:
    """Counts of alarms in blocks of footage at each threshold.

    levels: (L,), falling. counts: (L, B), alarms that begin in each block. block_h: (B,), hours of scored footage.
    median_score: of all frames.
    """

    levels: Floats
    counts: Ints
    block_h: Floats
    median_score: float

    @property
    def hours(self) -> float:
        return float(self.block_h.sum())

    def reached(self, times_drawn: Ints | None = None) -> Ints:
        """Return the most alarms at any threshold down to each level, (L,) or (L, R) for R drawings of blocks.

        The most, because a very low threshold joins alarms to fewer, which is not what a budget means.
        times_drawn: (R, B), how often each block was drawn.
        """
        totals = self.counts.sum(axis=1) if times_drawn is None else self.counts @ times_drawn.T
        highest: Ints = np.maximum.accumulate(totals, axis=0)
        return highest


def set_threshold(
    videos: Sequence[NormalScores], budget: Budget, rule: EventRule, *, interval_h: float = 24.0, seed: int = 0
) -> AlarmSetting:
    """Return the lowest threshold at which normal footage keeps a budget, with the expected rate of alarms.

    videos: none of them trained on. rule: its threshold and release level are replaced. interval_h: hours of new
    footage for the predicted rate. Raises CalibrationError for footage without scores, or so little that even its tail
    cannot be fitted.
    """
    if not 0 < interval_h < float("inf"):
        raise ConfigError(f"{interval_h:g} hours", "interval", "Use more than 0")
    counts = count_alarms(videos, rule, lambda hours: budget.per_hour * hours)
    threshold, extrapolated = threshold_for(counts, budget)
    found = rule.with_threshold(threshold, counts.median_score)
    low, high = middle(future_rates(counts, budget, interval_h, extrapolated, seed))
    return AlarmSetting(
        rule=found,
        budget=budget,
        median_score=counts.median_score,
        footage_h=counts.hours,
        alarms=sum(len(find_spans(clock, scores, found)) for clock, scores in map(scored_frames, videos)),
        low_per_hour=low,
        high_per_hour=high,
        interval_h=interval_h,
        needed_h=ALARMS_NEEDED / budget.per_hour,
        extrapolated=extrapolated,
    )


def count_alarms(
    videos: Sequence[NormalScores], rule: EventRule, allowed: Callable[[float], float] = lambda hours: 0.0
) -> AlarmCounts:
    """Return the number of alarms in each block of footage, at thresholds from the highest score down.

    Down to where there are several times as many as are allowed in so many hours, or alarms join to half as many;
    at most down to the median. Raises CalibrationError if no frame has a score.
    """
    pooled = np.concatenate([np.empty(0), *(video.scores for video in videos)])
    pooled = np.sort(pooled[~np.isnan(pooled)])[::-1]
    if not len(pooled):
        names = ", ".join(video.name for video in videos)
        raise CalibrationError("no normal frame has a score", names, "Calibrate on longer videos")
    median_score = float(np.median(pooled))
    levels = np.unique(pooled[_places(len(pooled) // 2 + 1)])[::-1]
    scored = [scored_frames(video) for video in videos]
    hours = [_hours(video) for video in videos]
    block_h = np.clip(sum(map(np.sum, hours)) / BLOCKS, SHORTEST_BLOCK_S / 3600, LONGEST_BLOCK_S / 3600)
    blocks: list[Ints] = []
    block_hours: list[float] = []
    for frame_hours in hours:
        count = max(1, round(frame_hours.sum() / block_h))
        block = np.minimum(
            (np.cumsum(frame_hours) - frame_hours) / max(frame_hours.sum(), 1e-12) * count, count - 1
        ).astype(np.int64)
        blocks.append(block + len(block_hours))
        block_hours += np.bincount(block, frame_hours, count).tolist()
    enough = 3 * allowed(sum(block_hours)) + 2 * TAIL_ALARMS
    rows: list[Ints] = []
    highest = 0
    for level in levels.tolist():
        tried, row = rule.with_threshold(level, median_score), np.zeros(len(block_hours), np.int64)
        for (clock, scores), block in zip(scored, blocks, strict=True):
            np.add.at(row, block[np.array([span[0][0] for span in find_spans(clock, scores, tried)], np.int64)], 1)
        rows.append(row)
        highest = max(highest, int(row.sum()))
        if highest >= enough or 2 * row.sum() < highest:
            break
    return AlarmCounts(levels[: len(rows)], np.array(rows), np.array(block_hours), median_score)


def threshold_for(counts: AlarmCounts, budget: Budget) -> tuple[float, bool]:
    """Return the threshold, and whether the budget lies beyond the footage."""
    lowest = lowest_threshold(counts, budget)
    if budget.per_hour * counts.hours >= 1:
        return lowest, False
    return max(lowest, _Tail.of(counts.levels, counts.reached(), counts.hours).level(budget.per_hour)), True


def lowest_threshold(counts: AlarmCounts, budget: Budget) -> float:
    """Return the lowest threshold at which the footage itself gives no more alarms than the budget allows in so many
    hours.
    """
    row = int(np.searchsorted(counts.reached(), budget.per_hour * counts.hours, side="right")) - 1
    return float(counts.levels[row]) if row >= 0 else float(np.nextafter(counts.levels[0], np.inf))


def is_surplus(alarms: int, expected: float) -> bool:
    """Return whether there are more alarms than chance explains, given the expected number.

    By Poisson's law, footage like the calibration's gives as many in a share of cases below SURPLUS_LEVEL.

    >>> is_surplus(27, 1.0), is_surplus(3, 1.0)
    (True, False)
    """
    from scipy.stats import poisson

    return bool(poisson.sf(alarms - 1, expected) < SURPLUS_LEVEL)


def footage_hours(videos: Sequence[NormalScores]) -> float:
    """Return the hours of frames that have a score."""
    return float(sum(_hours(video).sum() for video in videos))


def future_rates(counts: AlarmCounts, budget: Budget, future_h: float, extrapolated: bool, seed: int) -> Floats:
    """Return possible rates of alarms of new footage, (R,), equally likely.

    The whole way is gone again with drawn blocks: from them a threshold, and at that threshold the rate of the
    footage that they were drawn from. New footage varies too: it is drawn likewise, or where the tail is all that is
    known, its count is Poisson's.
    """
    random = np.random.default_rng(seed)
    blocks = len(counts.block_h)
    even = np.full(blocks, 1 / blocks)
    counts_drawn = random.multinomial(blocks, even, TAIL_RESAMPLES if extrapolated else RESAMPLES)
    reached, hours = counts.reached(counts_drawn), counts_drawn @ counts.block_h
    if extrapolated:
        whole = _Tail.of(counts.levels, counts.reached(), counts.hours)
        rates = np.empty(len(counts_drawn))
        for row in range(len(counts_drawn)):
            try:
                level = _Tail.of(counts.levels, reached[:, row], float(hours[row])).level(budget.per_hour)
            except CalibrationError:  # too few alarms were drawn
                level = whole.level(budget.per_hour)
            rates[row] = whole.rate(level)
        # Many futures of each, or the highest would hang on few draws.
        return random.poisson(np.repeat(rates, 50) * future_h) / future_h
    rows = np.maximum((reached <= budget.per_hour * hours).sum(axis=0) - 1, 0)
    together = max(1, round(future_h / counts.block_h.mean()))
    future = random.multinomial(together, even, RESAMPLES)
    there_h = future @ counts.block_h
    alarms = (counts.counts[rows] * future).sum(axis=1)
    share = np.minimum(1.0, future_h / np.maximum(there_h, 1e-12))  # a block may be longer than what is predicted
    return random.binomial(alarms, share) / np.maximum(there_h * share, 1e-12)


@dataclass(frozen=True)
class _Tail:
    """The tail of alarms above a level, as a generalised Pareto distribution of the excess.

    per_hour: alarms above the level. shape: 0 or more, so that no end of the tail is believed in that was not seen.
    """

    base: float
    per_hour: float
    shape: float
    scale: float

    @classmethod
    def of(cls, levels: Floats, reached: Ints, hours: float) -> "_Tail":
        """Make it from the levels at which the first, second and further alarms come: peaks, declustered by
        the rule itself.
        """
        from scipy.stats import genpareto

        found = int(reached[-1])
        alarms = min(TAIL_ALARMS, found - 1)  # one more is the level that the others rise above
        if alarms < FEWEST_TAIL_ALARMS:
            counted = {0: "no alarm", 1: "1 alarm at most"}.get(found, f"{found} alarms at most")
            raise CalibrationError(
                f"{hours:.2g} hours of footage give {counted}, whatever the threshold: too few for a budget of less "
                f"than one alarm in so much footage, which takes {FEWEST_TAIL_ALARMS + 1}",
                "calibration",
                "Calibrate on more normal footage, or allow more false alarms",
            )
        heights = levels[np.searchsorted(reached, np.arange(1, alarms + 2))]
        base, above = float(heights[-1]), heights[:-1] - heights[-1]
        shape, scale = 0.0, float(above.mean())  # of an exponential
        with np.errstate(all="ignore"):
            if scale > 0:
                fitted, _, width = genpareto.fit(above, floc=0)
                if fitted > HEAVIEST_TAIL:
                    fitted, _, width = genpareto.fit(above, f0=HEAVIEST_TAIL, floc=0)
                if fitted > 0 and isfinite(width) and width > 0:
                    shape, scale = float(fitted), float(width)
        return cls(base, alarms / hours, shape, max(scale, float(np.spacing(abs(base)))))

    def level(self, per_hour: float) -> float:
        """Return the score that alarms reach so often."""
        from scipy.stats import genpareto

        rare = min(1.0, per_hour / self.per_hour)
        return self.base + float(genpareto.isf(rare, self.shape, scale=self.scale))

    def rate(self, level: float) -> float:
        """Return how many alarms an hour reach a score."""
        from scipy.stats import genpareto

        return self.per_hour * float(genpareto.sf(level - self.base, self.shape, scale=self.scale))


def scored_frames(video: NormalScores) -> tuple[Floats, Floats]:
    """Return the clock and the scores of the frames that have a score."""
    known = ~np.isnan(video.scores)
    return stream_clock(video.time_s)[0][known], video.scores[known]


def _hours(video: NormalScores) -> Floats:
    """Return the duration of each scored frame in hours; before a gap, it is limited to a few median steps."""
    clock, _ = stream_clock(video.time_s)
    steps = np.diff(clock)
    median_step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    durations = np.append(np.minimum(steps, 5 * median_step), median_step)[: len(clock)]
    return durations[~np.isnan(video.scores)] / 3600


def _places(count: int) -> Ints:
    """Return which of the highest scores are tried as thresholds: of the very highest each, then ever fewer."""
    dense = np.arange(min(count, 100))
    return np.unique(np.concatenate([dense, np.geomspace(1, count, 300).round().astype(np.int64) - 1]))


def middle(rates: Floats) -> tuple[float, float]:
    """Return the middle 95 %, rather wider than narrower."""
    tails = (1 - CONFIDENCE) / 2
    low, high = np.quantile(rates, tails, method="lower"), np.quantile(rates, 1 - tails, method="higher")
    return float(low), float(high)
