"""What the demo reaches on scenes it was not built on: AUC and seconds for some seeds, each run as a person runs it.

    uv run python benchmarks/demo_seeds.py --seeds 101 102 103 104 105

Writes docs/results/demo_<instruction set>_<date>.json. Seeds 0 and 1 were used to build the demo; others were not.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from results import write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    seeds = parser.parse_args().seeds
    rows = [run_demo(seed) for seed in seeds]
    for row in rows:
        print("seed {seed}: AUC {auc:.4f}, frame differencing {auc_frame_difference:.4f}, {seconds} s".format(**row))
    environment = rows[0]["environment"]
    print(
        write_result("demo", {"runs": [{k: v for k, v in r.items() if k != "environment"} for r in rows]}, environment)
    )


def run_demo(seed: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "maskedskipunet", "demo", "--seed", str(seed), "--out", f"{folder}/demo"]
        subprocess.run([*command, "--json", str(figures)], check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(figures.read_text())
    return found


if __name__ == "__main__":
    main()
