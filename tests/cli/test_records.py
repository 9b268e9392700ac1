import csv
import json
import shutil
import sqlite3
import time

import pytest
from pyarrow import parquet

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.records.exporting import COLUMNS
from maskedskipunet.records.store import Records

DAY_S = 86400.0
BEGAN_UNIX_S = 1_772_355_600.0  # 2026-03-01 09:00 UTC


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three events of two cameras on three days of the past, the last with an answer."""
    with Records.open(folder := tmp_path_factory.mktemp("recorded") / "records") as records:
        for number, camera in enumerate(("door", "yard", "door")):
            event = Event(f"e{number}", "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, 0.5, 0.4, ((1, 2, 3, 4),), None)
            for phase in ("new", "end"):
                records.record(EventUpdate(phase, event), camera=camera, began_unix_s=BEGAN_UNIX_S + number * DAY_S)
        records.answer("e2", "normal")
    return folder


@pytest.fixture
def folder(recorded, place):
    return shutil.copytree(recorded, place / "records")


def test_clean_records_are_checked_with_0_and_faults_with_1_until_they_are_mended(cli, folder, place):
    answer = cli("records", "check", folder, "--json", "check.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("3 events, 0 clips, 2 kB, clean\n")
    assert json.loads((place / "check.json").read_text())["clean"] is True
    (folder / "events" / "2026-03-02" / "e1.json").write_text("hello")
    found = cli("records", "check", folder)
    assert found.code == 1
    assert "events/2026-03-02/e1.json: not an event" in found.out
    assert found.out.endswith("1 fault found; repair with --repair\n")
    mended = cli("records", "check", folder, "--repair")
    assert mended.code == 0
    assert mended.out.endswith("1 fault repaired\n")
    assert cli("records", "check", folder).out.endswith("clean\n")


def test_an_event_that_a_killed_watch_left_open_is_said(cli, folder):
    with Records.open(folder) as records:
        event = Event("e9", "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, 0.5, 0.4, (), None)
        records.record(EventUpdate("new", event), camera="door", began_unix_s=BEGAN_UNIX_S)
    answer = cli("records", "check", folder)
    assert answer.code == 0
    assert "1 event left open by a watch that was killed: the next watch ends them and informs the sinks" in answer.out
    with Records.open(folder, watching=True) as records:
        records.end_left_open()
    assert "left open" not in cli("records", "check", folder).out


def test_events_are_exported_in_each_form_by_time_and_camera(cli, folder, place):
    assert cli("records", "export", folder).out == f"3 events in {folder}/events.csv\n"
    with (folder / "events.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == [*COLUMNS]
    assert [row["id"] for row in rows] == ["e0", "e1", "e2"]
    assert json.loads(rows[0]["boxes"]) == [[1, 2, 3, 4]]
    chosen = cli(
        "records", "export", folder, "--out", "a.json", "--camera", "door", "--since", "2026-03-02", "--json", "f.json"
    )
    assert (chosen.code, json.loads((place / "f.json").read_text())["events"]) == (0, 1)
    (event,) = json.loads((place / "a.json").read_text())
    assert (event["id"], event["answer"], event["began_at"]) == ("e2", "normal", "2026-03-03T09:00:00.000+00:00")
    assert cli("records", "export", folder, "--out", "a.parquet", "--until", "2026-03-02T09:00:01Z").code == 0
    table = parquet.read_table(place / "a.parquet")
    assert table.column_names == [*COLUMNS]
    assert table["id"].to_pylist() == ["e0", "e1"]
    assert table["began_at"][0].as_py().isoformat() == "2026-03-01T09:00:00+00:00"


def test_no_events_make_a_table_without_rows(cli, folder, place):
    for suffix in ("csv", "json", "parquet"):
        assert cli("records", "export", folder, "--out", f"n.{suffix}", "--until", "2020-01-01").code == 0
    assert parquet.read_table(place / "n.parquet").num_rows == 0


def test_what_is_pruned_is_named_first_for_a_look_and_then_removed(cli, folder, place):
    with Records.open(folder) as records, records.write() as session:  # long ago, so that no clip may come
        session.connection().exec_driver_sql(f"UPDATE events SET updated_unix_s = {BEGAN_UNIX_S}")
    age_s = time.time() - (BEGAN_UNIX_S + 1.5 * DAY_S)
    arguments = ("records", "prune", folder, "--older-than", f"{age_s:.0f}s")
    told = cli(*arguments, "--dry-run", "--json", "p.json")
    assert told.out.splitlines()[0].startswith("e0, door, 2026-03-01 09:00:00+00:00, ")
    assert told.out.splitlines()[-1].startswith("2 events would be removed, ")
    figures = json.loads((place / "p.json").read_text())
    assert ([one["id"] for one in figures["removed"]], figures["dry_run"]) == (["e0", "e1"], True)
    done = cli(*arguments)
    assert done.out.splitlines()[-1].startswith("2 events removed, ")
    assert cli("records", "prune", folder, "--larger-than", "0").out.splitlines()[-1].startswith("1 event removed")
    assert [*(folder / "events").iterdir()] == []


REFUSED = [
    ("records", "check|export|kinds|prune and FOLDER must be given."),
    ("records drop records", "check|export|kinds|prune: 'drop' is not among the choices."),
    ("records check nosuch", "nosuch: there are no records. Name the records folder of `watch`."),
    ("records check file", "file: no records folder. Name a folder."),
    ("records check records --dry-run", "--dry-run belongs to `records prune`. Leave it out."),
    ("records prune records --repair --older-than 1d", "--repair belongs to `records check`."),
    ("records kinds records --out kinds.csv", "--out belongs to `records export`. Leave it out."),
    ("records kinds records --camera cellar", "--camera: there is no camera 'cellar'. There are: door, yard."),
    (
        "records check records --since 2026-03-01",
        "--since belongs to `records export` and `records kinds`. Leave it out.",
    ),
    ("records prune records", "records prune: no limit is given."),
    ("records prune records --older-than soon", "--older-than: 'soon' cannot be understood. Write 30d"),
    ("records prune records --older-than=-1d", "--older-than: '-1d' cannot be understood."),
    ("records prune records --larger-than 10XB", "--larger-than: '10XB' cannot be understood. Write 10GB"),
    ("records export records --since yesterday", "--since: 'yesterday' is no time. Write 2026-03-01"),
    ("records export records --camera cellar", "--camera: there is no camera 'cellar'. There are: door, yard."),
    ("records export records --out table.xlsx", "table.xlsx: no form of a table. Name a file that ends in .csv"),
    ("records export newer", "newer/records.db: a newer version made the database"),
    ("records prune damaged --older-than 1d", "damaged/records.db: the database is damaged"),
]


@pytest.mark.parametrize(("command", "told"), REFUSED)
def test_bad_input_is_refused_in_one_line(cli, folder, place, files, command, told):
    (place / "file").write_text("hello")
    (place / "damaged").mkdir()
    (place / "damaged" / "records.db").write_text("no database " * 1000)
    Records.open(place / "newer").close()
    with sqlite3.connect(place / "newer" / "records.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = {name for name in files() if "lock" not in name}
    assert told in cli(*command.split()).refusal()
    assert {name for name in files() if "lock" not in name} <= before | {"newer/records.db-wal", "newer/records.db-shm"}
