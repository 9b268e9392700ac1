"""`maskedskipunet cache list|clear`: the decoded frames kept on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import add_json, make_parser, parse
from maskedskipunet.data.cache import cache_entries, cache_folder, clear_cache
from maskedskipunet.files import readable_bytes


def run(arguments: Sequence[str]) -> int:
    parser = make_parser("cache", "List or clear the decoded frames kept on disk; training decodes them again.")
    parser.add_argument("action", type=Literal["list", "clear"], help="What to do.")
    parser.add_argument("--cache", type=Path | None, metavar="FOLDER", help="The cache; left out, the user's.")
    add_json(parser)
    options = parse(parser, arguments)
    folder = cache_folder(options.cache)
    if options.action == "clear":
        freed_bytes = clear_cache(folder)
        console.say(f"freed {readable_bytes(freed_bytes)} in {folder}")
        console.write_figures(options.json, {"freed_bytes": freed_bytes})
        return 0
    entries = cache_entries(folder)
    rows = [
        (entry.source, f"{entry.shape[0]:,}", f"{entry.shape[3]}x{entry.shape[2]}", readable_bytes(entry.size_bytes))
        for entry in entries
    ]
    if rows:
        console.print_table(str(folder), ("source", "frames", "size", "on disk"), rows)
    total_bytes = sum(entry.size_bytes for entry in entries)
    console.say(f"{len(entries)} videos, {readable_bytes(total_bytes)} in {folder}")
    listed = [{"source": entry.source, "frames": entry.shape[0], "bytes": entry.size_bytes} for entry in entries]
    console.write_figures(options.json, {"entries": listed, "total_bytes": total_bytes})
    return 0
