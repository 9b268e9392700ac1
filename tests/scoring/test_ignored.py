import pickle
import threading
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import maskedskipunet as msu
from maskedskipunet.data.frames import Frame, Image
from maskedskipunet.data.ignoring import GREY
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.model.config import InputFormat
from maskedskipunet.scoring import ignored
from maskedskipunet.scoring.ignored import SIZES_KEPT, IgnoredRegions, also_ignoring, in_percent
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.scoring.shapes import Region, region_mask

HOW = InputFormat(height_px=32, width_px=48)
SHAPES = ("3,3,12,7", "60%,50% 99%,50% 80%,90%")
SOURCES = ((40, 50), (32, 48), (20, 30), (101, 150))  # smaller and larger than the network's frames, and as large


@cache
def network(variant: str = "masked_skips") -> PreparedNetwork:
    torch.manual_seed(0)
    return prepare(msu.create_model(variant, latent_dim=8).eval(), "cpu")


def scored(images: list[Image], how: InputFormat, variant: str = "masked_skips") -> list[FrameScore]:
    frames = [Frame(at, at / 10, image) for at, image in enumerate(images)]
    return [*Scorer(network(variant), how).score(frames, with_maps=True)]


@pytest.mark.parametrize("variant", ["masked_skips", "full_conv3d"])
@settings(max_examples=15)
@given(st.sampled_from(SOURCES), st.integers(0, 1000), st.sampled_from(["noise", "black", "white"]))
def test_whatever_an_ignored_part_shows_no_score_and_no_map_changes(
    variant: str, size: tuple[int, int], seed: int, shown: str
) -> None:
    random = np.random.default_rng(seed)
    how = replace(HOW, ignore=SHAPES)
    ignored = region_mask([Region.read(shape, "") for shape in SHAPES], *size)[..., None]
    images = [random.integers(0, 256, (*size, 3), np.uint8) for _ in range(4)]
    there = {"noise": random.integers(0, 256, (*size, 3), np.uint8), "black": np.uint8(0), "white": np.uint8(255)}
    changed = [np.where(ignored, there[shown], image) for image in images]

    for one, other in zip(scored(images, how, variant), scored(changed, how, variant), strict=True):
        assert one.score == other.score
        if one.map is not None and other.map is not None:
            assert np.array_equal(one.map, other.map)


@pytest.mark.parametrize("size", SOURCES)
def test_the_score_map_is_zero_where_nothing_is_looked_at_and_only_there(size: tuple[int, int]) -> None:
    images = [np.random.default_rng(at).integers(0, 256, (*size, 3), np.uint8) for at in range(3)]
    mask = IgnoredRegions.of(replace(HOW, ignore=SHAPES)).mask(*size)

    (score_map,) = [found.map for found in scored(images, replace(HOW, ignore=SHAPES)) if found.map is not None]
    assert mask is not None
    assert np.array_equal(score_map == 0, mask)


def test_frames_of_their_networks_size_can_bring_their_mask() -> None:
    images = [np.random.default_rng(at).integers(0, 256, (32, 48, 3), np.uint8) for at in range(3)]
    mask = np.zeros((32, 48), bool)
    mask[3:10, 3:15] = True
    frames = [Frame(at, 0.0, image) for at, image in enumerate(images)]

    found = [*Scorer(network(), HOW).score(frames, ignored=mask)]
    assert found[1].score == scored(images, replace(HOW, ignore=SHAPES[:1]))[1].score
    painted = [np.where(mask[..., None], np.uint8(GREY), image) for image in images]
    assert found[1].score != scored(images, HOW)[1].score
    assert found[1].score == scored(painted, replace(HOW, ignore=SHAPES[:1]))[1].score


def test_a_stream_that_changes_its_size_is_ignored_in_the_same_part() -> None:
    parts = IgnoredRegions.of(replace(HOW, ignore=("50%,0%,50%,100%",)))

    for size in ((64, 96), (32, 48), (64, 96)):
        mask = parts.mask(*size)
        assert mask is not None
        assert mask[:, 24:].all()
        assert not mask[:, :23].any()


def test_no_shape_is_no_mask() -> None:
    assert IgnoredRegions.of(HOW).mask(10, 10) is None


def test_a_frame_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(DataError, match="all of its frames of 60x50 is ignored, nothing is left to look at"):
        IgnoredRegions.of(replace(HOW, ignore=("0,0,60,50",))).mask(50, 60)
    with pytest.raises(ConfigError, match="'1,2,3' is no shape"):
        IgnoredRegions.of(replace(HOW, ignore=("1,2,3",)))


def test_sources_of_many_sizes_at_once_share_what_is_ignored_and_its_masks_stay_few() -> None:
    parts = IgnoredRegions.of(replace(HOW, ignore=("50%,0%,50%,100%",)))
    faults = []

    def look(width_px: int) -> None:
        for _ in range(50):
            for wider in range(12):
                mask = parts.mask(40, width_px + 10 * wider)
                if mask is None or not mask[:, 24:].all() or mask[:, :23].any():
                    faults.append(width_px)

    threads = [threading.Thread(target=look, args=(50 + width_px,)) for width_px in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert len(parts._masks) <= SIZES_KEPT


def test_what_is_ignored_goes_to_a_cameras_process_as_it_is() -> None:
    parts = pickle.loads(pickle.dumps(IgnoredRegions.of(replace(HOW, ignore=SHAPES))))

    expected = IgnoredRegions.of(replace(HOW, ignore=SHAPES)).mask(40, 50)
    assert np.array_equal(parts.mask(40, 50), expected)


def test_a_shape_is_parsed_once_however_often_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    read = Region.read
    monkeypatch.setattr(ignored.Region, "read", lambda text, where: seen.append(text) or read(text, where))
    ignored._parse.cache_clear()

    input_format = also_ignoring(HOW, ["3%,3%,12%,7%", "1%,2%,3%,4%"], "ignore")
    input_format = also_ignoring(input_format, ["1%,2%,3%,4%"], "data.ignore")
    scorer = Scorer(network(), in_percent(input_format, [], "ignore"))

    assert len(scorer.ignored.regions) == 2
    assert sorted(seen) == ["1%,2%,3%,4%", "3%,3%,12%,7%"]


def test_a_shape_that_is_none_is_said_to_be_where_it_is_named_each_time() -> None:
    for where in ("data.ignore", "cameras.door.ignore"):
        with pytest.raises(ConfigError, match=f"{where}: '1,2,3' is no shape"):
            also_ignoring(HOW, ["1,2,3"], where)
