"""kill -9 while writing: what a process was told to be recorded is there, and the records are clean."""

import json
import os
import subprocess
import sys
from pathlib import Path

from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import DeliveryRow

WRITERS, SEED = 20, 8


def test_writers_killed_at_any_moment_leave_clean_records_with_all_they_were_told_is_recorded(tmp_path: Path) -> None:
    script, folder = Path(__file__).with_name("killed.py"), tmp_path / "records"
    ended = subprocess.run(
        [sys.executable, str(script), str(folder), str(WRITERS), str(SEED)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert ended.returncode == 0, ended.stderr
    rounds = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(rounds) == WRITERS
    assert [one["faults"] for one in rounds] == [[]] * WRITERS
    told = {key for one in rounds for key in one["told"]}
    assert len(told) > WRITERS  # they were killed at work, not before it
    assert any(one["finished"] for one in rounds)  # and some in the midst of a step
    with Records.open(folder) as records, records.read() as session:
        waiting = {f"{row.event_id}:{row.phase}" for row in session.query(DeliveryRow)}
        left_open = [recorded.event.id for recorded in records.events(open_only=True)]
    assert {key for key in told if not key.endswith(":update")} <= waiting  # an update gives way to the next message
    assert len(left_open) <= 1
