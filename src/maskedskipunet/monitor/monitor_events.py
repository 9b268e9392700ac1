"""Events of the monitor: plain records, passed to subscribers in the order in which they happened."""

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
class ScoredFrame:
    """A frame of a camera and its score. Frames come in order, each once.

    frame: its index and time_s continue over gaps; its score is None beside a gap, for a damaged frame and for a
    skipped one. unix_s: when the frame arrived. delay_s: seconds from then until now. skipped: the machine could not
    keep up, so that it has no score. source_height_px, source_width_px: size of the camera's picture, 0 for a damaged
    one. picture: the picture as JPEG, if asked for.
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
    """A change of a camera's connection.

    reason: why it was lost, or why a file ended early. again_s: seconds until a lost camera is tried again.
    """

    camera: str
    condition: Condition
    unix_s: float
    reason: str = ""
    again_s: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without frames of a camera. frames: how many are known to be missing, 0 if unknown."""

    camera: str
    start_unix_s: float
    end_unix_s: float
    reason: str
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """A fault of a camera's picture begins or ends. description: a short text with the measured value."""

    camera: str
    fault: Fault
    present: bool
    unix_s: float
    description: str


@dataclass(frozen=True, slots=True)
class Load:
    """Counts of a camera's frames since the last such event.

    frames: frames that arrived. scored, skipped: how many of them were. dropped: frames that the reading process had no
    room for. delay_median_s, delay_most_s: of scored frames, None if none was scored. every: one of so many frames is
    scored at the moment. damaged: frames that arrived with lost or damaged data.
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
    """An alarm begins, continues or ends.

    began_unix_s: when it began, the same in all its phases. of_kind: how many alarms of its kind the camera has had,
    this one included. kind_began_unix_s: when the first of them began. kind_start_s: the same moment in the camera's
    own time, if this watch saw it. They are 1 and None if kinds are not distinguished.
    """

    camera: str
    update: EventUpdate
    began_unix_s: float
    of_kind: int = 1
    kind_began_unix_s: float | None = None
    kind_start_s: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """The scene of a camera has drifted from the calibration, or is as before again."""

    camera: str
    change: DriftChange
    unix_s: float


@dataclass(frozen=True, slots=True)
class ModelChange:
    """The model was calibrated or trained again while cameras are watched.

    threshold: the threshold in force, None if there is none. applied: whether the change is in force at all cameras.
    description: what changed, or why it is not applied, in a sentence. normal_frames: how many frames the model was
    calibrated on, if the change is applied.
    """

    threshold: float | None
    applied: bool
    unix_s: float
    description: str
    normal_frames: int | None = None


MonitorEvent = ScoredFrame | CameraState | Gap | Health | Load | Alarm | Drift | ModelChange
Subscriber = Callable[[MonitorEvent], None]


# Names in JSON lines that differ from those in code, because readers of JSON lines rely on them.
_JSON_KINDS: dict[type, str] = {ScoredFrame: "scored"}
_JSON_KEYS = {"applied": "heeded", "description": "told"}


def event_to_dict(event: MonitorEvent) -> dict[str, Any]:
    """Return an event as plain values for a JSON line, without score maps and pictures."""
    values: dict[str, Any] = {"kind": _JSON_KINDS.get(type(event), type(event).__name__.lower())}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, EventUpdate):
            values |= {"phase": value.phase} | plain_event(value.event)
        elif isinstance(value, DriftChange):
            values |= asdict(value)
        elif isinstance(value, FrameScore):
            values |= {"index": value.index, "time_s": round(value.time_s, 6), "score": value.score}
        elif not isinstance(value, bytes) and field.name != "picture":
            values[_JSON_KEYS.get(field.name, field.name)] = round(value, 6) if isinstance(value, float) else value
    if isinstance(event, Alarm) and event.kind_began_unix_s is None:
        del values["of_kind"], values["kind_began_unix_s"], values["kind_start_s"]
    return values
