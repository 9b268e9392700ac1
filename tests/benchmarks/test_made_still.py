"""Still anomalies change what they say and nothing before they begin."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import made_still  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))


def room(seconds: int = 200) -> NDArray[np.uint8]:
    """A grained room in which a bright person of 24x10 pixels stands for part of the hour: (N, 3, 64, 128)."""
    drawn = np.random.default_rng(0)
    frames = np.tile(drawn.integers(60, 90, (64, 128)).astype(np.uint8), (seconds, 3, 1, 1))
    frames[seconds // 2 : seconds // 2 + seconds // 4, :, 30:54, 20:30] = 200
    return frames


@pytest.mark.parametrize("kind", [*made_still.STILL_KINDS])
def test_each_kind_changes_every_frame_from_where_it_begins_and_none_before(kind: str) -> None:
    hour, drawn = room(), np.random.default_rng(3)
    for _ in range(5):
        made, labels = made_still.make_still(kind, hour, drawn, lasting=20, before=10)

        assert made.shape == (30, 3, 64, 128)
        assert labels.tolist() == [0] * 10 + [1] * 20
        starts = [at for at in range(len(hour) - 9) if (hour[at : at + 10] == made[:10]).all()]
        changed = [(made[10:] != hour[at + 10 : at + 30]).any(axis=(1, 2, 3)) for at in starts if at + 30 <= len(hour)]
        assert any(change.all() for change in changed)


def test_the_same_seed_makes_the_same() -> None:
    made = [made_still.make_still("put down", room(), np.random.default_rng(7), lasting=20)[0] for _ in range(2)]

    assert (made[0] == made[1]).all()


def test_who_stays_is_cut_from_the_hour_and_stands_elsewhere() -> None:
    hour = room()
    made = made_still.someone_stays(hour[:5], hour, np.random.default_rng(0))
    changed = (made != hour[:5]).any(axis=(0, 1))

    assert changed[30:54].any()
    assert not changed[:, 22:28].any()  # where the person stood, nobody is put
    assert (made[0] == 200).sum() > 300
