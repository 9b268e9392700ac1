"""Reading single bits, and the numbers of variable length that video headers are written in."""


class BitReader:
    """Reads bits from the front. Raises EOFError if they end.

    >>> reader = BitReader(bytes([0b1_010_0110, 0b0_0000000]))
    >>> reader.unsigned(), reader.unsigned(), reader.signed()
    (0, 1, -1)
    """

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def bits(self, count: int) -> int:
        """Return the next bits as a number."""
        if count > self._left:
            raise EOFError
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        """Return an Exp-Golomb number: as many zeros as bits follow the first one."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """Return an Exp-Golomb number with a sign: 1, -1, 2, -2 and so on."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)
