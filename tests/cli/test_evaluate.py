import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from sklearn.metrics import average_precision_score, roc_auc_score

LABELS = {"a": [0] * 6 + [1] * 6, "b": [0] * 10, "c": [0, 0, 1, 1, 0, 0, 1, 1]}
POOLED = np.concatenate([*LABELS.values()])


@pytest.fixture(scope="session")
def scores() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: labels + rng.normal(0, 0.5, len(labels)) for name, labels in LABELS.items()}


@pytest.fixture
def desk(place, make, scores):
    """A data set of three test clips, and scores of them in every form."""
    for name, labels in LABELS.items():
        make.images(place / "data" / "test" / name, len(labels))
        (place / "data" / "test" / f"{name}_labels.csv").write_text("\n".join(map(str, labels)))
    pooled = np.concatenate([*scores.values()])
    video = [name for name, labels in LABELS.items() for _ in labels]
    frame = [at for labels in LABELS.values() for at in range(len(labels))]
    np.save("all.npy", pooled)
    np.save("labels.npy", POOLED[None])
    np.save("late.npy", np.concatenate([30 - 7 * values[2:] for values in scores.values()]))
    np.savetxt("all.txt", pooled)
    np.save("nan.npy", np.full(len(pooled), np.nan))
    pq.write_table(pa.table({"video": video, "frame": frame, "score": pooled, "label": POOLED}), "table.parquet")
    rows = [f"{name},{at},{score:.17g}" for name, at, score in zip(video, frame, pooled, strict=True)]
    (place / "table.csv").write_text("\n".join(["video,frame,score", *rows]))
    for folder in ("clips", "numbers", "short"):
        (place / folder).mkdir()
    for number, (name, values) in enumerate(scores.items(), start=9):
        np.save(f"clips/{name}.npy", values)
        np.savetxt(f"numbers/{number}.txt", values)
        np.save(f"short/{name}.npy", values[1:] if name == "b" else values)
    return place


def figures_of(cli, *arguments: object) -> dict:
    answer = cli("evaluate", *arguments, "--json", "figures.json")
    assert (answer.code, answer.err) == (0, "")
    with open("figures.json") as file:  # noqa: PTH123
        return json.load(file)


def test_one_table_names_each_protocol_and_its_figures_are_scikit_learns(cli, desk, scores):
    answer = cli("evaluate", "all.npy", "--data", "data", "--json", "figures.json", "--sigma", "3", "--window", "5")
    figures = json.loads((desk / "figures.json").read_text())
    pooled = np.concatenate([*scores.values()])
    assert figures["micro_auc"] == pytest.approx(roc_auc_score(POOLED, pooled), abs=1e-12)
    assert figures["average_precision"] == pytest.approx(average_precision_score(POOLED, pooled), abs=1e-12)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[:5] == [
        "ground truth: 3 label files",
        "labels: labels beside the videos",
        "scores: one row, clips in natural order",
        "",
        "Frame level, 95 % intervals by drawing videos and blocks of 50 frames",
    ]
    assert [line[:40].strip() for line in lines[7:18]] == [
        "micro AUC, raw (primary)",
        "macro AUC, 1 one-class videos left out",
        "macro AUC, 1 one-class videos as 1",
        "macro AUC, min-max by video and padded",
        "micro AUC, min-max by video",
        "micro AUC, Gaussian σ 3, centred",
        "micro AUC, Gaussian σ 3, causal",
        "micro AUC, median 5, centred",
        "micro AUC, median 5, causal",
        "average precision, raw",
        "equal error rate, raw",
    ]
    keys = [
        "micro_auc",
        "macro_auc_two_class_videos",
        "macro_auc_one_class_as_1",
        "macro_auc_padded",
        "micro_auc_min_max",
        "micro_auc_gaussian",
        "micro_auc_gaussian_causal",
        "micro_auc_median",
        "micro_auc_median_causal",
        "average_precision",
        "equal_error_rate",
    ]
    for line, key in zip(lines[7:18], keys, strict=True):
        low, high = figures["intervals"]["by_videos"][key]
        assert line[40:].split()[:2] == [f"{figures[key]:.4f}", f"{low:.3f}–{high:.3f}"]
    assert lines[-1] == "30 of 30 frames scored, 10 labelled anomalous"


