"""What a camera's process sends when nobody reads."""

import os
import threading

from maskedskipunet.monitor.channel import Receiver
from maskedskipunet.monitor.reader_process import MAX_WAITING, ArrivedFrame, EndOfFile, SendQueue


def test_of_more_frames_than_may_wait_the_newest_are_sent_and_the_others_are_counted() -> None:
    ours, theirs = os.pipe()
    outbox, count = SendQueue(theirs, max_wait_s=1e9), MAX_WAITING + 60
    for index in range(count):
        outbox.put(
            ArrivedFrame(index, index / 10, None, 0.0, 48, 64, bytes(70_000), 0.0, 0)
        )  # a pipe holds less than one
    ending = threading.Thread(target=outbox.end, args=(EndOfFile(),))
    ending.start()
    receiver, found = Receiver(ours), []
    while not found or not isinstance(found[-1], EndOfFile):
        found += receiver.messages()
    ending.join()
    os.close(ours)
    os.close(theirs)

    sent = [message for message in found if isinstance(message, ArrivedFrame)]
    assert len(sent) + sent[-1].dropped == count
    assert len(sent) <= MAX_WAITING + 1  # one may have been on its way
    assert [message.index for message in sent[-MAX_WAITING:]] == [*range(count - MAX_WAITING, count)]
