"""Sends messages of a camera's process through a pipe, so that a writer that hangs in mid-message blocks no reader."""

import os
import pickle
import struct

_LENGTH = struct.Struct("!I")
READ_BYTES = 1 << 20
MAX_BYTES = 64 << 20  # read at a time, so that a fast writer does not keep the reader busy


def send(descriptor: int, message: object) -> None:
    """Write one message, waiting for space in the pipe. Raises BrokenPipeError if nobody reads any more."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    left = memoryview(_LENGTH.pack(len(data)) + data)
    while left:
        left = left[os.write(descriptor, left) :]


class Receiver:
    """The reading end of a pipe. closed: the writer has ended, and all its messages were returned."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.closed = False
        self._received = bytearray()

    def messages(self) -> list[object]:
        """Return the complete messages that have arrived, in order, without waiting. A message cut short is dropped."""
        taken = 0
        while not self.closed and taken < MAX_BYTES:
            try:
                data = os.read(self.descriptor, READ_BYTES)
            except BlockingIOError:
                break
            self.closed = not data
            self._received += data
            taken += len(data)
        return self._whole()

    def _whole(self) -> list[object]:
        found, position = [], 0
        while len(self._received) >= position + _LENGTH.size:
            begin = position + _LENGTH.size
            end = begin + _LENGTH.unpack_from(self._received, position)[0]
            if len(self._received) < end:
                break
            found.append(pickle.loads(memoryview(self._received)[begin:end]))
            position = end
        del self._received[:position]
        return found