def test_the_table_fits_80_columns(cli, desk, terminal):
    shown = terminal(80)
    from maskedskipunet.cli.main import main

    assert main(["evaluate", "all.npy", "--data", "data"]) == 0
    lines = [line for line in shown.getvalue().splitlines() if "AUC" in line]
    assert len(lines) == 9
    assert all(re.search(r" \d\.\d{4}  .*\d\.\d{3}–", line) for line in lines)  # no row was folded


@pytest.mark.parametrize(
    ("form", "matching"),
    [
        ("all.npy", "one row, clips in natural order"),
        ("all.txt", "one row, clips in natural order"),
        ("table.csv", "matched to clips by name"),
        ("table.parquet", "matched to clips by name"),
        ("clips", "matched to clips by name"),
        ("numbers", "matched to clips in natural order of names"),
    ],
)
def test_scores_say_the_same_in_whatever_form_they_come(cli, desk, form, matching):
    figures, expected = (figures_of(cli, scores, "--data", "data") for scores in (form, "table.parquet"))
    assert figures.pop("matching") == matching
    assert expected.pop("matching") == "matched to clips by name"
    assert figures == expected


@pytest.mark.parametrize("truth", ["labels.npy", "table.parquet", "data/test"])
def test_labels_without_their_footage_give_the_same_figures(cli, desk, truth):
    if truth == "data/test":
        for name in LABELS:
            shutil.rmtree(desk / "data" / "test" / name)
        (desk / "data").rename(desk / "moved")
        truth = "moved/test"
    figures = figures_of(cli, "clips", "--ground-truth", truth)
    own = figures_of(cli, "table.parquet", "--ground-truth", "table.parquet")
    told = ("ground_truth", "matching")
    assert {key: value for key, value in figures.items() if key not in told} == {
        key: value for key, value in own.items() if key not in told
    }


def test_clips_may_be_told_apart_by_hand(cli, desk):
    apart = figures_of(cli, "all.npy", "--ground-truth", "labels.npy", "--clips", "12,10,8")
    assert apart["macro_auc_padded"] == figures_of(cli, "clips", "--data", "data")["macro_auc_padded"]
    assert apart["video_auc"].keys() == {"1", "2", "3"}


def test_without_borders_the_protocols_by_video_are_said_to_be_missing(cli, desk):
    answer = cli("evaluate", "all.npy", "--ground-truth", "labels.npy")
    assert answer.code == 0
    assert (
        "it is not known where clips begin, so there is no protocol by video: state their lengths with --clips"
        in answer.out
    )
    (row,) = (line for line in answer.out.splitlines() if line.startswith("macro AUC, min-max"))
    assert row.split()[-3:] == ["–"] * 3


def test_scores_that_begin_late_and_say_how_normal_a_frame_is(cli, desk, scores):
    labels = np.concatenate([values[2:] for values in LABELS.values()])
    late = np.concatenate([values[2:] for values in scores.values()])
    answer = cli("evaluate", "late.npy", "--data", "data", "--first-frame", "2", "--normality", "--json", "f.json")
    figures = json.loads((desk / "f.json").read_text())
    assert figures["micro_auc"] == pytest.approx(roc_auc_score(labels, late), abs=1e-12)
    assert (figures["first_frame"], figures["last_frame"], figures["normality"]) == (2, None, True)
    assert "scores: one row, clips in natural order, reversed: high was normal" in answer.out
    assert answer.out.splitlines()[-1] == "24 of 30 frames scored, 10 labelled anomalous"


def test_a_figure_below_a_half_asks_whether_the_scores_point_the_other_way(cli, desk):
    told = "the primary figure is below 0.5: if these scores say how normal a frame is, "
    turned = cli("evaluate", "late.npy", "--data", "data", "--first-frame", "2")
    assert turned.out.splitlines()[-1] == f"{told}state --normality"
    assert cli("evaluate", "all.npy", "--data", "data", "--normality").out.splitlines()[-1] == (
        f"{told}leave --normality out"
    )


def test_clips_without_labels_are_counted_and_change_no_figure_of_all_frames(cli, desk, scores):
    (desk / "data" / "test" / "b_labels.csv").unlink()
    answer = cli("evaluate", "clips", "--data", "data", "--json", "f.json")
    figures = json.loads((desk / "f.json").read_text())
    labels, values = (np.concatenate([these["a"], these["c"]]) for these in (LABELS, scores))
    assert answer.out.startswith("ground truth: 2 label files, for 2 of 3 clips\n")
    assert figures["micro_auc"] == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert (figures["videos"], figures["videos_with_labels"], figures["frames_scored"]) == (3, 2, 30)


