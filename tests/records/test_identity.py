from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.identity import watch_id


def test_a_watch_is_called_the_same_at_each_start_and_other_than_any_other(tmp_path):
    folders = [RecordsFolder(tmp_path / name) for name in ("a", "b")]
    for folder in folders:
        folder.path.mkdir()
    names = [watch_id(folder) for folder in folders]
    assert [watch_id(folder) for folder in folders] == names
    assert len(set(names)) == 2


def test_a_name_that_was_damaged_or_cannot_be_kept_is_another(tmp_path):
    folder = RecordsFolder(tmp_path)
    folder.watch_id.write_bytes(b"\xff#/+")
    assert watch_id(folder).startswith("watch-")
    assert watch_id(folder) == watch_id(folder)
    assert watch_id(RecordsFolder(tmp_path / "none")).startswith("watch-")
