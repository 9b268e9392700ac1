"""Messages from a camera's process through a pipe, so that a writer which hangs in mid-message holds up no reader."""

import os
import pickle
import struct

_LENGTH = struct.Struct("!I")
READ_BYTES = 1 << 20
MOST_BYTES = 64 << 20  # taken at a time, so that a writer in a hurry keeps no reader


def send(descriptor: int, message: object) -> None:
    """Write one message, waiting for room. Raises BrokenPipeError when no one reads any more."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    left = memoryview(_LENGTH.pack(len(data)) + data)
    while left:
        left = left[os.write(descriptor, left) :]


class Receiver:
    """The reading end. `closed` once the writer is gone and everything it wrote was given."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.closed = False
        self._came = bytearray()

    def messages(self) -> list[object]:
        """Return what has come whole, in order; never waits. The part of a message that was cut off is dropped."""
        taken = 0
        while not self.closed and taken < MOST_BYTES:
            try:
                data = os.read(self.descriptor, READ_BYTES)
            except BlockingIOError:
                break
            self.closed = not data
            self._came += data
            taken += len(data)
        return self._whole()

    def _whole(self) -> list[object]:
        found, at = [], 0
        while len(self._came) >= at + _LENGTH.size:
            begin = at + _LENGTH.size
            end = begin + _LENGTH.unpack_from(self._came, at)[0]
            if len(self._came) < end:
                break
            found.append(pickle.loads(memoryview(self._came)[begin:end]))
            at = end
        del self._came[:at]
        return found
