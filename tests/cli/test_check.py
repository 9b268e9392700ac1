import json
import os

import pytest


def test_a_data_set_is_told_video_by_video_and_in_sums(cli, footage):
    answer = cli("check", footage)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"{footage}: layout folder",
        "labels: labels beside the videos",
        "train",
        "video      frames    size   frames/s   anomalous",
        "────────────────────────────────────────────────",
        "a               6   48x32         10   no labels",
        "b               6   48x32         10   no labels",
        "",
        "test",
        "video      frames    size   frames/s   anomalous",
        "────────────────────────────────────────────────",
        "c               6   48x32         10           2",
        "d               6   48x32         10           0",
        "",
        "train: 2 clips, 12 frames",
        "test: 2 clips, 12 frames, 2 of them anomalous",
        "training looks at 3 frames at a time: 0.20 s from first to last",
    ]


def test_what_time_a_clip_would_span_is_told_before_it_is_trained_on(cli, footage, place):
    answer = cli("check", footage, "--spacing", 4, "--json", "report.json")
    assert answer.out.splitlines()[-1] == (
        "training looks at 3 frames at a time, each 4 after the one before: 0.80 s from first to last"
    )
    clip = json.loads((place / "report.json").read_text())["clip"]
    assert clip == {"frames": 3, "spacing": 4, "frames_per_second": 10, "seconds": pytest.approx(0.8)}
    refused = cli("check", footage, "--spacing", 0)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)


def test_the_json_holds_what_the_table_shows(cli, footage, place):
    assert cli("check", footage, "--json", "new/folder/report.json").code == 0
    report = json.loads((place / "new" / "folder" / "report.json").read_text())
    assert [row["name"] for row in report["train"] + report["test"]] == ["a", "b", "c", "d"]
    assert report["totals"]["test"]["anomalous_frames"] == 2


def test_what_cannot_be_read_is_noted_and_counts_as_done_in_part(cli, make, place):
    make.video(place / "normal" / "good.mp4")
    (place / "normal" / "bad.mp4").write_bytes(b"")
    answer = cli("check", ".")
    assert (answer.code, answer.err) == (1, "")
    assert "train: 1 clip, 6 frames\n" in answer.out
    assert "note: train/bad cannot be read: normal/bad.mp4: the video is empty (zero bytes)." in answer.out


def test_a_bad_image_is_an_oddity_unless_it_is_to_be_skipped(cli, make, place):
    make.images(place / "clip")
    (place / "clip" / "002.png").write_bytes(b"")
    assert cli("check", ".").code == 1
    answer = cli("check", ".", "--on-bad-frame", "skip")
    assert (answer.code, "train: 1 clip, 5 frames\n" in answer.out) == (0, True)


def test_a_single_frame_is_told_to_be_too_short(cli, make, place):
    make.images(place / "clip", 1)
    answer = cli("check", place)
    assert answer.code == 0
    assert "train: 1 clip, 1 frame\n" in answer.out
    assert "note: train/clip is short: 1 frames, fewer than 3\n" in answer.out


def test_names_that_no_terminal_can_show_are_written_out(cli, make, place):
    video = make.video(place / "normal" / "a.mp4")
    for name in (b"\xff.mp4", "[red]ü\n.mp4".encode()):
        video.with_name(os.fsdecode(name)).write_bytes(video.read_bytes())
    video.unlink()
    answer = cli("check", place, "--json", "report.json")
    assert (answer.code, answer.err) == (0, "")
    names = [row["name"] for row in json.loads((place / "report.json").read_text())["train"]]
    assert sorted(names) == ["%udcff", "[red]ü%n"]
    assert all(name in answer.out for name in names)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("UCSDped2", ["train: 16 clips, 2,550 frames", "test: 12 clips, 2,010 frames, 1,648 of them anomalous"]),
        ("upcam/test", ["train: 1 clip, 18,066 frames"]),
    ],
)
def test_real_footage_is_recognised(cli, real_data, name, told):
    answer = cli("check", real_data / name)
    assert (answer.code, answer.err) == (0, "")
    assert set(told) <= set(answer.out.splitlines())
