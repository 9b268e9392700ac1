"""`docs/upcam.md`: what is on record of the real camera, from the files that `upcam.py` left in docs/results."""

import json
from pathlib import Path
from typing import Any

from results import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "upcam.md"
HEAD = """# A real camera

Written by `benchmarks/upcam.py` from `docs/results/`; change those, not this page.

An indoor camera (128x64, 5 frames/s): three whole days of one week's everyday life without labels (Sunday, Monday and
Thursday), one labelled hour four days later, one hour of two months before. Sunday is trained on. Monday calibrates
and is then remembered as normal (`calibrate --remember`; the first measurement did not). Thursday tells what the
budget is worth on a day that was never seen. The labelled hour is scored with these two days known, and again after
Thursday has set the threshold anew and is remembered too (the earlier measurements did one of both). Nothing is chosen
on the labelled hour. The hour of two months before is a check of drift, whose constants were chosen on ordinary hours
with its figures in sight (`docs/log.md`).

A stretch counts as found when an alarm falls into it. An alarm takes two frames in a row at one frame a second, so a
single high frame finds nothing. A budget is kept by a day's mix of hours: the labelled hour is an acted one, full of
movement, and its normal minutes may give more alarms than any ordinary hour did.
"""
ONE_DAY = """
# One day, split by its hours

The first measurements, with the network alone: hours of one day by hour % 3, 0 trained on, 1 calibrated on, 2 scored.
What limited them: what is still or slow is rebuilt well, whatever it means. Lying on the bed by day (frames 2390 to
3265) or sitting before displays that are off (3675 to 4165) scores like ordinary frames.
"""


def write_page() -> Path:
    """Write the page anew and return its path."""
    days, hours = (
        [json.loads(path.read_text()) for path in sorted(RESULTS.glob(pattern))]
        for pattern in ("upcam_days_*.json", "upcam_[!d]*.json")
    )
    PAGE.write_text(HEAD + "".join(map(section_of_days, days)) + ONE_DAY + "".join(map(section, hours)))
    return PAGE


def section_of_days(result: dict[str, Any]) -> str:
    model, data = result["config"]["model"], result["config"]["data"]
    stated, drift = result["calibration"], sum(hour["is_drift"] for hour in result["hours"])
    two_days = result.get("test_hour_two_days")
    named = "labelled hour" if two_days is None else "labelled hour, three days known"
    tests = [*([] if two_days is None else [("labelled hour, two days known", two_days)]), (named, result["test_hour"])]
    cues, again = ", ".join(result["config"]["cues"]), result.get("calibration_again")
    days = "one day remembered" if again is None else "three days remembered"
    lines = [
        f"\n## {cues}; {days}; latent {model['latent_dim']}, {data['width_px']}x{data['height_px']}, "
        f"{data['fps']:g} frames/s "
        f"({result['date']}, {result['environment']['instruction_set']})\n",
        f"Trained at commit {result['trained_at']} on {result['config']['training']['share']:.0%} of the clips, "
        f"{result['train_seconds'] / 60:.0f} minutes; the exemplars of the appearance cue take {result['cues_mb']} MB. "
        f"Threshold {stated['rule']['threshold']:.3f}, set on {stated['footage_h']:.1f} hours"
        + (
            f"; every {result['every_nth_hour']}nd hour was calibrated on and scored"
            if result["every_nth_hour"] == 2
            else ""
        )
        + ("" if again is None else f"; at the end {again['rule']['threshold']:.3f}, set on Thursday")
        + ".\n",
        "| what | figure |",
        "| --- | --- |",
        *(
            f"| a budget of {one['budget_per_hour']:g} an hour: alarms an hour on Thursday | "
            f"{one['alarms_per_hour']:.2f}, {'inside' if one['is_inside'] else 'OUTSIDE'} the {words(one)} that "
            "`calibrate` predicted for a day (95 %) |"
            for one in result["budgets"]
        ),
        f"| hours of Thursday called drift | {drift} of {len(result['hours'])} |",
        *(row for title, hour in tests for row in test_rows(title, hour)),
        f"| two months before: alarms | {result['earlier_hour']['alarms']} |",
        f"| two months before: drift | {told_drift(result['earlier_hour'])} |",
        "",
        "Alarms by hour of Thursday: "
        + ", ".join(f"{hour['hour']}h {hour['alarms']}" for hour in result["hours"] if hour["alarms"])
        + "; none in the others.\n",
        *(line for title, hour in tests for line in stretch_lines(title, hour)),
    ]
    return "\n".join(lines)


