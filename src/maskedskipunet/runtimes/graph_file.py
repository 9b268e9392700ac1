"""The interface of an exported file that a runtime has opened, and the names of what it takes and gives."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from maskedskipunet.runtimes.description import Description

Arrays = Mapping[str, NDArray[Any]]

# Inputs and outputs of exported files.
CLIP, FRAMES, TARGET = "clip", "frames", "target"
RECONSTRUCTION, SCORE_MAP, SCORE = "reconstruction", "score_map", "score"


def level_name(number: int) -> str:
    """Return the name of the features of one level.

    >>> level_name(1)
    'features_1'
    """
    return f"features_{number}"


class GraphFile(Protocol):
    """An exported file, opened by its runtime. Several threads may use it."""

    @property
    def description(self) -> Description:
        """The description inside the file."""
        ...

    @property
    def inputs(self) -> list[str]:
        """The names of its inputs, in order."""
        ...

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Compute all outputs, by name, from all inputs."""
        ...
