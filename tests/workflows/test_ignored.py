"""Parts of the picture to ignore: what is kept of them, and that they hold in training, calibration and scoring."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.frames import Image
from maskedskipunet.data.ignoring import GREY
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.budget import Budget
from maskedskipunet.errors import ConfigError, DataError, WeightsError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.progress import Silent
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.ignored import also_ignoring, in_percent
from maskedskipunet.scoring.loading import calibration_of, load_scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.calibrate import CalibrateOptions, calibrate
from maskedskipunet.workflows.footage import training_clips
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.score import ScoreOptions, score
from maskedskipunet.workflows.score_many import score_many
from maskedskipunet.workflows.scoring import score_video
from maskedskipunet.workflows.test import test as run_test
from maskedskipunet.workflows.train import resume, train

CLOCK = "0,24,24,8"  # of frames of 32x48
CLOCK_IN_PERCENT = "0%,75%,50%,25%"
HOW = InputFormat(height_px=32, width_px=48)


def write_clip(folder: Path, count: int, clock: int, *, start: int = 0, blink: bool = False) -> Path:
    """A folder of images, which keep every pixel: a square that moves above a clock that shows some noise.

    blink: the square flickers, so that scores differ.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(clock)
    for at in range(count):
        frame: Image = np.full((32, 48, 3), 40, np.uint8)
        frame[4:12, (start + 2 * at) % 40 : (start + 2 * at) % 40 + 8] = 90 + 20 * (at % 7) if blink else 220
        frame[24:, :24] = random.integers(0, 256, (8, 24, 3), np.uint8)
        Picture.fromarray(frame).save(folder / f"{at:03d}.png")
    return folder


def trained_on(config: TrainConfig, root: Path, clock: int, *ignore: str, **data: Any) -> RunFolder:
    """A training of one epoch on two clips of 6 frames, and a third that is held back."""
    for at, name in enumerate("abc"):
        write_clip(root / "normal" / name, 6, clock, start=5 * at)
    asked = replace(config.data, path=root, holdback=0.34, ignore=ignore, **data)
    return train(replace(config, data=asked, training=replace(config.training, epochs=1), runs=root / "runs"))


def assert_calibrated_alike(one: Path, other: Path) -> None:
    """To rounding: the forms in which the machine computes fastest may have been others."""
    found, expected = calibration_of(one), calibration_of(other)
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found.levels, expected.levels, rtol=1e-5)


@pytest.fixture(scope="module")
def run(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained_on(config, tmp_path_factory.mktemp("clock"), 1, CLOCK)


@pytest.fixture
def model(run: RunFolder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.path, tmp_path / "run"))


@pytest.fixture
def normal(tmp_path: Path) -> list[NamedVideo]:
    """Four minutes, two of them enough for a threshold."""
    return [NamedVideo(name, write_clip(tmp_path / name, 120, at, blink=True)) for at, name in enumerate("xy")]


def test_two_trainings_that_differ_in_the_ignored_part_alone_are_the_same(
    run: RunFolder, config: TrainConfig, tmp_path: Path
) -> None:
    other = trained_on(config, tmp_path, 2, CLOCK)
    assert (tmp_path / "normal/a/000.png").read_bytes() != (
        TrainConfig.from_dict(run.read_config()).data.footage / "normal/a/000.png"
    ).read_bytes()

    one, same = (load_model(each.path).state_dict() for each in (run, other))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert_calibrated_alike(run.path, other.path)


def test_a_model_keeps_what_it_ignores_in_percent_and_its_run_repeats_it(run: RunFolder) -> None:
    assert load_scorer(run.path, "cpu").input_format.ignore == (CLOCK_IN_PERCENT,)
    assert load_scorer(run.epoch_weights(1), "cpu").input_format.ignore == (CLOCK_IN_PERCENT,)
    assert json.loads((run.model / "config.json").read_text())["input"]["ignore"] == [CLOCK_IN_PERCENT]
    again = TrainConfig.from_dict(run.read_config())
    assert again.data.ignore == again.input_format.ignore == (CLOCK_IN_PERCENT,)


def test_the_frames_of_the_store_serve_trainings_that_ignore_and_that_do_not(
    config: TrainConfig, tmp_path: Path
) -> None:
    write_clip(tmp_path / "a", 6, 1)
    cache = tmp_path / "cache"
    data = replace(config.data, path=tmp_path / "a", cache=cache)

    def batch(*ignore: str) -> NDArray[np.uint8]:
        how = replace(HOW, ignore=ignore)
        return training_clips(data, how, geometry=ClipGeometry(3), channels=3, progress=Silent())[0].batch([0, 1])

    plain = batch()
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.u8")}
    without, part = batch(CLOCK), batch("0,0,9,9")

    assert len(before) == 1
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.u8")} == before
    assert (without[..., 24:, :24] == GREY).all()
    assert (part[..., :9, :9] == GREY).all()
    for painted in (without, part):
        assert np.array_equal(painted[painted != GREY], plain[painted != GREY])
    assert np.array_equal(batch(), plain)


