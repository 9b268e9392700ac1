"""Fewer frames a second: three frames at 5 and at 60 a second are different things to a network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import ceil, floor
from typing import Protocol, TypeVar

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.errors import ConfigError

RATE_TOLERANCE = 0.9  # frames a tenth farther apart than asked for are the same thing to a network
NAMES_SHOWN = 3


class Timed(Protocol):
    """Whatever was taken at a time: a Frame, or a picture that is not converted into one yet."""

    @property
    def time_s(self) -> float: ...


T = TypeVar("T", bound=Timed)


def sample(frames: Iterable[T], *, fps: float | None = None, stride: int = 1) -> Iterator[T]:
    """Keep the frames nearest to the ticks of `fps`, then every `stride`-th of those.

    Kept frames keep their index and time. No frame is given twice: where the source has a gap, so has the result.
    """
    kept = frames if fps is None else nearest_to_ticks(frames, fps)
    for position, frame in enumerate(kept):
        if position % stride == 0:
            yield frame


def sample_part(
    frames: Iterable[T], *, fps: float | None = None, stride: int = 1, kept_before: int | None = None
) -> Iterator[tuple[int, T]]:
    """Yield the frames that `sample` keeps of a whole source, each with its number among them, from a part of it.

    frames: from the first of the part on. kept_before: the number of frames up to and with that first one that `sample`
    keeps with a stride of 1; the first one is not yielded then, because it may depend on the frame before it. None: the
    part begins at the source's start.
    """
    arriving = iter(frames)
    if kept_before is None:
        kept = enumerate(arriving if fps is None else nearest_to_ticks(arriving, fps))
    else:
        first = next(arriving, None)
        if first is None:
            return
        later = arriving if fps is None else nearest_to_ticks(chain([first], arriving), fps, floor(first.time_s * fps))
        kept = enumerate((frame for frame in later if frame is not first), kept_before)
    for position, frame in kept:
        if position % stride == 0:
            yield position // stride, frame


def nearest_to_ticks(frames: Iterable[T], fps: float, tick: int = 0) -> Iterator[T]:
    """Yield, for each tick n / fps in seconds, the frame nearest to it in time.

    The end is treated as if the source went on: its last frame is not moved to a tick that a next one would have had.
    tick: the first tick.
    """
    spacing_s = 0.0
    before: T | None = None
    given: T | None = None
    for frame in frames:
        while (at_s := tick / fps) <= frame.time_s + 1e-9:
            nearest = before if before is not None and at_s - before.time_s < frame.time_s - at_s else frame
            if nearest is not given:
                yield nearest
                given = nearest
            # Ticks that would give it again are passed over at once: the times of a broken file may jump by years.
            last_s = frame.time_s if before is None or nearest is frame else (before.time_s + frame.time_s) / 2
            tick = max(tick + 1, floor(last_s * fps))
        spacing_s = frame.time_s - before.time_s if before is not None else 0.0
        before = frame
    if before is not None and before is not given and tick / fps - before.time_s < 0.5 * spacing_s:
        yield before


def sampled_count(info: SourceInfo, *, fps: float | None, stride: int) -> int:
    """Estimate how many frames `sample` will keep."""
    count = info.frame_count
    if fps is not None and info.frame_rate:
        count = min(count, ceil((count - 0.5) * fps / info.frame_rate))
    return -(-count // stride)


def require_rate(info: SourceInfo, fps: float | None, where: str) -> None:
    """Raise ConfigError when a source has fewer frames a second than asked for: none can be made up."""
    if fps is not None and has_fewer(info, fps):
        raise ConfigError(
            f"the source has {info.frame_rate:.4g} frames a second, fewer than the {fps:g} asked for",
            where,
            f"Train with --data.fps {_floor(info.frame_rate or 0.0)} or less",
        )


def require_rates(infos: Mapping[str, SourceInfo], fps: float | None, where: str) -> None:
    """Require a sufficient rate of several sources by name; one error names all with too few frames a second."""
    if fps is None:
        return
    few = {name: info for name, info in infos.items() if has_fewer(info, fps)}
    if len(few) <= 1:
        for name, info in few.items():
            require_rate(info, fps, name)
        return
    slowest = sorted(few, key=lambda name: few[name].frame_rate or 0.0)
    shown = ", ".join(f"{name} ({few[name].frame_rate:.4g})" for name in slowest[:NAMES_SHOWN])
    more = f" and {len(few) - NAMES_SHOWN} more" if len(few) > NAMES_SHOWN else ""
    raise ConfigError(
        f"{len(few)} of {len(infos)} videos have fewer frames a second than the {fps:g} asked for: {shown}{more}",
        where,
        f"Leave them out, or train with --data.fps {_floor(few[slowest[0]].frame_rate or 0.0)} or less",
    )


def are_alike(rates: Sequence[float]) -> bool:
    """Return whether frames a second of several sources are one rate to a network."""
    return not rates or min(rates) >= max(rates) * RATE_TOLERANCE


def has_fewer(info: SourceInfo, fps: float) -> bool:
    """Return whether a source has clearly fewer frames a second."""
    return info.frame_rate is not None and info.frame_rate < fps * RATE_TOLERANCE


def _floor(rate: float) -> str:
    """Return a rate as a short text that is no higher than the rate."""
    return f"{floor(rate * 1000) / 1000:g}"
