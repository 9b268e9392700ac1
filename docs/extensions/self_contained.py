"""Fails the build when a built page would load anything from another host. Links to follow are allowed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TAGS_THAT_LOAD = r"(?:script|img|iframe|source|video|audio|embed|object|link)"
IN_A_TAG = re.compile(rf"<{TAGS_THAT_LOAD}\b[^>]*?\s(?:src|href|data|srcset)\s*=\s*[\"']?(?:https?:)?//[^>]*>", re.I)
IN_A_STYLE = re.compile(r"(?:@import\s+|url\()\s*[\"']?(?:https?:)?//[^)\s;]*", re.I)
IN_A_SCRIPT = re.compile(r"(?:fetch|importScripts|import)\s*\(\s*[\"'](?:https?:)?//[^)]*", re.I)
NOT_LOADED = re.compile(r"\brel\s*=\s*[\"']?(?:canonical|next|prev|author|license|help)\b", re.I)


def setup(app: Any) -> dict[str, Any]:
    app.connect("build-finished", require_self_contained)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def require_self_contained(app: Any, fault: Exception | None) -> None:
    """Raises SphinxError with every place that names another host."""
    from sphinx.errors import SphinxError

    if fault is not None:
        return
    found = [f"{path.relative_to(app.outdir)}: {what}" for path, what in loads_from_elsewhere(Path(app.outdir))]
    if found:
        raise SphinxError("the built site loads from other hosts:\n" + "\n".join(found))


def loads_from_elsewhere(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a built site with what it would load from another host."""
    patterns = {".html": [IN_A_TAG, IN_A_STYLE, IN_A_SCRIPT], ".css": [IN_A_STYLE], ".js": [IN_A_SCRIPT]}
    for path in sorted(folder.rglob("*")):
        for pattern in patterns.get(path.suffix, []):
            for match in pattern.finditer(path.read_text(errors="replace")):
                if not NOT_LOADED.search(match[0]):
                    yield path, match[0][:120]
