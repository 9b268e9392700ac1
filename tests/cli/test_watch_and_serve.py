"""`watch` and `serve` side by side, each killed while it writes: nothing is lost or doubled, and the page says so."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from maskedskipunet.records import outbox
from maskedskipunet.records.checking import check
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import DeliveryRow

COMMAND = [sys.executable, "-m", "maskedskipunet"]
TIMEOUT_S = 240
ROUNDS = 2


class Serving:
    """A page of the records as a process, killed and started again at another port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        command = [*COMMAND, "serve", "--records", str(self._folder), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.fullmatch(r"the page is at (http://\S+)/\n", line)
        assert found is not None, line + self.process.stderr.read()
        self.address = found[1]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def get(self, path: str) -> str:
        answer = httpx2.get(self.address + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.text


class Answering:
    """Somebody who answers every event as soon as the page shows it, and goes on whenever the page is there again.

    shown: the events that a page ever showed. kept: those whose answer the page said it had kept.
    """

    def __init__(self, page: Serving) -> None:
        self.shown: set[str] = set()
        self.kept: set[str] = set()
        self.faults: list[str] = []
        self._page, self._ending = page, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._ending.wait(0.1):
            try:
                self._answer_all(self._page.address)
            except httpx2.HTTPError:  # the page was killed
                continue

    def _answer_all(self, address: str) -> None:
        with httpx2.Client(base_url=address, timeout=30) as client:
            csrf = client.get("/review").text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
            while not self._ending.wait(0.1):
                events = client.get("/api/v1/events", params={"answer": "none", "size": 200}).json()["events"]
                self.shown |= {event["id"] for event in events}
                for event in events:
                    sent = {"csrf": csrf, "answer": "anomaly"}
                    answer = client.post(f"/events/{event['id']}/answer", data=sent)
                    if answer.status_code == 303:
                        self.kept.add(event["id"])
                    else:
                        self.faults.append(f"{answer.status_code}: {answer.text[:500]}")


def wait_until(holds: Callable[[], Any], process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Wait for something that a process brings about."""
    until_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert process.poll() is None, "the process ended before"
        assert time.monotonic() < until_s
        time.sleep(0.005)


def state_without_reload(page: Serving) -> Any:
    """Return the first state that a browser gets which looks on without a reload."""
    with httpx2.stream("GET", f"{page.address}/live/stream", timeout=30) as answer:
        line = next(line for line in answer.iter_lines() if line.startswith("data: "))
    return json.loads(line.removeprefix("data: "))


def start_watch(place: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([*COMMAND, "watch", "--config", "cameras.yaml", "--speed", "4"], stderr=subprocess.DEVNULL)


def test_each_killed_while_it_writes_beside_the_other_no_event_and_no_answer_is_lost_or_doubled(
    alarmed: Path, place: Path, make: Any
) -> None:
    make.disturbed(place / "long.mp4", 3000)
    (place / "cameras.yaml").write_text(
        f"model: {alarmed}\nmax_delay_s: 300\ncameras: {{room: long.mp4}}\nrecords: records\n"
        "sinks: {nas: {type: folder, path: nas}}\n"
    )
    folder = place / "records"
    Records.open(folder).close()
    page = Serving(folder)
    somebody = Answering(page)
    runs: list[set[str]] = []
    try:
        for _ in range(ROUNDS):
            earlier = set[str]().union(*runs)  # of which some are answered only now
            watch = start_watch(place)
            try:
                wait_until(lambda known=earlier: somebody.kept - known, watch)
                assert "A watch is running" in page.get("/live")
                page.kill()
                page.start()
                wait_until(lambda known=earlier | somebody.kept: somebody.kept - known, watch)
                assert state_without_reload(page)["watched"] is True
            finally:
                watch.kill()
                watch.wait(20)
            live, state = page.get("/live"), state_without_reload(page)
            assert "No watch is running" in live
            assert "not watched" in live
            assert (state["watched"], state["fault"]) == (False, "")
            assert "not watched" in state["tiles"][0]["html"]
            report = check(folder)
            assert report.is_clean, report.faults
            with Records.open(folder) as records:
                runs.append({one.event.id for one in records.events()}.difference(*runs))
    finally:
        somebody.end()
        page.kill()

    assert somebody.faults == []
    assert_nothing_is_lost_or_doubled(folder, somebody, runs)


def assert_nothing_is_lost_or_doubled(folder: Path, somebody: Answering, runs: list[set[str]]) -> None:
    with Records.open(folder, watching=True) as records:
        records.end_left_open()
        events = {one.event.id: one for one in records.events()}
        assert somebody.shown <= set(events)
        assert somebody.kept <= {event_id for event_id, one in events.items() if one.answer == "anomaly"}
        assert not any(one.is_open for one in events.values())
        for ids in runs:  # each run is of the same film from its begin: a doubled event would begin with the same frame
            begins = Counter(events[event_id].event.start_frame for event_id in ids)
            assert set(begins.values()) <= {1}, begins
        with records.read() as session:
            changes = [row[0] for row in session.connection().exec_driver_sql("SELECT event_id FROM answer_changes")]
            messages = Counter((row.event_id, row.sequence) for row in session.query(DeliveryRow))
            counts = outbox.counts(session)
    assert set(Counter(changes).values()) == {1}
    assert somebody.kept <= set(changes)
    assert set(messages.values()) == {1}
    assert counts["nas"].dropped == 0
    report = check(folder)
    assert report.is_clean, report.faults
