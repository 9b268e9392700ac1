"""The name that identifies a watch among others; it stays the same at each start."""

import re
from contextlib import suppress
from uuid import uuid4

from maskedskipunet.records.folder import RecordsFolder


def watch_id(folder: RecordsFolder) -> str:
    """Return the name of the watch into a records folder, kept there; where it cannot be kept, another at
    each start.
    """
    with suppress(OSError, ValueError):
        known = folder.watch_id.read_text(encoding="ascii").strip()
        if re.fullmatch(r"watch-[0-9a-f]{8}", known):
            return known
    new = f"watch-{uuid4().hex[:8]}"
    with suppress(OSError):
        folder.watch_id.write_text(f"{new}\n", encoding="ascii")
    return new
