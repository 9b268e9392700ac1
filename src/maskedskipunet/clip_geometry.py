"""The geometry of clips: their length and spacing, and what follows for windows, delays and skipped frames."""

from dataclasses import dataclass

from maskedskipunet.errors import ConfigError


@dataclass(frozen=True)
class ClipGeometry:
    """The frames of a clip, relative to its target, the middle one.

    length: frames in a clip (T), odd. spacing: the distance of a clip's frames in sampled frames. Raises ConfigError
    for an impossible clip.

    >>> [*ClipGeometry(3, spacing=4).frames_of(10)]
    [6, 10, 14]
    """

    length: int
    spacing: int = 1

    def __post_init__(self) -> None:
        if self.length < 1 or self.length % 2 == 0:
            raise ConfigError(f"a clip of {self.length} frames has no middle frame", "clip_length", "Use an odd length")
        if self.spacing < 1:
            raise ConfigError(f"frames of a clip that lie {self.spacing} apart", "spacing", "Use 1 or more")

    @property
    def half_span(self) -> int:
        """Sampled frames from a clip's target to its last frame: a score comes this many frames late."""
        return self.spacing * (self.length // 2)

    @property
    def span(self) -> int:
        """Sampled frames from a clip's first to its last, both counted, and those between that it does not look at."""
        return 2 * self.half_span + 1

    def frames_of(self, target: int) -> range:
        """Return the positions of the frames of the clip that is centred on a target."""
        return range(target - self.half_span, target + self.half_span + 1, self.spacing)

    def is_inside(self, target: int, count: int) -> bool:
        """Return whether the clip centred on a target lies within `count` consecutive frames."""
        return self.half_span <= target < count - self.half_span

    def is_needed(self, position: int, every: int) -> bool:
        """Return whether a frame belongs to a clip whose target's position is a multiple of `every`.

        >>> [position for position in range(9) if ClipGeometry(3).is_needed(position, 4)]
        [0, 1, 3, 4, 5, 7, 8]
        """
        return any(target % every == 0 for target in self.frames_of(position))  # a clip is symmetrical

    def span_s(self, sampled_fps: float) -> float:
        """Return seconds from a clip's first frame to its last."""
        return (self.span - 1) / sampled_fps

    def delay_s(self, sampled_fps: float) -> float:
        """Return seconds from a frame to the last one that its score waits for."""
        return self.half_span / sampled_fps

    def shortage(self) -> str:
        """Return what footage lacks that holds no clip.

        >>> ClipGeometry(3).shortage(), ClipGeometry(3, spacing=4).shortage()
        ('no 3 good frames follow one another', 'no 3 good frames lie 4 frames apart')
        """
        apart = "follow one another" if self.spacing == 1 else f"lie {self.spacing} frames apart"
        return f"no {self.length} good frames {apart}"
