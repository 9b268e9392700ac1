"""Decides which decoded pictures can be trusted: lost data smears all pictures until the next key frame."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskedskipunet.data.video.h264_numbers import FrameNumbers

MAX_KEPT = 64  # packets; no decoder holds more pictures back


@dataclass
class _Sent:
    pts: int | None
    is_key: bool
    is_trusted: bool


class PictureTrust:
    """Follows a stream's packets in the order of decoding, and tells which pictures rest on damaged data.

    A decoder shows a picture whose reference is missing as if it were whole, only smeared. Damage is what the
    container or the transport says of a packet, a gap in H.264's numbers, or what the decoder says of a picture.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._sent: deque[_Sent] = deque(maxlen=MAX_KEPT)
        self._damaged = self._was_cut = False
        self._trusted_from: int | None = None  # pictures shown before a key frame rest on those before it, too
        is_h264 = stream.codec_context.name == "h264"
        self._numbers = FrameNumbers(stream.codec_context.extradata) if is_h264 else None

    @property
    def is_damaged(self) -> bool:
        """The last packet, and those after it, cannot be trusted."""
        return self._damaged

    def send(self, packet: "Packet[VideoStream]", *, is_lost: bool = False, is_cut: bool = False) -> None:
        """Note that a packet is about to be decoded.

        is_lost: whether something before or in it is known to be lost. is_cut: whether the container says so; FFmpeg
        marks the packet before the one that is damaged as often as that itself.
        """
        is_lost, self._was_cut = is_lost or is_cut or self._was_cut, is_cut
        is_gap = self._numbers is not None and self._numbers.is_gap(bytes(packet))
        if packet.is_keyframe:
            self._trusted_from = packet.pts if self._damaged else None
            self._damaged = False
        if is_lost or (is_gap and not packet.is_keyframe):
            self._damaged = True
        leads = self._trusted_from is not None and packet.pts is not None and packet.pts < self._trusted_from
        self._sent.append(_Sent(packet.pts, packet.is_keyframe, not self._damaged and not leads))

    def fail(self) -> None:
        """The packet sent last cannot be decoded."""
        self._damaged = True
        if self._sent:
            self._sent[-1].is_trusted = False

    def trusts(self, picture: VideoFrame) -> bool:
        """Return whether a decoded picture is whole."""
        position = next(
            (index for index in reversed(range(len(self._sent))) if self._sent[index].pts == picture.pts), None
        )
        if position is None:
            return not (picture.is_corrupt or self._damaged)
        if picture.is_corrupt:
            self._spread(position)
        return self._sent[position].is_trusted

    def _spread(self, position: int) -> None:
        """Spread the damage of a picture to all that were decoded since, up to the next key frame."""
        for index in range(position, len(self._sent)):
            if index > position and self._sent[index].is_key:
                return
            self._sent[index].is_trusted = False
        self._damaged = True


def with_seams(packets: Iterator["Packet[VideoStream]"]) -> Iterator[tuple["Packet[VideoStream]", bool]]:
    """Yield packets, and whether another recording begins behind each: at a key frame whose clock has jumped back.

    There MPEG-TS counts its parts anew, which makes it look as if something of the packets before it were missing.
    """
    held: list[tuple[Packet[VideoStream], bool]] = []
    last_dts: int | None = None
    for packet in packets:
        jumps_back = packet.dts is not None and last_dts is not None and packet.dts < last_dts
        begins = packet.is_keyframe and jumps_back
        last_dts = packet.dts
        held = [(before, is_seam or begins) for before, is_seam in held]
        if len(held) == 2:
            yield held.pop(0)
        held.append((packet, False))
    yield from held
