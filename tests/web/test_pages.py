"""Every page is there, says what it should, and loads nothing from elsewhere."""

import re
import sys
from typing import Any

import numpy as np
import pytest

from maskedskipunet.records.curve_files import entries_of
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.query import EventQuery

PAGES: tuple[str, ...] = sys.modules["web_pages"].PAGES  # loaded by conftest


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_and_has_one_title_and_no_inline_script_or_style(browser: Any, path: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == (404 if path == "/nothing" else 200)
    assert answer.text.count("<h1") == 1
    assert "style=" not in answer.text
    assert "onclick" not in answer.text
    assert re.findall(r"<script(?![^>]* src=)", answer.text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.text) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_a_strict_policy(browser: Any, path: str) -> None:
    headers = browser.get(path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_what_the_pages_load_is_there(browser: Any) -> None:
    named = {name for path in PAGES for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', browser.get(path).text)}

    assert len(named) >= 6
    for name in named:
        assert browser.get(name).status_code == 200, name


def test_the_start_is_the_live_page_with_a_tile_for_each_camera(browser: Any) -> None:
    assert browser.get("/").headers["location"] == "/live"
    page = browser.get("/live").text

    assert page.count("data-tile=") == 2
    assert "yard / back" in page
    assert "No watch is running" in page


def test_a_card_says_why_how_rare_how_long_and_how_many_are_alike(browser: Any) -> None:
    page = browser.get("/review?order=strangest").text

    assert "Nothing normal ever looked like this here; nearest normal moment: monday at 0:01:01." in page
    assert "Moves 3.1 times as fast as 99\u00a0% of what passes here." in page
    assert "1 in 1,000 normal frames scores as high" in page
    assert "3 of this kind" in page
    assert "2.5 s" in page
    assert [*re.findall(r'data-card="(\w)"', page)] == ["a", "c", "d", "e", "b"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "edcba"),
        ("order=oldest", "abcde"),
        ("camera=yard+%2F+back", "c"),
        ("cue=movement", "c"),
        ("cue=appearance", "dba"),
        ("kind=a&camera=door", "dba"),
        ("answer=normal", "b"),
        ("answer=none", "edca"),
        ("answer=unsure", ""),
        ("since=2026-03-01T09:02&until=2026-03-01T09:04", "dc"),
        ("since=2026-03-01T10:02&zone=Europe/Berlin&camera=door", "ed"),
        ("period=hour", ""),
    ],
)
def test_filters_choose_events(site: Any, browser: Any, query: str, ids: str) -> None:
    site.records.answer("b", "normal")

    page = browser.get(f"/review?{query}").text

    assert "".join(re.findall(r'data-card="(\w)"', page)) == ids


@pytest.mark.parametrize(
    "query",
    [
        "answer=maybe",
        "cue=smell",
        "order=random",
        "since=yesterday",
        "since=2026-03-01T09:02&zone=Mars/Base",
        "after=x",
    ],
)
def test_a_filter_that_there_is_not_is_refused_in_words(browser: Any, query: str) -> None:
    answer = browser.get(f"/review?{query}")

    assert answer.status_code == 400
    assert "That cannot be understood" in answer.text


def test_what_one_has_looked_at_is_seen_by_that_one_alone(site: Any) -> None:
    site.add_user("ann")
    site.add_user("ben", "viewer")
    ann, ben = site.logged_in("ann"), site.logged_in("ben")

    ann.get("/events/a")

    assert 'data-card="a"' not in ann.get("/review?seen=no").text
    assert 'data-card="a"' in ann.get("/review?seen=yes").text
    assert 'data-card="a"' in ben.get("/review?seen=no").text
    assert "seen by ann" in ben.get("/events/a").text


def test_a_list_goes_on_where_the_page_before_ended(filled: Any, browser: Any) -> None:
    for number in range(40):
        filled.whole(f"more{number}", began_s=1000 + number)
    first = browser.get("/review").text
    following = re.search(r'hx-get="([^"]+)"', first)[1].replace("&amp;", "&")  # type: ignore[index]

    part = browser.part(following).text

    shown = re.findall(r'data-card="(\w+)"', first) + re.findall(r'data-card="(\w+)"', part)
    assert len(shown) == len(set(shown)) == 45
    assert "<html" not in part
    assert "<html" in browser.get(following).text
    assert "45 events" in first


def test_empty_records_and_empty_results_say_so(browser: Any) -> None:
    assert "No event fits these filters" in browser.get("/review?camera=nobody").text
    assert "That was the last event" in browser.get("/review?after=0x0.0p%2B0_a").text
    assert "No runs here" in browser.get("/runs").text
    assert "No model is named" in browser.get("/learning").text


def test_the_curve_of_an_event_is_of_its_own_time_though_an_archive_is_scored_long_after(
    filled: Any, browser: Any
) -> None:
    began = 1_772_355_600
    entries = entries_of(np.arange(began, began + 8 * 3600), np.ones(8 * 3600), 4.0)
    ScoreCurves(filled.folder / "curves").replace("door", began, began + 8 * 3600, entries)
    filled.clock.now_unix_s = began + 8 * 3600
    filled.whole("late", began_s=60)

    page = browser.get("/events/late").text
    start, end = (float(value) for value in re.findall(r'data-(?:start|end)="([\d.]+)"', page)[:2])
    assert (start, end) == (began, began + 60 + 2.5 + 60)


def test_an_event_page_names_its_neighbours_and_what_was_kept(browser: Any) -> None:
    page = browser.get("/events/c").text

    assert 'href="/events/b" rel="prev"' in page
    assert 'href="/events/d" rel="next"' in page
    assert "/events/c/clip.mp4" in page
    assert "The clip is there once the event is over" in browser.get("/events/e").text


def test_an_address_of_a_camera_is_shown_without_its_password(filled: Any, browser: Any) -> None:
    filled.whole("secret", began_s=400, source="rtsp://me:hush@10.0.0.9/live?token=1")

    page = browser.get("/events/secret").text

    assert "rtsp://10.0.0.9/live" in page
    assert "hush" not in page
    assert "token" not in page


def test_a_name_that_looks_like_a_tag_stays_text(filled: Any, browser: Any) -> None:
    filled.whole("tag", began_s=500, camera="<script>alert(1)</script>")

    for path in ("/live", "/review", "/events/tag", "/kinds", "/timeline", "/events/tag/export.html"):
        assert "<script>alert" not in browser.get(path).text


def test_a_page_that_there_is_not_says_so_and_leads_back(browser: Any) -> None:
    for path in ("/nothing", "/events/nothing", "/learning/nothing", "/cameras/nobody/picture.jpg", "/runs?name=none"):
        answer = browser.get(path)
        assert answer.status_code in (404, 409), path
        assert 'href="/live"' in answer.text


def test_kinds_are_counted_and_shown_by_their_newest_event(site: Any, browser: Any) -> None:
    site.records.answer("a", "normal")

    page = browser.get("/kinds").text

    assert "3 events, door" in page
    assert "2 not answered" in page
    assert "/events/d/picture.jpg" in page


def test_a_fault_of_the_records_is_a_page_with_the_cure(site: Any, browser: Any, monkeypatch: Any) -> None:
    from maskedskipunet.errors import DiskSpaceError
    from maskedskipunet.records.database import REPAIR, DamagedError, UnavailableError

    faults = [
        (
            UnavailableError("another process has been writing for too long", "records.db", "Wait for it"),
            503,
            "writing",
        ),
        (DamagedError("the database is damaged", "records.db", REPAIR), 503, "--repair"),
        (DiskSpaceError("no space left for the records", "records.db", "Free some space"), 507, "Free some space"),
    ]
    for fault, status, words in faults:

        def fail(asked: EventQuery, error: Exception = fault, **_: Any) -> None:
            raise error

        monkeypatch.setattr(site.records, "page", fail)
        for path in ("/review", "/api/v1/events"):
            answer = browser.get(path)
            assert answer.status_code == status
            assert words in answer.text
