"""The files of events: clip, pictures and description, each beside its row of the database."""

import logging
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.errors import DiskSpaceError
from maskedskipunet.files import atomic_write
from maskedskipunet.records.folder import EventPaths, RecordsFolder
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.rows import recorded_event
from maskedskipunet.records.tables import EventRow

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExplainingPictures:
    """Small pictures of an event's peak that show what the model saw in it.

    heat_map: a PNG file, transparent where nothing is anomalous. reconstruction: a JPEG file; None without a network.
    """

    heat_map: bytes
    reconstruction: bytes | None = None


class EventFiles:
    """Writes and removes the files of events in a records folder; whoever calls it holds the writer's place."""

    def __init__(self, folder: RecordsFolder) -> None:
        self._folder = folder

    def note_presence(self, row: EventRow) -> None:
        """Set in a row which clip and pictures exist."""
        files = self._folder.files(row.id, row.began_unix_s)
        row.has_clip, row.has_picture = files.clip.is_file(), files.picture.is_file()
        row.has_normal_picture = files.normal_picture.is_file()
        row.has_heat_map, row.has_reconstruction = files.heat_map.is_file(), files.reconstruction.is_file()

    def note_explaining(self, row: EventRow, explaining: ExplainingPictures | None) -> None:
        """Set in a row which explaining pictures are about to be written."""
        row.has_heat_map = explaining is not None
        row.has_reconstruction = explaining is not None and explaining.reconstruction is not None

    def write_description(self, row: EventRow) -> None:
        """Write an event's file as its row is now. Raises DiskSpaceError when there is no room."""
        self.note_presence(row)
        recorded_event(row).write(self._folder.description(row.id, row.began_unix_s))
        row.filed_revision = row.revision

    def write_pictures(
        self,
        recorded: RecordedEvent,
        picture: bytes,
        normal_picture: bytes | None,
        explaining: ExplainingPictures | None = None,
    ) -> None:
        """Write an event's picture and those beside it, or warn where that cannot be done.

        normal_picture, explaining: None if there are none; those of an earlier peak are removed.
        """
        files = self._folder.files(recorded.event.id, recorded.began_unix_s)
        beside = {files.normal_picture: normal_picture} | _explaining_files(files, explaining)
        try:
            for path in beside:
                path.unlink(missing_ok=True)  # it belongs to another peak
            for path, content in ({files.picture: picture} | beside).items():
                if content is not None:
                    with atomic_write(path) as part:
                        part.write_bytes(content)
        except (DiskSpaceError, OSError) as error:
            log.warning("event %s goes without a picture (%s)", recorded.event.id, error)

    def remove(self, row: EventRow) -> int:
        """Remove all files of an event; returns their bytes."""
        freed_bytes = 0
        for path in self._folder.files(row.id, row.began_unix_s):
            if path.is_file():
                freed_bytes += path.stat().st_size
                path.unlink()
        return freed_bytes

    def remove_day_if_empty(self, event_id: str, began_unix_s: float) -> None:
        """Remove the folder of the day on which an event began, where no other event has files in it."""
        try:
            self._folder.description(event_id, began_unix_s).parent.rmdir()
        except OSError:  # other events of the day
            return

    def remove_half_written(self) -> list[Path]:
        """Remove what a killed process had not written to the end; returns what that was."""
        parts = sorted(self._folder.events.glob("*/.*.part"))
        for part in parts:
            part.unlink(missing_ok=True)
        return parts


def _explaining_files(files: EventPaths, explaining: ExplainingPictures | None) -> dict[Path, bytes | None]:
    if explaining is None:
        return {files.heat_map: None, files.reconstruction: None}
    return {files.heat_map: explaining.heat_map, files.reconstruction: explaining.reconstruction}
