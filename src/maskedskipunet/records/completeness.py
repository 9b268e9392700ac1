"""Checks that a clip or a picture is complete, by its outer structure alone."""

import os
from pathlib import Path


def is_complete_clip(path: Path) -> bool:
    """Return whether the boxes of an mp4 fill its file exactly, with an index among them.

    Source: ISO/IEC 14496-12, section 4.2: each box opens with its size (4 bytes; 1: 8 more follow; 0: to the end) and
    its kind (4 bytes).
    """
    kinds = set()
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < end:
            file.seek(offset)
            head = file.read(16)
            size, kind, shortest = int.from_bytes(head[:4]), head[4:8], 8
            if size == 1:
                size, shortest = int.from_bytes(head[8:16]), 16
            elif size == 0:
                size = end - offset
            if len(head) < shortest or size < shortest:
                return False
            kinds.add(kind)
            offset += size
    return offset == end and {b"ftyp", b"moov", b"mdat"} <= kinds


def is_complete_heat_map(path: Path) -> bool:
    """Return whether a PNG file has its begin and its end.

    Source: the PNG specification, sections 5.2 and 11.2.5: a signature, and at the end an empty chunk IEND.
    """
    return _has_ends(path, b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82")


def is_complete_picture(path: Path) -> bool:
    """Return whether a JPEG file has its begin and its end."""
    return _has_ends(path, b"\xff\xd8", b"\xff\xd9")


def _has_ends(path: Path, begin: bytes, end: bytes) -> bool:
    """Return whether a file begins and ends with these bytes, which do not overlap."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < len(begin) + len(end):
            return False
        found = file.read(len(begin))
        file.seek(-len(end), os.SEEK_END)
        return found == begin and file.read(len(end)) == end
