"""The calibration page: what a budget gives and changes, hostile values, its use, and the way back."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.detection.budget import Budget, set_threshold
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import ConfigError
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.kept_calibration import calibrated, moments, read_kept
from maskedskipunet.workflows.normal_footage import paced_rule, without_time_ranges
from maskedskipunet.workflows.score_cache import KEPT_NAME

calibrated_run: Any = sys.modules["calibrated_run"]  # loaded by conftest
make_run, normal_videos = calibrated_run.make_run, calibrated_run.normal_videos


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "calibrated")


@pytest.fixture
def site(open_site: Callable[..., Any], run: Path) -> Any:
    return open_site(model=run)


def threshold_of(run: Path) -> float:
    calibration = Calibration.read(run / "model")
    assert calibration is not None
    assert calibration.alarm is not None
    return calibration.alarm.rule.threshold


def shown_threshold(text: str) -> float:
    return float(re.search(r"data-threshold>([^<]+)<", text)[1])  # type: ignore[index]


def test_the_page_shows_the_threshold_in_force_and_what_a_budget_would_give(site: Any, run: Path) -> None:
    browser = site.browser()
    page = browser.get("/calibration").text

    assert page.count("<h1") == 1
    assert shown_threshold(page) == pytest.approx(threshold_of(run), rel=1e-3)
    assert "95 % interval" in page
    assert "style=" not in page
    part = browser.part("/calibration?alarms=10&per=hour").text
    assert "<html" not in part
    wanted = set_threshold(normal_videos(), Budget(10, "hour"), paced_rule(normal_videos()))
    assert shown_threshold(part) == pytest.approx(wanted.rule.threshold, rel=1e-3)
    low, high = (f"{rate:.3g}" for rate in (wanted.low_per_hour, wanted.high_per_hour))
    assert f"{low} to {high} false alarms an hour" in part
    assert threshold_of(run) > wanted.rule.threshold  # looking changes nothing


def test_a_budget_says_which_anomalies_would_be_missed_and_which_nuisances_silent(site: Any) -> None:
    site.records.answer("a", "anomaly")
    site.records.answer("b", "normal")

    def effects(query: str) -> list[tuple[str, str]]:
        part = site.browser().part(f"/calibration?{query}").text
        return re.findall(r'data-effect="([^"]+)"><strong>([^<]+)<', part)

    assert effects("alarms=30&per=hour") == [
        ("anomaly-silent", "0 of 1"),
        ("normal-silent", "1 of 1"),
        ("normal-alarm", "0 of 1"),
    ]
    assert effects("alarms=2&per=hour")[0] == ("anomaly-silent", "1 of 1")
    assert "/events/a" in site.browser().part("/calibration?alarms=2&per=hour").text


def test_a_threshold_is_used_and_one_click_brings_the_earlier_one_back(site: Any, run: Path) -> None:
    browser, before = site.browser(), threshold_of(run)

    assert browser.send("/calibration/use", alarms="10", per="hour").headers["location"] == "/calibration?done=used"
    lower = threshold_of(run)
    assert lower < before
    page = browser.get("/calibration?done=used").text
    assert "in force now" in page
    assert "2 false alarms an hour" in page
    number = re.search(r'name="earlier" value="(\d+)"', page)[1]  # type: ignore[index]
    assert browser.send("/calibration/back", earlier=number).status_code == 303
    assert threshold_of(run) == before
    assert browser.send("/calibration/back", earlier=number).status_code == 409  # a page that was open for too long
    assert threshold_of(run) == before
    number = re.search(r'name="earlier" value="(\d+)"', browser.get("/calibration").text)[1]  # type: ignore[index]
    assert browser.send("/calibration/back", earlier=number).status_code == 303
    assert threshold_of(run) == lower


def test_a_moment_that_is_left_out_changes_the_threshold_and_can_be_kept_again(site: Any, run: Path) -> None:
    browser, before = site.browser(), threshold_of(run)
    names = [moment.name for moment in moments(read_kept(run))][:3]

    used = browser.send("/calibration/use", alarms="2", per="hour", exclude=names)

    assert used.status_code == 303
    assert threshold_of(run) < before
    assert set(read_kept(run).exclude) == set(names)
    assert json.loads((run / "calibrated_on.json").read_text())["exclude"] == sorted(names)
    page = browser.get("/calibration").text
    assert page.count('name="exclude"') - page.count('type="hidden" name="exclude"') >= 12
    assert page.count("checked>") == 3
    assert browser.send("/calibration/use", alarms="2", per="hour").status_code == 303
    assert threshold_of(run) == before
    assert read_kept(run).exclude == ()


def test_going_back_to_a_calibration_also_brings_back_what_it_left_out(site: Any, run: Path) -> None:
    browser = site.browser()
    name = moments(read_kept(run))[0].name
    browser.send("/calibration/use", alarms="2", per="hour", exclude=name)
    browser.send("/calibration/back", earlier="1")

    assert read_kept(run).exclude == ()
    assert json.loads((run / "calibrated_on.json").read_text())["exclude"] == []


def test_the_threshold_is_that_of_the_command(run: Path) -> None:
    footage = read_kept(run)
    alone = without_time_ranges(normal_videos(), ["tuesday"])

    made = calibrated(footage, Budget(4, "hour"), ["tuesday"])

    assert made.videos == ("day/monday",)
    assert made.alarm == set_threshold(alone, Budget(4, "hour"), paced_rule(alone))


def test_the_strangest_moments_have_their_pictures_and_nothing_else_is_served(site: Any, run: Path) -> None:
    browser = site.browser()

    answer = browser.get("/calibration/moments/0.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    for number in ("99", "-1", "x", "..%2f..%2fcalibrated_on"):
        assert browser.get(f"/calibration/moments/{number}.png").status_code in (400, 404), number
    picture = moments(read_kept(run))[0].picture
    assert picture is not None
    picture.unlink()
    picture.symlink_to(run / "calibrated_on.json")
    assert browser.get("/calibration/moments/0.png").status_code == 404


HOSTILE = [
    ("alarms", value) for value in ("", "0", "-1", "nan", "inf", "1e999", "x", "1" * 30, "1;2", "٣", "0.00001", "1e9")
] + [("per", value) for value in ("", "year", "<script>", "Hour")]


@pytest.mark.parametrize(("field", "value"), HOSTILE)
def test_a_budget_that_cannot_be_is_refused_in_words(site: Any, run: Path, field: str, value: str) -> None:
    browser, before = site.browser(), (run / "model" / "calibration.json").read_bytes()
    fields = {"alarms": "1", "per": "day"} | {field: value}

    for answer in (browser.get("/calibration", params=fields), browser.send("/calibration/use", **fields)):
        assert answer.status_code == 400
        assert "<script>" not in answer.text
    assert (run / "model" / "calibration.json").read_bytes() == before


@pytest.mark.parametrize("name", ["nothing@0-30", "../../etc", "", "<script>"])
def test_only_moments_of_the_footage_are_left_out(site: Any, name: str) -> None:
    answer = site.browser().send("/calibration/use", alarms="1", per="day", exclude=name)

    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_a_budget_that_the_footage_is_too_little_for_says_so(
    open_site: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = [type(video)(video.name, video.time_s, video.time_s * 0 + 1.0) for video in normal_videos()]
    monkeypatch.setattr(calibrated_run, "normal_videos", lambda: flat)
    run = make_run(tmp_path / "flat", Budget(100, "hour"))
    browser = open_site(model=run).browser()

    page = browser.get("/calibration?alarms=1&per=week")

    assert page.status_code == 200
    assert "too few for a budget" in page.text
    assert "/calibration/use" not in page.text
    assert browser.send("/calibration/use", alarms="1", per="week").status_code == 409


def test_where_nothing_is_kept_the_page_says_which_command_makes_it(
    open_site: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    assert "No model is named" in open_site().browser().get("/calibration").text
    (run / KEPT_NAME).unlink()
    browser = open_site(model=run).browser()
    page = browser.get("/calibration")
    assert page.status_code == 200
    assert "No scores of normal footage are kept" in page.text
    assert f"maskedskipunet calibrate NORMAL… --model {run}" in page.text
    (run / "model" / "calibration.json").unlink()
    assert "The model has no threshold yet" in browser.get("/calibration").text
    assert "holds no trained model" in open_site(model=tmp_path / "none").browser().get("/calibration").text.lower()


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "folder"])
def test_damaged_scores_are_named_and_nothing_is_written(site: Any, run: Path, damage: str) -> None:
    path = run / KEPT_NAME
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(whole) // 2
        path.write_bytes(
            {
                "cut": whole[:middle],
                "flipped": whole[:middle]
                + bytes(255 - byte for byte in whole[middle : middle + 50])
                + whole[middle + 50 :],
                "text": b"not an archive",
                "empty": b"",
            }[damage]
        )
    browser = site.browser()

    page = browser.get("/calibration")

    assert page.status_code == 200
    assert "maskedskipunet calibrate NORMAL" in page.text
    assert browser.send("/calibration/use", alarms="1", per="day").status_code == 409
    assert not (run / "model" / "calibration.1.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 99}'])
def test_a_damaged_calibration_is_named(site: Any, run: Path, text: str) -> None:
    (run / "model" / "calibration.json").write_text(text)

    page = site.browser().get("/calibration")

    assert page.status_code == 200
    assert "calibration" in page.text


def test_scores_of_another_calibration_are_not_taken_for_its_own(site: Any, run: Path) -> None:
    other = Calibration.of({"a": normal_videos()[0].scores[:100]})
    mine = Calibration.read(run / "model")
    assert mine is not None
    replace(other, alarm=mine.alarm).write(run / "model")

    assert "The kept scores are of another calibration" in site.browser().get("/calibration").text


def test_a_run_that_is_being_written_is_left_alone(site: Any, run: Path) -> None:
    before = threshold_of(run)
    with RunFolder(run).for_one_process():
        assert site.browser().send("/calibration/use", alarms="10", per="hour").status_code == 409
    assert threshold_of(run) == before


def test_a_model_folder_without_a_run_can_be_set_too(open_site: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    (run / "model").rename(alone)
    (run / KEPT_NAME).rename(alone / KEPT_NAME)
    browser, before = open_site(model=alone).browser(), Calibration.read(alone)

    assert browser.send("/calibration/use", alarms="10", per="hour").status_code == 303
    assert Calibration.read(alone) != before


def test_a_time_range_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a time range"):
        without_time_ranges(normal_videos(), ["tuesday@1.2.3-2"])


# -- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/calibration/use", "/calibration/back"])
def test_only_an_editor_with_the_pages_token_changes_the_threshold(site: Any, run: Path, path: str) -> None:
    before = (run / "model" / "calibration.json").read_bytes()
    fields = {"alarms": "10", "per": "hour", "earlier": "1"}
    stranger = site.browser()
    stranger.csrf = "wrong"
    assert stranger.send(path, **fields).status_code == 403
    foreign = {"csrf": site.page.csrf_token, **fields}
    assert stranger.client.post(path, data=foreign, headers={"origin": "https://example.org"}).status_code == 403
    site.add_user("vic", "viewer")
    viewer = site.logged_in("vic")

    assert viewer.send(path, **fields).status_code == 403
    assert site.browser().send(path, **fields).headers["location"].startswith("/login")
    page = viewer.get("/calibration")
    assert page.status_code == 200
    assert "/calibration/use" not in page.text
    assert (run / "model" / "calibration.json").read_bytes() == before


def test_nobody_sees_the_page_without_a_login(site: Any) -> None:
    site.add_user("ann")

    for path in ("/calibration", "/calibration/moments/0.png"):
        assert site.browser().get(path).headers["location"].startswith("/login?next=")


def test_normal_scores_are_shown_by_cue_and_not_at_all_where_they_were_not_kept(
    site: Any, open_site: Callable[..., Any], tmp_path: Path
) -> None:
    page = site.browser().get("/calibration").text
    assert re.findall(r'data-cue="(\w+)"', page) == ["movement", "appearance"]
    scores = np.concatenate([video.scores for video in normal_videos()])
    assert f"1 in 1,000 reaches {np.quantile(0.5 * scores, 0.999):.3f}" in page

    older = open_site(model=make_run(tmp_path / "older", with_cues=False)).browser().get("/calibration")
    assert older.status_code == 200
    assert "data-cue" not in older.text
    assert "By cue" not in older.text


def test_the_api_gives_distributions_by_cue_and_the_threshold_of_a_budget_with_its_interval(
    site: Any, run: Path
) -> None:
    browser = site.browser()
    told = browser.get("/api/v1/calibration?alarms=10&per=hour").json()

    wanted = set_threshold(normal_videos(), Budget(10, "hour"), paced_rule(normal_videos()))
    assert told["asked"]["threshold"] == pytest.approx(wanted.rule.threshold)
    interval = [told["asked"]["low_per_hour"], told["asked"]["high_per_hour"]]
    assert interval == pytest.approx([wanted.low_per_hour, wanted.high_per_hour])
    assert told["in_force"]["threshold"] == pytest.approx(threshold_of(run))
    assert (told["in_force"]["alarms"], told["in_force"]["per"]) == (2, "hour")
    assert [one["cue"] for one in told["distributions"]] == ["fused", "movement", "appearance"]
    for one in told["distributions"]:
        assert sum(one["counts"]) == told["frames"] == 1800
        assert len(one["edges"]) == len(one["counts"]) + 1
    assert browser.get("/api/v1/calibration").json()["asked"] == told["in_force"]
    assert browser.get("/api/v1/calibration?alarms=2").json()["asked"] == told["in_force"]


@pytest.mark.parametrize("query", ["alarms=0", "alarms=nan", "alarms=x", "per=year", "per=day", "exclude=../../etc"])
def test_the_api_refuses_a_budget_that_cannot_be(site: Any, query: str) -> None:
    answer = site.browser().get(f"/api/v1/calibration?{query}")

    assert answer.status_code == 400
    assert answer.json().keys() == {"what", "where", "cure"}


def test_the_api_says_what_is_missing(open_site: Callable[..., Any], run: Path) -> None:
    assert open_site().browser().get("/api/v1/calibration").status_code == 404
    (run / KEPT_NAME).write_bytes(b"")
    answer = open_site(model=run).browser().get("/api/v1/calibration")

    assert answer.status_code == 409
    assert "calibrate" in answer.json()["cure"]
