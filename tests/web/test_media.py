"""Clips in parts, pictures, and events saved as files of their own."""

import base64
import re
from typing import Any

import pytest

from maskedskipunet.records.event_files import ExplainingPictures


@pytest.fixture
def clip(filled: Any) -> bytes:
    return filled.clip("c", 120).read_bytes()


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-99", slice(0, 100)), ("bytes=4000-", slice(4000, None)), ("bytes=-50", slice(-50, None)),
     ("bytes=10-10", slice(10, 11))],
)  # fmt: skip
def test_a_part_of_a_clip_is_sent_where_a_part_is_asked_for(browser: Any, clip: bytes, asked: str, part: slice) -> None:
    answer = browser.get("/events/c/clip.mp4", headers={"range": asked})

    assert answer.status_code == 206
    assert answer.content == clip[part]
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-range"].endswith(f"/{len(clip)}")


def test_a_whole_clip_says_that_it_can_be_had_in_parts(browser: Any, clip: bytes) -> None:
    answer = browser.get("/events/c/clip.mp4")

    assert (answer.status_code, answer.content) == (200, clip)
    assert answer.headers["accept-ranges"] == "bytes"
    head = browser.client.head("/events/c/clip.mp4")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(clip)))


@pytest.mark.parametrize("asked", ["bytes=999999-", "bytes=5-1", "bytes=x-y", "lines=1-2"])
def test_a_part_that_there_is_not_is_refused(browser: Any, asked: str) -> None:
    assert browser.get("/events/c/clip.mp4", headers={"range": asked}).status_code in (400, 416)


def test_pictures_are_sent_where_they_are(filled: Any, browser: Any) -> None:
    filled.tell(
        "new", "n", began_s=700, picture=b"\xff\xd8 strange \xff\xd9", normal_picture=b"\xff\xd8 usual \xff\xd9"
    )

    assert browser.get("/events/n/picture.jpg").content == b"\xff\xd8 strange \xff\xd9"
    assert browser.get("/events/n/normal.jpg").content == b"\xff\xd8 usual \xff\xd9"
    assert browser.get("/events/n/picture.jpg").headers["cache-control"] == "no-cache"  # the event goes on
    assert browser.get("/events/a/normal.jpg").status_code == 404
    assert browser.get("/events/e/clip.mp4").status_code == 404


def test_a_heat_map_and_a_reconstruction_are_shown_where_they_are_and_leave_no_gap_where_they_are_not(
    filled: Any, browser: Any
) -> None:
    png, jpeg = b"\x89PNG\r\n\x1a\n a map", b"\xff\xd8 expected \xff\xd9"
    seen = ExplainingPictures(png, jpeg)
    filled.tell("new", "n", began_s=700, picture=b"\xff\xd8 strange \xff\xd9", explaining=seen)
    page, bare = browser.get("/events/n").text, browser.get("/events/a").text

    heat, rebuilt = browser.get("/events/n/heat.png"), browser.get("/events/n/reconstruction.jpg")
    assert (heat.content, heat.headers["content-type"]) == (png, "image/png")
    assert (rebuilt.content, rebuilt.headers["content-type"]) == (jpeg, "image/jpeg")
    told = browser.get("/api/v1/events/n").json()
    assert (told["has_heat_map"], told["has_reconstruction"]) == (True, True)
    beside = page.split('class="beside"')[1]
    assert beside.index("picture.jpg") < beside.index("reconstruction.jpg") < beside.rindex("heat.png")
    assert 'alt="Heat map of the same moment' in page
    assert 'aria-pressed="false" data-heat-toggle' in page
    for name in ("heat.png", "reconstruction.jpg"):
        assert name not in bare
        assert browser.get(f"/events/a/{name}").status_code == 404
    assert bare.count("<figure") < page.count("<figure")
    assert base64.b64encode(png).decode() in browser.get("/events/n/export.html").text


def test_a_camera_shows_its_live_picture_else_that_of_its_newest_event(site: Any, browser: Any) -> None:
    from maskedskipunet.records.curve_files import folder_name

    camera = folder_name("yard / back")
    assert browser.get(f"/cameras/{camera}/picture.jpg").content == b"\xff\xd8 a picture \xff\xd9"

    site.page.live.write_picture("yard / back", b"\xff\xd8 now \xff\xd9")

    assert browser.get(f"/cameras/{camera}/picture.jpg").content == b"\xff\xd8 now \xff\xd9"


def test_an_event_is_saved_as_one_file_that_loads_nothing(site: Any, browser: Any, clip: bytes) -> None:
    site.records.answer("c", "anomaly", by="ann")

    answer = browser.get("/events/c/export.html")

    assert answer.headers["content-disposition"] == 'attachment; filename="yard___back-c.html"'
    inside = re.search(r'src="data:video/mp4;base64,([^"]+)"', answer.text)
    assert inside is not None
    assert base64.b64decode(inside[1]) == clip
    assert "Moves 3.1 times as fast as 99\u00a0% of what passes here." in answer.text
    assert "anomaly, by ann" in answer.text
    assert re.findall(r'(?:src|href)="(?!data:)', answer.text) == []
    assert "script" not in answer.text.replace("description", "")
    assert "@@" not in answer.text


def test_an_event_without_files_is_saved_all_the_same(browser: Any) -> None:
    assert "There is no clip" in browser.get("/events/e/export.html").text
