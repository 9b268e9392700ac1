"""Prints events as lines of JSON on standard output, for the next program."""

import json
import sys
from dataclasses import dataclass
from typing import TextIO

from maskedskipunet.notify.settings import Settings, SinkContext
from maskedskipunet.notify.sink import Attachments, RetryLaterError, Sink
from maskedskipunet.records.outbox import Delivery


class LineSink:
    """Writes each message as one line of JSON."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def send(self, delivery: Delivery, files: Attachments) -> None:
        try:
            self.stream.write(json.dumps(delivery.message) + "\n")
            self.stream.flush()
        except (OSError, ValueError) as error:
            raise RetryLaterError("nobody reads the lines") from error

    def close(self) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class LineSettings(Settings):
    """JSON lines on standard output."""

    def build(self, context: SinkContext) -> Sink:
        return LineSink(sys.stdout)
