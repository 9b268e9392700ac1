"""The page as a process: beside one that locks the database, killed while it writes, and refused in one line."""

import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from maskedskipunet.records.checking import check
from maskedskipunet.records.store import Records


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `maskedskipunet serve` at a free port; give its address and its process."""
    command = [sys.executable, "-m", "maskedskipunet", "serve", "--records", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"the page is at (http://\S+)/\n", line)
        assert found is not None, line + process.stderr.read()
        yield found[1], process
    finally:
        process.kill()
        process.wait(20)
        if process.stderr is not None:
            process.stderr.close()


def token_of(address: str) -> str:
    return httpx2.get(f"{address}/review", timeout=30).text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


def test_it_serves_and_ends_with_a_signal(filled: Any) -> None:
    with serving(filled.folder) as (address, process):
        assert httpx2.get(f"{address}/review", timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_killed_while_it_writes_it_loses_and_doubles_no_answer(filled: Any) -> None:
    for number in range(60):
        filled.whole(f"more{number}", began_s=1000 + number)
    answered: list[str] = []
    with serving(filled.folder) as (address, process):
        csrf = token_of(address)

        def answer() -> None:
            for number in range(60):
                try:
                    sent = httpx2.post(
                        f"{address}/events/more{number}/answer",
                        data={"csrf": csrf, "answer": "anomaly"},
                        timeout=20,
                    )
                except httpx2.HTTPError:
                    return
                assert sent.status_code == 303
                answered.append(f"more{number}")

        thread = threading.Thread(target=answer)
        thread.start()
        deadline_s = time.monotonic() + 60
        while len(answered) < 5:
            assert thread.is_alive()
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        process.kill()
        thread.join(30)

    report = check(filled.folder)
    assert report.is_clean, report.faults
    with Records.open(filled.folder) as records:
        kept = {one.event.id for one in records.events() if one.answer == "anomaly"}
    assert set(answered) <= kept
    assert len(kept) - len(answered) <= 1  # what was written and could not be said any more
    with sqlite3.connect(filled.folder / "records.db") as connection:
        counts = connection.execute("SELECT count(*) FROM answer_changes GROUP BY event_id").fetchall()
    connection.close()
    assert {count for (count,) in counts} == {1}


def test_beside_a_process_that_writes_for_long_pages_are_shown_and_an_answer_says_why_not(
    open_site: Any, filled: Any
) -> None:
    site = open_site(busy_timeout_s=0.1)
    browser = site.browser()
    other = sqlite3.connect(filled.folder / "records.db", isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")

    for path in ("/live", "/review", "/events/a", "/kinds", "/metrics", "/ready"):
        assert browser.get(path).status_code == 200, path
    refused = browser.send("/events/a/answer", answer="anomaly")
    part = browser.send("/events/a/answer", part=True, answer="anomaly")
    other.execute("ROLLBACK")
    other.close()

    assert (refused.status_code, part.status_code) == (503, 503)
    assert "Another process has been writing for too long" in refused.text
    assert refused.headers["retry-after"] == "5"
    assert "<html" not in part.text
    assert site.records.event("a").answer is None
    assert browser.send("/events/a/answer", answer="anomaly").status_code == 303


def test_a_full_disk_is_said_and_nothing_is_half_kept(
    site: Any, browser: Any, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy

    def full(*_: Any, **__: Any) -> None:
        raise sqlalchemy.exc.OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr("maskedskipunet.records.answering.set_answer", full)
        refused = browser.send("/answers", event=["a", "b"], answer="anomaly")

    assert refused.status_code == 507
    assert "No space left" in refused.text
    assert {one.answer for one in site.records.events()} == {None}
    assert check(filled.folder).is_clean


def test_a_disk_that_is_full_under_a_running_page_is_said_and_answers_go_on_when_there_is_room(filled: Any) -> None:
    with serving(filled.folder) as (address, process):
        csrf = token_of(address)

        def answer(event_id: str) -> httpx2.Response:
            sent = {"csrf": csrf, "answer": "anomaly"}
            return httpx2.post(f"{address}/events/{event_id}/answer", data=sent, timeout=30)

        assert answer("a").status_code == 303
        largest = max(path.stat().st_size for path in filled.folder.glob("records.db*"))
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, hard))  # what a full disk does to a writer
        refused = [answer(event_id) for event_id in ("b", "c", "d") for _ in range(4)]
        shown = httpx2.get(f"{address}/events/a", timeout=30)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        again = answer("d")

    assert refused[-1].status_code in (503, 507), refused[-1].text
    assert "Check the right and the room to write there" in refused[-1].text or "Free some" in refused[-1].text
    assert {each.status_code for each in refused} <= {303, 503, 507}
    assert shown.status_code == 200
    assert again.status_code == 303
    report = check(filled.folder)
    assert report.is_clean, report.faults
    with Records.open(filled.folder) as records:
        assert records.event("d").answer == "anomaly"


def test_where_there_are_no_records_one_line_says_so(tmp_path: Path, cli: Any) -> None:
    answer = cli("serve", "--records", tmp_path / "nothing")

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "there are no records" in answer.err


def test_an_address_for_others_needs_a_user_first(filled: Any, cli: Any) -> None:
    for options in (("--host", "0.0.0.0"), ("--host-name", "cams.example.org")):
        answer = cli("serve", "--records", filled.folder, "--port", "0", *options)
        assert answer.code == 2
        assert f"users add NAME --role editor --records {filled.folder}" in answer.err


def test_an_address_or_a_model_that_cannot_be_had_is_refused_in_one_line(filled: Any, cli: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = cli("serve", "--records", filled.folder, "--port", taken.getsockname()[1])
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "the address cannot be used" in answer.err
    assert "is no IP address" in cli("serve", "--records", filled.folder, "--host", "example.org").err
    assert "there is no model" in cli("serve", "--records", filled.folder, "--model", tmp_path / "none").err


def test_users_are_added_listed_and_removed(filled: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    def users(*arguments: Any, typed: str = "") -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        return cli("users", *arguments, "--records", filled.folder)

    assert "no users" in users("list").out
    assert users("add", "ann", "--role", "editor", typed="a long password\n").out == "ann may log in as editor\n"
    assert users("add", "vic", typed="a long password\n").out == "vic may log in as viewer\n"
    assert re.search(r"ann +editor.*\n +?vic +viewer|ann +editor.*\n+vic +viewer", users("list").out)
    assert users("add", "ann", typed="a long password\n").code == 2
    assert "a password of 5 characters" in users("add", "ben", typed="short\n").err
    assert users("remove", "ann").out == "ann can no longer log in\n"
    assert "There are: vic" in users("remove", "ann").err
    assert "NAME must be given" in users("add").err
    assert users("list", "ann").code == 2


def test_a_page_beside_a_watch_starts_once_and_ends_with_it(filled: Any) -> None:
    from maskedskipunet.cli import page_process

    with page_process.PageProcess(filled.folder, filled.folder) as page:
        page._command = ["sleep", "60"]
        page.start()
        process = page._process
        page.start()
        assert page._process is process
        assert process is not None
        assert process.poll() is None

    assert process.poll() == -signal.SIGTERM


def test_a_page_beside_a_watch_needs_records(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"")

    answer = cli("watch", tmp_path / "video.mp4", "--model", "runs/1", "--serve", "--no-records")

    assert answer.code == 2
    assert "--serve cannot be used with --no-records" in answer.err
