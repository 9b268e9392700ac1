import pytest
import torch

from maskedskipunet.inference.ceiling import matrix_flops_per_s
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.workflows import estimate
from maskedskipunet.workflows.estimate import clip_flops, training_hours

SMALL = NetworkConfig(latent_dim=8)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_can_be_estimated(variant: str) -> None:
    assert clip_flops(NetworkConfig(variant=variant, latent_dim=8), 32, 32) > 0


def test_the_work_of_a_clip_is_counted_as_known_from_a_single_convolution() -> None:
    """The skips' convolutions, by hand: 2 operations a tap, forward and some two times backward."""
    masked, zeros = clip_flops(SMALL, 64, 64), clip_flops(NetworkConfig(variant="one_mask", latent_dim=8), 64, 64)

    taps = sum(
        3 * channels * channels * kernel**2 * (64 // 2**level) ** 2
        for level, channels, kernel in ((1, 1, 17), (2, 2, 11), (3, 4, 7))
    )
    assert masked - zeros == 3 * 2 * taps


@pytest.mark.parametrize(("tall", "wide"), [(2, 2), (3, 5)])
def test_the_work_grows_with_the_frames_area(tall: int, wide: int) -> None:
    assert clip_flops(SMALL, 16 * tall, 16 * wide) == pytest.approx(tall * wide * clip_flops(SMALL, 16, 16))


def test_hours_are_work_over_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "matrix_flops_per_s", lambda: 1e6)

    hours = training_hours(SMALL, 32, 32, 1000)

    assert hours == pytest.approx(1000 * clip_flops(SMALL, 32, 32) / (estimate.SHARE_OF_PEAK * 1e6) / 3600)
    assert training_hours(SMALL, 32, 32, 2000) == pytest.approx(2 * hours)


def test_measuring_the_machine_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()

    assert matrix_flops_per_s(size=64, repeats=2) > 0
    assert torch.equal(torch.random.get_rng_state(), before)
