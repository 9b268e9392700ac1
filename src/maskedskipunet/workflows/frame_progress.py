"""Progress in frames of the footage, however many times each frame is worked on."""

from maskedskipunet.progress import Advance


class FrameProgress:
    """Takes steps of work, a frame scored or drawn each, and passes on whole frames of the footage.

    advance: is called with frames. frames: of the footage that are looked at. steps: of work for all of them.
    """

    def __init__(self, advance: Advance, *, frames: int, steps: int) -> None:
        self._advance, self._frames, self._steps = advance, frames, max(steps, 1)
        self._done = self._passed_on = 0

    def __call__(self, done: int) -> None:
        self._done += done
        frames = self._done * self._frames // self._steps
        if frames > self._passed_on:
            self._advance(frames - self._passed_on)
            self._passed_on = frames
