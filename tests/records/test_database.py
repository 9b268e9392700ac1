import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from maskedskipunet.errors import DiskSpaceError, RecordsError
from maskedskipunet.records import database, outbox
from maskedskipunet.records.database import DamagedError, open_database
from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.states import CameraCondition
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription
from maskedskipunet.records.tables import Table


def made_by(folder: RecordsFolder, revision: str) -> None:
    """A database as an earlier version left it."""
    folder.path.mkdir()
    engine = create_engine(f"sqlite:///{folder.database}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {database.APPLICATION_ID}")
        config = Config()
        config.set_main_option("script_location", str(database.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> RecordsFolder:
    return RecordsFolder(tmp_path / "records")


def opened(folder: RecordsFolder):
    engine = open_database(folder, create=True)
    try:
        with engine.connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            }
            differences = compare_metadata(
                MigrationContext.configure(connection, opts={"compare_type": True}), Table.metadata
            )
    finally:
        engine.dispose()
    return pragmas, differences


def test_a_new_database_logs_ahead_waits_for_others_and_holds_what_the_tables_say(folder):
    pragmas, differences = opened(folder)
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}
    assert differences == []


def test_an_older_database_is_upgraded_and_keeps_what_it_holds(folder):
    made_by(folder, "0001")
    with sqlite3.connect(folder.database) as connection:
        connection.execute("INSERT INTO cameras (name, source) VALUES ('door', 'rtsp://10.0.0.5')")
    connection.close()
    assert opened(folder)[1] == []
    with Records.open(folder.path) as records:
        assert records.cameras() == {"door": "rtsp://10.0.0.5"}


def test_records_of_the_version_before_are_upgraded_with_their_states_and_what_waits(folder):
    made_by(folder, "0002")
    with sqlite3.connect(folder.database) as connection:
        connection.execute("INSERT INTO cameras (name, source) VALUES ('door', 'rtsp://10.0.0.5')")
        connection.execute("INSERT INTO states (camera_id, kind, detail, began_unix_s) VALUES (1, 'lost', 'x', 1.7e9)")
        connection.execute(
            "INSERT INTO deliveries (sink, event_id, phase, sequence, message, status, attempts, made_unix_s, "
            "due_unix_s) VALUES ('hook', 'a', 'new', 0, '{\"camera\": \"door\"}', 'waiting', 0, 1.7e9, 1.7e9)"
        )
    connection.close()
    assert opened(folder)[1] == []
    with Records.open(folder.path, watching=True) as records:
        records.end_left_states([Subscription(sink="hook", states=("all",))])
        assert [state.ended_unix_s is None for state in records.states()] == [False]
        assert records.camera_conditions() == {"door": CameraCondition("", None, None)}
        with records.read() as session:
            found = outbox.next_delivery(session, "hook", 1.7e9 + 1)
    assert isinstance(found, outbox.Delivery)
    assert (found.key, found.kind) == ("a:new:0", "event")


def test_a_transaction_that_writes_has_the_writers_place_from_its_begin(folder):
    with Records.open(folder.path) as records, records.write():
        other = sqlite3.connect(folder.database, isolation_level=None, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(folder, monkeypatch, tmp_path):
    made_by(folder, "0001")
    broken = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, broken, ignore=shutil.ignore_patterns("__pycache__"))
    step = broken / "versions" / "r0002_deliveries.py"
    step.write_text(step.read_text() + '\n    op.execute("INSERT INTO missing VALUES (1)")\n')
    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", broken)
        with pytest.raises(RecordsError, match="no such table: missing"):
            open_database(folder, create=True)
    connection = sqlite3.connect(folder.database)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    connection.close()
    assert "deliveries" not in tables
    assert opened(folder)[1] == []


def test_a_database_of_a_newer_version_is_refused_and_untouched(folder):
    Records.open(folder.path).close()
    connection = sqlite3.connect(folder.database)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = folder.database.read_bytes()
    with pytest.raises(
        RecordsError, match=r"records\.db: a newer version made the database \(its form is '9999'\)\. Use"
    ):
        Records.open(folder.path)
    assert folder.database.read_bytes() == before


def test_another_programs_database_is_refused(folder):
    folder.path.mkdir()
    connection = sqlite3.connect(folder.database)
    with connection:
        connection.execute("CREATE TABLE events (id)")
    connection.close()
    before = folder.database.read_bytes()
    with pytest.raises(RecordsError, match="the database is another program's"):
        Records.open(folder.path)
    assert folder.database.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all, however long it is" * 50, b"SQLite format 3\0" + bytes(5000)]
)
def test_a_file_that_is_no_database_is_called_damaged_with_the_cure(folder, content):
    folder.path.mkdir()
    folder.database.write_bytes(content)
    with pytest.raises(DamagedError, match=r"damaged .*--repair"):
        Records.open(folder.path)


def test_a_table_whose_name_is_no_text_is_called_damaged(folder):
    """SQLite repeats the name in what it says of it, and Python cannot read that."""
    Records.open(folder.path).close()
    content = folder.database.read_bytes()
    assert b"tableevents" in content
    folder.database.write_bytes(content.replace(b"tableevents", b"table\x9dvents"))
    with pytest.raises(DamagedError, match=r"damaged .*--repair"):
        open_database(folder, create=False)


def test_places_that_cannot_hold_records_are_named(tmp_path):
    (tmp_path / "file").write_text("hello")
    (tmp_path / "taken" / "records.db").mkdir(parents=True)
    for path in (tmp_path / "file", tmp_path / "taken"):
        with pytest.raises(RecordsError, match="no records folder"):
            Records.open(path)
    with pytest.raises(RecordsError, match="cannot write into the records folder"):
        Records.open(Path("/proc/records"))
    with pytest.raises(RecordsError, match="there are no records"):
        Records.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_writer_that_another_keeps_waiting_too_long_is_told(folder, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Records.open(folder.path) as records:
        other = sqlite3.connect(folder.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="another process has been writing"):
            records.add_camera("door", "")
        other.execute("ROLLBACK")
        other.close()
        records.add_camera("door", "")


def test_a_full_disk_is_told_and_the_database_goes_on_when_there_is_room(folder, no_file_larger_than):
    def fill(records: Records) -> None:
        for number in range(500):
            records.add_camera(f"camera {number}", "x" * 2000)

    with Records.open(folder.path) as records:
        size = max(path.stat().st_size for path in folder.path.iterdir())
        with no_file_larger_than(size), pytest.raises((DiskSpaceError, RecordsError)):  # as SQLite calls it
            fill(records)
        records.add_camera("door", "")
        assert "door" in records.cameras()


def test_many_threads_open_and_write_at_once_and_nothing_is_lost(folder):
    def work(number: int) -> None:
        with Records.open(folder.path) as records:
            for more in range(3):
                records.add_camera(f"{number}-{more}", "")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Records.open(folder.path) as records:
        assert len(records.cameras()) == 18
