import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from maskedskipunet.data.ignoring import GREY, painted, resized_mask
from maskedskipunet.data.resizing import network_frame

sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(sizes, sizes, st.sampled_from([1, 3]), st.integers(0, 1000), st.floats(0, 1))
@example((70, 70), (32, 48), 3, 0, 0.01)
@example((20, 30), (32, 48), 3, 0, 0.01)
def test_what_is_ignored_reaches_no_pixel_that_is_looked_at(
    source_px: tuple[int, int], network_px: tuple[int, int], channels: int, seed: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    ignored = random.random(source_px) < share
    one, noise = random.integers(0, 256, (2, *source_px, 3), np.uint8)
    other = np.where(ignored[..., None], noise, one)
    mask = resized_mask(ignored, height_px=network_px[0], width_px=network_px[1])

    def seen(image: np.ndarray) -> np.ndarray:
        sized = network_frame(image, height_px=network_px[0], width_px=network_px[1], channels=channels)
        return painted(sized, mask)

    assert np.array_equal(seen(one), seen(other))
    assert (seen(one)[:, mask] == GREY).all()


@given(sizes, sizes)
def test_nothing_ignored_and_everything_ignored_stay_so(
    source_px: tuple[int, int], network_px: tuple[int, int]
) -> None:
    for value in (True, False):
        mask = resized_mask(np.full(source_px, value), height_px=network_px[0], width_px=network_px[1])
        assert mask.shape == network_px
        assert (mask == value).all()


def test_painting_leaves_the_frames_as_they_are() -> None:
    frames = np.zeros((2, 3, 4, 5), np.uint8)
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True

    assert painted(frames, mask).sum() == 2 * 3 * GREY
    assert not frames.any()
