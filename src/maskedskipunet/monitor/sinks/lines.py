"""Events as lines of JSON, on standard output for the next program."""

import json
from typing import TextIO

from maskedskipunet.monitor.sinks.sink import Attachments, AwayError
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
            raise AwayError("nobody reads the lines") from error

    def close(self) -> None:
        return None
