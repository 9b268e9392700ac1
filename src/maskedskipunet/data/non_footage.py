"""Recognises files among footage that are none: other programs' files, ground truth, named anomalies, own results."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskedskipunet.data.images import is_image
from maskedskipunet.data.truth_names import is_truth_folder
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@sharebin",
        "@tmp",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "lost+found",
        "network trash folder",
        "recycled",
        "recycler",
        "system volume information",
        "temporary items",
    }
)
_TRUTH_FOLDERS = _words("ground-truth test_frame_mask test_pixel_mask testing_label_mask")  # besides what we name so
_TRUTH_ENDINGS = ("_gt", "_anno", "_annotation", "_annotations", "_label", "_labels", "_mask", "_masks")
_SET_ASIDE = _words(
    "calib calibrate calibration eval evaluation heldout held-out held_out holdback holdout test testing tests val "
    "valid validation"
)
_ANOMALOUS = re.compile(
    r"(?<![a-z])(?<!non[-_ ])(?<!no[-_ ])(?<!without[-_ ])(?:abnormal|anomal(?:y|ies|ous)?)(?![a-z])(?![-_ ]?detect)"
    r"|(?<![a-z0-9])label_(?:B[1-6]|G)(?![a-z0-9])",
    re.IGNORECASE,
)
_ARCHIVES = _words(".7z .bz2 .gz .rar .tar .tgz .xz .zip")
_UNFINISHED = _words(".!ut .crdownload .download .part .partial .tmp")
# A camera's own small copies of its videos
_COPIES = _words(".lrf .lrv .thm")
_NO_FOOTAGE = _words(
    ".aac .ass .avif .bat .cfg .ckpt .conf .csv .css .db .doc .docx .flac .gif .heic .htm .html .ico .idx "
    ".ini .ipynb .js .json .jsonl .list .log .lst .m .m3u .m3u8 .m4a .mat .md .md5 .mp3 .names .nfo .npy .npz .onnx "
    ".parquet .pdf .pickle .pkl .pt .pth .py .rst .rtf .safetensors .sha1 .sha256 .sh .sqlite .srt .sub .svg .toml "
    ".tsv .txt .url .vtt .wav .xls .xlsx .xml .yaml .yml"
)
_OFTEN_OTHERS = frozenset({"", ".bin", ".dat"})  # may be videos, and mostly are not


def why_no_footage(folder: Path, siblings: Iterable[Path]) -> str | None:
    """Return why a folder holds no footage, by its name and neighbours; None if it may hold some.

    A storage system's own folders, masks and annotations of what lies beside them, and our own results.
    """
    name = folder.name.casefold()
    if name in _SYSTEM_FOLDERS:
        return "a storage system's own folder"
    if name in _TRUTH_FOLDERS or is_truth_folder(folder) or is_truth_of(folder, siblings):
        return "ground truth, no footage"
    if (folder / "scores.parquet").exists() or (
        (folder / "config.yaml").exists() and (folder / "environment.json").exists()
    ):
        return "results of an earlier run"
    return None


def is_truth_of(folder: Path, siblings: Iterable[Path]) -> bool:
    """Return whether a folder is named as the masks or annotations of something beside it: Test001_gt beside Test001.

    >>> is_truth_of(Path("a_annotations"), [Path("a.mp4")])
    True
    """
    name = folder.name.casefold()
    stems = [name[: -len(ending)] for ending in _TRUTH_ENDINGS if name.endswith(ending)]
    return bool(stems) and any(
        sibling.name.casefold() in stems or sibling.stem.casefold() in stems for sibling in siblings
    )


def is_set_aside(folder: Path) -> bool:
    """Return whether a folder's name says that its footage is kept from training: test, calibration, validation."""
    return folder.name.casefold() in _SET_ASIDE


def says_anomalous(relative: Path) -> bool:
    """Return whether a video's place or name says that it shows anomalies.

    >>> says_anomalous(Path("abnormal_scene_1_scenario_2.mp4")), says_anomalous(Path("non-anomalous/a.mp4"))
    (True, False)
    """
    return any(_ANOMALOUS.search(part) for part in relative.parts)


def why_no_video(file: Path) -> str | None:
    """Return why a file that is no video is worth a word; None for images, labels, notes and the like, which are
    expected.
    """
    suffix = file.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "not a plain file"
    if suffix in _ARCHIVES:
        return "an archive: unpack it"
    if suffix in _UNFINISHED:
        return "an unfinished download"
    if suffix in _COPIES:
        return "a camera's small copy"
    expected = suffix in _NO_FOOTAGE | _OFTEN_OTHERS or is_image(file)
    return None if expected else "no video that can be read"


def may_hold_video(file: Path) -> bool:
    """Return whether it is worth looking into a file for a video: not where its name says that it is something else."""
    suffix = file.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    return not (suffix in _NO_FOOTAGE | _ARCHIVES | _UNFINISHED | _COPIES or is_image(file))