def test_a_run_is_held_against_its_own_data_and_agrees_with_its_test(cli, run, footage, tmp_path):
    own = shutil.copytree(run, tmp_path / "own")
    assert cli("evaluate", own).refusal() == (
        f"error: {own}: the run has no scores yet. Make them with `maskedskipunet test {own}`.\n"
    )
    assert cli("test", own, "--videos", "false").code == 0
    metrics = json.loads((own / "metrics.json").read_text())
    for more in ((), ("--data", footage), ("--ground-truth", own / "scores.parquet")):
        answer = cli("evaluate", own, *more, "--json", tmp_path / "f.json")
        assert answer.code == 0, answer.err
        figures = json.loads((tmp_path / "f.json").read_text())
        shared = metrics.keys() & figures.keys() - ({"label_set"} if "--ground-truth" in more else set()) - {"cues"}
        assert {cue: found["micro_auc"] for cue, found in figures["cues"].items()} == {
            cue: found["micro_auc"] for cue, found in metrics["cues"].items()
        }
        assert {key: figures[key] for key in shared} == {key: metrics[key] for key in shared}
        assert {"micro_auc", "video_auc", "frames_scored"} < metrics.keys() & figures.keys()
        assert "8 of 12 frames scored, 2 labelled anomalous" in answer.out


@pytest.fixture
def ucsd(place, make):
    """Two test clips of 5 frames of 48x32 in UCSD's layout with masks, frame scores and maps half as large."""
    test = place / "ucsd" / "Test"
    (place / "maps").mkdir()
    for number in (1, 2):
        make.images(test / f"Test00{number}")
        (test / f"Test00{number}_gt").mkdir()
        maps = np.zeros((5, 16, 24))
        for frame in range(5):
            mask = np.zeros((32, 48), np.uint8)
            if frame >= 2:
                mask[8:16, 8:16] = 255
                maps[frame, 4:8, 4:8] = 1
            maps[frame, 12, 20] = 0.5
            Picture.fromarray(mask).save(test / f"Test00{number}_gt" / f"{frame}.bmp")
        np.save(f"maps/Test00{number}.npy", maps)
    (test / "UCSD.m").write_text("TestVideoFile{end+1}.gt_frame = [3:5];\n" * 2)
    np.save("scores.npy", np.tile([0.0, 0, 1, 1, 1], 2))
    return place


def test_maps_and_masks_give_pixels_regions_and_tracks(cli, ucsd):
    answer = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--json", "f.json")
    figures = json.loads((ucsd / "f.json").read_text())
    assert {key: figures[key] for key in ("pixel_auc", "pixel_40_auc", "pixel_40_eer", "rbdc", "tbdc")} == {
        "pixel_auc": 1,
        "pixel_40_auc": 1,
        "pixel_40_eer": 0,
        "rbdc": 1,
        "tbdc": 1,
    }
    assert (figures["regions"], figures["tracks"], figures["frames_with_map"]) == (6, 2, 10)
    at = answer.out.splitlines().index("Pixels, regions and tracks, maps as they are")
    assert answer.out.splitlines()[at + 1 :] == [
        "protocol                                 figure",
        "───────────────────────────────────────────────",
        "pixel AUC                                1.0000",
        "AUC by the 40 % criterion                1.0000",
        "equal error rate by the 40 % criterion   0.0000",
        "RBDC, regions                            1.0000",
        "TBDC, tracks                             1.0000",
        "",
        "maps of 10 frames in 2 clips with masks, matched to clips by name",
        "6 regions in 2 tracks, from masks: connected regions, and tracks that overlap in time",
        f"detections: connected regions of a map at or above each of {figures['region_thresholds']} thresholds",
    ]
    assert [line.split(" in ")[0] for line in answer.err.splitlines()] == ["pixels: 10 frames", "regions: 10 frames"]


