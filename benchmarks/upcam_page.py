"""`docs/upcam.md`: what is on record of the real camera, from the files that `upcam.py` left in docs/results."""

import json
from pathlib import Path
from typing import Any

from results import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "upcam.md"
HEAD = """# A real camera

Written by `benchmarks/upcam.py` from `docs/results/`; change those, not this page.

An indoor camera (128x64, 5 frames/s): 24 hours of one day's everyday life without labels, one labelled hour four days
later, one hour of two months before. The day is split by hour % 3 before anything is seen: 0 trains, 1 calibrates,
2 verifies, each part with day and night. Nothing is chosen on the last two hours.
"""


def write_page() -> Path:
    """Write the page anew and return its path."""
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("upcam_*.json"))]
    PAGE.write_text(HEAD + "".join(map(section, found)))
    return PAGE


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
        f"| labelled hour: frame AUC, Gaussian | {test['micro_auc_gaussian']:.3f} |",
        f"| labelled hour: anomalous stretches found | {alarms['stretches_found']} of {alarms['stretches']} |",
        f"| labelled hour: false alarms | {alarms['false_alarms']} in {alarms['normal_hours']:.2f} normal hours |",
        f"| two months before: alarms | {earlier['events']} |",
        f"| two months before: drift | {told_drift(earlier)} |",
        "",
        "Alarms by verification hour: "
        + ", ".join(f"{hour['hour']}h {hour['alarms']}" for hour in result["verification"])
        + ".\n",
    ]
    return "\n".join(lines)


def told_drift(hour: dict[str, Any]) -> str:
    """In words."""
    drift = hour.get("drift")
    return "not called drift" if not drift else f"from {drift[0]['start_s'] / 60:.0f} minutes on"