def test_rows(title: str, test: dict[str, Any]) -> list[str]:
    """The rows of a table of what the labelled hour gave."""
    alarms = test["alarms"]
    return [
        f"| {title}: frame AUC, fused | {test['micro_auc']:.3f} |",
        *(f"| {title}: frame AUC, {of_cue(cue)} | {auc:.3f} |" for cue, auc in test["auc_by_cue"].items()),
        f"| {title}: anomalous stretches found | {alarms['stretches_found']} of {alarms['stretches']} |",
        f"| {title}: false alarms | {alarms['false_alarms']} in {alarms['normal_hours']:.2f} normal hours |",
    ]


def stretch_lines(title: str, test: dict[str, Any]) -> list[str]:
    """A table of the labelled hour's anomalous stretches, and why some are not found."""
    return [
        f"{title[0].upper()}{title[1:]}, its anomalous stretches (frames of the source, 5 a second):\n",
        "| frames | highest score | median | over the threshold | alarms | by |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {one['start_frame']} to {one['end_frame']} | {one['highest']:.2f} | {one['median']:.2f} | "
            f"{share_over(one)} | {one['alarms']} | {', '.join(one['cues']) or '–'} |"
            for one in test["stretches"]
        ),
        "",
        *(missed(one) + "\n" for one in test["stretches"] if not one["alarms"]),
    ]


def share_over(stretch: dict[str, Any]) -> str:
    """How much of a stretch reaches the threshold; not on record of the first run."""
    return f"{stretch['share_over']:.0%}" if "share_over" in stretch else "–"


def missed(stretch: dict[str, Any]) -> str:
    """Why a stretch was not found, in a sentence."""
    first, last = stretch["start_frame"], stretch["end_frame"]
    if first == last:
        return f"Frame {first} is not found: at one frame a second it stands alone, and an alarm takes two."
    reason = f"their highest score, {stretch['highest']:.2f}, stays below the threshold or passes too quickly."
    return f"Frames {first} to {last} are not found: {reason}"


def of_cue(cue: str) -> str:
    """What a column of scores is called."""
    return "fused, before it is smoothed over time" if cue == "fused" else f"{cue} alone"


def words(budget: dict[str, Any]) -> str:
    low, high = budget["interval_per_hour"]
    return f"{low:.2f} to {high:.2f}"


def section(result: dict[str, Any]) -> str:
    model, data, stated = result["config"]["model"], result["config"]["data"], result["calibration"]
    low, high = result["interval_per_hour"]
    test, earlier = result["test_hour"], result["earlier_hour"]
    alarms = test["alarms"]
    size = f"latent {model['latent_dim']}, {data['width_px']}x{data['height_px']}, {data['fps']:g} frames/s"
    environment = result["environment"]
    inside = "inside" if result["verification_is_inside"] else "OUTSIDE"
    lines = [
        f"\n## {size} ({result['date']}, {environment['instruction_set']})\n",
        f"Commit {result['commit']}; {result['config']['training']['epochs']} epoch(s)"
        f", trained in {result['train_seconds'] / 60:.0f} minutes.\n",
        f"Threshold {stated['rule']['threshold']:.5f} for {result['budget_per_hour']:g} false alarm an hour, from "
        f"{stated['footage_h']:.1f} hours.\n",
        "| what | figure |",
        "| --- | --- |",
        f"| alarms an hour that `calibrate` foretold for eight new hours (95 %) | {low:.2f} to {high:.2f}, "
        f"{high - low:.2f} wide |",
        f"| alarms an hour in the verification hours | {result['verification_alarms_per_hour']:.2f}, {inside} |",
        f"| labelled hour: frame AUC, raw | {test['micro_auc']:.3f} |",
        f"| labelled hour: anomalous stretches found | {alarms['stretches_found']} of {alarms['stretches']} |",
        f"| labelled hour: false alarms | {alarms['false_alarms']} in {alarms['normal_hours']:.2f} normal hours |",
        f"| two months before: alarms | {earlier['events']} |",
        f"| two months before: drift | {told_drift(earlier)} |",
        "",
        "Alarms by verification hour: "
        + ", ".join(f"{hour['hour']}h {hour['alarms']}" for hour in result["verification"])
        + ".\n",
        "The labelled hour's anomalous stretches (frames of the source, 5 a second):\n",
        "| frames | highest score | median | reaches the threshold |",
        "| --- | --- | --- | --- |",
        *(
            f"| {one['start_frame']} to {one['end_frame']} | {one['highest']:.3f} | {one['median']:.3f} | "
            f"{'yes' if one['highest'] >= stated['rule']['threshold'] else 'no'} |"
            for one in test["stretches"]
        ),
        "",
    ]
    return "\n".join(lines)


def told_drift(hour: dict[str, Any]) -> str:
    """In words."""
    drift = hour.get("drift")
    return "not called drift" if not drift else f"called drift, from {drift[0]['since_s'] / 60:.0f} minutes on"
