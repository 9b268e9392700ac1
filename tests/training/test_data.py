import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips
from maskedskipunet.training.data import ClipDataModule, EpochShuffle

seeds = st.integers(0, 2**32 - 1)


def order(count: int, seed: int, epoch: int) -> list[int]:
    sampler = EpochShuffle(count, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@given(st.integers(0, 200), seeds, st.integers(0, 10_000))
def test_every_clip_is_seen_once_an_epoch(count: int, seed: int, epoch: int) -> None:
    assert sorted(order(count, seed, epoch)) == list(range(count))
    assert len(EpochShuffle(count, seed)) == count


@given(st.integers(1, 200), st.floats(0.01, 1), st.integers(0, 3))
def test_an_epoch_of_a_share_sees_other_clips_each_time_and_none_twice(count: int, share: float, seed: int) -> None:
    sampler = EpochShuffle(count, seed, share)
    epochs = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))

    for drawn in epochs:
        assert len(drawn) == len(set(drawn)) == len(sampler) == max(1, round(share * count))
        assert set(drawn) <= set(range(count))
    assert epochs[0] != epochs[1] or len(sampler) < 5


@given(seeds, st.integers(0, 10_000), st.integers(0, 2**32 - 1))
def test_the_order_depends_on_seed_and_epoch_alone(seed: int, epoch: int, elsewhere: int) -> None:
    first = order(50, seed, epoch)
    state = torch.random.get_rng_state()
    torch.manual_seed(elsewhere)
    before = torch.random.get_rng_state()

    assert order(50, seed, epoch) == first
    assert torch.equal(torch.random.get_rng_state(), before), "nor does it take from the global random state"
    torch.random.set_rng_state(state)


@given(seeds, seeds, st.integers(0, 10_000), st.integers(0, 10_000))
def test_another_seed_or_epoch_is_another_order(seed: int, other: int, epoch: int, later: int) -> None:
    assert (order(50, seed, epoch) == order(50, other, later)) == ((seed, epoch) == (other, later))


def test_batches_hold_the_clips_themselves_each_once(train_clips: Clips) -> None:
    batches = list(ClipDataModule(train_clips, Clips.of([], ClipGeometry(3)), batch_size=4, seed=0).train_dataloader())

    assert [(batch.dtype, tuple(batch.shape)) for batch in batches] == [
        (torch.uint8, (size, 3, 3, 32, 32)) for size in (4, 4, 2)
    ]
    seen = {clip.tobytes() for batch in batches for clip in batch.numpy()}
    assert seen == {clip.tobytes() for clip in train_clips.batch(range(len(train_clips)))}


def test_what_is_held_back_is_measured_in_order_and_without_it_nothing(
    train_clips: Clips, holdback_clips: Clips
) -> None:
    loader = ClipDataModule(train_clips, holdback_clips, batch_size=2, seed=0).val_dataloader()

    assert not isinstance(loader, list)
    np.testing.assert_array_equal(np.concatenate([batch.numpy() for batch in loader]), holdback_clips.batch(range(3)))
    assert ClipDataModule(train_clips, Clips.of([], ClipGeometry(3)), batch_size=2, seed=0).val_dataloader() == []


@pytest.mark.parametrize("number", [0, 5, 9])
def test_one_clip_is_a_row_of_its_batch(train_clips: Clips, number: int) -> None:
    dataset = (
        ClipDataModule(train_clips, Clips.of([], ClipGeometry(3)), batch_size=4, seed=0).train_dataloader().dataset
    )

    np.testing.assert_array_equal(dataset[number].numpy(), train_clips.batch([number])[0])
