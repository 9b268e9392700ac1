"""Packets that RTP lost on their way: FFmpeg counts them, smears the picture, and tells nobody but its log."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import av.logging

T = TypeVar("T")

# What FFmpeg's rtpdec.c says where numbers of RTP packets are missing. It looks only when it may put them in order,
# for which two packets are held at least, over TCP too.
REORDERED = "2"
_MISSED = ("missed", "bad cseq")

_lock = threading.Lock()
_listening = 0
_level_before: int | None = None


def with_losses(read: Callable[[], T]) -> tuple[T, bool]:
    """Return the result of a function that reads with FFmpeg in this thread, and whether RTP packets were lost
    meanwhile.
    """
    _listen()
    try:
        with av.logging.Capture() as lines:
            read_ = read()
    finally:
        _stop_listening()
    return read_, any(line[2].startswith("RTP: ") and any(word in line[2] for word in _MISSED) for line in lines)


def _listen() -> None:
    global _listening, _level_before
    with _lock:
        if not _listening:
            _level_before = av.logging.get_level()
            av.logging.set_skip_repeated(False)  # each counts
            if _level_before is None or _level_before < av.logging.WARNING:
                av.logging.set_level(av.logging.WARNING)
        _listening += 1


def _stop_listening() -> None:
    global _listening
    with _lock:
        _listening -= 1
        if not _listening:
            with suppress(ValueError):
                av.logging.set_level(_level_before)
