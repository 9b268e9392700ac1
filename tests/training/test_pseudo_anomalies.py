import pytest
import torch

from maskedskipunet.training.pseudo_anomalies import PseudoAnomalies, motion_weights


def clips(count: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 3, 32, 48, generator=torch.Generator().manual_seed(seed))


def test_a_share_of_the_clips_gets_an_anomaly_and_the_others_stay_bit_for_bit() -> None:
    given = clips(200)
    made = PseudoAnomalies(0.5, seed=0)(given, step=0)

    changed = (made != given).flatten(1).any(1)
    assert 70 < int(changed.sum()) < 130
    assert made[~changed].equal(given[~changed])
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert given.equal(clips(200))  # what was given is not written to


def test_the_same_step_makes_the_same_and_another_step_another() -> None:
    make = PseudoAnomalies(1.0, seed=3)

    assert make(clips(), 5).equal(PseudoAnomalies(1.0, seed=3)(clips(), 5))
    assert not make(clips(), 5).equal(make(clips(), 6))
    assert not make(clips(), 5).equal(PseudoAnomalies(1.0, seed=4)(clips(), 5))


def test_every_clip_is_changed_where_all_are_asked_for_mostly_in_a_part_of_the_picture() -> None:
    given = clips(100)
    made = PseudoAnomalies(1.0, seed=0)(given, 0)
    part = (made != given).any(1).any(1).float().mean(dim=(1, 2))  # of the pixels

    assert (part > 0).float().mean() > 0.9  # one may lie outside the picture
    assert part.median() < 0.6


def test_clips_of_one_frame_can_be_disturbed_too() -> None:
    assert PseudoAnomalies(1.0, seed=0)(clips(20)[:, :, :1], 0).shape == (20, 3, 1, 32, 48)


def test_what_moves_counts_more_and_the_mean_stays_one() -> None:
    still = torch.full((2, 3, 3, 32, 48), 0.5)
    still[0, :, 2, 8:16, 8:16] = 1.0

    weights = motion_weights(still, 4.0)

    assert weights.mean(dim=(1, 2)).tolist() == pytest.approx([1, 1])
    assert weights[0, 12, 12] > 2 * weights[0, 28, 40]
    assert weights[1].unique().numel() == 1