def test_held_back_footage_is_calibrated_by_the_scores_that_are_found_later(
    config: TrainConfig, tmp_path: Path
) -> None:
    run = trained_on(config, tmp_path, 3, CLOCK, height_px=64, width_px=64)  # another size than the footage has
    scorer = load_scorer(run.path, "cpu")
    scored = score_video("b", Source(path=tmp_path / "normal" / "b"), scorer)

    calibration = calibration_of(run.path)
    assert calibration is not None
    np.testing.assert_allclose(calibration.levels, np.sort(scored.scores[1:-1]), rtol=1e-5)


def test_a_training_is_resumed_with_what_it_ignored(run: RunFolder, model: Path) -> None:
    (RunFolder(model).model / "calibration.json").unlink()
    resume(RunFolder(model))

    assert_calibrated_alike(model, run.path)


def test_fine_tuning_ignores_what_its_start_ignored_and_more(
    run: RunFolder, config: TrainConfig, tmp_path: Path
) -> None:
    write_clip(tmp_path / "more", 6, 4)
    more = replace(config.data, path=tmp_path / "more", ignore=("40,0,8,8",))
    small = replace(config.training, epochs=1)
    tuned = train(replace(config, data=more, training=small, start_from=run.path, runs=tmp_path / "runs"))

    assert load_scorer(tuned.path, "cpu").input_format.ignore == (CLOCK_IN_PERCENT, "83.333333%,0%,16.666667%,25%")
    assert load_scorer(tuned.path, "cpu").input_format.height_px == 32


def test_no_score_hangs_on_what_the_model_or_who_scores_ignores(run: RunFolder, tmp_path: Path) -> None:
    one, other = (write_clip(tmp_path / name, 6, clock) for name, clock in (("one", 5), ("other", 6)))
    first, second = (score(clip, run.path, tmp_path / "out").scored.scores for clip in (one, other))
    np.testing.assert_array_equal(first, second)

    for at, picture in enumerate(sorted(other.iterdir())):
        frame = np.array(Picture.open(picture))
        frame[:8, 40:] = 30 * at
        Picture.fromarray(frame).save(picture)
    third = score(other, run.path, tmp_path / "out").scored.scores
    assert not np.array_equal(first[1:-1], third[1:-1])
    first, third = (
        score(clip, run.path, tmp_path / "out", ScoreOptions(ignore=["40,0,8,8"])).scored.scores
        for clip in (one, other)
    )
    np.testing.assert_array_equal(first, third)


def test_many_videos_are_scored_anew_when_something_else_is_ignored(run: RunFolder, tmp_path: Path) -> None:
    videos = [NamedVideo("a", write_clip(tmp_path / "a", 6, 1))]

    def scored(*ignore: str) -> tuple[int, int]:
        result = score_many(videos, run.path, tmp_path / "out", ScoreOptions(ignore=ignore))
        return len(result.done), len(result.before)

    assert [scored(), scored(), scored("9,9,9,9"), scored("9,9,9,9"), scored()] == [
        (1, 0),
        (0, 1),
        (1, 0),
        (0, 1),
        (1, 0),
    ]


def test_a_video_that_lies_outside_a_shape_is_told_and_the_rest_goes_on(run: RunFolder, tmp_path: Path) -> None:
    videos = [NamedVideo("a", write_clip(tmp_path / "a", 6, 1))]
    Picture.new("RGB", (20, 20)).save(tmp_path / "small.png")
    for at in range(4):
        (tmp_path / "b").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "small.png", tmp_path / "b" / f"{at}.png")
    result = score_many(
        [NamedVideo("b", tmp_path / "b"), *videos], run.path, tmp_path / "out", ScoreOptions(ignore=["30,0,9,9"])
    )

    assert [video.name for video in result.done] == ["a"]
    assert result.failed == (("b", "ignore: 30,0,9,9 lies outside its frames of 20x20. Mend the shape."),)


def test_what_calibration_ignores_is_kept_beside_what_was_there_and_used_from_then_on(
    model: Path, normal: list[NamedVideo], config: TrainConfig, tmp_path: Path
) -> None:
    folder = model / "model"
    earlier = (folder / "config.json").read_bytes()
    result = calibrate(model, normal, Budget(1000, "hour"), CalibrateOptions(ignore=["24,16,24,16"]))

    assert (folder / "config.1.json").read_bytes() == earlier
    scorer = load_scorer(model, "cpu")
    assert scorer.input_format.ignore == (CLOCK_IN_PERCENT, "50%,50%,50%,50%")
    found = [score_video(video.name, Source(path=video.path), scorer).scores for video in normal]
    highest = max(float(np.nanmax(scores)) for scores in found)
    assert result.calibration.levels[-1] == pytest.approx(highest, rel=1e-6)
    assert result.moments

    again = calibrate(model, normal, Budget(1000, "hour"), CalibrateOptions(ignore=["50%,50%,50%,50%"]))
    assert again.calibration == result.calibration
    assert not (folder / "config.2.json").exists()

    tested = run_test(model, config.data, tmp_path / "tested", with_videos=False)
    scorer = load_scorer(model, "cpu")
    source = Source(path=config.data.footage / "test" / "01.mp4")
    np.testing.assert_array_equal(tested.videos[0].scores, score_video("01", source, scorer).scores)


