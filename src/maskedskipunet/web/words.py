"""What pages say in words: why an event was raised, how rare it is, and what the model has learned."""

from collections.abc import Mapping
from typing import Any

from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.view.reasons import describe_reason
from maskedskipunet.web.learning import LearningJob

WITHOUT_REASON = "this place could not be predicted from the frames around it"
OFTEN = 0.1  # from here on a share is shown in percent


def reason_of(recorded: RecordedEvent) -> str:
    """Return why an event was raised, as a phrase."""
    reason = recorded.event.reason
    return WITHOUT_REASON if reason is None else describe_reason(reason)


def rarity_of(share: float | None) -> str:
    """Return how rare a score is that this share of normal frames reach.

    >>> rarity_of(0.001), rarity_of(0.0), rarity_of(0.25)
    ('1 in 1,000 normal frames scores as high', 'no normal frame scored as high', '25 % of normal frames score as high')
    """
    if share is None:
        return ""
    if share <= 0:
        return "no normal frame scored as high"
    if share >= OFTEN:
        return f"{100 * share:.0f} % of normal frames score as high"
    return f"1 in {round(1 / share):,} normal frames scores as high"


def told_of_job(job: LearningJob) -> list[str]:
    """Return sentences that say what a job did."""
    if job.result is None:
        return [job.fault] if job.fault else []
    if (undone := job.result.get("undone")) is not None:
        files = ", ".join(undone["files"])
        return [f"The model is as it was before: {files}." if files else "The model had not changed."]
    lines = [_threshold(job.result, would=job.request.what == "preview")]
    effects = job.result["events"]
    gone = sum(effect["alarms_before"] and effect["alarms_after"] is False for effect in effects)
    still = sum(effect["marked"] and bool(effect["alarms_after"]) for effect in effects)
    verb = "would no longer alarm" if job.request.what == "preview" else "would no longer alarm now"
    if gone:
        lines.append(f"{gone} answered event{'s' * (gone != 1)} {verb}.")
    if still:
        lines.append(f"{still} of them still alarm{'s' * (still == 1)}.")
    others = job.result.get("others")
    if others and others["vanishing"]:
        lines.append(f"Of {len(others['open'])} alarms without an answer, {len(others['vanishing'])} would vanish.")
    if lost := job.result["lost"]:
        lines.append(f"{len(lost)} anomal{'y' if len(lost) == 1 else 'ies'} would be missed.")
    return lines


def _threshold(result: Mapping[str, Any], *, would: bool) -> str:
    before, after = result["before"]["threshold"], (result["after"] or result["before"])["threshold"]
    learned = "" if result["by"] != "cues" else "The cues would learn it. " if would else "The cues have learned it. "
    if after == before:
        return f"{learned}The threshold stays at {before:.4g}."
    return f"{learned}The threshold {'would rise' if would else 'rose'} from {before:.4g} to {after:.4g}."
