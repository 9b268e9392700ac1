"""Calibration: how normal footage scores, what a budget of false alarms would mean, and the threshold that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log1p
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from maskedskipunet.errors import CalibrationError, ConfigError, MaskedSkipUNetError
from maskedskipunet.web.access import Visitor, form_of_editor, visitor
from maskedskipunet.web.calibration_desk import CalibrationDesk
from maskedskipunet.web.forms import Form
from maskedskipunet.web.media import contained
from maskedskipunet.web.page import Page, page_of
from maskedskipunet.web.refusals import BadRequestError, NotFoundError
from maskedskipunet.web.rendering import is_fragment, render
from maskedskipunet.workflows.kept_calibration import (
    BUDGET_HOURS,
    PICTURES,
    AlarmBudget,
    KeptFootage,
    KeptMoment,
    ThresholdSetting,
    earlier_calibration,
    moments,
)
from maskedskipunet.workflows.normal_footage import without_time_ranges
from maskedskipunet.workflows.threshold_effects import (
    AnsweredEffect,
    Distribution,
    distribution,
    distributions_by_cue,
    effects_on_answered,
)

FEWEST_ALARMS, MOST_ALARMS = 0.001, 10_000.0
MOST_EXCLUDED = 60
LISTED = 12  # events of each kind of effect
WIDTH, HEIGHT = 600.0, 160.0
RARE = 0.001  # the share of normal frames that is marked in the distribution of a cue
STEPS = (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)  # of the slider

router = APIRouter(prefix="/calibration", include_in_schema=False)


@dataclass(frozen=True)
class Choice:
    """What is asked for: a budget, and moments to leave out."""

    budget: AlarmBudget
    exclude: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """The distribution as paths of SVG. now_x, then_x: of the thresholds. marks: of answered events, (x, answer)."""

    area: str
    now_x: float
    then_x: float
    marks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class CuePicture:
    """The distribution of one cue's scores. rare, rare_x: the score that one normal frame in a thousand reaches, and
    where it is; None where the footage has too few frames to tell.
    """

    cue: str
    scores: Distribution
    area: str
    rare: float | None
    rare_x: float


@dataclass(frozen=True)
class Outcome:
    """What a choice gives. then: its setting; None with a fault, which says why there is none. cues: distributions by
    cue; none where they were not kept.
    """

    now: ThresholdSetting
    then: ThresholdSetting | None
    fault: str
    scores: Distribution
    picture: Picture
    effects: Sequence[AnsweredEffect]
    cues: Sequence[CuePicture] = ()

    def of(self, answer: str, *, alarms_then: bool) -> list[AnsweredEffect]:
        """Return the effects on events with an answer that would be alarms, or would not."""
        return [one for one in self.effects if one.recorded.answer == answer and one.alarms_then == alarms_then]

    def count(self, answer: str) -> int:
        return sum(one.recorded.answer == answer for one in self.effects)


@router.get("")
def show(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> HTMLResponse:
    """The page, or as a part of it what a budget gives."""
    page, given = page_of(request), request.query_params
    if (desk := page.calibration) is None:
        return render(request, "calibration.html", who, outcome=None, fault=None, earlier=None)
    try:
        footage = desk.footage()
    except MaskedSkipUNetError as error:
        values: dict[str, Any] = {"outcome": None, "fault": error, "earlier": _earlier(desk)}
        return render(request, "calibration.html", who, done=given.get("done", ""), **values)
    choice = choice_of(footage, given.get("alarms"), given.get("per"), given.getlist("exclude"), "chosen" in given)
    values = {"choice": choice, "outcome": _outcome(page, desk, footage, choice), "listed": LISTED}
    values["hours"] = BUDGET_HOURS[choice.budget.per]
    if is_fragment(request):
        return render(request, "_threshold.html", who, **values)
    values |= {"footage": footage, "moments": _shown(footage, choice), "steps": STEPS, "earlier": _earlier(desk)}
    return render(request, "calibration.html", who, fault=None, done=given.get("done", ""), **values)


@router.post("/use")
def use_threshold(request: Request, sent: Annotated[tuple[Visitor, Form], Depends(form_of_editor)]) -> Response:
    """Put the threshold that keeps a budget in force; the one before is kept."""
    desk, form = _desk(request), sent[1]
    exclude = form.texts("exclude")
    choice = choice_of(desk.footage(), form.text("alarms"), form.text("per"), exclude, is_chosen=True)
    desk.use(choice.budget, choice.exclude)
    return RedirectResponse("/calibration?" + urlencode({"done": "used"}), 303)


@router.post("/back")
def back(request: Request, sent: Annotated[tuple[Visitor, Form], Depends(form_of_editor)]) -> Response:
    """Put the earlier calibration in force again."""
    text = sent[1].text("earlier")
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise BadRequestError(f"{text[:40]!r} is no earlier calibration", "", "Reload the page")
    _desk(request).go_back(int(text))
    return RedirectResponse("/calibration?" + urlencode({"done": "back"}), 303)


@router.api_route("/moments/{number}.png", methods=["GET", "HEAD"])
def moment_picture(request: Request, number: int, who: Annotated[Visitor, Depends(visitor)]) -> Response:
    """The picture of one of the highest moments, by its place among them."""
    footage = _desk(request).footage()
    found = moments(footage)
    picture = found[number].picture if 0 <= number < len(found) else None
    if picture is None:
        raise NotFoundError("there is no picture of this moment")
    return FileResponse(contained(footage.run / PICTURES, picture), media_type="image/png")


def _desk(request: Request) -> CalibrationDesk:
    desk = page_of(request).calibration
    if desk is None:
        raise NotFoundError("no model is named", "", "Start the page with --model RUN")
    return desk


def choice_of(
    footage: KeptFootage, alarms: str | None, per: str | None, exclude: Sequence[str], is_chosen: bool
) -> Choice:
    """Return what is asked for; what is in force where nothing is. Raises BadRequestError for what cannot be."""
    setting = footage.calibration.alarm
    assert setting is not None
    budget = setting.budget if alarms is None and per is None else _budget(alarms or "", per or "")
    if not is_chosen:
        return Choice(budget, footage.exclude)
    known = {*footage.exclude, *(moment.name for moment in moments(footage))}
    if len(exclude) > MOST_EXCLUDED or not {*exclude} <= known:
        odd = next((name for name in exclude if name not in known), "too many")
        raise BadRequestError(f"{odd[:40]!r} is no moment of this footage", "exclude", "Reload the page")
    return Choice(budget, tuple(sorted({*exclude})))


def _budget(alarms: str, per: str) -> AlarmBudget:
    try:
        number = float(alarms) if len(alarms) <= 20 and alarms.isascii() else float("nan")
    except ValueError:
        number = float("nan")
    if not (isfinite(number) and FEWEST_ALARMS <= number <= MOST_ALARMS):
        cure = f"Use a number from {FEWEST_ALARMS:g} to {MOST_ALARMS:g}"
        raise BadRequestError(f"{alarms[:40]!r} is no number of false alarms", "alarms", cure)
    if per not in BUDGET_HOURS:
        raise BadRequestError(f"false alarms per {per[:40]!r}", "per", "Use hour, day or week")
    return AlarmBudget(number, cast(Any, per))


def _outcome(page: Page, desk: CalibrationDesk, footage: KeptFootage, choice: Choice) -> Outcome:
    now, fault = footage.calibration.alarm, ""
    assert now is not None
    then: ThresholdSetting | None = None
    try:
        then = desk.calibration(choice.budget, choice.exclude).alarm
    except (CalibrationError, ConfigError) as error:
        fault = f"{error.what}. {error.cure}" if error.cure else error.what
    shown = then or now
    videos = without_time_ranges(footage.videos, choice.exclude) or footage.videos
    scores = distribution(videos, now.rule.threshold, shown.rule.threshold)
    effects = effects_on_answered(page.records, now, shown)
    cues = [_cue_picture(cue, found) for cue, found in distributions_by_cue(footage, choice.exclude).items()]
    return Outcome(now, then, fault, scores, _picture(scores, now, shown, effects), effects, cues)


def _picture(
    scores: Distribution, now: ThresholdSetting, then: ThresholdSetting, effects: Sequence[AnsweredEffect]
) -> Picture:
    marks = {(_across(scores, one.recorded.event.top_score), str(one.recorded.answer)) for one in effects}
    now_x, then_x = (_across(scores, setting.rule.threshold) for setting in (now, then))
    return Picture(_area(scores), now_x, then_x, sorted(marks))


def _cue_picture(cue: str, scores: Distribution) -> CuePicture:
    rare = dict(scores.shares).get(RARE)
    return CuePicture(cue, scores, _area(scores), rare, 0.0 if rare is None else _across(scores, rare))


def _area(scores: Distribution) -> str:
    """Draw counts as logarithms: thresholds lie where frames are rare."""
    most = log1p(max(scores.counts)) or 1.0
    edges = [_across(scores, edge) for edge in scores.edges]
    path = f"M{edges[0]} {HEIGHT:g}"
    for left, right, count in zip(edges, edges[1:], scores.counts, strict=False):
        top = round(HEIGHT * (1 - 0.94 * log1p(count) / most), 1)
        path += f"L{left} {top}L{right} {top}"
    return f"{path}L{WIDTH:g} {HEIGHT:g}Z"


def _across(scores: Distribution, score: float) -> float:
    share = (score - scores.lowest) / (scores.highest - scores.lowest)
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def _shown(footage: KeptFootage, choice: Choice) -> list[tuple[int, KeptMoment, bool]]:
    """Return the highest moments with their places, and whether they are left out; those that are not shown too."""
    return [(number, moment, moment.name in choice.exclude) for number, moment in enumerate(moments(footage))]


def _earlier(desk: CalibrationDesk) -> object:
    try:
        return earlier_calibration(desk.run)
    except (MaskedSkipUNetError, OSError):
        return None
