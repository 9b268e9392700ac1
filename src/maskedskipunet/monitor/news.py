"""What watching has to tell: plain records, given to one listener in the order in which things happened."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.view.reasons import plain_event

Condition = Literal["connecting", "running", "lost", "ended"]
Fault = Literal["frozen", "dark", "defocused", "moved", "night", "slow"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A frame of a camera and its score, in order and each once.

    frame: index and time_s go on over gaps; a score of None: at the edges of a gap, of a damaged frame, or skipped.
    unix_s: when the frame arrived. delay_s: from then until now. skipped: whether it has no score because the machine
    could not keep up. source_height_px, source_width_px: of the camera's picture, 0 for a damaged one. picture: JPEG
    of it, where asked for.
    """

    camera: str
    frame: FrameScore
    unix_s: float
    delay_s: float
    skipped: bool
    source_height_px: int
    source_width_px: int
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class CameraState:
    """A camera's connection has changed.

    reason: why, where it was lost or a file broke off. again_s: until a lost one is tried again.
    """

    camera: str
    condition: Condition
    unix_s: float
    reason: str = ""
    again_s: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was seen of a camera. frames: how many are known to be missing, 0 if unknown."""

    camera: str
    start_unix_s: float
    end_unix_s: float
    reason: str
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """Something is wrong with a camera's picture, or no longer. told: in words, with the figure it rests on."""

    camera: str
    fault: Fault
    present: bool
    unix_s: float
    told: str


@dataclass(frozen=True, slots=True)
class Load:
    """How a camera's frames fared since the last such record.

    frames: that arrived. scored, skipped: of them. dropped: that found no room and never came here. delay_s: median
    and most of those scored, None where none was. every: of how many frames one is scored at the moment. damaged: that
    arrived and could not be trusted, for data was lost or damaged on its way.
    """

    camera: str
    unix_s: float
    frames: int
    scored: int
    skipped: int
    dropped: int
    delay_median_s: float | None
    delay_most_s: float | None
    every: int
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """An event begins, goes on or is over.

    began_unix_s: when it began, the same in all its phases. of_kind: how many of its kind the camera had with it;
    kind_began_unix_s: when the first of them began, and kind_start_s by the camera's own time, where this watch
    saw it. 1 and None where kinds are not told apart.
    """

    camera: str
    update: EventUpdate
    began_unix_s: float
    of_kind: int = 1
    kind_began_unix_s: float | None = None
    kind_start_s: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """What is normal before a camera has changed since the calibration, or is again as it was."""

    camera: str
    change: DriftChange
    unix_s: float


@dataclass(frozen=True, slots=True)
class ModelChange:
    """The model was calibrated or trained again: all cameras use it from now on, or why they do not.

    threshold: that holds now; None where there is none. heeded: whether it is the new one. told: in a sentence.
    normal_frames: how many frames it was calibrated on, if it is applied.
    """

    threshold: float | None
    heeded: bool
    unix_s: float
    told: str
    normal_frames: int | None = None


News = Scored | CameraState | Gap | Health | Load | Alarm | Drift | ModelChange
Listener = Callable[[News], None]


def plain(news: News) -> dict[str, Any]:
    """Return a record as plain values for a JSON line; a score's map and a picture's bytes are left out."""
    values: dict[str, Any] = {"kind": type(news).__name__.lower()}
    for field in fields(news):
        value = getattr(news, field.name)
        if isinstance(value, EventUpdate):
            values |= {"phase": value.phase} | plain_event(value.event)
        elif isinstance(value, DriftChange):
            values |= asdict(value)
        elif isinstance(value, FrameScore):
            values |= {"index": value.index, "time_s": round(value.time_s, 6), "score": value.score}
        elif not isinstance(value, bytes) and field.name != "picture":
            values[field.name] = round(value, 6) if isinstance(value, float) else value
    if isinstance(news, Alarm) and news.kind_began_unix_s is None:
        del values["of_kind"], values["kind_began_unix_s"], values["kind_start_s"]
    return values
