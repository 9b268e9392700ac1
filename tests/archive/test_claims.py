"""Claims: one process has a task, and loses it when it is gone."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from maskedskipunet.archive.claims import Claims


def test_a_task_has_one_owner_until_it_is_given_back(tmp_path: Path) -> None:
    with Claims(tmp_path) as first, Claims(tmp_path) as second:
        assert first.take("a")
        assert not second.take("a")
        assert not first.take("a")
        assert second.take("b")
        assert (first.others(), second.others()) == (1, 1)
        assert not second.remove_dead("a")
        first.release("a")
        assert second.take("a")
    assert [*tmp_path.iterdir()] == []


def test_many_threads_that_want_one_task_leave_it_to_one(tmp_path: Path) -> None:
    won: list[int] = []
    owners = [Claims(tmp_path) for _ in range(8)]
    threads = [threading.Thread(target=lambda owner=owner: won.append(owner.take("a"))) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False] * 7 + [True]


def test_a_claim_of_a_process_that_has_ended_is_removed_at_once(tmp_path: Path) -> None:
    take = f"Claims(Path({str(tmp_path)!r})).take('a')"
    code = f"from maskedskipunet.archive.claims import Claims; from pathlib import Path; {take}"
    subprocess.run([sys.executable, "-c", code], check=True)

    with Claims(tmp_path) as claims:
        assert not claims.take("a")
        assert claims.others() == 0
        assert claims.remove_dead("a")
        assert not claims.remove_dead("a")
        assert claims.take("a")


def test_a_claim_of_another_machine_is_removed_when_it_is_not_touched_any_more(tmp_path: Path) -> None:
    elsewhere = tmp_path / "a"
    elsewhere.write_text(json.dumps({"host": "another", "process": os.getpid(), "token": "x"}))
    with Claims(tmp_path, expiry_s=30) as claims:
        assert not claims.remove_dead("a")
        os.utime(elsewhere, (1, 1))
        assert claims.remove_dead("a")


def test_an_owner_touches_what_it_has(tmp_path: Path) -> None:
    with Claims(tmp_path, touch_s=0.01) as claims:
        claims.take("a")
        os.utime(tmp_path / "a", (1, 1))
        touched = threading.Event()
        for _ in range(500):
            if (tmp_path / "a").stat().st_mtime > 1:
                break
            touched.wait(0.01)
        assert (tmp_path / "a").stat().st_mtime > 1
