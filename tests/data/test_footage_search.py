import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from maskedskipunet.data import folders
from maskedskipunet.data.footage_search import cameras_of, find_footage, notes_of
from maskedskipunet.data.images import image_files
from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import DataError

MP4 = b"\x00\x00\x00\x18ftypmp42"

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes empty files below a folder, which it gives."""

    def touch(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return touch


def found(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in find_footage(root).videos]


def notes(root: Path) -> list[str]:
    return notes_of(find_footage(root).left_out, root)


# Any depth


def test_a_recorders_tree_by_day_hour_and_camera_is_found_whole(make: Make) -> None:
    root = make(
        "2023-04-26/07/front_door/00.05.mp4",
        "2023-04-26/07/garage/00.05.mp4",
        "2023-04-26/08/front_door/00.05.mp4",
        "2023-04-26/loose.mp4",
    )
    assert found(root) == [
        "2023-04-26/07/front_door/00.05.mp4",
        "2023-04-26/07/garage/00.05.mp4",
        "2023-04-26/08/front_door/00.05.mp4",
        "2023-04-26/loose.mp4",
    ]
    dataset = recognise(root)
    assert [item.camera for item in dataset.train] == ["front_door", "garage", "front_door", None]
    assert dataset.train[0].name == "2023-04-26-07-front_door-00.05.mp4"


def test_folders_of_images_of_mixed_depth_are_all_found(make: Make) -> None:
    root = make(*(f"{folder}/{number:03}.jpg" for folder in ("cam", "cam/old", "b/c/d") for number in range(3)))
    assert found(root) == ["b/c/d", "cam", "cam/old"]


@pytest.mark.parametrize(
    ("places", "cameras"),
    [
        (["a/1.mp4", "b/1.mp4"], ["a", "b"]),
        (["cam1/2023/04/1.mp4", "cam2/2023/04/1.mp4"], ["cam1", "cam2"]),
        (["cam1/monday/1.mp4", "cam2/Videos/1.mp4"], ["cam1", "cam2"]),
        (["normal/a/1.mp4", "normal/b/1.mp4"], ["a", "b"]),
        (["monday/1.mp4", "tuesday/1.mp4"], [None, None]),
        (["cam/1.mp4", "cam/2.mp4"], [None, None]),
        (["1.mp4"], [None]),
    ],
)
def test_a_camera_is_told_by_the_deepest_folder_that_names_no_time(
    places: list[str], cameras: list[str | None]
) -> None:
    assert cameras_of([Path(place) for place in places]) == cameras


def test_links_are_followed_once_and_never_upwards(make: Make) -> None:
    root = make("day/a.mp4", "other/b.mp4")
    (root / "day" / "up").symlink_to(root)
    (root / "day" / "again").symlink_to(root / "day")
    (root / "a-link").symlink_to(root / "other")
    assert found(root) == ["day/a.mp4", "other/b.mp4"]
    assert found(root / "day") == ["a.mp4"]


# By content


def test_a_recording_with_a_strange_name_is_taken_by_its_content_and_others_are_named(make: Make) -> None:
    root = make("a.mp4", "c.xyz", "d.xyz", "day.zip", "e.mp4.part", "GX01.LRV", "notes.txt", "f.csv", "plain", "b.dat")
    for name in ("b.dat", "ch01_0001", "e.mp4.part", "GX01.LRV"):
        (root / name).write_bytes(MP4)
    assert found(root) == ["a.mp4", "b.dat", "ch01_0001"]
    assert notes(root) == [
        "c.xyz, d.xyz (no video that can be read)",
        "day.zip (an archive: unpack it)",
        "e.mp4.part (an unfinished download)",
        "GX01.LRV (a camera's small copy)",
    ]


@pytest.mark.parametrize("suffix", ["dav", "h264", "264", "h265", "m2ts", "asf", "mjpeg", "DAV"])
def test_recorders_suffixes_are_videos(make: Make, suffix: str) -> None:
    root = make(f"normal/a.{suffix}")
    assert [item.path.name for item in recognise(root).train] == [f"a.{suffix}"]


def test_a_pipe_that_is_named_as_a_video_is_left_out_with_a_note(make: Make) -> None:
    root = make("a.mp4")
    os.mkfifo(root / "pipe.mp4")
    assert (found(root), notes(root)) == (["a.mp4"], ["pipe.mp4 (not a plain file)"])


# What is no footage


@pytest.mark.parametrize(
    "folder", ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "deep/@eaDir"]
)
def test_a_storage_systems_own_folders_are_left_out_with_a_note(make: Make, folder: str) -> None:
    root = make("a.mp4", "deep/b.mp4", f"{folder}/a.mp4", f"{folder}/SYNOVIDEO_VIDEO_SCREENSHOT.jpg")
    assert found(root) == ["a.mp4", "deep/b.mp4"]
    assert notes(root) == [f"{folder}/ (a storage system's own folder)"]


def test_zoneminders_drawn_frames_and_alarm_pictures_are_no_frames(make: Make) -> None:
    names = [f"ev/{number:05}-{kind}.jpg" for number in (1, 2, 3) for kind in ("capture", "analyse")]
    root = make(*names, "ev/alarm.jpg", "ev/snapshot.jpg", "ev/objdetect.jpg")
    assert [file.name for file in image_files(root / "ev")] == [f"{number:05}-capture.jpg" for number in (1, 2, 3)]
    assert notes(root) == [
        "ev/00001-analyse.jpg, ev/00002-analyse.jpg, ev/00003-analyse.jpg and 3 more (a picture beside frames)"
    ]


def test_frames_that_were_stored_drawn_in_alone_stay(make: Make) -> None:
    root = make(*(f"ev/{number:05}-analyse.jpg" for number in range(3)))
    assert len(image_files(root / "ev")) == 3


def test_the_last_picture_of_motion_is_no_frame_and_makes_no_clip(make: Make) -> None:
    root = make(*(f"01-2023042607{number:04}-00.jpg" for number in range(4)), "lastsnap.jpg")
    assert "lastsnap.jpg" not in [file.name for file in image_files(root)]
    above = make("cam/lastsnap.jpg", *(f"cam/26/{number}.jpg" for number in range(3)))
    assert "cam" not in found(above)


def test_frames_without_numbers_stay_where_none_has_one(make: Make) -> None:
    root = make("a.jpg", "b.jpg", "c1.jpg")
    assert len(image_files(root)) == 3
    assert len(image_files(make("x/frame.jpg", "x/frame1.jpg", "x/frame2.jpg") / "x")) == 3


def test_annotations_beside_videos_are_no_footage(make: Make) -> None:
    root = make("normal/a.mp4", "normal/a_annotations/a_0000_gt.png", "normal/masks/1.png", "normal/b_masks/1.png")
    assert [item.name for item in recognise(root).train] == ["a", "b_masks"]


def test_results_of_earlier_runs_are_not_trained_on(make: Make) -> None:
    root = make("a.mp4", "scores/a/scores.parquet", "scores/a/annotated.mp4", "runs/001/videos/a.mp4")
    make("runs/001/config.yaml", "runs/001/environment.json")
    assert [item.name for item in recognise(root).train] == ["a"]
    assert recognise(root).ignored == ("runs/001/, scores/a/ (results of an earlier run)",)


# What is no normal footage


@pytest.mark.parametrize(
    "odd",
    [
        "abnormal_scene_1_scenario_2.mp4",
        "Anomaly-Videos/x.mp4",
        "cam/anomalous/x.mp4",
        "anomaly_003.mp4",
        "Film__#00-01_label_B1-0-0.mp4",
    ],
)
@pytest.mark.parametrize("home", ["", "normal/"])
def test_a_video_whose_name_says_anomalous_is_left_out_of_training_with_a_note(make: Make, odd: str, home: str) -> None:
    root = make(f"{home}a.mp4", f"{home}b.mp4", f"{home}c.mp4", f"{home}{odd}")
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == ["a", "b", "c"]
    assert dataset.ignored == (f"{home}{odd} (its name says anomalous)",)


@pytest.mark.parametrize("name", ["non-anomalous/a.mp4", "anomaly_detection/a.mp4", "paranormal.mp4", "label_A.mp4"])
def test_names_that_say_no_such_thing_are_trained_on(make: Make, name: str) -> None:
    assert len(recognise(make(name)).train) == 1


def test_a_film_beside_training_and_a_folder_of_calibration_footage_are_not_trained_on(make: Make) -> None:
    root = make("training/monday.mp4", "calibration/tuesday.mp4", "friday.mp4", "cover.jpg")
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == ["monday"]
    assert dataset.ignored == (
        "calibration/ (not normal/, train/, training/, test/ or testing/)",
        "friday.mp4 (beside training/)",
        "cover.jpg (a picture beside footage)",
    )


@pytest.mark.parametrize("folder", ["calibration", "Validation", "holdout", "cam/test"])
def test_what_is_set_aside_by_its_name_is_not_trained_on_where_no_folder_says_normal(make: Make, folder: str) -> None:
    root = make("cam/a.mp4", f"{folder}/b.mp4")
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == ["a"]
    assert dataset.ignored == (f"{folder}/ (set aside by its name, not trained on)",)


def test_several_data_sets_below_are_refused_by_name(make: Make) -> None:
    root = make("cam1/normal/a.mp4", "cam2/normal/b.mp4", "cam1/odd.mp4")
    with pytest.raises(DataError, match=r"holds data sets of their own, cam1/ and cam2/\. Name one, such as .*cam1\."):
        recognise(root)


# How often folders are listed


def test_a_thousand_labelled_test_videos_are_found_with_few_looks_at_the_disk(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make("normal/a.mp4", *(f"test/{number:04}.mp4" for number in range(1000)))
    make(*(f"test/{number:04}_labels.csv" for number in range(1000)))
    looks: Counter[str] = Counter()
    listed = os.scandir

    def scandir(folder: str) -> object:
        looks[Path(folder).name] += 1
        return listed(folder)

    monkeypatch.setattr(folders.os, "scandir", scandir)
    dataset = recognise(root)
    assert all(item.labels is not None for item in dataset.test)
    assert len(dataset.test) == 1000
    assert max(looks.values()) == 1
