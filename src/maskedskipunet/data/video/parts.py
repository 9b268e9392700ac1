"""Reads a part of a video: from a key frame on, with the same numbers and times as reading from the start gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maskedskipunet.data.footage_files import FootageFile
from maskedskipunet.data.frames import Frame, OnBadFrame
from maskedskipunet.data.video.decoding import PictureReader, opened, packets_of
from maskedskipunet.data.video.key_frame import KeyFrame
from maskedskipunet.errors import VideoError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

    Packets = Iterator[Packet[VideoStream]]


def read_part(
    file: FootageFile, key: KeyFrame | None, start_s: float, on_bad_frame: OnBadFrame, limit: int | None = None
) -> Iterator[Frame]:
    """Decode a video from a key frame on; each Frame is the one that `read_video` gives.

    key, start_s: as the video's index has them; None: from the start. limit: the byte up to which an object will be
    read, about. Raises VideoError as `read_video` does, and if the key frame is not where the index has it.
    """
    window = None if limit is None else (0 if key is None else key.position, limit)
    with file.opened(window) as content, opened(file.address, content) as (container, stream):
        reader = PictureReader(_named(file), container, stream, on_bad_frame)
        packets: Packets = packets_of(container, stream, file.address)
        if key is not None:
            reader.begin_at(key, start_s)
            container.seek(key.pts, stream=stream)
            packets = _from_key(packets, key, file.address)
        yield from reader.read(packets)


def _named(file: FootageFile) -> Path | str:
    return file.path if file.is_local else file.address


def _from_key(packets: "Packets", key: KeyFrame, where: str) -> "Packets":
    """Yield packets from the key frame on."""
    is_found = False
    for packet in packets:
        is_found = is_found or packet.pts == key.pts
        if is_found:
            yield packet
    if not is_found:
        raise VideoError(f"the key frame of frame {key.index} is gone", where, "Copy the video again or leave it out")
