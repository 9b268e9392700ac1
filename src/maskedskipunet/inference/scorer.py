"""The one streaming scorer: a file and a camera differ only in where their frames come from."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.errors import ConfigError
from maskedskipunet.inference.ignoring import IgnoredParts
from maskedskipunet.inference.prepare import PreparedNetwork
from maskedskipunet.inference.window import ClipWindow, FrameScore, SizedFrame, encode_frames, score_clips
from maskedskipunet.model.config import InputFormat

__all__ = ["FrameScore", "score_frames"]


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
    batch_size = network.frames_together if batch_size is None else batch_size
    if batch_size < 1:
        raise ConfigError(f"{batch_size} frames together", "batch_size", "Use 1 or more")
    window = ClipWindow(network.clip_length)
    # Decoding and resizing run in a thread of their own, a batch ahead of the network.
    with closing(read_ahead(_sized(frames, network.channels, how, ignored), batch_size)) as stream:
        while batch := list(islice(stream, batch_size)):
            # Nothing here keeps the batch's features longer than its clips need them.
            yield from score_clips([window.add(encode_frames(batch, network))], network, with_maps=with_maps)[0]
        yield from score_clips([window.end()], network, with_maps=with_maps)[0]


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
