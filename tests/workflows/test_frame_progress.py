from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.workflows.frame_progress import FrameProgress


@given(st.integers(0, 500), st.integers(1, 8), st.lists(st.integers(1, 9), max_size=50))
def test_however_often_each_frame_is_worked_on_it_counts_once(frames: int, times: int, parts: list[int]) -> None:
    passed_on: list[int] = []
    progress = FrameProgress(passed_on.append, frames=frames, steps=frames * times)
    left = frames * times
    for part in parts:
        progress(min(part, left))
        left -= min(part, left)
        assert sum(passed_on) * times <= frames * times - left
    progress(left)
    assert sum(passed_on) == frames
    assert all(more > 0 for more in passed_on)
