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
        "video      frames    length    size   frames/s",
        "──────────────────────────────────────────────",
        "a               6   0:00:00   48x32         10",
        "b               6   0:00:00   48x32         10",
        "",
        "test",
        "video      frames    length    size   frames/s   anomalous",
        "──────────────────────────────────────────────────────────",
        "c               6   0:00:00   48x32         10           2",
        "d               6   0:00:00   48x32         10           0",
        "",
        "train: 2 clips, 12 frames, 1.2 seconds",
        "test: 2 clips, 12 frames, 1.2 seconds, 2 of them anomalous",
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
    assert "train: 1 clip, 6 frames, 0.6 seconds\n" in answer.out
    assert "fault: train/bad cannot be read: normal/bad.mp4: the video is empty (zero bytes)." in answer.out
    assert answer.out.endswith("1 video cannot be used as it is: see the faults above\n")


def test_a_note_is_no_fault_and_a_fault_is_no_note(cli, make, place):
    make.video(place / "train" / "a.mp4", 6)
    make.video(place / "test" / "a.mp4", 6, height_px=64)
    make.video(place / "test" / "b.mp4", 2)
    answer = cli("check", ".", "--json", "report.json")
    notes = [line for line in answer.out.splitlines() if line.startswith("note: ")]
    assert (answer.code, len(notes) > 2, "fault" in answer.out) == (0, True, False)

    (place / "test" / "a_labels.csv").write_text("0\n" * 5)
    answer = cli("check", ".", "--json", "report.json")
    faults = [line.removeprefix("fault: ") for line in answer.out.splitlines() if line.startswith("fault: ")]
    report = json.loads((place / "report.json").read_text())
    assert (answer.code, faults, report["failed"]) == (1, report["faults"], 1)
    assert faults[0].startswith("test/a has labels that do not fit: ")
    assert set(faults) < set(report["oddities"])


def test_hours_are_told_and_normal_footage_misses_no_labels(cli, make, place):
    make.images(place / "footage" / "normal" / "day", 20)
    answer = cli("check", "footage", "--image-fps", "0.002")
    assert "train: 1 clip, 20 frames, 2.78 hours\n" in answer.out
    assert " 2:46:40 " in answer.out
    assert "label" not in answer.out
    assert "anomalous" not in answer.out


def test_a_bad_image_is_an_oddity_unless_it_is_to_be_skipped(cli, make, place):
    make.images(place / "clip")
    (place / "clip" / "002.png").write_bytes(b"")
    assert cli("check", ".").code == 1
    answer = cli("check", ".", "--on-bad-frame", "skip")
    assert (answer.code, "train: 1 clip, 5 frames, 0.5 seconds\n" in answer.out) == (0, True)


def test_a_single_frame_is_told_to_be_too_short(cli, make, place):
    make.images(place / "clip", 1)
    answer = cli("check", place)
    assert answer.code == 0
    assert "train: 1 clip, 1 frame, 0.1 seconds\n" in answer.out
    assert "note: train/clip is short: 1 frame, fewer than 3\n" in answer.out


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
        (
            "UCSDped2",
            [
                "train: 16 clips, 2,550 frames, 4.2 minutes",
                "test: 12 clips, 2,010 frames, 3.4 minutes, 1,648 of them anomalous",
            ],
        ),
        ("upcam/test", ["train: 1 clip, 18,066 frames, 60.2 minutes"]),
    ],
)
def test_real_footage_is_recognised(cli, real_data, name, told):
    answer = cli("check", real_data / name)
    assert (answer.code, answer.err) == (0, "")
    assert set(told) <= set(answer.out.splitlines())
