"""Heat maps and reconstructions of events' peaks: kept, replaced, checked, pruned, and absent in older records."""

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from maskedskipunet.records import database
from maskedskipunet.records.checking import check
from maskedskipunet.records.event_files import ExplainingPictures
from maskedskipunet.records.folder import EventPaths
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records

BEGAN_UNIX_S = 1_772_355_600.0
JPEG = b"\xff\xd8 a picture \xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n a map \0\0\0\0IEND\xaeB`\x82"
SEEN = ExplainingPictures(PNG, JPEG)


def files_of(book: Any, event_id: str = "a") -> EventPaths:
    paths: EventPaths = book.records.folder.files(event_id, BEGAN_UNIX_S)
    return paths


def test_they_lie_beside_the_picture_and_are_named_in_the_event(book: Any) -> None:
    recorded = book.tell("new", picture=JPEG, explaining=SEEN)

    assert (recorded.has_heat_map, recorded.has_reconstruction) == (True, True)
    assert [path.name for path in files_of(book)[3:5]] == ["a.heat.png", "a.rebuilt.jpg"]
    assert (files_of(book).heat_map.read_bytes(), files_of(book).reconstruction.read_bytes()) == (PNG, JPEG)
    told = json.loads(book.description().read_text())
    assert (told["has_heat_map"], told["has_reconstruction"]) == (True, True)
    assert RecordedEvent.read(book.description()) == book.records.event("a")
    assert check(book.folder).is_clean


def test_those_of_an_earlier_peak_go_and_an_update_without_a_picture_keeps_them(book: Any) -> None:
    book.tell("new", picture=JPEG, explaining=SEEN)
    book.tell("update")
    assert book.records.event("a").has_heat_map

    book.tell("update", picture=JPEG, explaining=ExplainingPictures(PNG))
    assert (book.records.event("a").has_heat_map, book.records.event("a").has_reconstruction) == (True, False)
    book.tell("end", picture=JPEG)

    assert not book.records.event("a").has_heat_map
    assert not files_of(book).heat_map.exists()
    assert check(book.folder).is_clean


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda path: path.unlink(), "the file is gone"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "the file is incomplete"),
        (lambda path: path.write_bytes(b""), "the file is incomplete"),
    ],
)
@pytest.mark.parametrize("name", ["heat_map", "reconstruction"])
def test_a_check_finds_one_that_is_gone_or_cut_and_a_repair_mends_it(
    book: Any, name: str, change: Any, fault: str
) -> None:
    book.tell("new", picture=JPEG, explaining=SEEN)
    book.tell("end")
    change(getattr(files_of(book), name))

    assert [found.what for found in check(book.folder).faults] == [fault]
    book.records.close()
    assert check(book.folder, repair=True).is_clean
    assert check(book.folder).faults == []


def test_one_of_no_event_is_found_and_put_aside(book: Any) -> None:
    book.tell("new", picture=JPEG, explaining=SEEN)
    files_of(book, "stray").heat_map.write_bytes(PNG)

    assert [found.what for found in check(book.folder).faults] == ["belongs to no event"]


def test_they_are_counted_and_go_with_their_event(book: Any) -> None:
    book.tell("new", picture=JPEG, explaining=SEEN)
    book.tell("end")
    size_bytes = sum(path.stat().st_size for path in files_of(book) if path.exists())
    book.clock.now_unix_s += 3600

    (removed,) = prune(book.records, Retention(larger_than_bytes=0)).removed

    assert removed.bytes == size_bytes > len(PNG) + 2 * len(JPEG)
    assert not files_of(book).heat_map.parent.exists()


def test_records_of_the_version_before_open_and_their_events_have_none(tmp_path: Path, book: Any) -> None:
    book.tell("new", picture=JPEG)
    described = book.description()
    values = json.loads(described.read_text())
    del values["has_heat_map"], values["has_reconstruction"]
    described.write_text(json.dumps(values))
    assert RecordedEvent.read(described) == book.records.event("a")

    (old := tmp_path / "old").mkdir()
    engine = create_engine(f"sqlite:///{old / 'records.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {database.APPLICATION_ID}")
        config = Config()
        config.set_main_option("script_location", str(database.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.exec_driver_sql("INSERT INTO cameras (id, name, source) VALUES (1, 'door', '')")
        connection.exec_driver_sql(
            "INSERT INTO events (id, camera_id, source, start_s, end_s, peak_s, start_frame, end_frame, peak_frame, "
            "top_score, mean_score, boxes, began_unix_s, updated_unix_s, phase, sequence, has_clip, has_picture, "
            "revision, filed_revision, is_removing) VALUES ('a', 1, '', 0, 1, 0, 0, 1, 0, 1, 1, '[]', 1772355600, "
            "1772355600, 'end', 0, 0, 0, 1, 0, 0)"
        )
    engine.dispose()
    with Records.open(old) as records:
        assert not records.event("a").has_heat_map
    assert check(old).is_clean
