"""The one finder of footage: videos and folders of images below a folder, at any depth, and what is left out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskedskipunet.data.folders import Folders
from maskedskipunet.data.images import is_image
from maskedskipunet.data.naming import natural_key, pictures_beside_frames
from maskedskipunet.data.non_footage import may_hold_video, why_no_footage, why_no_video
from maskedskipunet.data.video.video_files import is_video

_NAMED_IN_A_NOTE = 3
_SHORTEST_CLIP = 3  # images: fewer beside other footage are pictures of it
_TIMES_AND_KINDS = (
    "t h d z utc hour day normal train training test testing videos video frames images image recordings recording "
    "clips clip events alarms monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun "
    "january february march april may june july august september october november december jan feb mar apr jun jul "
    "aug sep oct nov dec"
)
_NO_CAMERA = frozenset(_TIMES_AND_KINDS.split())  # by the letters of a folder's name


@dataclass(frozen=True, slots=True)
class Excluded:
    """Something below a folder that is not footage. why: in a few words."""

    path: Path
    why: str


@dataclass(slots=True)
class Footage:
    """The footage found below a folder, in natural order, and what was left out."""

    videos: list[Path] = field(default_factory=list)
    left_out: list[Excluded] = field(default_factory=list)


def find_footage(
    root: Path, folders: Folders | None = None, leave_out: Callable[[Path], str | None] | None = None
) -> Footage:
    """Return the videos and folders of images at or below a folder.

    A folder of images is one video, unless it holds videos too: pictures beside recordings are no frames. Links to
    folders are followed, and each folder is taken once. leave_out: returns why a folder below is not searched, None if
    it is. Folders that hold no footage by their names (see `why_no_footage`) are left out anyway.
    """
    search = _Search(folders or Folders(), leave_out or (lambda folder: None), root)
    search.enter(root, follow=True)
    while search.links:  # real folders first, so that footage is named by where it lies
        search.enter(search.links.pop(0), follow=False)
    found = search.found
    found.videos.sort(key=lambda path: _place(path, root))
    found.left_out.sort(key=lambda excluded: _place(excluded.path, root))
    return found


def notes_of(left_out: Iterable[Excluded], root: Path) -> list[str]:
    """Return a short note for each reason, with the first few places: a recorder leaves thousands of files
    of a kind.
    """
    groups: dict[str, list[Path]] = {}
    for excluded in left_out:
        groups.setdefault(excluded.why, []).append(excluded.path)
    return [f"{_listed(paths, root)} ({why})" for why, paths in groups.items()]


def _listed(paths: Sequence[Path], root: Path) -> str:
    shown = [f"{path.relative_to(root)}{'/' if path.is_dir() else ''}" for path in paths[:_NAMED_IN_A_NOTE]]
    more = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _place(path: Path, root: Path) -> tuple[object, ...]:
    return tuple(map(natural_key, path.relative_to(root).parts))


class _Search:
    """A walk through folders. links: folders that were linked to, kept for after the real ones."""

    def __init__(self, folders: Folders, leave_out: Callable[[Path], str | None], root: Path) -> None:
        self.folders, self.leave_out, self.root = folders, leave_out, root
        self.found = Footage()
        self.links: list[Path] = []
        self._entered: set[tuple[int, int]] = set()
        above = root.resolve()
        self._above = {*above.parents}

    def enter(self, folder: Path, *, follow: bool) -> None:
        """Collect the footage in a folder and below it. follow: keep links for later; otherwise skip them."""
        try:
            status = folder.stat()
        except OSError:
            return
        if (status.st_dev, status.st_ino) in self._entered:
            return
        self._entered.add((status.st_dev, status.st_ino))
        listing = self.folders.listing(folder)
        self.found.left_out += [Excluded(link, "a broken link") for link in listing.broken]
        if listing.is_closed:
            self.found.left_out.append(Excluded(folder, "cannot be listed"))
        videos = [file for file in listing.files if may_hold_video(file) and file.is_file() and is_video(file)]
        images = [file for file in listing.files if is_image(file)]
        taken = len(self.found.videos)
        for child in listing.folders:
            self._enter_below(child, listing.children, follow=follow)
        self._take_images(folder, images, videos, has_footage_below=len(self.found.videos) > taken)
        self.found.videos += videos
        others = (file for file in listing.files if not is_image(file))
        unread = ((file, why_no_video(file)) for file in others if file not in videos)
        self.found.left_out += [Excluded(file, why) for file, why in unread if why is not None]

    def _enter_below(self, child: Path, siblings: Sequence[Path], *, follow: bool) -> None:
        why = why_no_footage(child, siblings) or self.leave_out(child)
        if why is not None:
            self.found.left_out.append(Excluded(child, why))
        elif not child.is_symlink():
            self.enter(child, follow=follow)
        elif follow and child.resolve() not in self._above:
            self.links.append(child)

    def _take_images(
        self, folder: Path, images: Sequence[Path], videos: Sequence[Path], *, has_footage_below: bool
    ) -> None:
        numbered = sum(any(sign.isdigit() for sign in image.stem) for image in images)
        if videos or (has_footage_below and numbered < _SHORTEST_CLIP):
            self.found.left_out += [Excluded(image, "a picture beside footage") for image in images]
        elif images:
            beside = pictures_beside_frames([image.name for image in images])
            self.found.videos.append(folder)
            self.found.left_out += [
                Excluded(image, "a picture beside frames") for image in images if image.name in beside
            ]


def cameras_of(paths: Sequence[Path]) -> list[str | None]:
    """Return the camera of each video by its folders; None if they name none, or the same for all.

    paths: paths relative to the folder that was named. The camera is the deepest folder with a letter in its name,
    so that dates and hours are passed over: front_door of 2023-04-26/07/front_door/00.05.mp4.
    """
    named = [next((part for part in reversed(path.parts[:-1]) if _is_camera(part)), None) for path in paths]
    return named if len(set(named)) > 1 else [None] * len(paths)


def _is_camera(part: str) -> bool:
    letters = "".join(sign for sign in part.casefold() if sign.isalpha())
    return bool(letters) and letters not in _NO_CAMERA
