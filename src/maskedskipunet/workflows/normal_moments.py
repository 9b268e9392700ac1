"""Pictures of the normal moments that reasons of alarms name, from the footage that a model learned them from."""

from functools import cached_property
from pathlib import Path

from maskedskipunet.cues.cue import STRANGE
from maskedskipunet.data.frames import Image
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.seeking import image_at
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import Moment
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.remembering import read_remembered


class NormalMoments:
    """Finds the pictures of normal moments, as long as their footage lies where the run of a model says.

    model: a run or whatever load_model takes. is_any_missing: whether a picture was asked for and could not be had.
    A path that the run gives relative to the folder it was trained in is looked for from the working folder, and beside
    the folder of runs.
    """

    def __init__(self, model: Path) -> None:
        self._model = model
        self.is_any_missing = False

    def nearest(self, reason: EventReason | None) -> Image | None:
        """Return the picture, uint8 (H, W, 3), of the nearest normal moment where the look is strange, else None.

        It need not be the look that raised the event: a person who runs may look strange besides.
        """
        moment = None if reason is None else _nearest(reason)
        if moment is None:
            return None
        picture = self.picture(moment)
        self.is_any_missing = self.is_any_missing or picture is None
        return picture

    def note_missing(self, progress: Progress) -> None:
        """Note that pictures are missing, once for all of them."""
        if self.is_any_missing:
            progress.note("nearest normal moments are not shown: the footage that the model was trained on has moved")

    def picture(self, moment: Moment) -> Image | None:
        """Return the picture of a moment; None if its footage is gone, moved or damaged."""
        source = self._videos.get(moment.video) or self._answered(moment.video)
        return None if source is None else image_at(source, moment.time_s)

    def _answered(self, name: str) -> Source | None:
        """Return a clip that was answered as normal, by its event; None if it is gone."""
        if self._run is None or Path(name).name != name:
            return None
        path = self._run.path / "feedback" / f"{name}.mp4"
        return Source(path=path) if path.is_file() else None

    @cached_property
    def _run(self) -> RunFolder | None:
        try:
            folder = model_folder(self._model)
        except MaskedSkipUNetError:
            return None
        return RunFolder(folder.parent if folder.name == "model" else folder)

    @cached_property
    def _videos(self) -> dict[str, Source]:
        """The footage that the run was trained on or remembers, by name, as far as it is there."""
        return {} if self._run is None else self._remembered(self._run) | self._trained_on(self._run)

    @staticmethod
    def _remembered(run: RunFolder) -> dict[str, Source]:
        paths = {name: Path(path) for name, path in read_remembered(run.path).items()}
        return {name: Source(path=path) for name, path in paths.items() if path.exists()}

    @staticmethod
    def _trained_on(run: RunFolder) -> dict[str, Source]:
        if not run.config.is_file():
            return {}
        try:
            data = TrainConfig.from_dict(run.read_config(), str(run.config)).data
            roots = (data.footage, run.path.parent.parent / data.footage)
            root = next((root for root in roots if root.exists()), None)
            items = [] if root is None else recognise(root).train
        except (MaskedSkipUNetError, OSError):
            return {}
        return {item.name: Source(path=item.path, image_fps=data.image_fps) for item in items}


def _nearest(reason: EventReason) -> Moment | None:
    strange = [found for name, found in reason.readings.items() if name == reason.cue or found.surprise >= STRANGE]
    return next((found.nearest for found in strange if found.nearest is not None), None)
