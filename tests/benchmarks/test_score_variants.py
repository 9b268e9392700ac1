"""Anomalies are made where they say, the variants are what their names say, and the whole runs on a miniature."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import maskedskipunet as msu
from maskedskipunet.data.config import DataConfig
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
SIZE_PX, LENGTH = 64, 72
sys.path.insert(0, str(ROOT / "benchmarks"))
import made_anomalies  # noqa: E402
import score_variants  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))


def walkers(seed: int) -> NDArray[np.uint8]:
    """A clip in which three people of 10x4 pixels cross a dim, grained place: (N, 3, H, W)."""
    drawn = np.random.default_rng(seed)
    frames = np.tile(drawn.integers(60, 70, (SIZE_PX, SIZE_PX)).astype(np.uint8), (LENGTH, 3, 1, 1))
    for row, column, step in ((24, 4, 0.6), (30, 50, -0.5), (42, 10, 0.4)):
        for at in range(LENGTH):
            left = int(column + step * at) % (SIZE_PX - 4)
            frames[at, :, row : row + 10, left : left + 4] = drawn.integers(150, 200)
    return frames


@pytest.fixture(scope="module")
def wardrobe() -> made_anomalies.Wardrobe:
    return made_anomalies.Wardrobe.of([walkers(1), walkers(2)], every=5)


kinds = pytest.mark.parametrize("kind", made_anomalies.KINDS, ids=lambda kind: f"{kind.name} {kind.speed:g}")


@kinds
def test_labels_name_the_frames_that_changed_and_the_others_are_as_they_were(
    kind: made_anomalies.Kind, wardrobe: made_anomalies.Wardrobe
) -> None:
    clip = walkers(3)
    before = clip.copy()

    made = made_anomalies.make(kind, clip, wardrobe, video="one", seed=0)

    differs = (made.frames() != before).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(differs, made.labels == 1)
    assert made.labels.sum() == made_anomalies.STRETCH
    np.testing.assert_array_equal(clip, before)
    np.testing.assert_array_equal(made.frames(slice(5, 50)), made.frames()[5:50])


@kinds
def test_the_same_seed_makes_the_same_and_another_does_not(
    kind: made_anomalies.Kind, wardrobe: made_anomalies.Wardrobe
) -> None:
    clip = walkers(3)

    one, same, other = (
        made_anomalies.make(kind, clip, wardrobe, video="one", seed=seed).frames() for seed in (0, 0, 1)
    )

    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("step", [2, -1])
def test_a_place_played_otherwise_shows_what_the_clip_showed_there(step: int) -> None:
    clip = walkers(4)

    first, changed = made_anomalies.play_otherwise(clip, step, np.random.default_rng(0))

    shown = clip[first : first + len(changed)]
    played = clip[[first - 1 + step * (at + 1) for at in range(len(changed))]]
    # Softened towards its border, each pixel lies between what was shown and what is played.
    assert (changed >= np.minimum(shown, played)).all()
    assert (changed <= np.maximum(shown, played)).all()
    assert (changed == played).mean() > (shown == played).mean()


def test_what_is_cut_out_is_the_size_of_a_person(wardrobe: made_anomalies.Wardrobe) -> None:
    assert wardrobe.cut_outs
    for found in wardrobe.cut_outs:
        assert found.pixels.shape[1:] == found.cover.shape
        assert SIZE_PX / 12 < found.cover.shape[0] - 2 < SIZE_PX / 5
        assert found.pixels[:, found.cover == 1].mean() > 140  # bright as the walkers are, not as the place is


def test_footage_that_nothing_can_be_made_from_is_refused(wardrobe: made_anomalies.Wardrobe) -> None:
    with pytest.raises(ValueError, match="nothing of a person's size moves"):
        made_anomalies.Wardrobe.of([walkers(0)[:1].repeat(20, axis=0)])
    with pytest.raises(ValueError, match="one has 59 frames"):
        made_anomalies.make(made_anomalies.KINDS[0], walkers(0)[:59], wardrobe, video="one", seed=0)


def some_maps(seed: int, frames: int = 6) -> score_variants.Maps:
    made = torch.Generator().manual_seed(seed)
    return score_variants.Maps(
        torch.rand(frames, SIZE_PX, SIZE_PX, generator=made),
        [torch.rand(frames, SIZE_PX >> level, SIZE_PX >> level, generator=made) for level in (1, 2, 3, 4)],
        torch.randint(0, 256, (frames, SIZE_PX, SIZE_PX), generator=made, dtype=torch.uint8),
    )


USUAL = score_variants.Reference(some_maps(0, frames=12))
EVERY = [*score_variants.BY_ITSELF, *score_variants.REFERRING]


@pytest.mark.parametrize("name", EVERY)
def test_every_variant_gives_a_number_a_frame_and_changes_nothing(name: str) -> None:
    maps, before = some_maps(1), some_maps(1)

    scores = score_variants.variant_scores(name, maps, USUAL)

    assert scores.shape == (6,)
    assert np.isfinite(scores).all()
    assert torch.equal(maps.errors, before.errors)
    np.testing.assert_array_equal(score_variants.variant_scores(name, maps, USUAL), scores)


@given(st.integers(0, 1000), st.sampled_from([(64, 64), (96, 64), (16, 48)]))
@settings(max_examples=20)
def test_published_is_the_frame_score(seed: int, size: tuple[int, int]) -> None:
    maps = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))

    found = score_variants.patches(score_variants.Maps(maps, [], maps), 16)

    assert torch.equal(found, msu.frame_score(maps))


def test_variance_shrunk_without_end_leaves_place_means_over_one_deviation() -> None:
    maps = some_maps(2)

    shrunk = score_variants.place_z(maps, USUAL, shrink=float("inf"))

    one_deviation = USUAL.places.var(dim=0).mean().sqrt()
    torch.testing.assert_close(shrunk, score_variants.place_difference(maps, USUAL) / one_deviation)


def test_variance_not_shrunk_is_the_z_score_of_each_place() -> None:
    maps = some_maps(2)
    means = score_variants.patch_means(maps.errors, 16)

    plain = score_variants.place_z(maps, USUAL, shrink=0)

    torch.testing.assert_close(plain, ((means - USUAL.places.mean(dim=0)) / USUAL.places.std(dim=0)).amax(dim=1))


RELATIVE = {"over frame's median", "change of error"}  # to other places or frames: more error there lowers them


@given(st.integers(0, 63), st.integers(0, 63), st.floats(0, 5, width=32))
@settings(max_examples=5)
def test_more_error_at_a_place_lowers_no_score(row: int, column: int, more: float) -> None:
    maps, worse = some_maps(3), some_maps(3)
    worse.errors[:, row, column] += more

    for name in EVERY:
        if name not in RELATIVE:
            before, after = (score_variants.variant_scores(name, some, USUAL) for some in (maps, worse))
            assert (after >= before - 1e-6).all(), name


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.integers(0, 100))
def test_ranks_and_quantiles_keep_the_order_of_scores(scores: list[float], seed: int) -> None:
    normal, ordered = np.random.default_rng(seed).normal(size=30), np.sort(np.array(scores))

    for put in (score_variants.in_ranks, score_variants.in_quantiles):
        assert (np.diff(put(ordered, normal).numpy()) >= 0).all()


def test_a_variant_of_places_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="'place z' needs a reference"):
        score_variants.variant_scores("place z", some_maps(0))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that held back two of four clips, its network as at its random start."""
    for clip in range(4):
        folder = tmp_path / "data" / "normal" / f"clip{clip}"
        folder.mkdir(parents=True)
        for at, frame in enumerate(walkers(clip)):
            Image.fromarray(frame[0]).save(folder / f"{at:03d}.png")
    run = RunFolder(tmp_path / "run")
    config = TrainConfig(
        model=NetworkConfig(latent_dim=8),
        data=DataConfig(path=tmp_path / "data", height_px=SIZE_PX, width_px=SIZE_PX, holdback=0.5),
    )
    run.path.mkdir()
    run.write_config(config.to_dict())
    torch.manual_seed(0)
    msu.create_model(latent_dim=8).save_pretrained(run.model)
    return run.path


