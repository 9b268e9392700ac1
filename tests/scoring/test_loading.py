"""From a model folder to a scorer: a network with cues, cues alone, a network alone, and folders that are damaged."""

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.frames import Frame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.model.storage import rewrite_input_format, write_cues_only
from maskedskipunet.scoring.loading import load_network_scorer, load_scorer
from maskedskipunet.scoring.scorer import Ended, Scorer

FORMAT = InputFormat(height_px=32, width_px=48, fps=10)
NEAR = 1e-3  # sums of other batch sizes are rounded otherwise, and a surprise is steep where normal footage is steady


def video(count: int, *, seed: int = 0, speed: int = 2, bad: tuple[int, ...] = ()) -> list[Frame]:
    """A bright square that crosses a textured picture, with noise."""
    random = np.random.default_rng(seed)
    ground = np.random.default_rng(5).integers(60, 120, (32, 48, 1)).repeat(3, 2)
    frames = []
    for number in range(count):
        image = ground + random.integers(-2, 3, ground.shape)
        left = (4 + speed * number) % 36
        image[10:22, left : left + 12] = 220
        frames.append(Frame(number, number / 10, None if number in bad else image.astype(np.uint8)))
    return frames


def stacked(frames: list[Frame]) -> np.ndarray:
    return np.stack([frame.image.transpose(2, 0, 1) for frame in frames if frame.image is not None])


