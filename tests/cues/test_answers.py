"""What people called normal is known to the cues at once, there alone, and for good."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from maskedskipunet.cues import appearance_answer
from maskedskipunet.cues.answers import learn_answer
from maskedskipunet.cues.cue import Cue, CueScore
from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT, Moment
from maskedskipunet.errors import CalibrationError, WeightsError

GRID = PlaceGrid.of_size(32, 64)
ROOM = np.random.default_rng(1).integers(90, 130, (8, 16)).repeat(4, 0).repeat(4, 1)
LEFT, RIGHT = slice(2, 18), slice(44, 60)

Pixels = NDArray[np.uint8]


def room(frames: int, *, seed: int, thing: slice | None = None, speed: int = 0) -> Pixels:
    """A noisy picture, uint8 (N, 1, H, W); a thing in it may stand or fall through it."""
    random = np.random.default_rng(seed)
    shown = ROOM + random.normal(0, 2, (frames, *ROOM.shape))
    for number in range(frames if thing is not None else 0):
        top = max(0, speed * number - 8)
        shown[number, top : top + 8, thing] = 220
    return shown.clip(0, 255).round().astype(np.uint8)[:, None]


def sized(pixels: Pixels) -> Iterator[SizedFrame]:
    for index, picture in enumerate(pixels):
        yield SizedFrame(Frame(index, index / 10, None), picture)


@pytest.fixture(scope="module")
def model() -> CueModel:
    videos = [
        NormalVideo(str(seed), room(120, seed=seed), np.arange(120) / 10, np.ones(120, np.bool_)) for seed in range(4)
    ]
    return learn_cues(videos, GRID, (MOVEMENT, APPEARANCE), lambda done: None)


def judged(cue: Cue | None, pixels: Pixels) -> list[CueScore]:
    assert cue is not None
    run = cue.start_run()
    return [*run.add([*sized(pixels)]), *run.finish()]


def highest(cue: Cue | None, pixels: Pixels) -> float:
    return max(found.score for found in judged(cue, pixels) if found.score is not None)


def test_what_was_called_normal_looks_normal_there_and_what_was_not_stays_strange(model: CueModel) -> None:
    usual = highest(model.appearance, room(20, seed=9))
    assert highest(model.appearance, room(20, seed=10, thing=LEFT)) > usual + 1

    learned = learn_answer(model, "5f1c", sized(room(20, seed=11, thing=LEFT)))

    assert highest(learned.appearance, room(20, seed=10, thing=LEFT)) < usual + 0.5
    elsewhere = room(20, seed=10, thing=RIGHT)
    assert highest(learned.appearance, elsewhere) == pytest.approx(highest(model.appearance, elsewhere), abs=0.1)


def test_a_speed_that_was_called_normal_surprises_no_more_there_and_elsewhere_as_before(model: CueModel) -> None:
    fast, elsewhere = room(20, seed=10, thing=LEFT, speed=3), room(20, seed=10, thing=RIGHT, speed=3)
    usual = highest(model.movement, room(20, seed=9))
    assert highest(model.movement, fast) > usual + 1

    learned = learn_answer(model, "5f1c", sized(room(20, seed=11, thing=LEFT, speed=3)))

    assert highest(learned.movement, fast) < usual + 0.5
    assert highest(learned.movement, elsewhere) == highest(model.movement, elsewhere)


def test_the_model_that_learns_stays_as_it_was(model: CueModel) -> None:
    strange = room(20, seed=10, thing=LEFT, speed=2)
    before = highest(model.appearance, strange), highest(model.movement, strange)

    learn_answer(learn_answer(model, "a", sized(strange)), "b", sized(strange))

    assert (highest(model.appearance, strange), highest(model.movement, strange)) == before


def test_an_answer_is_never_thinned_out_whatever_is_learned_besides(model: CueModel) -> None:
    learned = learn_answer(model, "5f1c", sized(room(20, seed=11, thing=LEFT)))
    cue = learned.appearance
    assert cue is not None
    vectors = cue.descriptor(room(20, seed=11, thing=LEFT))
    cue = replace(cue, memory=cue.memory.copy())  # the model's own is that of other tests too
    cue.memory.capacity = 4
    cue.memory.add(cue.descriptor(room(200, seed=3)) + torch.rand(GRID.count, 200, 1), torch.arange(200))

    distances, _ = cue.nearest(vectors)

    assert cue.answered is not None
    assert (distances <= cue.answered.radius[:, None] + 1e-2).all()


def test_an_alarm_that_looks_most_like_an_answer_names_it(model: CueModel) -> None:
    learned = learn_answer(model, "5f1c", sized(room(20, seed=11, thing=LEFT)))

    pixels = room(1, seed=12, thing=LEFT)
    pixels[:, :, :8, LEFT] = 190  # darker than what was answered, and lighter than all else
    (found,) = judged(learned.appearance, pixels)

    assert found.reading is not None
    assert found.reading.nearest is not None
    assert (found.reading.nearest.video, 0 <= found.reading.nearest.time_s < 2) == ("5f1c", True)
    (before,) = judged(model.appearance, pixels)
    assert before.reading is not None
    assert before.reading.nearest not in (None, Moment("5f1c", found.reading.nearest.time_s))


def test_breaks_and_footage_without_a_frame_teach_nothing_of_their_own(model: CueModel) -> None:
    strange = [*sized(room(6, seed=10, thing=LEFT, speed=3))]
    bad = [SizedFrame(frame.frame, None) if frame.frame.index % 2 else frame for frame in strange]

    learned = learn_answer(model, "holes", bad)  # no two frames are neighbours: nothing moves
    assert learned.movement is not None
    assert learned.movement.normal.allowed is not None
    assert learned.movement.normal.allowed.max() == 0
    assert learn_answer(model, "nothing", []).appearance is not None


def test_answers_are_kept_with_the_model_and_damaged_ones_are_refused(model: CueModel, tmp_path: Path) -> None:
    learned = learn_answer(model, "5f1c", sized(room(20, seed=11, thing=LEFT, speed=3)))
    strange = room(20, seed=10, thing=LEFT, speed=3)
    learned.write(tmp_path)
    again = CueModel.read(tmp_path)
    assert again is not None

    assert highest(again.movement, strange) == highest(learned.movement, strange)
    assert highest(again.appearance, strange) == pytest.approx(highest(learned.appearance, strange), abs=0.05)
    more = learn_answer(again, "81aa", sized(room(20, seed=12, thing=RIGHT)))
    assert highest(more.appearance, room(20, seed=13, thing=RIGHT)) < highest(
        again.appearance, room(20, seed=13, thing=RIGHT)
    )

    path = tmp_path / CUES_NAME
    arrays, header = load_file(path), _header(path)
    for name, damaged in (
        ("movement.allowed", arrays["movement.allowed"][:, 1:]),
        ("movement.allowed", np.full_like(arrays["movement.allowed"], np.nan)),
        ("answered.counts", arrays["answered.counts"][1:]),
        ("answered.exemplars", arrays["answered.exemplars"][:, :, :3]),
    ):
        save_file({**arrays, name: np.ascontiguousarray(damaged)}, path, metadata=header)
        with pytest.raises(WeightsError, match="cannot read the model's cues"):
            CueModel.read(tmp_path)


def _header(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return dict(file.metadata())


def test_more_answers_than_a_model_can_remember_are_refused(model: CueModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appearance_answer, "ANSWERED_BYTES", 0)  # TOGETHER moments a place
    random = np.random.default_rng(0)
    noise = random.integers(0, 255, (appearance_answer.TOGETHER + 1, 1, 32, 64)).astype(np.uint8)

    with pytest.raises(CalibrationError, match=r"5f1c: the model cannot remember more|5f1c"):
        learn_answer(model, "5f1c", sized(noise))
    learn_answer(model, "5f1c", sized(noise[1:]))


@pytest.mark.parametrize("names", [(MOVEMENT,), (APPEARANCE,)])
def test_a_model_of_one_cue_learns_by_that_alone(names: tuple[str, ...]) -> None:
    videos = [NormalVideo(str(seed), room(30, seed=seed), np.arange(30) / 10, np.ones(30, np.bool_)) for seed in (0, 1)]
    learned = learn_answer(
        learn_cues(videos, GRID, names, lambda done: None), "5f1c", sized(room(20, seed=11, thing=LEFT, speed=3))
    )

    assert learned.names == names


@pytest.mark.real_data
def test_on_a_real_camera_what_was_called_normal_is_usual_from_then_on(real_data: Path) -> None:
    def frames(name: str, first: int, end: int) -> list[SizedFrame]:
        found = islice(Source(path=real_data / "upcam" / name).frames(), first, end)
        return [
            SizedFrame(frame, network_frame(frame.image, height_px=64, width_px=128, channels=3))
            for frame in found
            if frame.image is not None
        ]

    pixels = np.stack([found.pixels for found in frames("normal/08.mp4", 0, 900) if found.pixels is not None])
    video = NormalVideo("08", pixels, np.arange(len(pixels)) / 5, np.ones(len(pixels), np.bool_))
    model = learn_cues([video], PlaceGrid.of_size(64, 128), (MOVEMENT, APPEARANCE), lambda done: None)
    walks = frames("test/00.mp4", 2389, 2449)
    cues = {cue.name: cue for cue in model.cues}
    before = {name: np.median([found.score for found in cue.start_run().add(walks)]) for name, cue in cues.items()}

    learned = learn_answer(model, "walks", walks)

    for cue in learned.cues:
        after = np.median([found.score for found in cue.start_run().add(walks)])
        assert after < min(1.0, before[cue.name]), cue.name