def test_a_calibration_that_fails_leaves_the_models_description_as_it_was(
    model: Path, normal: list[NamedVideo]
) -> None:
    files = {path: path.read_bytes() for path in (model / "model").iterdir()}
    with pytest.raises(DataError, match="lies outside its frames of 48x32"):
        calibrate(model, normal, Budget(1000, "hour"), CalibrateOptions(ignore=["100,0,5,5"]))
    assert {path: path.read_bytes() for path in (model / "model").iterdir()} == files


def test_a_mask_image_of_any_size_is_as_good_as_the_boxes_that_cover_it(tmp_path: Path) -> None:
    for name, picture in {
        "grey.png": Picture.new("L", (8, 4)),
        "colour.png": Picture.new("RGB", (8, 4)),
        "bits.png": Picture.new("1", (8, 4)),
    }.items():
        picture.paste({"L": 1, "RGB": (0, 0, 9), "1": 1}[picture.mode], (0, 3, 4, 4))
        picture.save(tmp_path / name)
        assert also_ignoring(HOW, [str(tmp_path / name)], "ignore").ignore == (CLOCK_IN_PERCENT,)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("black.png", "black.png is all black, so that nothing would be ignored"),
        ("white.png", "ignore: all of the picture is ignored, nothing is left to look at. Ignore less."),
        ("words.png", "words.png: cannot read the image (it is not an image)"),
        ("none.png", "none.png' is neither a shape nor a mask image that is there"),
        ("/", "neither a shape nor a mask image"),
        ("a\0b", "neither a shape nor a mask image"),
        ("0%,0%,100%,99%", "nothing is left to look at"),
        ("10,20,30", "'10,20,30' is no shape"),
    ],
)
def test_what_cannot_be_ignored_is_refused_in_one_line(shape: str, told: str, tmp_path: Path) -> None:
    Picture.new("L", (8, 4)).save(tmp_path / "black.png")
    Picture.new("L", (8, 4), 255).save(tmp_path / "white.png")
    (tmp_path / "words.png").write_text("no picture")
    text = str(tmp_path / shape) if shape.endswith(".png") else shape
    with pytest.raises(ConfigError) as refused:
        also_ignoring(HOW, [text], "ignore")

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_pixels_of_footage_of_several_sizes_have_no_one_meaning(tmp_path: Path) -> None:
    sources = []
    for name, size in (("a", (48, 32)), ("b", (24, 16))):
        (tmp_path / name).mkdir()
        Picture.new("RGB", size).save(tmp_path / name / "0.png")
        sources.append(Source(path=tmp_path / name))

    how = replace(HOW, ignore=(CLOCK,))
    with pytest.raises(ConfigError, match="pixels have no one meaning in frames of 24x16 and 48x32"):
        in_percent(how, sources, "data.ignore")
    assert in_percent(how, sources[:1], "data.ignore").ignore == (CLOCK_IN_PERCENT,)
    relative = replace(HOW, ignore=(CLOCK_IN_PERCENT,))
    assert in_percent(relative, sources, "data.ignore") == relative


def test_a_training_that_cannot_ignore_what_it_is_told_makes_no_run(
    config: TrainConfig, footage: Path, tmp_path: Path
) -> None:
    for shape, error in (("1,2", ConfigError), ("0,0,48,32", DataError), ("99,99,9,9", DataError)):
        with pytest.raises(error):
            train(replace(config, data=replace(config.data, ignore=(shape,)), runs=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("ignore", [["1,2,3"], "1,2,3,4", [3], {"a": 1}])
def test_a_damaged_description_is_told_before_anything_is_scored(ignore: object, model: Path) -> None:
    description = json.loads((model / "model" / "config.json").read_text())
    description["input"]["ignore"] = ignore
    (model / "model" / "config.json").write_text(json.dumps(description))

    with pytest.raises((WeightsError, ConfigError)) as told:
        load_scorer(model, "cpu")
    assert "\n" not in str(told.value)


def test_a_model_that_ignores_nothing_is_written_as_it_was_before(trained: RunFolder) -> None:
    assert "ignore" not in json.loads((trained.model / "config.json").read_text())["input"]
