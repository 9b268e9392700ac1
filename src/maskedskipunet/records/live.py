"""The last picture and state of each camera, as a watch leaves them for whoever looks on: `live/` in the records."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from maskedskipunet.files import read_content
from maskedskipunet.records.curve_files import folder_name

LARGEST_BYTES = 4_000_000
ASKED_S = 30.0  # pictures come often for so long after somebody looked


@dataclass(frozen=True, kw_only=True)
class LiveCamera:
    """The present state of one camera.

    condition: of its connection: connecting, running, lost or ended; empty where nothing was heard of. frame_unix_s:
    when its last frame came; delay_s: from then to its score. frames_per_s, scored_per_s, skipped_per_s: over the last
    seconds; frames are skipped for lack of time. score, threshold: of the last frame that has one. picture_unix_s: of
    its last picture; None: there is none.
    """

    condition: str = ""
    frame_unix_s: float | None = None
    delay_s: float | None = None
    frames_per_s: float = 0.0
    scored_per_s: float = 0.0
    skipped_per_s: float = 0.0
    score: float | None = None
    threshold: float | None = None
    picture_unix_s: float | None = None

    @property
    def is_behind(self) -> bool:
        """True if frames are skipped because the machine is too slow for all of them."""
        return self.skipped_per_s > 0


@dataclass(frozen=True)
class LiveState:
    """All cameras of a watch by name, as they were at a time. written_unix_s: 0 where no watch ever wrote."""

    written_unix_s: float
    cameras: Mapping[str, LiveCamera]


class LiveFolder:
    """The files `live/state.json` and `live/CAMERA.jpg` of a records folder.

    Each is replaced as a whole, and may be some seconds old after a power cut. folder: `live/` itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._asked_at_s = 0.0

    def state(self) -> LiveState:
        """Return how cameras are; no cameras where there is nothing to be read."""
        try:
            content = json.loads(read_content(self.folder / "state.json", max_bytes=LARGEST_BYTES))
            cameras = {str(name): _camera(values) for name, values in content["cameras"].items()}
            return LiveState(float(content["written_unix_s"]), cameras)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return LiveState(0.0, {})

    def picture(self, camera: str) -> bytes | None:
        """Return the last picture of a camera, a JPEG; None where there is none. Asks for the next ones."""
        self.ask()
        try:
            return read_content(self.picture_path(camera), max_bytes=LARGEST_BYTES)
        except OSError:
            return None

    def picture_path(self, camera: str) -> Path:
        """Return where the last picture of a camera lies, if there is one."""
        return self.folder / f"{folder_name(camera)}.jpg"

    def ask(self) -> None:
        """Have the watch write a picture a second for half a minute; without that, it writes one now and then."""
        if time.monotonic() - self._asked_at_s < ASKED_S / 6:
            return
        self._asked_at_s = time.monotonic()
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".asked").touch()

    def is_asked(self, now_unix_s: float) -> bool:
        """Return whether somebody looked within the last half minute."""
        try:
            asked_unix_s = (self.folder / ".asked").stat().st_mtime
        except OSError:
            return False
        return abs(now_unix_s - asked_unix_s) <= ASKED_S

    def write_state(self, state: LiveState) -> None:
        """Put a state in the place of the one before. Raises OSError."""
        values = {"written_unix_s": state.written_unix_s, "cameras": {n: asdict(c) for n, c in state.cameras.items()}}
        self._replace(self.folder / "state.json", (json.dumps(values) + "\n").encode())

    def write_picture(self, camera: str, jpeg: bytes) -> None:
        """Put a picture in the place of the one before. Raises OSError."""
        self._replace(self.picture_path(camera), jpeg)

    def keep_only(self, cameras: Sequence[str]) -> None:
        """Remove the pictures of all other cameras, and what a killed watch left half written."""
        known = {self.picture_path(camera) for camera in cameras}
        for path in [*self.folder.glob("*.jpg"), *self.folder.glob(".*.part")]:
            if path not in known:
                with suppress(OSError):
                    path.unlink()

    def _replace(self, path: Path, content: bytes) -> None:
        """Write a file whole; it is not waited for the disk, for the next one comes within a second."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def _camera(values: Mapping[str, Any]) -> LiveCamera:
    """Return a camera as a file tells of it. Raises KeyError, TypeError or ValueError for anything else."""
    numbers: dict[str, Any] = {}
    for field in fields(LiveCamera):
        value = values[field.name]
        if field.name == "condition":
            continue
        if value is not None and (isinstance(value, bool | str) or not isfinite(value)):
            raise ValueError(f"{field.name} is no number")
        numbers[field.name] = value
    return LiveCamera(condition=str(values["condition"]), **numbers)
