"""Answers: kept with who and when, learned at once, many at once, and taken back."""

import time
from typing import Any

import pytest

from maskedskipunet.errors import CalibrationError
from maskedskipunet.records.answering import answer_history


def answers_of(site: Any) -> dict[str, str | None]:
    return {one.event.id: one.answer for one in site.records.events()}


def settled(site: Any) -> list[Any]:
    """Return the jobs once all are over."""
    deadline_s = time.monotonic() + 10
    while not all(job.is_over for job in site.page.learning.jobs()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return list(site.page.learning.jobs())


def test_an_answer_is_kept_with_who_and_when_in_row_and_file(site: Any, filled: Any) -> None:
    site.add_user("ann")
    ann = site.logged_in("ann")

    answer = ann.send("/events/a/answer", answer="anomaly")

    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/events/a")
    recorded = site.records.event("a")
    assert (recorded.answer, recorded.answered_by) == ("anomaly", "ann")
    assert recorded.answered_unix_s == pytest.approx(time.time(), abs=60)
    assert '"answered_by": "ann"' in filled.description("a").read_text()
    assert "by ann" in ann.get("/events/a").text


def test_a_part_of_the_page_comes_back_where_a_part_is_asked_for(browser: Any) -> None:
    answer = browser.send("/events/a/answer", part=True, answer="unsure")

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'value="unsure" class="unsure" data-key="s" aria-pressed="true"' in answer.text
    assert 'action="/undo"' in answer.text


@pytest.mark.parametrize("answer", ["", "maybe", "NORMAL", "normal;"])
def test_what_is_no_answer_is_refused_and_changes_nothing(site: Any, browser: Any, answer: str) -> None:
    assert browser.send("/events/a/answer", answer=answer).status_code == 400
    assert set(answers_of(site).values()) == {None}


def test_normal_is_learned_at_once_and_says_what_changed(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    browser = site.browser()
    learner.may_go.clear()

    answer = browser.send("/events/a/answer", part=True, answer="normal").text

    assert site.records.event("a").answer == "normal"  # kept before anything is learned
    assert 'hx-trigger="every 1s"' in answer
    (job,) = site.page.learning.jobs()
    learner.may_go.set()
    settled(site)
    part = browser.part(f"/learning/{job.id}").text
    assert "The cues have learned it. The threshold stays at 4. 1 answered event would no longer alarm now." in part
    assert "every 1s" not in part
    assert [(one.what, one.events) for one in learner.requests] == [("learn", ("a",))]
    assert "All answered events, before and after" in browser.get(f"/learning/{job.id}").text


def test_what_cannot_be_learned_is_said_and_the_answer_stays(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    learner.error = CalibrationError("this would hide what was answered as an anomaly", "c", "Use --by train")

    site.browser().send("/events/a/answer", answer="normal")

    (job,) = settled(site)
    assert job.state == "failed"
    assert "this would hide what was answered as an anomaly" in site.browser().get("/review").text
    assert site.records.event("a").answer == "normal"


def test_an_error_that_nobody_expected_ends_the_job_and_not_the_page(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    learner.error = RuntimeError("secret detail")
    site.browser().send("/events/a/answer", answer="normal")
    settled(site)
    learner.error = None

    site.browser().send("/events/b/answer", answer="normal")

    later, failed = settled(site)
    assert (later.state, failed.state) == ("done", "failed")
    assert "secret detail" not in site.browser().get("/learning").text


def test_without_a_model_the_answer_is_kept_and_the_cure_is_named(site: Any, browser: Any) -> None:
    answer = browser.send("/events/a/answer", part=True, answer="normal").text

    assert "--model RUN" in answer
    assert site.records.event("a").answer == "normal"


def test_an_event_without_a_clip_is_answered_and_teaches_nothing(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)

    assert "no clip to learn from" in site.browser().send("/events/e/answer", part=True, answer="normal").text
    assert learner.requests == []


def test_many_events_are_answered_at_once_and_taken_back_at_once(site: Any, browser: Any) -> None:
    site.records.answer("b", "anomaly")

    answer = browser.send("/answers", event=["a", "b", "c"], answer="unsure", next="/review?camera=door")

    assert answers_of(site) == {"a": "unsure", "b": "unsure", "c": "unsure", "d": None, "e": None}
    location = answer.headers["location"]
    assert location.startswith("/review?camera=door&done=")
    assert "Undo" in browser.get(location).text
    assert "Undo all 3 answers" in browser.get("/events/a").text
    browser.send("/undo")
    assert answers_of(site) == {"a": None, "b": "anomaly", "c": None, "d": None, "e": None}


def test_one_event_that_is_gone_leaves_all_of_them_unanswered(site: Any, browser: Any) -> None:
    assert browser.send("/answers", event=["a", "gone"], answer="normal").status_code == 404
    assert set(answers_of(site).values()) == {None}


def test_one_answer_settles_all_of_a_kind(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    site.records.answer("b", "anomaly")

    site.browser().send("/kinds/answer", camera="door", kind="a", answer="normal")

    settled(site)
    assert answers_of(site) == {"a": "normal", "b": "anomaly", "c": None, "d": "normal", "e": None}
    assert [set(one.events) for one in learner.requests] == [{"a", "d"}]
    assert site.browser().send("/kinds/answer", camera="door", kind="a", answer="normal").status_code == 404


def test_undo_gives_the_earlier_answer_back_with_who_gave_it(site: Any) -> None:
    site.add_user("ann")
    site.add_user("ben")
    ann, ben = site.logged_in("ann"), site.logged_in("ben")
    ann.send("/events/a/answer", answer="anomaly")
    ben.send("/events/a/answer", answer="unsure")

    ben.send("/undo")

    recorded = site.records.event("a")
    assert (recorded.answer, recorded.answered_by) == ("anomaly", "ann")
    assert [(one.user, one.answer, one.is_undone) for one in answer_history(site.records, "a")] == [
        ("ann", "anomaly", False),
        ("ben", "unsure", True),
    ]


def test_undo_leaves_what_somebody_else_has_answered_since(site: Any) -> None:
    site.add_user("ann")
    site.add_user("ben")
    ann, ben = site.logged_in("ann"), site.logged_in("ben")
    ann.send("/answers", event=["a", "b"], answer="anomaly")
    ben.send("/events/a/answer", answer="unsure")

    ann.send("/undo")

    assert answers_of(site) | {} == {"a": "unsure", "b": None, "c": None, "d": None, "e": None}


def test_nobody_takes_back_what_another_said(site: Any) -> None:
    site.add_user("ann")
    site.add_user("ben")
    ann, ben = site.logged_in("ann"), site.logged_in("ben")
    ann.send("/events/a/answer", answer="anomaly")
    action = site.page.records and ann.get("/events/a").text.split('name="action" value="')[1].split('"')[0]

    assert ben.send("/undo").status_code == 404
    assert ben.send("/undo", action=action).status_code == 409
    assert site.records.event("a").answer == "anomaly"


def test_undo_of_normal_sets_the_model_back_too(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    browser = site.browser()
    browser.send("/events/a/answer", answer="normal")
    settled(site)

    browser.send("/undo", part=True, event="a")

    undo, _ = settled(site)
    assert site.records.event("a").answer is None
    assert [(one.what, one.events) for one in learner.requests] == [("learn", ("a",)), ("undo", ("a",))]
    assert "The model is as it was before: cues.safetensors." in browser.get("/learning").text
    assert undo.state == "done"


def test_undo_before_it_was_learned_learns_nothing(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    browser = site.browser()
    learner.may_go.clear()
    browser.send("/events/a/answer", answer="normal")
    browser.send("/events/b/answer", answer="normal")

    browser.send("/undo")
    learner.may_go.set()

    settled(site)
    assert answers_of(site)["b"] is None
    assert [one.events for one in learner.requests] == [("a",)]


def test_a_preview_changes_nothing_and_offers_to_learn(open_site: Any, learner: Any) -> None:
    site = open_site(learns=True)
    browser = site.browser()

    answer = browser.send("/learning/preview", event="a")

    (job,) = settled(site)
    assert answer.headers["location"] == f"/learning/{job.id}"
    assert learner.requests[0].what == "preview"
    page = browser.get(f"/learning/{job.id}").text
    assert "The cues would learn it." in page
    assert "That is normal: learn it" in page
    assert site.records.event("a").answer is None


def test_the_next_page_of_a_form_is_one_of_this_page_alone(browser: Any) -> None:
    for target in ("https://example.org", "//example.org", "/\\example.org", "javascript:alert(1)"):
        location = browser.send("/answers", event="a", answer="unsure", next=target).headers["location"]
        assert location.startswith("/review?done=")
