"""The JSON API: the same as the pages, with a document that says so."""

from typing import Any

import pytest

EVENT_KEYS = {"id", "camera", "began_at", "sentence", "of_kind", "answer", "answered_by", "seen", "has_clip", "boxes"}


def test_events_come_a_page_at_a_time_with_reasons_in_words(browser: Any) -> None:
    first = browser.get("/api/v1/events?size=2&order=oldest").json()
    second = browser.get("/api/v1/events", params={"size": 2, "order": "oldest", "after": first["next"]}).json()

    assert [one["id"] for one in first["events"] + second["events"]] == ["a", "b", "c", "d"]
    event = second["events"][0]
    assert event.keys() >= EVENT_KEYS
    assert event["sentence"] == "moves 3.1 times as fast as 99 % of what passes here"
    assert (event["camera"], event["cue"], event["duration_s"]) == ("yard / back", "movement", 2.5)
    assert event["began_at"] == "2026-03-01T09:02:00.000+00:00"
    assert first["events"][0]["of_kind"] == 3


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("camera=yard / back", ["c"]),
        ("cue=appearance&order=strangest", ["a", "d", "b"]),
        ("answer=unsure", ["b"]),
        ("answer=none&kind=a", ["d", "a"]),
        ("since=1772355660&until=1772355720", ["b"]),
        ("seen=false&camera=door", ["e", "d", "b", "a"]),
        ("seen=true", []),
    ],
)
def test_events_are_chosen_as_on_the_page(site: Any, browser: Any, query: str, ids: list[str]) -> None:
    site.records.answer("b", "unsure")

    assert [one["id"] for one in browser.get(f"/api/v1/events?{query}").json()["events"]] == ids


def test_an_answer_and_undo_by_json(site: Any, browser: Any) -> None:
    done = browser.json("/api/v1/answers", {"events": ["a", "b"], "answer": "anomaly"}).json()
    assert (done["events"], done["job"]) == (["a", "b"], None)
    assert browser.get("/api/v1/events/a").json()["answer"] == "anomaly"

    undone = browser.json("/api/v1/undo", {"action": done["action"]}).json()

    assert undone["events"] == ["a", "b"]
    assert browser.get("/api/v1/events/a").json()["answer"] is None
    assert browser.json("/api/v1/undo", {}).status_code == 404


def test_null_takes_an_answer_back(site: Any, browser: Any) -> None:
    browser.json("/api/v1/events/a/answer", {"answer": "unsure"})
    browser.json("/api/v1/events/a/answer", {"answer": None})

    assert site.records.event("a").answer is None


def test_normal_names_the_job_that_learns_it(open_site: Any) -> None:
    browser = open_site(learns=True).browser()

    job = browser.json("/api/v1/events/a/answer", {"answer": "normal"}).json()["job"]

    told = browser.get(f"/api/v1/learning/{job}").json()
    assert (told["what"], told["events"]) == ("learn", ["a"])
    assert [one["id"] for one in browser.get("/api/v1/learning").json()] == [job]


def test_a_change_by_json_needs_the_pages_token(site: Any, browser: Any) -> None:
    answer = browser.client.post("/api/v1/events/a/answer", json={"answer": "anomaly"})

    assert answer.status_code == 403
    assert site.records.event("a").answer is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events/nothing",
        "/api/v1/cameras/nobody/curve?start=1&end=2",
        "/api/v1/learning/nothing",
        "/api/v1/nothing",
    ],
)
def test_what_is_not_there_is_404_in_json(browser: Any, path: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == 404
    assert set(answer.json()) == {"what", "where", "cure"}


@pytest.mark.parametrize(
    "query",
    [
        "size=0",
        "size=100000",
        "size=x",
        "order=random",
        "since=nan",
        "since=-1",
        "since=1e300",
        "after=zzz",
        "answer=x",
    ],
)
def test_a_question_that_cannot_be_is_refused(browser: Any, query: str) -> None:
    assert browser.get(f"/api/v1/events?{query}").status_code == 400


def test_a_curve_is_read_in_a_reduced_form(site: Any, browser: Any) -> None:
    import numpy as np

    from maskedskipunet.records.curve_files import entries_of, folder_name

    times = np.arange(1_772_355_600, 1_772_359_200)
    site.page.curves.replace("door", 1_772_355_600, 1_772_359_200, entries_of(times, np.linspace(0, 5, 3600), 4.0))

    told = browser.get("/api/v1/cameras/door/curve?start=1772355600&end=1772359200&points=60").json()

    assert told["step_s"] == 60
    assert len(told["highest"]) == 60
    assert max(told["highest"]) == pytest.approx(5.0)
    data = browser.get("/timeline/door/data?start=1772355600&end=1772359200&points=60").json()
    assert data["curve"] == told
    assert [one["id"] for one in data["events"]] == ["a", "b", "d", "e"]
    assert data["all"] is True
    yard = folder_name("yard / back")
    assert browser.get(f"/timeline/{yard}/data?start=5&end=1").status_code == 400


def test_a_timeline_of_more_events_than_it_shows_keeps_the_strongest(
    filled: Any, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskedskipunet.web import timeline

    monkeypatch.setattr(timeline, "MOST_MARKS", 2)

    data = browser.get("/timeline/door/data?start=1772355600&end=1772359200").json()

    assert ([one["id"] for one in data["events"]], data["all"]) == (["a", "d"], False)


def test_the_document_describes_every_address_of_the_api(browser: Any) -> None:
    told = browser.get("/api/v1/openapi.json").json()

    assert told["info"] == {"title": "maskedskipunet", "version": "1.2.3"}
    assert {path.removeprefix("/api/v1") for path in told["paths"]} == {
        "/status", "/cameras", "/cameras/{camera_id}/curve", "/events", "/events/{event_id}",
        "/events/{event_id}/answer", "/answers", "/undo", "/kinds", "/learning", "/learning/{job_id}", "/calibration",
    }  # fmt: skip


def test_cameras_kinds_and_status_are_told_without_paths_and_passwords(site: Any, browser: Any) -> None:
    site.records.add_camera("gate", "rtsp://me:hush@10.0.0.9/live?token=1")

    cameras = browser.get("/api/v1/cameras").json()

    assert {"id": "gate", "name": "gate", "source": "rtsp://10.0.0.9/live"} in cameras
    (kind,) = browser.get("/api/v1/kinds").json()
    assert (kind["kind_id"], kind["events"], kind["unanswered"], kind["newest"]) == ("a", 3, 3, "d")
    status = browser.get("/api/v1/status").json()
    assert str(site.records.folder.path) not in str(status)
    assert status["watched"] is False


def test_figures_for_prometheus(site: Any, browser: Any) -> None:
    site.records.answer("a", "normal")

    told = browser.get("/metrics").text

    assert 'maskedskipunet_recorded_events{answer="none"} 4.0' in told
    assert 'maskedskipunet_recorded_events{answer="normal"} 1.0' in told
    assert "maskedskipunet_watch_running 0.0" in told


def test_health_and_readiness(site: Any, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskedskipunet.records.database import UnavailableError
    from maskedskipunet.web import service_pages

    assert (browser.get("/health").text, browser.get("/ready").text) == ("ok\n", "ready\n")

    def fail(_: Any) -> bool:
        raise UnavailableError("another process has been writing for too long")

    monkeypatch.setattr(service_pages, "has_users", fail)
    assert browser.get("/ready").status_code == 503
    assert browser.get("/health").status_code == 200
