"""The interface of a cue that is learned from normal footage and stored with the model, and the table's classes."""

from collections.abc import Iterable, Mapping
from pkgutil import resolve_name
from typing import Any, ClassVar, Protocol, Self, cast, runtime_checkable

from numpy.typing import NDArray

from maskedskipunet.cues.cue import Cue
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.normal_footage import Halves
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import CUES
from maskedskipunet.progress import Advance


class LearnedCue(Cue, Protocol):
    """A cue that is learned from normal footage and kept in `cues.safetensors`; its class is a line of CUES.

    An object does not change: to learn more is to make another. What a cue may do besides is in LearnsAnswers and
    RemembersFootage.
    """

    needed_frames: ClassVar[int]
    """The number of good frames in a row that each half of the footage must have."""

    short_footage_fault: ClassVar[str]
    """What the cue does wrong after less than SHORT_S of footage, to follow "so the … cue"; empty for nothing."""

    @classmethod
    def count_looks(cls, halves: Halves) -> int:
        """Return how many frames `learn` looks at, counting a frame each time: the length of its progress."""
        ...

    @classmethod
    def learn(cls, halves: Halves, grid: PlaceGrid, aspect_ratio: float | None, advance: Advance) -> Self:
        """Learn the cue from normal footage.

        How rare a departure is can only be known from footage that was not learned. So compare each half with what is
        learned from the other half, then learn from both. grid: the places of the frames. aspect_ratio: width over
        height of the source's own picture; None if it is not known. advance: called with the number of frames looked
        at.
        """
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store. Begin each name with the cue's name, so that no other cue has it."""
        ...

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the cue whose `arrays` were stored. Raises KeyError or ValueError for missing or damaged arrays.

        arrays: of all cues in the file.
        """
        ...

    def fits_channels(self, channels: int) -> bool:
        """Return whether it can judge frames with so many channels."""
        ...


class AnswerLearner(Protocol):
    """Learns one clip that a person called normal. It takes the clip's frames in order."""

    def add(self, frame: SizedFrame) -> None:
        """Learn the next frame; a frame without pixels is a break."""
        ...

    def finish(self) -> LearnedCue:
        """Return a cue that knows the clip. Raises CalibrationError if the cue cannot learn more."""
        ...


@runtime_checkable
class LearnsAnswers(Protocol):
    """The ability of a cue to learn from events that a person called normal."""

    def start_answer(self, name: str) -> AnswerLearner:
        """Begin to learn a clip; the cue itself stays unchanged. name: of the clip, for reasons of later alarms."""
        ...


class FootageLearner(Protocol):
    """Learns more normal footage, video by video."""

    def add(self, name: str, frames: Iterable[SizedFrame], advance: Advance) -> None:
        """Learn the frames of a video. name: of the video, for reasons. advance: called with 1 for each frame."""
        ...

    def finish(self) -> LearnedCue:
        """Return a cue that knows all of the videos."""
        ...


@runtime_checkable
class RemembersFootage(Protocol):
    """The ability of a cue to learn more normal footage without training."""

    def known_videos(self) -> set[str]:
        """Return the names of the footage that it knows."""
        ...

    def start_remembering(self, frames: int) -> FootageLearner:
        """Begin to learn more footage; the cue itself stays unchanged. frames: the number of its frames, about."""
        ...


def learned_cues() -> dict[str, type[LearnedCue]]:
    """Return the classes of all cues that are learned, by name, in the order of CUES."""
    return {name: cast(type[LearnedCue], resolve_name(path)) for name, path in CUES.items() if path is not None}
