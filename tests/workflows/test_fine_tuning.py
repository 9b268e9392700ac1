import numpy as np
import pytest

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.workflows.fine_tuning import OWN_AT_LEAST, OWN_TIMES, REPEATED, mixed


def clips(*levels: tuple[int, int]) -> Clips:
    """A video of so many frames for each level, every pixel of which is that level."""
    videos = [
        StoredVideo(str(level), np.full((count, 1, 2, 2), level, np.uint8), np.arange(count), np.ones(count, bool))
        for level, count in levels
    ]
    return Clips.of(videos, ClipGeometry(3))


@pytest.mark.parametrize(("own", "kept"), [(50, 48), (5000, OWN_AT_LEAST), (0, 0)])
def test_marked_clips_come_several_times_among_own_ones_spread_over_all_footage(own: int, kept: int) -> None:
    both = mixed(clips((1, own)) if own else clips(), clips((7, 4), (8, 5)))

    shown = np.array([both.batch([number]).max() for number in range(len(both))])

    assert [(shown == level).sum() for level in (1, 7, 8)] == [kept, 2 * REPEATED, 3 * REPEATED]
    assert len(set(both.start[:kept].tolist())) == kept
    if own:
        assert (both.start[0], both.start[kept - 1]) == (0, own - 3)


def test_of_much_footage_so_much_is_taken_that_marked_clips_stay_the_fewer() -> None:
    both = mixed(clips((1, 20_000)), clips((7, 102)))

    assert len(both) == (OWN_TIMES + 1) * REPEATED * 100
