"""How large the data sets are that others publish figures on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskedskipunet.data.layouts import Dataset


@dataclass(frozen=True, slots=True)
class OfficialSize:
    """Clips and frames of a data set, as its authors count them. word: what names of its copies have in them."""

    name: str
    word: str
    train_clips: int
    train_frames: int
    test_clips: int
    test_frames: int


OFFICIAL: Sequence[OfficialSize] = (
    OfficialSize("UCSD Ped1", "ped1", 34, 6_800, 36, 7_200),
    OfficialSize("UCSD Ped2", "ped2", 16, 2_550, 12, 2_010),
    OfficialSize("CUHK Avenue", "avenue", 16, 15_328, 21, 15_324),
    OfficialSize("ShanghaiTech Campus", "shanghai", 330, 274_515, 107, 40_791),
)


def official_size(dataset: Dataset) -> OfficialSize | None:
    """The size of the data set that this is a copy of, by its names and its layout; None where nothing says so."""
    if dataset.layout == "folder":
        return None
    truths = {item.labels.path.name for item in dataset.test if item.labels}
    for name in (*sorted(truths), dataset.root.resolve().name, dataset.layout):
        for size in OFFICIAL:
            if re.search(rf"{size.word}(?![0-9])", name.casefold()):
                return size
    return None
