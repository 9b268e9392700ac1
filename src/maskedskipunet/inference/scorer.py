"""The one streaming scorer: a file and a camera differ only in where their frames come from."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.inference.ignoring import IgnoredParts
from maskedskipunet.inference.prepare import PreparedNetwork
from maskedskipunet.inference.window import Arrivals, ClipWindow, FrameScore, SizedFrame, score_arrivals
from maskedskipunet.model.config import InputFormat

__all__ = ["Ended", "FrameScore", "score_frames", "score_together"]

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Ended:
    """A source gives no more frames. error: what it broke off with; None where that was its end."""

    error: DataError | None


def score_frames(
    frames: Iterable[Frame],
    network: PreparedNetwork,
    how: InputFormat,
    *,
    batch_size: int | None = None,
    with_maps: bool = False,
    ignored: NDArray[np.bool_] | None = None,
) -> Generator[FrameScore, None, None]:
    """Score each frame as it comes, encoding it once; memory does not depend on how many there are.

    frames: already sampled as `how` says. how: the size the network looks at. batch_size: frames encoded together;
    None: as many as pay on this network; 1 gives each score as soon as its clip is there, more is faster; scores are
    the same to rounding.
    with_maps: also give score maps and reconstructions. ignored: (H, W), in place of what `how` says is ignored, for
    frames that have the network's size already. Yields one FrameScore a frame, in order.
    Raises DataError where all of a frame is ignored.
    """
    together = score_together(
        [(None, frames)], network, how, batch_size=batch_size, with_maps=with_maps, ignored=ignored
    )
    with closing(together):
        for _, found in together:
            if isinstance(found, FrameScore):
                yield found
            elif found.error is not None:
                raise found.error


def score_together(
    sources: Iterable[tuple[K, Iterable[Frame]]],
    network: PreparedNetwork,
    how: InputFormat,
    *,
    at_once: int = 1,
    batch_size: int | None = None,
    with_maps: bool = False,
    ignored: NDArray[np.bool_] | None = None,
) -> Generator[tuple[K, FrameScore | Ended], None, None]:
    """Score the frames of several sources, up to `at_once` of them side by side in one batch.

    sources: each a key and its frames; the next is asked for when there is a place for it. batch_size: frames encoded
    together, of all sources; see score_frames for it and the rest. Yields keys with the FrameScores of each source in
    order and, last, how it ended. Which sources are scored together changes scores by rounding alone.
    """
    batch_size = network.frames_together if batch_size is None else batch_size
    if batch_size < 1:
        raise ConfigError(f"{batch_size} frames together", "batch_size", "Use 1 or more")
    if at_once < 1:
        raise ConfigError(f"{at_once} videos together", "at_once", "Use 1 or more")
    share = max(1, batch_size // at_once)
    waiting = iter(sources)
    running: list[_Running[K]] = []
    try:
        while True:
            for key, frames in islice(waiting, at_once - len(running)):
                # Decoding and resizing run in a thread of their own, a share ahead of the network.
                stream = read_ahead(_sized(frames, network.channels, how, ignored), share)
                running.append(_Running(key, ClipWindow(network.clip_length), stream))
            if not running:
                return
            # As many frames a turn when few sources are left, or the last long one would be slow.
            arrivals = [one.take(max(1, batch_size // len(running))) for one in running]
            for one, scores in zip(running, score_arrivals(arrivals, network, with_maps=with_maps), strict=True):
                yield from ((one.key, score) for score in scores)
                if one.ended is not None:
                    yield one.key, one.ended
            running = [one for one in running if one.ended is None]
    finally:
        for one in running:
            one.stream.close()


class _Running(Generic[K]):
    """A source that is being scored. ended: how, once it has no more frames."""

    def __init__(self, key: K, window: ClipWindow, stream: Generator[SizedFrame, None, None]) -> None:
        self.key, self.stream = key, stream
        self.ended: Ended | None = None
        self._window = window

    def take(self, most: int) -> Arrivals:
        """Its next frames; where it has none, the end of those before."""
        try:
            frames = list(islice(self.stream, most))
        except DataError as error:
            self.ended = Ended(error)
            return Arrivals(self._window, [])
        if not frames:
            self.ended = Ended(None)
        return Arrivals(self._window, frames, broken=not frames)


def _sized(
    frames: Iterable[Frame], channels: int, how: InputFormat, ignored: NDArray[np.bool_] | None
) -> Iterator[SizedFrame]:
    parts = IgnoredParts(how.ignore, how.height_px, how.width_px)
    for frame in frames:
        if frame.image is None:
            yield SizedFrame(frame, None)
            continue
        pixels = network_frame(frame.image, height_px=how.height_px, width_px=how.width_px, channels=channels)
        mask = parts.mask(*frame.image.shape[:2]) if ignored is None else ignored
        yield SizedFrame.ignoring(replace(frame, image=None), pixels, mask)
