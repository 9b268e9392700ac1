"""The page in a real browser: keys, clips, news without a reload, the timeline, logins, a narrow screen, its policy.

Needs Chromium, as Debian's package `chromium`, and playwright; where either is missing these tests are skipped.
"""

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.records.curve_files import entries_of
from maskedskipunet.records.event_files import ExplainingPictures
from maskedskipunet.view.peak_pictures import peak_pictures

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: install it, as with apt-get install chromium")
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PAGES: tuple[str, ...] = sys.modules["web_pages"].PAGES  # loaded by conftest
PASSWORD = "a long password"
SIZE_PX = {"height_px": 54, "width_px": 96}


def until(page: Any, expression: str) -> None:
    """Wait for an expression to be true; the page's policy forbids the ways of playwright's own waiting."""
    deadline_s = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline_s, expression
        page.wait_for_timeout(50)


SHOWN_S = "Number(location.hash.split('end=')[1]) - Number(location.hash.match(/start=(\\d+)/)?.[1])"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves a site on a free port; gives its address."""
    servers = []

    def start(site: Any) -> str:
        config = uvicorn.Config(site.app, port=0, log_level="error", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        deadline_s = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.force_exit = server.should_exit = True
        thread.join(20)


@pytest.fixture
def pictured(filled: Any, tmp_path: Path) -> Any:
    """The events with pictures and a clip that a browser can show, and a score curve of their time."""
    picture = to_jpeg(np.tile(np.linspace(0, 255, 96, dtype=np.uint8)[None, :, None], (54, 1, 3)))
    score_map = np.linspace(0, 1, 96, dtype=np.float32)[None] * np.ones((54, 1), np.float32)
    seen = peak_pictures(FrameScore(0, 0.0, 1.0, score_map, np.full((3, 54, 96), 128, np.uint8)), 1.0, **SIZE_PX)
    assert seen is not None
    explaining = ExplainingPictures(seen.heat_map, seen.reconstruction)
    filled.tell("new", "p", began_s=300, picture=picture, normal_picture=picture, explaining=explaining)
    with VideoWriter(filled.clip("p", 300), height_px=54, width_px=96, frame_rate=10) as writer:
        for grey in range(40):
            writer.write(np.full((54, 96, 3), 6 * grey, np.uint8))
    filled.tell("end", "p", began_s=300)
    filled.clock.now_unix_s = time.time()
    began = 1_772_355_600
    times = np.arange(began, began + 3600)
    from maskedskipunet.records.curves import ScoreCurves

    scores = entries_of(times, 2 + np.sin(times / 60), 4.0)
    ScoreCurves(filled.folder / "curves").replace("door", began, began + 3600, scores)
    return filled


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens tabs; what the browser complains of, such as a breach of the policy, fails the test."""
    contexts, complaints = [], []

    def open_tab(address: str, **options: Any) -> Any:
        chosen = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "Europe/Berlin", "locale": "en-GB"}
        context = chromium.new_context(base_url=address, **(chosen | options))
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_tab
    for context in contexts:
        context.close()
    expected = re.compile(r"status of (401|404|503)")  # what a test asks for on purpose
    assert [text for text in complaints if not expected.search(text)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_keeps_to_its_policy_in_light_and_dark_and_fits_a_narrow_screen(
    site: Any, pictured: Any, serve: Any, tab: Any, scheme: str
) -> None:
    page = tab(serve(site), color_scheme=scheme, viewport={"width": 360, "height": 740})

    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(16, 21, 26)") == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_on_any_page(
    open_site: Any, pictured: Any, serve: Any, tab: Any, tmp_path: Path, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    site = open_site(model=sys.modules["calibrated_run"].make_run(tmp_path / "calibrated"))
    page = tab(serve(site), color_scheme=scheme, bypass_csp=True)  # of the page, which would not run axe's script

    asked: dict[str, Any] = {"resultTypes": ["violations"]}
    if scheme == "dark":
        asked["runOnly"] = ["color-contrast"]  # all else is as in light
    found = []
    for path in (*PAGES, "/events/p"):
        page.goto(path)
        for fault in axe.Axe().run(page, options=asked).response["violations"]:
            found.append((path, fault["id"], fault["impact"], fault["nodes"][0]["html"][:200]))

    assert found == []


def test_the_heat_map_is_laid_over_the_picture_and_taken_off_by_a_button_and_a_key(
    site: Any, pictured: Any, serve: Any, tab: Any
) -> None:
    page = tab(serve(site), viewport={"width": 360, "height": 740})
    page.goto("/events/p")
    layer, button = page.locator("[data-heat]"), page.locator("[data-heat-toggle]")
    assert layer.is_hidden()

    button.click()
    until(page, "document.querySelector('[data-heat]').naturalWidth > 0")
    assert button.get_attribute("aria-pressed") == "true"
    assert layer.bounding_box() == page.locator(".layers img").first.bounding_box()
    page.keyboard.press("h")
    assert layer.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_times_are_shown_in_the_viewers_zone(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site))
    page.goto("/events/a")

    assert "10:00:00" in page.locator("h1 time").inner_text()  # 09:00 UTC


