"""Names of files: the order people read them in, and those to pass over."""

import re
from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.errors import DataError

_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})

NaturalKey = tuple[tuple[tuple[int, str], ...], str]


def natural_key(name: str) -> NaturalKey:
    """Return a sort key that puts frame2 before frame10 and ignores case.

    Names that differ in case or leading zeros alone are told apart by the name itself, so that the
    order never depends on how a folder happens to be listed.

    >>> sorted(["frame10.jpg", "Frame2.jpg", "frame1.jpg"], key=natural_key)
    ['frame1.jpg', 'Frame2.jpg', 'frame10.jpg']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(_number_key(part) if index % 2 else (0, part) for index, part in enumerate(parts)), name


def _number_key(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant  # as numbers compare, without int's limit on how many digits


def is_hidden(path: Path) -> bool:
    """Return whether a file or folder is an operating system's or editor's own and no one's footage.

    Judged by its name alone: `.DS_Store`, `._001.tif`, `UCSDped2.m~`, `Thumbs.db`, `__MACOSX`.
    """
    return path.name.startswith(".") or path.name.endswith("~") or path.name.casefold() in _CLUTTER


def visible_children(folder: Path) -> list[Path]:
    """Return the files and folders directly in a folder, in natural order, without the hidden ones.

    Raises DataError when the folder cannot be listed.
    """
    try:
        children = [child for child in folder.iterdir() if not is_hidden(child)]
    except OSError as error:
        raise DataError(
            f"cannot list the folder ({error.strerror})", str(folder), "Check its name and the right to read it"
        ) from error
    return sorted(children, key=lambda child: natural_key(child.name))


def pictures_beside_frames(names: Sequence[str]) -> frozenset[str]:
    """Return the images of a folder that are no frames of its clip, by their names.

    Where most images are numbered, one without a number is a picture of another kind: a recorder's alarm.jpg,
    snapshot.jpg or lastsnap.jpg, a poster. One that ends in -analyse beside its -capture is the same frame, drawn in.

    >>> sorted(pictures_beside_frames(["1-capture.jpg", "1-analyse.jpg", "2-capture.jpg", "alarm.jpg"]))
    ['1-analyse.jpg', 'alarm.jpg']
    """
    stems = {name: name.rpartition(".")[0].casefold() for name in names}
    captured = {stem.removesuffix("-capture") for stem in stems.values() if stem.endswith("-capture")}
    plots = {name for name, stem in stems.items() if stem.endswith("-analyse") and stem[: -len("-analyse")] in captured}
    numbered = [stem for stem in stems.values() if re.search("[0-9]", stem)]
    bare = [name for name, stem in stems.items() if not re.search("[0-9]", stem)]
    if len(bare) < len(numbered):
        first_letters = {re.split("[0-9]", stem, maxsplit=1)[0].rstrip(" _-(") for stem in numbered}
        plots |= {name for name in bare if stems[name] not in first_letters}
    return frozenset(plots)