def test_maps_are_averaged_where_that_is_asked_for_and_the_table_says_so(cli, ucsd):
    plain = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--json", "plain.json")
    one = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--map-patch", "1", "--json", "one.json")
    wide = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--map-patch", "64", "--json", "wide.json")
    figures = {name: json.loads((ucsd / f"{name}.json").read_text()) for name in ("plain", "one", "wide")}

    assert (plain.code, one.code, wide.code) == (0, 0, 0)
    assert [figures[name].pop("map_patch_px") for name in ("plain", "one", "wide")] == [None, 1, 64]
    assert figures["one"] == figures["plain"]
    assert figures["wide"]["pixel_auc"] < figures["plain"]["pixel_auc"]  # a square wider than the frame sees no place
    assert "maps averaged over 64x64 of their pixels" in wide.out
    for wrong in ("0", "513"):
        refused = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--map-patch", wrong)
        assert "--map-patch" in refused.refusal()


def test_maps_stand_where_their_scores_do(cli, ucsd):
    np.save("scores.npy", np.tile([0.0, 1, 1, 1], 2))
    for number in (1, 2):
        np.save(f"maps/Test00{number}.npy", np.load(f"maps/Test00{number}.npy")[1:])
    late = ("--data", "ucsd", "--maps", "maps", "--first-frame", "1", "--json", "f.json")
    assert cli("evaluate", "scores.npy", *late).code == 0
    figures = json.loads((ucsd / "f.json").read_text())
    assert (figures["frames_with_map"], figures["pixel_auc"], figures["rbdc"]) == (8, 1, 1)


def test_clips_without_masks_are_left_out_and_counted(cli, ucsd):
    shutil.rmtree(ucsd / "ucsd" / "Test" / "Test002_gt")
    answer = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps")
    assert "maps of 5 frames in 1 clip with masks" in answer.out


def test_maps_without_any_masks_are_held_against_nothing(cli, ucsd):
    for number in (1, 2):
        shutil.rmtree(ucsd / "ucsd" / "Test" / f"Test00{number}_gt")
    answer = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "the data set has no masks, so its maps cannot be compared with anything"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda desk: (desk / "ucsd/Test/Test002_gt/4.bmp").unlink(),
            "Test002_gt: found 4 masks, expected 5, one a frame",
        ),
        (
            lambda desk: Picture.new("L", (8, 8)).save(desk / "ucsd/Test/Test001_gt/3.bmp"),
            "Test001_gt/3.bmp: found masks of 8x8, but the frames are",
        ),
        (
            lambda desk: (desk / "ucsd/Test/Test001_gt/0.bmp").write_bytes(b""),
            "Test001_gt/0.bmp: cannot read the image",
        ),
        (
            lambda desk: (desk / "maps/Test002.npy").unlink(),
            "maps: found 1 clips, expected 2, nothing for clip Test002",
        ),
        (lambda desk: np.save(desk / "maps/Test002.npy", np.zeros((4, 2, 2))), "maps, clip Test002: found 4 maps, exp"),
        (lambda desk: shutil.rmtree(desk / "maps"), "cannot list the folder"),
    ],
)
def test_maps_or_masks_that_do_not_fit_are_refused(cli, ucsd, damage, told):
    damage(ucsd)
    answer = cli("evaluate", "scores.npy", "--data", "ucsd", "--maps", "maps", "--json", "f.json")
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err.splitlines()[-1]
    assert not (ucsd / "f.json").exists()


