import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.monitor.channel import Receiver, send


@pytest.fixture
def pipe() -> Iterator[tuple[Receiver, int]]:
    ours, theirs = os.pipe()
    yield Receiver(ours), theirs
    for descriptor in (ours, theirs):
        try:
            os.close(descriptor)
        except OSError:
            continue


@given(st.lists(st.binary(max_size=50_000), max_size=5), st.integers(1, 70_000))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(messages: list[bytes], piece: int) -> None:
    ours, theirs = os.pipe()
    stored, away = os.pipe()
    os.set_blocking(stored, False)
    writer = threading.Thread(target=lambda: ([send(away, message) for message in messages], os.close(away)))
    writer.start()
    receiver, found = Receiver(ours), []
    while writer.is_alive() or not receiver.closed:
        try:
            data = os.read(stored, piece)
        except BlockingIOError:
            continue
        if not data:
            os.close(theirs)
            found += receiver.messages()
            break
        while data:  # never more than the pipe takes
            data = data[os.write(theirs, data[:4096]) :]
            found += receiver.messages()
    writer.join()
    os.close(ours)
    os.close(stored)

    assert found == messages


def test_a_writer_that_hangs_in_mid_message_holds_up_no_reader(pipe: tuple[Receiver, int]) -> None:
    receiver, theirs = pipe
    os.write(theirs, b"\0\0\xff\xff and no more")

    assert receiver.messages() == []
    assert not receiver.closed


def test_what_a_writer_wrote_before_it_died_arrives_and_what_is_cut_off_does_not(pipe: tuple[Receiver, int]) -> None:
    receiver, theirs = pipe
    send(theirs, "whole")
    os.write(theirs, b"\0\0\0\x09cut")
    os.close(theirs)

    assert receiver.messages() == ["whole"]
    assert receiver.closed
    assert receiver.messages() == []


def test_a_writer_without_a_reader_is_told(pipe: tuple[Receiver, int]) -> None:
    receiver, theirs = pipe
    os.close(receiver.descriptor)
    with pytest.raises(BrokenPipeError):
        send(theirs, "anyone")
