"""A bounded run of `tests/fuzz.py`: the same damaged files at each run, read in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).with_name("fuzz.py")
MUTANTS = 8  # of each kind


def test_damaged_files_of_every_kind_are_read_or_refused_and_nothing_else(tmp_path):
    told = tmp_path / "told.json"
    done = subprocess.run(
        [sys.executable, FUZZ, "--mutants", str(MUTANTS), "--minutes", "10", "--json", told],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(told.read_text())["kinds"]
    assert len(counts) == 32
    assert all(sum(count.values()) == MUTANTS for count in counts.values())
    assert sum(count.get("refused", 0) for count in counts.values()) > MUTANTS * len(counts) / 3  # they are damaged
