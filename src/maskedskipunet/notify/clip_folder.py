"""A folder, perhaps on another machine, that gets a copy of each event's clip, picture and description."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.files import whole_file
from maskedskipunet.notify.names import plain_name
from maskedskipunet.notify.settings import Settings, SinkContext
from maskedskipunet.notify.sink import Attachments, AwayError, Sink
from maskedskipunet.records.outbox import Delivery


class ClipFolderSink:
    """Copies files as `2026-03-01T090000_CAMERA_ID.mp4`, `.jpg`, `.normal.jpg` and `.json`.

    Each appears when it is whole. A message that comes again writes the same files again. Nothing is ever removed
    there. A camera's state has its `.json` alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, delivery: Delivery, files: Attachments) -> None:
        message = delivery.message
        began = str(message["began_at"])[:19].replace(":", "")
        stem = f"{began}_{plain_name(str(message['camera']))}_{delivery.event_id}"
        try:
            for source in filter(None, (files.clip, files.picture, files.normal_picture)):
                with whole_file(self.folder / f"{stem}{''.join(source.suffixes)}") as part:
                    shutil.copyfile(source, part)
            with whole_file(self.folder / f"{stem}.json") as part:
                part.write_text(json.dumps(message, indent=1) + "\n", encoding="utf-8")
        except MaskedSkipUNetError as error:
            raise AwayError(error.what) from error
        except OSError as error:
            raise AwayError(f"cannot write to the folder ({error.strerror})") from error

    def close(self) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class ClipFolderSettings(Settings):
    """path: the folder that gets the copies."""

    phases: ClassVar[tuple[Phase, ...]] = ("end",)

    path: Path

    def build(self, context: SinkContext) -> Sink:
        return ClipFolderSink(self.path)
