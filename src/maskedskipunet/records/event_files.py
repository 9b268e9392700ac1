"""The files of events: clip, pictures and description, each beside its row of the database."""

import logging
from pathlib import Path

from maskedskipunet.errors import DiskSpaceError
from maskedskipunet.files import atomic_write
from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.rows import recorded_event
from maskedskipunet.records.tables import EventRow

log = logging.getLogger(__name__)


class EventFiles:
    """Writes and removes the files of events in a records folder; whoever calls it holds the writer's place."""

    def __init__(self, folder: RecordsFolder) -> None:
        self._folder = folder

    def note_presence(self, row: EventRow) -> None:
        """Set in a row which clip and pictures exist."""
        clip, picture, normal, _ = self._folder.files(row.id, row.began_unix_s)
        row.has_clip, row.has_picture, row.has_normal_picture = clip.is_file(), picture.is_file(), normal.is_file()

    def write_description(self, row: EventRow) -> None:
        """Write an event's file as its row is now. Raises DiskSpaceError when there is no room."""
        self.note_presence(row)
        recorded_event(row).write(self._folder.description(row.id, row.began_unix_s))
        row.filed_revision = row.revision

    def write_pictures(self, recorded: RecordedEvent, picture: bytes, normal_picture: bytes | None) -> None:
        """Write an event's picture and that of its nearest normal moment, or warn where that cannot be done.

        normal_picture: None if there is none; the one of an earlier peak is removed.
        """
        _, path, beside, _ = self._folder.files(recorded.event.id, recorded.began_unix_s)
        try:
            beside.unlink(missing_ok=True)  # it belongs to another peak
            with atomic_write(path) as part:
                part.write_bytes(picture)
            if normal_picture is not None:
                with atomic_write(beside) as part:
                    part.write_bytes(normal_picture)
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
