import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.ahead import read_ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read ahead"]


@given(items=st.lists(st.integers() | st.none()), depth=st.integers(1, 5))
def test_items_come_whole_and_in_order(items: list[int | None], depth: int) -> None:
    assert list(read_ahead(iter(items), depth)) == items
    assert not threads()


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made, first_taken = [], threading.Event()

    def count() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 4:  # one taken, two waiting, one in hand, one more asked for: the fifth must wait for a place
                assert first_taken.is_set()
            yield number

    ahead = read_ahead(count(), 2)
    assert next(ahead) == 0
    first_taken.set()
    assert next(ahead) == 1
    assert len(made) <= 5
    ahead.close()


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def fail() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third is bad")

    ahead = read_ahead(fail(), 8)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="the third is bad"):
        next(ahead)
    assert not threads()


def test_whoever_stops_early_ends_the_thread_and_closes_the_source() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.append(True)

    ahead = read_ahead(endless(), 3)
    assert next(ahead) == 0
    ahead.close()
    assert closed == [True]
    assert not threads()
