"""The official sizes of public data sets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskedskipunet.data.datasets.items import Dataset, Layout


@dataclass(frozen=True, slots=True)
class OfficialSize:
    """Clips and frames of a data set, as its authors count them.

    word: what names of its copies have in them. layout: the one that is its alone. train_clips are normal clips.
    frames: None if the authors give none for the split.
    """

    name: str
    word: str
    layout: Layout
    train_clips: int
    train_frames: int | None
    test_clips: int
    test_frames: int | None


OFFICIAL: Sequence[OfficialSize] = (
    OfficialSize("UCSD Ped1", "ped1", "ucsd", 34, 6_800, 36, 7_200),
    OfficialSize("UCSD Ped2", "ped2", "ucsd", 16, 2_550, 12, 2_010),
    OfficialSize("CUHK Avenue", "avenue", "avenue", 16, 15_328, 21, 15_324),
    OfficialSize("ShanghaiTech Campus", "shanghai", "shanghaitech", 330, 274_515, 107, 40_791),
    OfficialSize("Street Scene", "street[ _-]?scene", "street_scene", 46, 56_847, 35, 146_410),
    OfficialSize("UCF-Crime", "ucf[ _-]?crime", "ucf_crime", 800, None, 290, None),
    OfficialSize("XD-Violence", "xd[ _-]?violence", "xd_violence", 2_049, None, 800, None),
    OfficialSize("UBnormal", "ubnormal", "ubnormal", 186, None, 211, None),
    OfficialSize("NWPU Campus", "nwpu", "nwpu_campus", 305, 1_082_014, 242, 384_059),
    OfficialSize("MSAD", "msad", "msad", 360, None, 360, None),
    OfficialSize("IITB Corridor", "corridor", "corridor", 208, 301_999, 150, 181_567),
)


def official_size(dataset: Dataset) -> OfficialSize | None:
    """Return the size of the data set that this is a copy of, by its names and its layout; None where
    nothing says so.
    """
    if dataset.layout == "folder":
        return None
    alone = [size for size in OFFICIAL if size.layout == dataset.layout]
    if len(alone) == 1 and dataset.layout not in ("avenue", "shanghaitech"):
        return alone[0]
    truths = {item.labels.path.name for item in dataset.test if item.labels}
    for name in (*sorted(truths), dataset.root.resolve().name, dataset.layout):
        for size in OFFICIAL:
            if re.search(rf"(?:{size.word})(?![0-9])", name.casefold()):
                return size
    return None
