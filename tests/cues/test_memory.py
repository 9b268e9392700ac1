import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from maskedskipunet.cues.memory import Memory, noise_radius


def vectors(count: int, places: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(places, count, 4)).astype(np.float32))


def test_the_nearest_exemplar_is_the_one_that_an_independent_search_finds() -> None:
    memory, seen, asked = Memory(3, 4, 1000), vectors(300), vectors(40, seed=1)
    memory.add(seen, torch.arange(300))

    distance, number = memory.nearest(asked)

    for place in range(3):
        independent, _ = NearestNeighbors(n_neighbors=1).fit(seen[place]).kneighbors(asked[place])
        np.testing.assert_allclose(distance[place], independent[:, 0], atol=1e-3)
        found = seen[place, memory.moments[place, number[place]].long()]
        np.testing.assert_allclose((found - asked[place]).norm(dim=1), independent[:, 0], atol=1e-3)


@settings(max_examples=20)
@given(st.integers(1, 400), st.integers(8, 64), st.integers(1, 100))
def test_everything_seen_lies_within_the_radius_of_an_exemplar_and_no_more_are_kept_than_fit(
    count: int, capacity: int, together: int
) -> None:
    memory, seen = Memory(2, 4, capacity), vectors(count, places=2)
    for first in range(0, count, together):
        some = seen[:, first : first + together]
        memory.add(some, torch.arange(some.shape[1]) + first)

    assert int(memory.counts.max()) <= capacity
    distance, _ = memory.nearest(seen)
    # Each thinning may move a vector's exemplar away by the radius it had then; radii only grow.
    assert (distance <= 2 * memory.radius[:, None] + 1e-2).all()


def test_what_is_known_already_takes_no_room() -> None:
    memory = Memory(3, 4, 1000, torch.full((3,), 0.1))
    memory.add(vectors(50), torch.arange(50))
    size = memory.counts.clone()

    memory.add(vectors(50) + 0.01, torch.arange(50))

    assert memory.counts.equal(size)


def test_an_empty_memory_knows_nothing() -> None:
    distance, _ = Memory(2, 4, 10).nearest(vectors(5, places=2))

    assert torch.isinf(distance).all()


def test_a_memory_is_kept_and_read_again() -> None:
    memory = Memory(3, 4, 100)
    memory.add(vectors(80), torch.arange(80))
    again = Memory.from_arrays({name: tensor.numpy() for name, tensor in memory.arrays().items()}, 100)

    ours, theirs = memory.nearest(vectors(20, seed=1)), again.nearest(vectors(20, seed=1))

    np.testing.assert_allclose(ours[0], theirs[0], atol=5e-3)  # exemplars are kept in half precision
    again.add(vectors(10, seed=2), torch.arange(10))
    assert (again.counts >= memory.counts).all()


def test_damaged_arrays_are_refused() -> None:
    memory = Memory(3, 4, 100)
    memory.add(vectors(20), torch.arange(20))
    arrays = dict(memory.arrays())
    arrays["memory.counts"] = torch.full((3,), 10_000)

    with pytest.raises(ValueError, match="memory"):
        Memory.from_arrays(arrays, 100)


def test_the_noise_of_a_still_camera_is_the_step_from_one_moment_to_the_next() -> None:
    still = torch.zeros(2, 100, 4)
    still[1, ::2] = 0.5  # every step is 1 long: 4 components of a half

    assert noise_radius(still).tolist() == [0, 1]
    assert noise_radius(still[:, :1]).tolist() == [0, 0]
