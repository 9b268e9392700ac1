"""`maskedskipunet cache list|clear`: the decoded frames kept on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.cache import cache_entries, cache_folder, clear_cache
from maskedskipunet.files import readable_bytes


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "cache", "list|clear", "List or clear the decoded frames kept on disk; training decodes them again."
    )
    parser.add(
        "action",
        type=Literal["list", "clear"],
        metavar="list|clear",
        required=True,
        help="List the cached videos, or remove them.",
    )
    parser.add("--cache", type=Path, metavar="FOLDER", help="Use this cache folder (default: the user's).")
    parser.add_json()
    options = parser.parse(arguments)
    folder = cache_folder(options.cache)
    if folder.exists() and not folder.is_dir():
        raise UsageError("not a folder", str(folder), "Name the folder given to --data.cache")
    if options.action == "clear":
        freed_bytes = clear_cache(folder)
        console.write_figures(options.json, {"freed_bytes": freed_bytes})
        console.say(f"freed {readable_bytes(freed_bytes)} in {folder}")
        return 0
    entries = cache_entries(folder)
    total_bytes = sum(entry.size_bytes for entry in entries)
    listed = [{"source": entry.source, "frames": entry.shape[0], "bytes": entry.size_bytes} for entry in entries]
    console.write_figures(options.json, {"entries": listed, "total_bytes": total_bytes})
    rows = [
        (entry.source, f"{entry.shape[0]:,}", f"{entry.shape[3]}x{entry.shape[2]}", readable_bytes(entry.size_bytes))
        for entry in entries
    ]
    if rows:
        console.print_table("Decoded frames", ("source", "frames", "size", "on disk"), rows)
    console.say(f"{console.counted(len(entries), 'video')}, {readable_bytes(total_bytes)} in {folder}")
    return 0
