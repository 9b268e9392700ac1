"""XD-Violence: videos with their labels in their names, and annotations.txt with the violent ranges of test videos."""

import re
from pathlib import Path

from maskedskipunet.data.datasets.annotations import lines_of, ranges_from
from maskedskipunet.data.datasets.items import Dataset, items_of
from maskedskipunet.data.datasets.truth import Truth, labelled_items, one_truth
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import Excluded, find_footage, notes_of
from maskedskipunet.data.labels import LabelSource

_DEPTH = 2
_LABEL = re.compile(r"_label_(?:A|B[1-6]|G)(?![A-Za-z0-9])")
_TEST_FOLDERS = frozenset({"test", "testing", "test_videos", "videos"})


def recognise_xd_violence(root: Path, folders: Folders) -> Dataset | None:
    """Recognise XD-Violence's layout; return None if most names have neither `_label_A` nor a kind of violence.

    Test videos are those of the folder that holds the videos of annotations.txt. Violent videos elsewhere are of the
    training split, for methods that learn from labels of videos: they are left out.
    """
    inside = folders.within(root, _DEPTH)
    if not any(_LABEL.search(file.name) for file in folders.files(inside)):
        return None
    found = find_footage(root, folders)
    videos = [path for path in found.videos if _LABEL.search(path.stem)]
    if len(videos) * 2 < len(found.videos):
        return None
    text = one_truth([file for file in folders.files(inside, ".txt") if file.name.casefold() == "annotations.txt"])
    labels = _labels(text)
    test_folders = {path.parent for path in videos if path.stem in labels}
    test_folders |= {path.parent for path in videos if path.parent.name.casefold() in _TEST_FOLDERS}
    train, test, left_out = [], [], list(found.left_out)
    for path in found.videos:
        if path.parent in test_folders and path in videos:
            test.append(path)
        elif path in videos and "_label_A" in path.stem:
            train.append(path)
        else:
            left_out.append(Excluded(path, "violent videos of the training split" if path in videos else "no label"))
    normal = LabelSource(text, "txt", (), clip_to_length=True) if text else None
    shipped = {path: label for path in test if (label := _label_of(path, labels, normal)) is not None}
    items = labelled_items(test, root, folders, Truth(shipped=shipped))
    return Dataset("xd_violence", root, items_of(train, root), items, tuple(notes_of(left_out, root)))


def _label_of(path: Path, labels: dict[str, LabelSource], normal: LabelSource | None) -> LabelSource | None:
    return labels.get(path.stem, normal if "_label_A" in path.stem else None)


def _labels(text: Path | None) -> dict[str, LabelSource]:
    """Return labels by the name of a video, from lines such as `v=wVey5JDRf_g__#1_label_B6-0-0 12 345 400 512`.

    Frames count from 0 and the last one is not included, as public loaders slice with them; some ranges run past the
    end. A name may end in .mp4.
    """
    if text is None:
        return {}
    return {
        cells[0].removesuffix(".mp4"): LabelSource(
            text,
            "txt",
            ranges_from(cells[1:], f"{text}, line {number}", counted_from=0, end_included=False),
            clip_to_length=True,
        )
        for number, cells in lines_of(text)
    }
