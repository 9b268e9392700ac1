import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.source_clock import stream_clock

NAN = float("nan")


@given(st.lists(st.floats(-100, 100) | st.just(NAN), max_size=30))
def test_the_streams_clock_never_goes_back(times: list[float]) -> None:
    clock, _ = stream_clock(np.array(times))

    assert (np.diff(clock) >= 0).all()
