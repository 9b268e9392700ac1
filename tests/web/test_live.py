"""The live page: states in words, one reader for all browsers, and a stream that no slow browser holds up."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import uvicorn

from maskedskipunet.records.live import LiveCamera, LiveFolder, LiveState
from maskedskipunet.records.store import Records
from maskedskipunet.web.app import create_app
from maskedskipunet.web.live import as_json
from maskedskipunet.web.live_feed import LiveFeed
from maskedskipunet.web.live_state import LiveReader
from maskedskipunet.web.refusals import BusyError


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Records]:
    """Records that a watch has open, with one camera that runs."""
    with Records.open(tmp_path / "watched", watching=True) as records:
        records.add_camera("door", "rtsp://10.0.0.5/live")
        records.set_condition("door", "running")
        records.set_last_frames({"door": time.time()})
        yield records


def reader(records: Records) -> LiveReader:
    from maskedskipunet.records.curves import ScoreCurves

    return LiveReader(records, LiveFolder(records.folder.path / "live"), ScoreCurves(records.folder.path / "curves"))


def shown(records: Records, **changed: Any) -> None:
    values: dict[str, Any] = {"condition": "running", "scored_per_s": 5.0, "score": 1.0, "threshold": 4.0} | changed
    LiveFolder(records.folder.path / "live").write_state(LiveState(time.time(), {"door": LiveCamera(**values)}))


def test_a_camera_that_runs_is_said_to_run_with_its_figures(watched: Records) -> None:
    shown(watched, delay_s=0.4)

    (tile,) = reader(watched).read().tiles

    assert (tile.level, tile.now, tile.notes) == ("good", "running", ())
    assert tile.live is not None
    assert (tile.live.scored_per_s, tile.live.delay_s) == (5.0, 0.4)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"skipped_per_s": 2.0}, ("warning", "behind")), ({"delay_s": 9.0}, ("warning", "behind"))],
)
def test_a_camera_that_the_machine_is_too_slow_for_is_behind(
    watched: Records, changed: dict[str, float], words: tuple[str, str]
) -> None:
    shown(watched, **changed)

    (tile,) = reader(watched).read().tiles

    assert (tile.level, tile.now) == words


@pytest.mark.parametrize(
    ("state", "note", "level"),
    [
        ("dark", "covered or dark", "warning"),
        ("moved", "camera moved", "warning"),
        ("drift", "normal has changed: calibrate again", "warning"),
        ("night", "night mode", "good"),
    ],
)
def test_what_is_wrong_with_a_camera_is_said_in_words(watched: Records, state: str, note: str, level: str) -> None:
    watched.begin_state("door", state, "detail")

    (tile,) = reader(watched).read().tiles

    assert ([one for one, _ in tile.notes], tile.level) == ([note], level)


def test_a_camera_that_is_lost_or_silent_or_not_watched_is_said_to_be(watched: Records) -> None:
    watched.set_condition("door", "lost")
    assert [(tile.level, tile.now) for tile in reader(watched).read().tiles] == [("bad", "lost")]
    watched.set_condition("door", "running")
    with watched.write() as session:
        from maskedskipunet.records.tables import CameraRow

        row = session.get(CameraRow, 1)
        assert row is not None
        row.condition_unix_s = row.heard_unix_s = time.time() - 3600
    assert [(tile.level, tile.now) for tile in reader(watched).read().tiles] == [("bad", "silent")]
    watched._lock.give_back()
    assert [(tile.level, tile.now) for tile in reader(watched).read().tiles] == [("off", "not watched")]


def test_figures_that_a_watch_left_behind_are_not_shown_as_now(watched: Records) -> None:
    LiveFolder(watched.folder.path / "live").write_state(LiveState(time.time() - 3600, {"door": LiveCamera()}))

    (tile,) = reader(watched).read().tiles

    assert tile.live is None


def test_looking_asks_the_watch_for_pictures(watched: Records) -> None:
    folder = LiveFolder(watched.folder.path / "live")
    assert not folder.is_asked(time.time())

    reader(watched).read()

    assert folder.is_asked(time.time())


def test_records_that_cannot_be_read_are_a_state_that_says_so(watched: Records, monkeypatch: Any) -> None:
    from maskedskipunet.records.database import UnavailableError

    def fail(*_: Any, **__: Any) -> None:
        raise UnavailableError("another process has been writing for too long", "records.db", "Wait for it")

    monkeypatch.setattr(watched, "states", fail)

    assert "Wait for it" in reader(watched).read().fault


def test_a_disk_that_is_nearly_full_is_said_on_the_page_and_without_a_reload(
    site: Any, browser: Any, monkeypatch: Any
) -> None:
    left = {"free": 10**12}
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(**left))
    read = LiveReader(site.records, site.page.live, site.page.curves).read
    assert json.loads(as_json(read()))["warning"] == ""

    left["free"] = 120_400_000

    assert "has 120 MB left" in browser.get("/live").text
    assert "has 120 MB left" in json.loads(as_json(read()))["warning"]


# -- the feed ---------------------------------------------------------------------------------------------------------


def test_one_reader_serves_all_listeners_and_rests_where_there_are_none() -> None:
    calls: list[float] = []

    def read() -> int:
        calls.append(time.monotonic())
        return len(calls)

    async def listen(feed: LiveFeed[int], count: int) -> list[int]:
        found = []
        states = feed.states()
        async for state in states:
            found.append(state)
            if len(found) == count:
                break
        await states.aclose()
        return found

    async def play() -> None:
        feed = LiveFeed(read, every_s=0.01)
        found = await asyncio.gather(*(listen(feed, 5) for _ in range(20)))
        assert all(one == sorted(set(one)) for one in found)
        assert feed.listeners == 0
        before = len(calls)
        assert before < 40  # and not five for each of twenty
        await asyncio.sleep(0.1)
        assert len(calls) <= before + 1
        assert await listen(feed, 2)  # and begins again

    asyncio.run(play())


def test_whoever_is_slow_gets_the_newest_and_holds_up_nobody() -> None:
    count = 0

    def read() -> int:
        nonlocal count
        count += 1
        return count

    async def play() -> None:
        feed = LiveFeed(read, every_s=0.005)
        slow, quick = feed.states(), feed.states()
        first = await anext(slow)
        for _ in range(10):
            last = await anext(quick)
        assert await anext(slow) >= last - 1 > first + 5
        await slow.aclose()
        await quick.aclose()

    asyncio.run(play())


def test_too_many_listeners_are_refused(monkeypatch: Any) -> None:
    from maskedskipunet.web import live_feed

    monkeypatch.setattr(live_feed, "MOST_LISTENERS", 1)

    async def play() -> None:
        feed = LiveFeed(lambda: 1)
        states = feed.states()
        await anext(states)
        with pytest.raises(BusyError):
            await anext(feed.states())
        await states.aclose()

    asyncio.run(play())


# -- over a real connection -------------------------------------------------------------------------------------------


@pytest.fixture
def served(site: Any) -> Iterator[str]:
    """The page, served on a port of this machine."""
    config = uvicorn.Config(create_app(site.page), port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.force_exit = server.should_exit = True
    thread.join(20)


def test_a_browser_gets_the_state_and_an_event_that_comes_without_a_reload(served: str, filled: Any, site: Any) -> None:
    found: list[Any] = []
    with httpx2.stream("GET", f"{served}/live/stream", timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == 1:
                filled.whole("later", began_s=900)
            if found[-1]["newest"] == "later":
                break

    assert found[0]["newest"] == "e"
    assert {"id", "version", "html"} == found[0]["tiles"][0].keys()
    assert "/events/later" in found[-1]["events"]
    deadline_s = time.monotonic() + 10
    while site.page.feed.listeners:  # a closed tab costs nothing
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_browser_that_reads_nothing_holds_up_no_other(served: str) -> None:
    with httpx2.stream("GET", f"{served}/live/stream", timeout=20):
        began_s = time.monotonic()
        for _ in range(5):
            assert httpx2.get(f"{served}/health", timeout=5).text == "ok\n"
            assert httpx2.get(f"{served}/review", timeout=10).status_code == 200
        assert time.monotonic() - began_s < 60