def test_keys_move_answer_and_undo_and_still_do_after_a_click(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site))
    page.goto("/review?order=oldest")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_selector("#answer-b .answer-badge.anomaly")
    page.locator("#card-c .why").click()
    page.keyboard.press("s")
    page.wait_for_selector("#answer-c .answer-badge.unsure")
    page.locator("#answer-c button.normal").click()
    page.wait_for_selector("#answer-c .answer-badge.normal")
    page.keyboard.press("u")
    page.wait_for_selector("#answer-c .answer-badge.unsure")
    page.keyboard.press("k")
    page.keyboard.press("u")
    page.wait_for_selector("#answer-b .answer-badge", state="detached")

    kept = {one.event.id: one.answer for one in site.records.events()}
    assert (kept["b"], kept["c"]) == (None, "unsure")
    assert page.locator("[data-card].current").get_attribute("data-card") == "b"


def test_normal_shows_how_far_the_model_is_and_what_changed(
    open_site: Any, pictured: Any, learner: Any, serve: Any, tab: Any
) -> None:
    site = open_site(learns=True)
    learner.may_go.clear()
    page = tab(serve(site))
    page.goto("/events/a")

    page.keyboard.press("n")
    page.wait_for_selector(".job.running progress[value='3']")
    learner.may_go.set()

    page.wait_for_selector("text=The cues have learned it.")


def test_a_clip_plays_and_is_sought_from_the_card_and_the_page(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site))
    page.goto("/review")
    page.locator("#card-p .why").click()
    page.keyboard.press(" ")
    until(page, "document.querySelector('#card-p video')?.currentTime > 0.2")

    page.goto("/events/p")
    page.evaluate("document.querySelector('video').currentTime = 3")
    until(page, "[...document.querySelectorAll('video')].every((v) => !v.seeking && v.currentTime === 3)")
    assert page.evaluate("document.querySelector('[data-playhead]').getAttribute('visibility')") == "visible"
    assert page.locator("figure:has-text('The nearest normal moment') img").evaluate("i => i.naturalWidth") == 96


