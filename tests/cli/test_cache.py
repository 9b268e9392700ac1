import json
from pathlib import Path

from maskedskipunet.data.cache import frames_folder
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import StoreFormat, StoreRequest, store_videos


def fill(cache, *videos):
    how = StoreFormat(height_px=32, width_px=64, channels=3)
    store_videos([StoreRequest(name=video.stem, source=Source(path=video)) for video in videos], how, cache)


def test_what_was_decoded_is_listed_with_its_source_and_cleared(cli, footage, place, own_cache):
    a, b = (footage / "normal" / f"{name}.mp4" for name in "ab")
    fill(own_cache, a, b)
    answer = cli("cache", "list", "--json", "list.json")
    assert (answer.code, answer.err) == (0, "")
    title, header, _, *rows, blank, total = answer.out.splitlines()
    assert (title, header.split(), blank) == ("Decoded frames", ["source", "frames", "size", "on", "disk"], "")
    assert sorted(row.split()[:3] for row in rows) == [[str(video), "6", "64x32"] for video in (a, b)]
    listed = json.loads((place / "list.json").read_text())
    assert total.startswith("2 videos, ")
    assert total.endswith(f" in {own_cache}")
    assert listed["total_bytes"] == sum(entry["bytes"] for entry in listed["entries"])

    cleared = cli("cache", "clear", "--json", "cleared.json")
    assert cleared.out.startswith("freed ")
    assert json.loads((place / "cleared.json").read_text())["freed_bytes"] >= listed["total_bytes"]
    assert not frames_folder(own_cache).exists()
    assert cli("cache", "list").out == f"0 videos, 0 bytes in {own_cache}\n"


def test_sources_are_told_in_full_so_that_they_mean_something_anywhere(cli, make, place):
    make.video(place / "a.mp4")
    fill(place / "cache", Path("a.mp4"))
    assert str(place / "a.mp4") in cli("cache", "list", "--cache", "cache").out


def test_clearing_touches_nothing_but_decoded_frames(cli, footage, place):
    (place / "kept.txt").write_text("mine")
    fill(place, footage / "normal" / "a.mp4")
    assert cli("cache", "clear", "--cache", ".").code == 0
    assert [path.name for path in place.iterdir()] == ["kept.txt"]


def test_a_cache_that_is_not_there_is_empty(cli, place):
    assert cli("cache", "list", "--cache", "none").out == "0 videos, 0 bytes in none\n"
    assert cli("cache", "clear", "--cache", "none").out == "freed 0 bytes in none\n"


def test_a_store_that_is_a_link_is_not_followed(cli, place):
    (place / "elsewhere").mkdir()
    frames_folder(place / "cache").parent.mkdir()
    frames_folder(place / "cache").symlink_to(place / "elsewhere")
    assert "the frame store is a link, which is not followed" in cli("cache", "clear", "--cache", "cache").refusal()
    assert (place / "elsewhere").is_dir()
