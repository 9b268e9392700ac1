"""How long should threads that wait for one another spin before they sleep?

    uv run python benchmarks/spinning.py FOOTAGE [--rounds 3] [--seconds 24]

Trains by recipes/camera_cpu.yaml for some seconds with each setting in turn, on the machine as it is and beside as many
busy processes as it has cores, and counts the steps. GNU OpenMP's own count, 300,000 rounds, takes some
milliseconds, in which a thread holds a core that another program, or the very thread it waits for, could use.
One thread, where nobody waits for anybody, is measured for comparison. FOOTAGE is decoded once, before.
Writes docs/results/spinning_<instruction set>_<date>.json.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from results import write_result

from maskedskipunet.machine import cores

RECIPE = Path(__file__).parents[1] / "recipes" / "camera_cpu.yaml"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    **{f"spin {count}": {"GOMP_SPINCOUNT": str(count)} for count in (300_000, 30_000, 10_000, 0)},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=24.0)
    options = parser.parse_args()
    steps_in(0.01, options.footage, {})  # frames are decoded
    found: dict[str, dict[str, list[int]]] = {name: {"alone": [], "beside": []} for name in SETTINGS}
    for _ in range(options.rounds):
        for name, environment in SETTINGS.items():
            found[name]["alone"].append(steps_in(options.seconds, options.footage, environment))
        with busy_cores():
            for name, environment in SETTINGS.items():
                found[name]["beside"].append(steps_in(options.seconds, options.footage, environment))
    medians = {name: {where: median(steps) for where, steps in of_one.items()} for name, of_one in found.items()}
    for name, of_one in medians.items():
        print(f"{name:12} alone {of_one['alone']:6g} steps, beside others {of_one['beside']:6g}")
    print(write_result("spinning", {"seconds": options.seconds, "steps": found, "median_steps": medians}))


def steps_in(seconds: float, footage: Path, environment: Mapping[str, str]) -> int:
    """How many steps a training makes in so many seconds."""
    train = [sys.executable, "-m", "maskedskipunet", "train", "--config", str(RECIPE), "--data", str(footage)]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    with TemporaryDirectory() as runs:
        limits = ["--runs", runs, f"--training.max_minutes={seconds / 60}"]
        done = subprocess.run([*train, *limits], env={**own, **environment}, capture_output=True, text=True)
    steps = re.search(r"limit was reached after ([\d,]+) of", done.stderr)
    if steps is None:
        sys.exit(done.stderr)
    print(environment, steps[1], flush=True)
    return int(steps[1].replace(",", ""))


@contextmanager
def busy_cores() -> Iterator[None]:
    """Other programs that want all cores, each in a session of its own as services are."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(cores() or 1)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
