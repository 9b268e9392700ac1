from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.store import Records
from maskedskipunet.records.watch_lock import WatchLock, is_watched


def test_records_are_watched_while_a_watch_has_them_and_not_while_a_command_does(tmp_path):
    folder = RecordsFolder(tmp_path / "records")
    assert not is_watched(folder)
    with Records.open(folder.path):
        assert not is_watched(folder)
    with Records.open(folder.path, watching=True):
        assert is_watched(folder)
    assert not is_watched(folder)


def test_who_asks_whether_records_are_watched_takes_nothing_away_from_a_watch(tmp_path):
    folder = RecordsFolder(tmp_path)
    is_watched(folder)
    lock = WatchLock(folder.watch_lock)
    assert lock.take(wait=False)
    lock.give_back()
