"""UCF-Crime: videos in a folder a class, lists of the split, and one text with the anomalous ranges of test videos."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from maskedskipunet.data.datasets.annotations import lines_of, names_in, ranges_from
from maskedskipunet.data.datasets.items import Dataset, items_of
from maskedskipunet.data.datasets.truth import Truth, labelled_items, one_truth
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import Excluded, find_footage, notes_of
from maskedskipunet.data.labels import LabelSource

_DEPTH = 3  # of its lists and its text below the root
_TEXT = r"temporal_anomaly_annotations?(?:_for_testing_videos)?\.txt"
_TRAINING, _TESTING = r"training[-_]normal[-_]videos.*", r"testing[-_]normal[-_]videos.*"
_EVENTS = r".*normal_videos_(?:for_)?event.*"


def recognise_ucf_crime(root: Path, folders: Folders) -> Dataset | None:
    """Recognise UCF-Crime's layout; return None if it is another.

    Its training split holds anomalous videos too, for methods that learn from labels of videos: they are left out.
    """
    inside = folders.within(root, _DEPTH)
    text = one_truth(_named(folders.files(inside, ".txt"), _TEXT))
    if text is None and not any(re.fullmatch(f"{_TRAINING}|{_TESTING}", folder.name.casefold()) for folder in inside):
        return None
    found = find_footage(root, folders)
    tested = _listed(folders.files(inside, ".txt"), "anomaly_test.txt")
    labels = _labels(text)
    train, test, left_out = [], [], list(found.left_out)
    seen: set[str] = set()
    for path in sorted(found.videos, key=lambda path: _is_copy(path, root)):
        name = path.stem.casefold()
        if name in seen:
            left_out.append(Excluded(path, "a video that is there twice"))
        elif name in tested or name in labels or _lies_in(path, root, _TESTING):
            test.append(path)
        elif path.stem.casefold().startswith("normal_videos"):
            train.append(path)
        else:
            left_out.append(Excluded(path, _why(path, has_split=bool(tested or labels))))
        seen.add(name)
    train, test = _in_order(train, found.videos), _in_order(test, found.videos)
    shipped = {path: labels[path.stem.casefold()] for path in test if path.stem.casefold() in labels}
    items = labelled_items(test, root, folders, Truth(shipped=shipped))
    return Dataset("ucf_crime", root, items_of(train, root), items, tuple(notes_of(left_out, root)))


def _why(path: Path, *, has_split: bool) -> str:
    if not re.fullmatch(r"[a-z]+[0-9]+_x264", path.stem.casefold()):
        return "no video of UCF-Crime"
    return "anomalous videos of the training split" if has_split else "anomalous videos, of no list of the test split"


def _labels(text: Path | None) -> dict[str, LabelSource]:
    """Return labels by the name of a video, from lines such as `Abuse028_x264.mp4  Abuse  165  240  -1  -1`.

    Frames count from 1 and both ends are included, by the authors' own evaluation, which cuts ranges at the end.
    """
    if text is None:
        return {}
    return {
        PurePosixPath(cells[0]).stem.casefold(): LabelSource(
            text, "txt", ranges_from(cells[2:], f"{text}, line {number}", counted_from=1), clip_to_length=True
        )
        for number, cells in lines_of(text)
    }


def _listed(files: Iterable[Path], name: str) -> set[str]:
    """Return the stems that a list of the split names."""
    lists = [file for file in files if file.name.casefold() == name]
    return {PurePosixPath(line).stem.casefold() for file in lists[:1] for line in names_in(file)}


def _named(files: Iterable[Path], pattern: str) -> list[Path]:
    return [file for file in files if re.fullmatch(pattern, file.name.casefold())]


def _lies_in(path: Path, root: Path, pattern: str) -> bool:
    return any(re.fullmatch(pattern, part.casefold()) for part in path.relative_to(root).parts[:-1])


def _is_copy(path: Path, root: Path) -> bool:
    """Return whether a video is in the folder for event recognition, which repeats others."""
    return _lies_in(path, root, _EVENTS)


def _in_order(paths: Iterable[Path], ordered: Iterable[Path]) -> list[Path]:
    kept = set(paths)
    return [path for path in ordered if path in kept]
