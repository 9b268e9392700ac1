"""The numbers that H.264 gives its reference pictures: where one is left out, a picture was lost on its way."""

from maskedskipunet.data.video.bits import BitReader

_SLICE, _IDR, _SETTINGS = 1, 5, 7  # kinds of units
_START = b"\0\0\1"
_HEAD_BYTES = 32  # of a slice, more than its number needs
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


class FrameNumbers:
    """Follows the numbers of an H.264 stream, packet by packet in the order of decoding.

    settings: the stream's extra data; those that come among the packets are taken too. What cannot be read is taken
    for whole. Source: ITU-T H.264, 7.3.2.1.1, 7.3.3 and 7.4.3.
    """

    def __init__(self, settings: bytes | None) -> None:
        self._length_bytes = 0  # of a unit's length before it; 0: units begin with a start code
        self._bits = 0  # of a number; 0: not known, or numbers may be left out on purpose
        self._before: int | None = None
        self._separate_planes = False
        extra = bytes(settings or b"")
        if extra[:1] == b"\1" and len(extra) > 6:
            self._length_bytes = (extra[4] & 3) + 1
            size = int.from_bytes(extra[6:8])
            self._take_settings(extra[8 : 8 + size])
        else:
            self._first_slice(extra)

    def is_gap(self, packet: bytes) -> bool:
        """Return whether reference pictures are missing between the packet before and this one."""
        slice_ = self._first_slice(packet)
        if slice_ is None or (number := self._number(slice_)) is None:
            return False
        before = self._before
        if slice_[0] & 0x60:  # a reference picture; the others take the number of the next one
            self._before = number
        if slice_[0] & 31 == _IDR or before is None:
            return False
        return (number - before) % (1 << self._bits) > 1

    def _first_slice(self, data: bytes) -> bytes | None:
        """Return the head of the first slice in it, if there is one; settings that stand before it are taken."""
        for unit in _with_lengths(data, self._length_bytes) if self._length_bytes else _with_starts(data):
            kind = unit[0] & 31
            if kind == _SETTINGS:
                self._take_settings(unit)
            elif kind in (_SLICE, _IDR):
                return unit[:_HEAD_BYTES]
        return None

    def _number(self, unit: bytes) -> int | None:
        if not self._bits:
            return None
        try:
            reader = BitReader(_without_escapes(unit[1:]))
            for _ in range(3):  # where it begins, its type, its parameters
                reader.unsigned()
            reader.bits(2 if self._separate_planes else 0)
            return reader.bits(self._bits)
        except EOFError:
            return None

    def _take_settings(self, unit: bytes) -> None:
        try:
            self._bits, self._separate_planes = _read_settings(_without_escapes(unit[1:]))
        except EOFError:
            self._bits = 0


def _read_settings(data: bytes) -> tuple[int, bool]:
    """Return the bits of a frame's number, 0 if numbers may be left out, and whether colour planes are coded
    separately.
    """
    reader = BitReader(data)
    profile = reader.bits(8)
    reader.bits(16)  # constraints and level
    reader.unsigned()
    separate_planes = False
    if profile in _HIGH_PROFILES:
        chroma = reader.unsigned()
        separate_planes = chroma == 3 and bool(reader.bits(1))
        reader.unsigned(), reader.unsigned()  # bit depths
        reader.bits(1)
        if reader.bits(1):
            for index in range(12 if chroma == 3 else 8):
                if reader.bits(1):
                    _pass_over_scaling(reader, 16 if index < 6 else 64)
    bits = reader.unsigned() + 4
    order = reader.unsigned()
    if order == 0:
        reader.unsigned()
    elif order == 1:
        reader.bits(1)
        reader.unsigned(), reader.unsigned()
        for _ in range(reader.unsigned()):
            reader.unsigned()
    reader.unsigned()  # reference frames
    may_leave_out = bool(reader.bits(1))
    return (0 if may_leave_out or bits > 16 else bits), separate_planes


def _pass_over_scaling(reader: BitReader, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + reader.signed()) % 256
        last = following or last


def _with_starts(data: bytes) -> list[bytes]:
    return [part for part in data.split(_START)[1:] if part] if _START in data else []


def _with_lengths(data: bytes, length_bytes: int) -> list[bytes]:
    units, position = [], 0
    while position + length_bytes < len(data):
        size = int.from_bytes(data[position : position + length_bytes])
        position += length_bytes
        if size:
            units.append(data[position : position + size])
        position += size
    return [unit for unit in units if unit]


def _without_escapes(unit: bytes) -> bytes:
    return unit.replace(b"\0\0\3", b"\0\0")
