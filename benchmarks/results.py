"""Where and how benchmarks write what they found: dated, with commit, hardware and versions."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskedskipunet.runs import describe_environment

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def write_result(name: str, content: dict[str, Any], environment: dict[str, Any] | None = None) -> Path:
    """Write `docs/results/NAME_<instruction set>_<date>.json` and return its path."""
    environment = environment or describe_environment()
    hardware = "_".join(environment["accelerators"]) or environment["instruction_set"]
    day = datetime.now(UTC).date().isoformat()
    path = RESULTS / f"{name}_{hardware.replace(' ', '-')}_{day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"date": day, "commit": commit(), "environment": environment, **content}
    path.write_text(json.dumps(told, indent=2) + "\n")
    return path


def commit() -> str:
    """The commit that was measured, marked where files differ from it."""
    here = Path(__file__).parent
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=here, capture_output=True, text=True
    )
    return said.stdout.strip() or "unknown"
