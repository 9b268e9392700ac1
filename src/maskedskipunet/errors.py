"""Errors that are raised on purpose: each message says what is wrong, where, and how to fix it.

MaskedSkipUNetError
├── ConfigError         a setting that is not possible
├── ShapeError          an array or tensor of the wrong shape
├── DataError           a folder or file that is not usable footage
│   ├── VideoError      a video that cannot be opened, decoded or written
│   │   └── LoginError  a server refuses the user and password, or asks for them
│   ├── FrameError      one image or frame that cannot be used
│   └── LabelError      ground truth that does not fit its footage
├── WeightsError        weights that are not this network's
├── CalibrationError    a calibration that is missing, damaged, or knows too little
├── RunError            a run folder that cannot be used
├── RecordsError        a records folder that cannot be used
└── DiskSpaceError      not enough space on the disk
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class MaskedSkipUNetError(Exception):
    """Base of every error raised on purpose.

    what: the fault in a few words. where: the file, setting or place. cure: how to fix it.
    The three are kept as the exception's arguments, so that the error survives pickling and a
    worker's error arrives whole.

    >>> str(MaskedSkipUNetError("the folder is empty", "videos/", "Put videos into it"))
    'videos/: the folder is empty. Put videos into it.'
    """

    def __init__(self, what: str, where: str = "", cure: str = "") -> None:
        super().__init__(what, where, cure)
        self.what, self.where, self.cure = what, where, cure

    def __str__(self) -> str:
        fault = f"{self.where}: {self.what}" if self.where else self.what
        return ". ".join(part.rstrip(".") for part in (fault, self.cure) if part) + "."


@contextmanager
def advice_when_interrupted(advice: str | Callable[[], str] | None) -> Iterator[None]:
    """Set the advice that is printed when a person interrupts this block; None: no advice. It replaces that of inner
    blocks.

    advice: a text, or a function that is called at the interruption. It travels as the exception's note.
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        note = advice() if callable(advice) else advice
        interruption.__notes__ = [] if note is None else [note]
        raise


class ConfigError(MaskedSkipUNetError):
    """A setting that is not possible."""


class ShapeError(MaskedSkipUNetError):
    """An array or tensor of the wrong shape."""


class DataError(MaskedSkipUNetError):
    """A folder or file that is not usable footage."""


class VideoError(DataError):
    """A video that cannot be opened, decoded or written."""


class LoginError(VideoError):
    """A server refuses the user and password, or asks for them. Another attempt soon can lock the account."""


class FrameError(DataError):
    """One image or frame that cannot be used."""


class LabelError(DataError):
    """Ground truth that does not fit its footage."""


class WeightsError(MaskedSkipUNetError):
    """Weights that are not this network's."""


class CalibrationError(MaskedSkipUNetError):
    """A calibration that is missing, damaged, or knows too little."""


class RunError(MaskedSkipUNetError):
    """A run folder that cannot be used."""


class RecordsError(MaskedSkipUNetError):
    """A records folder that cannot be used."""


class DiskSpaceError(MaskedSkipUNetError):
    """Not enough space on the disk."""