@pytest.fixture(scope="module")
def cues() -> CueModel:
    """What is learned of four videos."""
    videos = [
        NormalVideo(f"v{seed}", stacked(video(16, seed=seed)), np.arange(16) / 10, np.ones(16, bool))
        for seed in range(4)
    ]
    return learn_cues(videos, PlaceGrid.of_size(32, 48), ["movement", "appearance"], lambda done: None)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a network alone."""
    torch.manual_seed(0)
    network = MaskedSkipUNet(NetworkConfig(latent_dim=8))
    network.input_format = FORMAT
    folder = tmp_path_factory.mktemp("alone")
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(alone: Path, cues: CueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with all cues beside it."""
    folder = copied(alone, tmp_path_factory.mktemp("whole"))
    scores = [score.score for seed in range(2) for score in load_scorer(folder).score(video(16, seed=seed))]
    with_reconstruction(cues, np.array([np.nan if score is None else score for score in scores], np.float32)).write(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def bare(cues: CueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a network."""
    folder = tmp_path_factory.mktemp("bare")
    write_cues_only(folder, FORMAT, 3)
    cues.write(folder)
    return folder


def copied(folder: Path, target: Path) -> Path:
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.fixture(autouse=True, scope="module")
def shared(whole: Path, bare: Path) -> None:
    """What properties are held against: hypothesis runs a test many times, and takes no fixtures of one call."""
    SCORERS.update(whole=load_scorer(whole), bare=load_scorer(bare))


SCORERS: dict[str, Scorer] = {}


def assert_alike(found: list[FrameScore], expected: list[FrameScore]) -> None:
    assert [score.index for score in found] == [score.index for score in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.score == (None if theirs.score is None else pytest.approx(theirs.score, abs=NEAR))
        assert ours.cues == pytest.approx(dict(theirs.cues), abs=NEAR)
        assert ours.readings.keys() == theirs.readings.keys()


def test_a_model_has_the_cues_that_lie_beside_its_network(whole: Path, alone: Path, bare: Path) -> None:
    scorers = [load_scorer(folder) for folder in (whole, alone, bare)]

    assert [[cue.name for cue in scorer.cues] for scorer in scorers] == [
        ["movement", "appearance"],
        [],
        ["movement", "appearance"],
    ]
    assert [scorer.backend is None for scorer in scorers] == [False, False, True]
    assert [scorer.late_frames for scorer in scorers] == [1, 1, 1]
    assert scorers[1].highest == 1 < scorers[0].highest == scorers[2].highest


def test_the_networks_own_score_stands_beside_the_fused_one_bit_for_bit(whole: Path, alone: Path) -> None:
    fused, own = ([*load_scorer(folder).score(video(8))] for folder in (whole, alone))

    assert [score.cues.get("reconstruction") for score in fused] == [score.score for score in own]
    assert [score.score is None for score in fused] == [score.score is None for score in own]
    assert [*load_network_scorer(whole).score(video(8))] == own
    for score in fused[1:-1]:
        assert set(score.cues) == set(score.readings) == {"reconstruction", "movement", "appearance"}
        assert (score.score or 0) >= max(reading.surprise for reading in score.readings.values()) - 1e-5


def test_a_model_without_a_network_scores_every_good_frame(bare: Path) -> None:
    found = [*load_scorer(bare).score(video(6, bad=(3,)), with_maps=True)]

    assert [score.index for score in found if score.score is None] == [3]
    assert [set(score.cues) for score in found if score.index in (0, 5)] == [{"movement", "appearance"}] * 2
    assert all(score.map is not None and score.map.shape == (32, 48) for score in found if score.score is not None)
    assert all(score.reconstruction is None for score in found)


def test_a_source_of_one_frame_has_no_neighbours(whole: Path, bare: Path) -> None:
    (of_network,) = load_scorer(whole).score(video(1))
    (of_cues,) = load_scorer(bare).score(video(1))

    assert of_network.score is None
    assert set(of_cues.cues) == {"appearance"}
    assert of_cues.score == pytest.approx(of_cues.cues["appearance"])
    assert [*load_scorer(bare).score([])] == []


@settings(max_examples=12)
@given(
    st.sampled_from(["whole", "bare"]),
    st.integers(1, 14),
    st.integers(1, 9),
    st.sets(st.integers(0, 13), max_size=3),
    st.integers(0, 3),
)
def test_in_batches_of_any_size_scores_are_those_of_the_whole(
    model: str, count: int, batch_size: int, bad: set[int], seed: int
) -> None:
    frames = video(count, seed=seed, bad=tuple(bad))
    scorer = SCORERS[model]

    assert_alike([*scorer.score(frames, batch_size=batch_size)], [*scorer.score(frames, batch_size=100)])


@settings(max_examples=8)
@given(
    st.sampled_from(["whole", "bare"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 9),
)
def test_several_sources_side_by_side_score_as_one_by_one(
    model: str, lengths: list[int], at_once: int, batch_size: int
) -> None:
    videos = {number: video(length, seed=number, speed=number + 1) for number, length in enumerate(lengths)}
    scorer = SCORERS[model]

    found: dict[int, list[FrameScore]] = {number: [] for number in videos}
    for number, score in scorer.score_sources(videos.items(), at_once=at_once, batch_size=batch_size):
        if not isinstance(score, Ended):
            found[number].append(score)

    for number, frames in videos.items():
        assert_alike(found[number], [*scorer.score(frames, batch_size=100)])


@pytest.mark.parametrize("model", ["whole", "bare"])
def test_scores_are_the_same_each_time_and_one_source_leaves_nothing_to_the_next(model: str) -> None:
    first = [*SCORERS[model].score(video(7, seed=1))]
    [*SCORERS[model].score(video(7, seed=2, speed=5))]

    assert [*SCORERS[model].score(video(7, seed=1))] == first


@pytest.mark.parametrize("model", ["whole", "bare"])
def test_what_is_ignored_changes_no_score(model: str) -> None:
    scorer = SCORERS[model]
    scorer = replace(scorer, input_format=replace(scorer.input_format, ignore=("0,0,48,8",)))
    usual = video(6)
    wild = [replace(frame, image=frame.image.copy()) for frame in usual if frame.image is not None]
    for frame in wild:
        assert frame.image is not None
        frame.image[:8] = np.random.default_rng(frame.index).integers(0, 256, (8, 48, 3))

    assert [*scorer.score(wild)] == [*scorer.score(usual)]
    plain = max(score.cues.get("appearance", 0) for score in SCORERS[model].score(usual))
    assert max(score.cues.get("appearance", 0) for score in scorer.score(usual)) <= plain + NEAR


@pytest.mark.parametrize("model", ["whole", "bare"])
def test_what_is_kept_of_a_source_does_not_grow_with_its_length(model: str) -> None:
    base = video(30)

    def endless() -> Iterator[Frame]:
        for number in range(130):
            yield replace(base[number % 30], index=number, time_s=number / 10)

    sizes = []
    tracemalloc.start()
    with closing(SCORERS[model].score(endless(), batch_size=4)) as scores:
        for score in scores:
            if score.index in (40, 120):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 100_000  # 80 frames of the network's size have 370,000 numbers


def refusal(make: Callable[[], object], kind: type[Exception] = WeightsError) -> str:
    with pytest.raises(kind) as refused:
        make()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_network_is_needed_for_some_things_and_the_refusal_says_so(bare: Path) -> None:
    for load in (load_model, load_network_scorer):
        assert "the model has no network, only cues" in refusal(lambda load=load: load(bare))
    message = refusal(lambda: load_scorer(bare, precision="bfloat16"), ConfigError)
    assert "no network" in message
    assert "bfloat16" in message


def test_cues_of_another_model_are_refused(whole: Path, bare: Path, alone: Path, tmp_path: Path) -> None:
    folder = copied(alone, tmp_path)
    (folder / CUES_NAME).write_bytes((bare / CUES_NAME).read_bytes())
    assert "of a model without a network" in refusal(lambda: load_scorer(folder))

    write_cues_only(folder, FORMAT, 3)
    (folder / CUES_NAME).write_bytes((whole / CUES_NAME).read_bytes())
    assert "of a model with a network" in refusal(lambda: load_scorer(folder))

    (folder / CUES_NAME).write_bytes((bare / CUES_NAME).read_bytes())
    for other in (replace(FORMAT, width_px=32), replace(FORMAT, height_px=64)):
        write_cues_only(folder, other, 3)
        assert "of other frames" in refusal(lambda: load_scorer(folder))
    write_cues_only(folder, FORMAT, 1)
    assert "of other frames" in refusal(lambda: load_scorer(folder))


def test_a_model_without_network_and_cues_is_refused(tmp_path: Path) -> None:
    write_cues_only(tmp_path, FORMAT, 3)

    assert "neither a network nor cues" in refusal(lambda: load_scorer(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"channels": 7}, "7 channels"),
        ({"channels": None}, "None channels"),
        ({"input": None}, "not a model's description"),
        ({"input": {"height_px": 5}}, "not a model's description"),
    ],
    ids=str,
)
def test_a_damaged_description_is_refused(bare: Path, tmp_path: Path, change: dict[str, object], says: str) -> None:
    folder = copied(bare, tmp_path)
    described = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(described))

    assert says in refusal(lambda: load_scorer(folder))


@pytest.mark.parametrize("model", ["whole", "bare"])
def test_damaged_cues_are_refused_whatever_else_the_folder_holds(
    model: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = copied(request.getfixturevalue(model), tmp_path)
    content = (folder / CUES_NAME).read_bytes()
    (folder / CUES_NAME).write_bytes(content[: len(content) // 2])

    assert "cannot read the model's cues" in refusal(lambda: load_scorer(folder))


def test_what_a_model_without_a_network_ignores_is_said_anew(bare: Path, tmp_path: Path) -> None:
    folder = copied(bare, tmp_path)

    rewrite_input_format(folder, replace(FORMAT, ignore=("0,0,10,10",)))

    assert load_scorer(folder).input_format.ignore == ("0,0,10,10",)
    assert load_scorer(folder).channels == 3
    assert (folder / "config.1.json").read_bytes() == (bare / "config.json").read_bytes()
