"""A frame that decoding can begin at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame that decoding can begin at.

    index: its number. pts: its time in the file. packet: packets before it. position: its first byte in the file; 0 if
    that is not known.
    """

    index: int
    pts: int
    packet: int
    position: int = 0
