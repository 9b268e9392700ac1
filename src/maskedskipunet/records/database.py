"""Opening the records database: SQLite with a write-ahead log, brought up to date by its migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from maskedskipunet.errors import DiskSpaceError, RecordsError
from maskedskipunet.files import disk_full_as_error, lock_file
from maskedskipunet.records.folder import RecordsFolder

BUSY_TIMEOUT_S = 30.0
APPLICATION_ID = 0x4D534B55  # "MSKU", so that another program's database is not taken for ours
MIGRATIONS = Path(__file__).parent / "migrations"

REPAIR = "`maskedskipunet records check FOLDER --repair` rebuilds it from the events' files"


class DamagedError(RecordsError):
    """The database cannot be read; the events' files can make it anew."""


def open_database(folder: RecordsFolder, *, create: bool, busy_timeout_s: float | None = None) -> Engine:
    """Return the database of a records folder, of the newest form.

    create: make folder and database where there is none. An older database is upgraded. busy_timeout_s: how long a
    transaction waits for another process that writes (None: BUSY_TIMEOUT_S).
    Raises RecordsError for a database of a newer version, of another program, or that is not there;
    DamagedError for a damaged one; DiskSpaceError when there is no room.
    """
    path = folder.database
    if path.is_dir() or (folder.path.exists() and not folder.path.is_dir()):
        raise RecordsError("no records folder", str(folder.path), "Name a folder")
    if not create and not path.exists():
        raise RecordsError("there are no records", str(folder.path), "Name the records folder of `watch`")
    engine = _engine(path, BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s)
    try:
        with database_faults(path), _alone(folder):
            with writing(engine).begin() as connection:
                _bring_up_to_date(connection, path)
            _log_ahead(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def writing(engine: Engine) -> Engine:
    """Return the database for transactions that write: each takes the single writer's lock at its start.

    One that began by reading and then found another writer before it could not go on, however long it waits.
    """
    return engine.execution_options(begin="BEGIN IMMEDIATE")


@contextmanager
def database_faults(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into our own."""
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DatabaseError as error:
        raise _describe(str(error.orig).strip(), path) from error
    except UnicodeDecodeError as error:  # what SQLite says of a damaged table repeats its bytes
        raise _describe("its tables are malformed", path) from error


class UnavailableError(RecordsError):
    """The database cannot be used now; later it may be."""


def _describe(fault: str, path: Path) -> RecordsError | DiskSpaceError:
    if "full" in fault:
        return DiskSpaceError("no space left for the records", str(path), "Free some space")
    if "locked" in fault:
        waited = "another process has been writing for too long"
        return UnavailableError(waited, str(path), "Wait for it, or end it, and try again")
    if "not a database" in fault or "malformed" in fault:
        return DamagedError(f"the database is damaged ({fault})", str(path), REPAIR)
    return UnavailableError(
        f"cannot use the database ({fault})", str(path), "Check the right and the room to write there"
    )


def _engine(path: Path, busy_timeout_s: float) -> Engine:
    url = URL.create("sqlite", database=str(path.absolute()))
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, changes of tables included
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


@contextmanager
def _alone(folder: RecordsFolder) -> Iterator[None]:
    """Lock the folder, so that no other process creates or upgrades the database meanwhile."""
    try:
        with disk_full_as_error(folder.lock):
            folder.path.mkdir(parents=True, exist_ok=True)
            file = folder.lock.open("a")
    except OSError as error:
        fault = f"cannot write into the records folder ({error.strerror})"
        raise RecordsError(fault, str(folder.path), "Name one that can be written to") from error
    with file:
        lock_file(file, wait=True)
        yield


def _bring_up_to_date(connection: Connection, path: Path) -> None:
    known = _revisions(MIGRATIONS)
    current = MigrationContext.configure(connection).get_current_revision()
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != APPLICATION_ID:
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
            raise RecordsError("the database is another program's", str(path), "Name another records folder")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    elif current is not None and current not in known:
        cure = "Use the version that made it, or a newer one"
        raise RecordsError(f"a newer version made the database (its form is {current[:40]!r})", str(path), cure)
    if current != known[0]:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _log_ahead(engine: Engine) -> None:
    """Switch the database to write-ahead logging, which is permanent, once it is known to be ours."""
    connection = engine.raw_connection()  # no transaction is open there
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


@cache
def _revisions(migrations: Path) -> tuple[str, ...]:
    """Return the steps that there are, the newest first."""
    return tuple(step.revision for step in ScriptDirectory(str(migrations)).walk_revisions())