def test_an_event_appears_without_a_reload(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    address = serve(site)
    live, review = tab(address), tab(address)
    live.goto("/live")
    review.goto("/review")
    live.wait_for_selector("[data-newest] a[href='/events/p']")
    review.wait_for_timeout(1500)

    pictured.whole("later", began_s=2000)

    live.wait_for_selector("[data-newest] a[href='/events/later']")
    review.wait_for_selector("[data-new-events]:not([hidden])")


def test_a_connection_that_the_server_ends_in_time_is_no_fault_and_one_that_stays_away_is(
    site: Any, pictured: Any, serve: Any, tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskedskipunet.web import live

    monkeypatch.setattr(live, "LONGEST_S", 0.0)
    monkeypatch.setattr(live, "RETRY_MS", 100)
    page = tab(serve(site))
    opened, fault = [], page.locator("[data-live-fault]")
    page.on("request", lambda request: opened.append(request) if request.url.endswith("/live/stream") else None)
    page.goto("/live")
    page.evaluate("""() => {
        window.told = [];
        const place = document.querySelector("[data-live-fault]");
        new MutationObserver(() => told.push(place.textContent)).observe(place, { childList: true });
    }""")
    deadline_s = time.monotonic() + 30
    while len(opened) < 4:
        assert time.monotonic() < deadline_s
        page.wait_for_timeout(50)
    assert page.evaluate("told") == []

    monkeypatch.setattr(live, "RETRY_MS", 60_000)  # the next one comes after the patience of the page
    fault.filter(has_text="The connection to the page is lost; trying again.").wait_for()


def test_many_events_are_chosen_and_answered_at_once(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site))
    page.goto("/review?order=oldest")
    page.locator("#card-a [data-choose]").check()
    page.locator("#card-b [data-choose]").check()
    assert page.locator("[data-many-count]").inner_text() == "2 events chosen"

    page.locator("#many button.anomaly").click()
    page.wait_for_selector(".notice.good")
    page.locator("form.notice button").click()
    page.wait_for_selector("text=Taken back")

    assert {one.answer for one in site.records.events()} == {None}


def test_the_timeline_goes_to_a_typed_time_and_opens_what_is_there(
    site: Any, pictured: Any, serve: Any, tab: Any
) -> None:
    page = tab(serve(site))
    page.goto("/timeline")
    page.wait_for_selector("[data-marks] a")

    page.fill("[data-jump] input", "2026-03-01T10:02:00")
    page.click("[data-jump] button")
    until(page, "location.hash.includes('start=1772353920')")  # an hour around 09:02 UTC
    canvas = page.locator("canvas")
    canvas.focus()
    for _ in range(6):
        page.keyboard.press("+")
    until(page, f"{SHOWN_S} < 200")
    assert "10:0" in page.locator("[data-range]").inner_text()
    canvas.hover()
    page.mouse.wheel(0, 800)
    until(page, f"{SHOWN_S} > 200")
    page.locator("[data-marks] a").first.click()
    page.wait_for_url("**/events/*")


def test_the_slider_shows_another_threshold_in_place_which_is_used_and_taken_back(
    open_site: Any, pictured: Any, serve: Any, tab: Any, tmp_path: Path
) -> None:
    run = sys.modules["calibrated_run"].make_run(tmp_path / "calibrated")
    site = open_site(model=run)
    site.records.answer("a", "anomaly")
    page = tab(serve(site), viewport={"width": 360, "height": 740})
    page.goto("/calibration")
    before = page.locator("[data-threshold]").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.locator("[type=range]").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('[data-threshold]')?.textContent !== '{before}'")
    assert page.locator("[name=alarms] >> nth=0").input_value() == "20"
    assert "alarms=20" in page.url
    lower = page.locator("[data-threshold]").inner_text()
    page.click("text=Strangest moments")
    until(page, "[...document.images].some((image) => image.naturalWidth === 96)")
    page.click("text=Use this threshold")
    page.wait_for_selector("text=This threshold is in force now.")
    assert page.locator("[data-threshold]").inner_text() == lower
    page.click("text=Go back to it")
    page.wait_for_selector("text=The earlier calibration is in force again.")
    assert page.locator("[data-threshold]").inner_text() == before

    site.records.answer("b", "normal")
    bare = tab(serve(site), java_script_enabled=False)
    bare.goto("/calibration")
    bare.fill("input[type=number]", "20")
    bare.click("[data-show]")
    assert bare.locator("[data-threshold]").inner_text() == lower


def test_an_event_that_was_saved_opens_as_a_file(
    site: Any, pictured: Any, serve: Any, tab: Any, tmp_path: Path
) -> None:
    page = tab(serve(site))
    page.goto("/events/p")
    with page.expect_download() as download:
        page.click("text=Save as a file")
    download.value.save_as(saved := tmp_path / "event.html")

    page.goto(saved.as_uri())

    until(page, "document.querySelector('video').readyState >= 1")
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(4.0, abs=0.2)
    assert page.evaluate("[...document.images].every((image) => [96, 320].includes(image.naturalWidth))")
    assert page.evaluate("document.images.length") == 4


def test_a_login_is_refused_and_granted_and_leads_back(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    site.add_user("ann")
    page = tab(serve(site))
    page.goto("/events/a")
    page.fill("[name=name]", "ann")
    page.fill("[name=password]", "wrong password")
    page.click("text=Log in >> nth=-1")
    page.wait_for_selector("text=The name or the password is wrong.")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/a")

    page.click("text=Log out")
    page.wait_for_url("**/login")


def test_the_theme_that_was_chosen_stays(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site), color_scheme="light")
    page.goto("/live")
    page.click("[data-theme-toggle]")
    page.goto("/review")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_it_can_be_used_without_a_script(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site), java_script_enabled=False)
    page.goto("/review?order=oldest")
    page.locator("#answer-a button.anomaly").click()
    page.wait_for_selector(".notice.good >> text=Answered")

    assert site.records.event("a").answer == "anomaly"


def test_a_page_that_is_watched_keeps_its_place(site: Any, pictured: Any, serve: Any, tab: Any) -> None:
    page = tab(serve(site), viewport={"width": 800, "height": 300})
    page.goto("/live")
    page.evaluate("scrollTo(0, 200)")
    before = page.evaluate("scrollY")
    pictured.whole("later", began_s=2000)
    page.wait_for_selector("[data-newest] a[href='/events/later']")

    assert before > 0
    assert page.evaluate("scrollY") == before
