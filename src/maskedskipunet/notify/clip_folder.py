"""Copies each event's clip, picture and description to a folder, perhaps on another machine."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.files import atomic_write
from maskedskipunet.notify.names import plain_name
from maskedskipunet.notify.settings import Settings, SinkContext
from maskedskipunet.notify.sink import Attachments, RetryLaterError, Sink
from maskedskipunet.records.outbox import Delivery


class ClipFolderSink:
    """Copies files to `2026-03-01T090000_CAMERA_ID.mp4`, `.jpg`, `.normal.jpg` and `.json`.

    Each file appears when it is complete. A repeated message writes the same files again. Nothing is ever removed. A
    camera's state has only a `.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, delivery: Delivery, files: Attachments) -> None:
        message = delivery.message
        began = str(message["began_at"])[:19].replace(":", "")
        stem = f"{began}_{plain_name(str(message['camera']))}_{delivery.event_id}"
        try:
            for source in filter(None, (files.clip, files.picture, files.normal_picture)):
                with atomic_write(self.folder / f"{stem}{''.join(source.suffixes)}") as part:
                    shutil.copyfile(source, part)
            with atomic_write(self.folder / f"{stem}.json") as part:
                part.write_text(json.dumps(message, indent=1) + "\n", encoding="utf-8")
        except MaskedSkipUNetError as error:
            raise RetryLaterError(error.what) from error
        except OSError as error:
            raise RetryLaterError(f"cannot write to the folder ({error.strerror})") from error

    def close(self) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class ClipFolderSettings(Settings):
    """path: the folder that gets the copies."""

    phases: ClassVar[tuple[Phase, ...]] = ("end",)

    path: Path

    def build(self, context: SinkContext) -> Sink:
        return ClipFolderSink(self.path)
