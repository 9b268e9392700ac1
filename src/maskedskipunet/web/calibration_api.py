"""Calibration as JSON: how normal footage scores by cue, and the threshold that a budget of false alarms gives."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from maskedskipunet.errors import CalibrationError, ConfigError
from maskedskipunet.web.access import visitor
from maskedskipunet.web.api import FAULTS
from maskedskipunet.web.calibration import FEWEST_ALARMS, MOST_ALARMS, choice_of
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import NotFoundError
from maskedskipunet.workflows.kept_calibration import ThresholdSetting
from maskedskipunet.workflows.normal_footage import without_time_ranges
from maskedskipunet.workflows.threshold_effects import Distribution, distribution, distributions_by_cue

FUSED = "fused"


class DistributionOut(BaseModel):
    """How often normal frames score how high.

    cue: whose scores these are; `fused`: of the cues together, on which thresholds are set. edges: rising, one more
    than counts. counts: of frames between two edges. reached_by: scores by the share of frames that reach them.
    """

    cue: str
    edges: list[float]
    counts: list[int]
    reached_by: dict[str, float]


class ThresholdOut(BaseModel):
    """A threshold, and the budget that it keeps.

    low_per_hour, high_per_hour: the rate of false alarms to expect, as a 95 % interval. false_alarms: how many the
    footage gives. extrapolated: the budget is rarer than the footage can show. parts: thresholds of parts of the day.
    """

    alarms: float
    per: Literal["hour", "day", "week"]
    threshold: float
    release: float
    low_per_hour: float
    high_per_hour: float
    false_alarms: int
    footage_h: float
    needed_h: float
    extrapolated: bool
    parts: dict[str, float | None]


class CalibrationOut(BaseModel):
    """How a model is calibrated.

    videos: of normal footage. exclude: what the calibration in force leaves out. in_force: its threshold. asked: what
    the budget asked for gives; null with a fault, which says why there is none. distributions: fused first.
    """

    videos: list[str]
    frames: int
    exclude: list[str]
    in_force: ThresholdOut
    asked: ThresholdOut | None
    fault: str
    distributions: list[DistributionOut]


router = APIRouter(prefix="/api/v1/calibration", tags=["page"], dependencies=[Depends(visitor)], responses=FAULTS)


@router.get("")
def calibration(
    request: Request,
    alarms: Annotated[float | None, Query(ge=FEWEST_ALARMS, le=MOST_ALARMS)] = None,
    per: Literal["hour", "day", "week"] | None = None,
    exclude: Annotated[Sequence[str], Query(max_length=60)] = (),
) -> CalibrationOut:
    """How the model's normal footage scores, and what a budget of false alarms would give; nothing is changed.

    alarms, per: the budget, as 2 an hour; without both, that of the calibration in force. exclude: moments of the
    footage to leave out, as the calibration in force does without any.
    """
    if (desk := page_of(request).calibration) is None:
        raise NotFoundError("no model is named", "", "Start the page with --model RUN")
    footage = desk.footage()
    choice = choice_of(
        footage,
        None if alarms is None else repr(alarms),
        per if per is not None or alarms is None else "hour",
        [*exclude],
        is_chosen=bool(exclude),
    )
    asked, fault = None, ""
    try:
        asked = desk.calibration(choice.budget, choice.exclude).alarm
    except (CalibrationError, ConfigError) as error:
        fault = str(error)
    now = footage.calibration.alarm
    assert now is not None
    videos = without_time_ranges(footage.videos, choice.exclude) or footage.videos
    fused = distribution(videos, now.rule.threshold, (asked or now).rule.threshold)
    by_cue = {FUSED: fused} | distributions_by_cue(footage, choice.exclude)
    return CalibrationOut(
        videos=[video.name for video in footage.videos],
        frames=sum(fused.counts),
        exclude=[*footage.exclude],
        in_force=_threshold(now),
        asked=None if asked is None else _threshold(asked),
        fault=fault,
        distributions=[_distribution(cue, scores) for cue, scores in by_cue.items()],
    )


def _threshold(setting: ThresholdSetting) -> ThresholdOut:
    per: Any = str(setting.budget.per)
    parts = () if setting.day is None else setting.day.parts
    return ThresholdOut(
        alarms=setting.budget.alarms,
        per=per,
        threshold=setting.rule.threshold,
        release=setting.rule.release,
        low_per_hour=setting.low_per_hour,
        high_per_hour=setting.high_per_hour,
        false_alarms=setting.alarms,
        footage_h=setting.footage_h,
        needed_h=setting.needed_h,
        extrapolated=setting.extrapolated,
        parts={str(part.part): None if part.rule is None else part.rule.threshold for part in parts},
    )


def _distribution(cue: str, scores: Distribution) -> DistributionOut:
    reached_by = {f"{share:g}": score for share, score in scores.shares}
    return DistributionOut(cue=cue, edges=[*scores.edges], counts=[*scores.counts], reached_by=reached_by)
