"""Recognises videos by their names, or by their first bytes."""

import re
from pathlib import Path

_SUFFIXES = (
    ".3g2 .3gp .264 .265 .asf .avi .dav .divx .dv .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2p .m2t .m2ts .m2v .m4v "
    ".mjpeg .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .ogv .tp .trp .ts .vob .webm .wmv .y4m"
)
VIDEO_SUFFIXES = frozenset(_SUFFIXES.split())

LARGEST_HEAD_BYTES = 1024
_TS_PACKETS = ((0, 188), (4, 192), (0, 204))  # where the sync byte lies, and the length of a packet
_SIGNATURES = (
    b"\x1aE\xdf\xa3",  # Matroska and WebM
    b"0&\xb2u\x8ef\xcf\x11",  # ASF and WMV
    b"FLV\x01",
    b"DHAV",  # Dahua's recorders
    b"OggS",
    b"\x06\x0e+4\x02\x05\x01\x01",  # MXF
    b"DKIF",  # IVF
    b"YUV4MPEG2",
    b"nut/multimedia container",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG-1 and MPEG-2 video
)
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot")
# A raw stream begins with its parameters: an H.264 or H.265 unit of these kinds after a start code.
_RAW_STREAM = re.compile(rb"\x00{2,3}\x01(?:[\x27\x47\x67]|\x09[\x10\x30\x50\x70\x90\xb0\xd0\xf0]|[\x40\x42\x46]\x01)")


def is_video(path: Path) -> bool:
    """Return whether a file is a video: its suffix says so, or its content.

    A file with a video's suffix counts whatever it holds, so that a damaged one is an error and not passed over.
    """
    return path.suffix.lower() in VIDEO_SUFFIXES or holds_video(path)


def holds_video(path: Path) -> bool:
    """Return whether a file begins as the videos begin that can be read; False if it cannot be read.

    Decides by signatures and does not open a decoder: a folder may hold thousands of files.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(LARGEST_HEAD_BYTES)
    except OSError:
        return False
    return (
        head.startswith(_SIGNATURES)
        or (head[4:8] in _BOXES)
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or _RAW_STREAM.match(head) is not None
        or any(_has_sync_bytes(head, first, length) for first, length in _TS_PACKETS)
    )


def _has_sync_bytes(head: bytes, first: int, length: int) -> bool:
    """Return whether MPEG-TS packets of a length follow one another: four of them, so that no text passes for one."""
    return len(head) > first + 3 * length and all(head[first + number * length] == 0x47 for number in range(4))