def test_maps_that_test_kept_are_found_beside_the_scores(cli, run, ucsd):
    assert cli("test", run, "--data", "ucsd", "--out", "out", "--videos", "false", "--maps").code == 0
    answer = cli("evaluate", "out", "--data", "ucsd", "--json", "f.json")
    figures = json.loads((ucsd / "f.json").read_text())
    assert "maps of 6 frames in 2 clips with masks, matched to clips by name" in answer.out
    assert all(0 <= figures[key] <= 1 for key in ("pixel_auc", "pixel_40_auc", "rbdc", "tbdc"))
    assert "pixel_auc" not in figures_of(cli, "out", "--ground-truth", "out")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", "SCORES must be given."),
        ("all.npy", "evaluate: there is nothing to compare the scores with. Name the data set with --data, or labels"),
        ("all.npy --data data --ground-truth labels.npy", "--data and --ground-truth both say which clips there are."),
        ("all.npy --data data --clips 30", "--data and --clips both say which clips there are. Leave one out."),
        ("nosuch --data data", "nosuch: no such file or folder. Name a run, or a file of scores."),
        ("data --data data", "data: the folder holds no scores.parquet and no .npy, .csv or .txt."),
        ("all.npy --data nosuch", "nosuch: no such file or folder. Name a video"),
        ("all.npy --data clips", "clips: nothing to learn from or to test"),
        ("all.npy --data data/test/a", "data/test/a: there are no test videos."),
        ("all.npy --data bare", "bare: no test video has labels. Name them with --ground-truth."),
        ("all.npy --data few", "few/test/b_labels.csv: found 1 labels, expected 10, one a frame."),
        ("all.npy --ground-truth nosuch", "nosuch: no such file or folder. Name a run, or a file of labels."),
        ("all.npy --ground-truth all.npy", "all.npy, entry 0: found "),
        ("all.npy --ground-truth table.csv", "table.csv, line 1: found 'video,frame,score', expected 0"),
        ("late.npy --ground-truth labels.npy", "late.npy: found 24 scores and 30 labels, and clips whose borders"),
        (
            "late.npy --data data",
            "late.npy: found 24 scores, expected 30 for 3 clips of 30 frames. All clips would fit",
        ),
        ("short --data data", "short, clip b: found 9 scores, expected 10 for frames 0 to 9 of 10. Give one a"),
        ("short --ground-truth labels.npy", "short: found 29 scores in 3 clips, expected 30. State the clips' lengths"),
        ("nan.npy --data data", "nan.npy: no frame with a label has a score. Name scores that are not all missing."),
        ("all.npy --data data --first-frame 8", "clip c: frames 8 to 7 are not in it, it has 8."),
        ("all.npy --data data --first-frame -1", "--first-frame: -1 is before the clip's first frame."),
        ("all.npy --data data --first-frame x", "--first-frame: 'x' is not a whole number."),
        ("all.npy --data data --window 4", "window: a window of 4 frames. Use an odd number, such as 17."),
        ("all.npy --data data --sigma 0", "sigma: 0 frames. Use more than 0, such as 5."),
        ("all.npy --data data --seed -1", "--seed: the seed -1 is negative. Use 0 or more."),
        ("all.npy --ground-truth labels.npy --clips 12,x", "--clips: neither lengths of clips nor a file."),
        ("all.npy --ground-truth labels.npy --clips 12", "--clips: clips of 12 frames in all, but 30 labels."),
        (
            "all.npy --ground-truth labels.npy --maps maps",
            "--maps: maps need a data set. Name the data set that has the masks",
        ),
        ("all.npy --data data --json data", "--json: data is a folder. Name a file in it."),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(cli, desk, files, make, command, told):
    make.images(desk / "bare" / "test" / "a", 2)
    shutil.copytree(desk / "data", desk / "few")
    (desk / "few" / "test" / "b_labels.csv").write_text("0\n")
    before = files()
    assert told in cli("evaluate", *command.split()).refusal()
    assert files() == before


def test_evaluating_scores_loads_no_torch(desk):
    script = """
import sys
from maskedskipunet.cli.main import main
assert main(["evaluate", "all.npy", "--data", "data"]) == 0
slow = {"torch", "lightning", "matplotlib", "sklearn"} & sys.modules.keys()
sys.exit(f"loaded: {slow}" if slow else 0)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=desk)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.real_data
def test_scores_of_ped2_are_judged_within_its_whole_layout(cli, place, real_data):
    """Made up: what lies over the label is noise; each clip's first four frames have no score."""
    ped2 = real_data / "UCSDped2"
    lengths, anomalous = [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180], 1648
    rng = np.random.default_rng(0)
    np.save("late.npy", rng.normal(0, 1, sum(lengths) - 4 * 12))
    assert "All clips would fit with --first-frame 4" in cli("evaluate", "late.npy", "--data", ped2).refusal()
    answer = cli("evaluate", "late.npy", "--data", ped2, "--first-frame", "4", "--json", "f.json")
    figures = json.loads((place / "f.json").read_text())
    assert answer.out.startswith("ground truth: UCSDped2.m\n")
    assert (figures["videos"], figures["one_class_videos"], figures["frames_anomalous"]) == (12, 4, anomalous)
    assert (figures["frames"], figures["frames_scored"]) == (2010, 1962)
    assert figures["micro_auc"] == pytest.approx(0.5, abs=0.05)
    low, high = figures["intervals"]["by_videos"]["micro_auc"]
    assert low < 0.5 < high
    clips = ",".join(map(str, lengths))
    truth = ("--ground-truth", ped2 / "Test" / "UCSDped2.m", "--clips", clips)
    assert figures_of(cli, "late.npy", *truth, "--first-frame", "4")["micro_auc"] == figures["micro_auc"]
