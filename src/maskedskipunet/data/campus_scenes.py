"""Selects the clips of one scene of several, by their names or folders."""

import re
from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.layouts import VideoItem
from maskedskipunet.errors import DataError


def scene_of(item: VideoItem) -> str | None:
    """Return the scene that a clip shows: 01 for `01_0014`, D001 for `D001_02.avi`, else its camera by its folder.

    None if neither tells one.
    """
    match = re.match(r"([0-9]{2}|D[0-9]{3})_", item.path.name)
    return match[1] if match else item.camera


def clips_of_scene(items: Sequence[VideoItem], scene: str | None, where: Path) -> tuple[VideoItem, ...]:
    """Return the clips of one scene; of all scenes if it is None.

    where: the data set, for the error. Raises DataError when no clip is of that scene, naming the scenes there are.
    """
    if scene is None:
        return tuple(items)
    scenes = {known for item in items if (known := scene_of(item)) is not None}
    if not scenes:
        cure = "Take all (leave --data.scene out, or test with --scene all), or name clips like 01_0014"
        fault = f"no clip's name begins with a scene, and no folder tells cameras apart, so none is of scene {scene}"
        raise DataError(fault, str(where), cure)
    if scene not in scenes:
        cure = f"Choose from {', '.join(sorted(scenes))}"
        raise DataError(f"none of the {len(items)} clips is of scene {scene}", str(where), cure)
    return tuple(item for item in items if scene_of(item) == scene)
