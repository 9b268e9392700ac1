import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.learning import with_reconstruction
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.errors import DiskSpaceError, WeightsError

Street = Callable[..., np.ndarray]
AsSized = Callable[..., list[SizedFrame]]
HEADER = "maskedskipunet.cues"


@pytest.fixture(scope="module")
def whole(learned: CueModel) -> CueModel:
    """With a network's cue too."""
    return with_reconstruction(learned, np.random.default_rng(0).random(200).astype(np.float32))


@pytest.fixture(scope="module")
def stored(whole: CueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its file; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("stored")
    whole.write(folder)
    return folder


def judged(model: CueModel, frames: list[SizedFrame]) -> list[object]:
    found = []
    for cue in model.cues:
        run = cue.start_run()
        found += [(score.score, score.reading) for score in [*run.add(frames), *run.finish()]]
    return found


@pytest.mark.parametrize("seed", [0, 9])
def test_a_model_that_was_stored_and_read_again_gives_the_same_scores_and_readings(
    whole: CueModel, stored: Path, make_street: Street, as_sized: AsSized, seed: int
) -> None:
    again = CueModel.read(stored)

    assert again is not None
    assert again.names == whole.names == ("reconstruction", "movement", "appearance")
    frames = as_sized(make_street(6, speed=3.0, seed=seed), bad=(4,))
    assert judged(again, frames) == judged(whole, frames)
    assert again.reconstruction is not None
    assert whole.reconstruction is not None
    assert again.reconstruction.surprise(np.array([0.9], np.float32)) == whole.reconstruction.surprise(
        np.array([0.9], np.float32)
    )


def test_writing_what_was_read_gives_the_same_file(stored: Path, tmp_path: Path) -> None:
    again = CueModel.read(stored)
    assert again is not None

    again.write(tmp_path)

    assert (tmp_path / CUES_NAME).read_bytes() == (stored / CUES_NAME).read_bytes()


@pytest.mark.parametrize("left_out", ["reconstruction", "movement", "appearance"])
def test_a_model_goes_without_any_cue(whole: CueModel, tmp_path: Path, left_out: str) -> None:
    whole.without(left_out).write(tmp_path)

    again = CueModel.read(tmp_path)

    assert again is not None
    assert left_out not in again.names
    assert len(again.names) == 2


def test_a_folder_without_the_file_has_no_cues(tmp_path: Path) -> None:
    assert CueModel.read(tmp_path) is None


def refused(folder: Path) -> str:
    with pytest.raises(WeightsError) as refusal:
        CueModel.read(folder)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@settings(max_examples=25)
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_short_is_refused(share: float) -> None:
    folder, content = _damaged["folder"], _damaged["content"]
    (folder / CUES_NAME).write_bytes(content[: int(share * len(content))])

    assert "cannot read the model's cues" in refused(folder)


@settings(max_examples=60)
@given(st.integers(0, 6000), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_does_no_harm(position: int, byte: int) -> None:
    folder, content = _damaged["folder"], bytearray(_damaged["content"])
    content[position] = byte  # the header is there, and what follows it
    (folder / CUES_NAME).write_bytes(content)

    try:
        model = CueModel.read(folder)
    except WeightsError:
        return
    assert model is not None
    judged(model, _damaged["frames"])


def changed(stored: Path, folder: Path, **described: object) -> Path:
    """The file in another folder, with another description."""
    header = {"format": 1, "cues": ["reconstruction", "movement", "appearance"]}
    header |= {"height_px": 48, "width_px": 96, "window_px": 16} | described
    save_file(load_file(stored / CUES_NAME), folder / CUES_NAME, metadata={HEADER: json.dumps(header)})
    return folder


def test_a_file_of_a_later_version_says_so(stored: Path, tmp_path: Path) -> None:
    message = refused(changed(stored, tmp_path, format=2))

    assert "format 2, this version reads 1" in message
    assert str(tmp_path / CUES_NAME) in message
    assert "Train the model again" in message


@pytest.mark.parametrize(
    "described",
    [
        {"cues": ["reconstruction", "smell"]},
        {"cues": "movement"},
        {"cues": []},
        {"cues": None},
        {"cues": [["movement"]]},
        {"height_px": 64},
        {"height_px": 0},
        {"width_px": -96},
        {"width_px": "wide"},
        {"window_px": 0},
        {"window_px": 32},
    ],
    ids=str,
)
def test_what_it_says_of_itself_has_to_fit(stored: Path, tmp_path: Path, described: dict[str, object]) -> None:
    refused(changed(stored, tmp_path, **described))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("memory.radius", lambda array: array[1:]),
        ("memory.exemplars", lambda array: array[:, :, 1:]),
        ("memory.exemplars", lambda array: array * np.float16("nan")),
        ("memory.counts", lambda array: array + 10_000),
        ("moments.videos", lambda array: array + 100),
        ("moments.videos", lambda array: -array - 1),
        ("moments.times", lambda array: array[1:]),
        ("moments.names", lambda array: array[1:]),
        ("now.places.knots", lambda array: array[:, 1:]),
        ("now.frames.known", lambda array: array[:0]),
        ("now.frames.known", lambda array: array * np.float32("nan")),
        ("movement.frames.scale", lambda array: -array),
        ("movement.moves", lambda array: array * 0),
        ("movement.passing", lambda array: array * 0),
        ("appearance.axes", lambda array: array[1:]),
        ("reconstruction.frames.knots", lambda array: array[:3]),
    ],
)
def test_parts_that_are_damaged_are_refused(
    stored: Path, tmp_path: Path, name: str, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    arrays = load_file(stored / CUES_NAME)
    arrays[name] = np.ascontiguousarray(spoil(arrays[name]))
    header = {"format": 1, "cues": ["reconstruction", "movement", "appearance"]}
    header |= {"height_px": 48, "width_px": 96, "window_px": 16}
    save_file(arrays, tmp_path / CUES_NAME, metadata={HEADER: json.dumps(header)})

    refused(tmp_path)


def test_a_part_that_is_missing_is_named(stored: Path, tmp_path: Path) -> None:
    arrays = load_file(stored / CUES_NAME)
    del arrays["memory.counts"]
    header = {"format": 1, "cues": ["appearance"], "height_px": 48, "width_px": 96, "window_px": 16}
    save_file(arrays, tmp_path / CUES_NAME, metadata={HEADER: json.dumps(header)})

    assert "'memory.counts' is missing" in refused(tmp_path)


def test_what_is_no_file_of_cues_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CUES_NAME
    save_file({"weight": np.zeros(3, np.float32)}, path)
    assert "is missing" in refused(tmp_path)

    path.write_text("{}")
    refused(tmp_path)
    path.write_bytes(b"")
    refused(tmp_path)
    path.unlink()
    path.mkdir()
    assert "not a plain file" in refused(tmp_path)


def test_a_full_disk_leaves_the_earlier_file(
    whole: CueModel,
    stored: Path,
    tmp_path: Path,
    no_file_larger_than: Callable[[int], AbstractContextManager[None]],
) -> None:
    (tmp_path / CUES_NAME).write_bytes((stored / CUES_NAME).read_bytes())

    with no_file_larger_than(1000), pytest.raises(DiskSpaceError, match="no space"):
        whole.write(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [CUES_NAME]
    assert CueModel.read(tmp_path) is not None


def test_it_fits_frames_like_those_that_it_was_learned_from(whole: CueModel) -> None:
    assert whole.fits(48, 96, 3)
    assert not whole.fits(48, 96, 1)
    assert not whole.fits(96, 48, 3)
    assert whole.without("appearance").fits(48, 96, 1)


_damaged: dict = {}


@pytest.fixture(autouse=True, scope="module")
def damaged(stored: Path, tmp_path_factory: pytest.TempPathFactory, make_street: Street, as_sized: AsSized) -> None:
    """What properties damage: hypothesis runs a test many times, and takes no fixtures of one call."""
    content, frames = (stored / CUES_NAME).read_bytes(), as_sized(make_street(3))
    _damaged.update(folder=tmp_path_factory.mktemp("damaged"), content=content, frames=frames)
