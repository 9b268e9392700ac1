"""How the cameras are now, as tiles of the live page."""

import shutil
from dataclasses import dataclass
from typing import Literal

from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.records.curve_files import folder_name
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.live import LiveCamera, LiveFolder
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.web.curve_paths import CurvePaths, curve_paths
from maskedskipunet.workflows.status import CameraStatus, status_of

Level = Literal["good", "warning", "bad", "off"]
SLOW_S = 2.0  # a delay from here on is told
OLD_S = 15.0  # what a watch wrote longer ago is not shown as now
SHOWN_EVENTS = 6
CURVE_S = 300.0
LITTLE_MB = 500  # what a watch keeps free, unless it is told otherwise
CURVE_POINTS = 150

_FAULTS = {
    "lost": "connection lost",
    "frozen": "picture frozen",
    "dark": "covered or dark",
    "defocused": "out of focus",
    "moved": "camera moved",
    "slow": "too few frames a second",
    "drift": "normal has changed: calibrate again",
    "night": "night mode",
}
_HARMLESS = {"night"}


@dataclass(frozen=True)
class Tile:
    """A camera. now: how it is, in one or two words; notes: what is wrong, and since when. live: its figures, None
    where no watch shows them. curve: the scores of the last minutes.
    """

    camera: str
    level: Level
    now: str
    since_unix_s: float | None = None
    heard_unix_s: float | None = None
    notes: tuple[tuple[str, float], ...] = ()
    is_alarm: bool = False
    live: LiveCamera | None = None
    curve: CurvePaths | None = None

    @property
    def id(self) -> str:
        """What the camera is called in addresses: its name may hold any sign."""
        return folder_name(self.camera)

    @property
    def version(self) -> int:
        """Another where there may be another picture."""
        return 0 if self.live is None or self.live.picture_unix_s is None else int(self.live.picture_unix_s * 10)


@dataclass(frozen=True)
class LiveState:
    """How all cameras are.

    tiles: of all cameras. newest: the events that began last. fault: why the records cannot be read now. warning: what
    will soon be wrong, or keeps a watch from recording all.
    """

    tiles: tuple[Tile, ...] = ()
    newest: tuple[RecordedEvent, ...] = ()
    is_watched: bool = False
    fault: str = ""
    warning: str = ""


class LiveReader:
    """Reads the state from the records and from what a watch shows."""

    def __init__(self, records: Records, live: LiveFolder, curves: ScoreCurves) -> None:
        self._records, self._live, self._curves = records, live, curves

    def read(self) -> LiveState:
        """Return how cameras are now, and have the watch go on showing them."""
        self._live.ask()
        try:
            status = status_of(self._records)
            newest = self._records.page(EventQuery(order="newest"), size=SHOWN_EVENTS).events
            watched = {camera.name for camera in status.cameras}
            others = [name for name in self._records.cameras() if name not in watched]
        except (MaskedSkipUNetError, OSError) as error:
            return LiveState(fault=str(error))
        now_unix_s, shown = self._records.clock(), self._live.state()
        is_shown = status.is_watched and abs(now_unix_s - shown.written_unix_s) < OLD_S
        cameras = shown.cameras if is_shown else {}
        tiles = [
            self._tile(camera, cameras.get(camera.name), now_unix_s, is_watched=status.is_watched)
            for camera in status.cameras
        ]
        tiles += [Tile(name, "off", "not watched") for name in others]
        return LiveState(tuple(tiles), newest, status.is_watched, warning=self._warning())

    def _warning(self) -> str:
        """Return a sentence where the disk is nearly full; empty where it is not."""
        try:
            free_mb = shutil.disk_usage(self._records.folder.path).free // 1_000_000
        except OSError:
            return ""
        if free_mb >= LITTLE_MB:
            return ""
        return (
            f"The disk of the records has {free_mb} MB left. Below {LITTLE_MB} MB, clips and pictures pause: free some."
        )

    def _tile(self, camera: CameraStatus, live: LiveCamera | None, now_unix_s: float, *, is_watched: bool) -> Tile:
        states = [state for state in camera.states if state.kind != "lost" or camera.condition.condition == "lost"]
        level, now = _judged(camera, live, {state.kind for state in states}, is_watched=is_watched)
        return Tile(
            camera=camera.name,
            level=level,
            now=now,
            since_unix_s=camera.condition.since_unix_s,
            heard_unix_s=camera.condition.heard_unix_s,
            notes=tuple((_FAULTS.get(state.kind, state.kind), state.began_unix_s) for state in states),
            is_alarm=camera.is_alarm,
            live=live,
            curve=self._curve(camera.name, now_unix_s) if is_watched else None,
        )

    def _curve(self, camera: str, now_unix_s: float) -> CurvePaths | None:
        try:
            curve = self._curves.read(camera, now_unix_s - CURVE_S, now_unix_s, points=CURVE_POINTS)
        except (MaskedSkipUNetError, OSError):
            return None
        return curve_paths(curve, now_unix_s - CURVE_S, now_unix_s)


def _judged(camera: CameraStatus, live: LiveCamera | None, faults: set[str], *, is_watched: bool) -> tuple[Level, str]:
    condition = camera.condition.condition
    if not is_watched:
        return "off", "not watched"
    if condition != "running":
        return ("bad" if condition == "lost" else "off"), condition
    if camera.is_silent:
        return "bad", "silent"
    if faults - _HARMLESS:
        return "warning", "running"
    if live is not None and (live.is_behind or (live.delay_s or 0.0) > SLOW_S):
        return "warning", "behind"
    return "good", "running"