def test_the_whole_runs_and_its_maps_are_made_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results: ModuleType = sys.modules["results"]
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(score_variants, "RESAMPLES", 20)
    asked = ["score_variants.py", "--run", run, "--seeds", 0, "--maps", tmp_path / "maps"]
    monkeypatch.setattr(sys, "argv", [str(part) for part in asked])
    score_variants.main()
    (path,) = (tmp_path / "results").glob("score_variants_*.json")
    first = json.loads(path.read_text())
    printed = capsys.readouterr().out
    monkeypatch.setattr(score_variants, "video_maps", lambda *_: pytest.fail("these maps were kept"))
    score_variants.main()

    assert json.loads(path.read_text())["models"] == first["models"]
    rows: list[dict[str, Any]] = first["models"][0]["variants"]
    assert rows[0]["variant"] == "published"
    assert rows[0]["figures"]["all"]["gain"] == 0
    assert {row["variant"] for row in rows} == set(EVERY)
    assert first["normal_frames"] == 2 * (LENGTH - 2)
    assert set(rows[0]["figures"]) >= {"all", "control", "sped up", "speed 4", "seed 0"}
    assert max(len(line) for line in printed.splitlines() if str(tmp_path) not in line) <= 80


def test_a_run_that_held_nothing_back_is_refused(run: Path) -> None:
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("holdback: 0.5", "holdback: 0.0"))

    with pytest.raises(SystemExit, match="0 clips were held back"):
        score_variants.held_back_clips(RunFolder(run), None)
