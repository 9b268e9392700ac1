"""MSAD: MSAD_normal_training_blur/, MSAD_normal_testing_blur/, MSAD_anomaly_blur/ and anomaly_annotation.csv."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from maskedskipunet.data.datasets.annotations import ranges_from, table_of
from maskedskipunet.data.datasets.items import Dataset, items_of, stem_of
from maskedskipunet.data.datasets.notes import notes
from maskedskipunet.data.datasets.truth import Truth, labelled_items, one_truth
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import find_footage, notes_of
from maskedskipunet.data.labels import LabelSource
from maskedskipunet.errors import LabelError

_DEPTH = 3
_PART = r"msad_(normal_training|normal_testing|anomaly)(?:_.*)?"
_TABLE = r"(?:msad_)?anomaly_annotations?\.(?:csv|tsv)"
_START, _END = "starting frame of anomaly", "ending frame of anomaly"


def recognise_msad(root: Path, folders: Folders) -> Dataset | None:
    """Recognise MSAD's layout; return None if it is another.

    The split is the authors' first protocol: normal videos for training, normal and all anomalous ones for the test.
    """
    inside = folders.within(root, _DEPTH)
    parts = {folder: match[1] for folder in inside if (match := re.fullmatch(_PART, folder.name.casefold()))}
    if not parts:
        return None
    outer = {part: name for part, name in parts.items() if not any(parent in parts for parent in part.parents)}
    found = {part: find_footage(part, folders) for part in outer}
    train = [path for part, name in outer.items() if name == "normal_training" for path in found[part].videos]
    anomalous = [path for part, name in outer.items() if name == "anomaly" for path in found[part].videos]
    normal = [path for part, name in outer.items() if name == "normal_testing" for path in found[part].videos]
    table = one_truth([file for file in folders.files(inside) if re.fullmatch(_TABLE, file.name.casefold())])
    labels = _labels(table)
    shipped = {path: label for path in anomalous if (label := labels.get(_key(stem_of(path)))) is not None}
    if table is not None:
        shipped |= {path: LabelSource(table, "csv", ()) for path in normal}
    items = labelled_items([*normal, *anomalous], root, folders, Truth(shipped=shipped))
    own = {folder for part in outer for folder in (part, *part.parents)}
    ignored = (
        *notes(root, folders.subfolders([root]) - own, "no part of MSAD's layout"),
        *notes_of([excluded for part in outer for excluded in found[part].left_out], root),
    )
    return Dataset("msad", root, items_of(train, root), items, ignored)


def _labels(table: Path | None) -> dict[str, LabelSource]:
    """Return labels by the name of a video, from rows such as `Assault_1,shop,426,55,426`.

    Frames count from 1 with both ends included, as shown by a row with a range up to its number of frames; a range past
    the end is cut.
    """
    if table is None:
        return {}
    rows = table_of(table)
    if not rows or not {"name", _START, _END} <= rows[0].keys():
        cure = "Use the file that the data set ships"
        raise LabelError(f"found no columns name, {_START} and {_END}", str(table), cure)
    return {
        _key(PurePosixPath(row["name"]).stem): LabelSource(table, "csv", _ranges(row, table), clip_to_length=True)
        for row in rows
    }


def _ranges(row: dict[str, str], table: Path) -> tuple[tuple[int, int], ...]:
    cells: Sequence[str] = [row[_START], row[_END]]
    return () if cells == ["", ""] else ranges_from(cells, f"{table}, {row['name']}", counted_from=1)


def _key(name: str) -> str:
    return name.casefold().removeprefix("msad_")
