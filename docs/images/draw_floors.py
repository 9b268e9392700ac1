"""Draws floors.svg, the picture of the architecture page: `python docs/images/draw_floors.py`."""

from collections.abc import Iterator
from pathlib import Path

# From the top; a part imports only parts on lower floors (on the ground floor: each other). A test holds it.
FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("one module for each command", ("cli",)),
    ("a page to review events", ("web",)),
    ("one function for each thing a user does", ("workflows",)),
    ("cameras, messages; many machines", ("monitor", "notify", "archive")),
    ("one scorer; plots; exported models", ("scoring", "view", "export")),
    (
        "fast networks, cues, learning, figures, records",
        ("inference", "runtimes", "cues", "training", "evaluation", "records", "scene"),
    ),
    ("footage, network, alarms, run folders", ("data", "model", "detection", "runs")),
    (
        "what every floor may use",
        ("errors", "files", "input_format", "clip_geometry", "progress", "machine", "plain_yaml"),
    ),
)
PLANNED: set[str] = set()
CAPTION = "A part imports only parts on lower floors. Dashed parts are planned."
WIDTH, FLOOR_HEIGHT, LEFT, RIGHT, GAP = 900, 60, 20, 625, 8
INK, LINE, GROUND = "#14324c", "#2d5f8b", "#e8eff6"


def draw() -> str:
    """Return the picture as SVG."""
    height = len(FLOORS) * FLOOR_HEIGHT + 55
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif">',
        f"  <title>The floors of maskedskipunet. {CAPTION}</title>",
        f'  <rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (told, parts) in enumerate(FLOORS):
        lines += _floor(15 + number * FLOOR_HEIGHT, told, parts)
    lines += [_text(LEFT, height - 18, CAPTION, size=12), "</svg>"]
    return "\n".join(lines) + "\n"


def _floor(top: int, told: str, parts: tuple[str, ...]) -> Iterator[str]:
    yield f'  <rect x="10" y="{top}" width="{WIDTH - 20}" height="{FLOOR_HEIGHT - 8}" rx="6" fill="{GROUND}"/>'
    width = (RIGHT - LEFT - GAP * (len(parts) - 1)) / len(parts)
    for number, part in enumerate(parts):
        left = LEFT + number * (width + GAP)
        dashes = ' stroke-dasharray="5 4"' if part in PLANNED else ""
        yield (
            f'  <rect x="{left:.0f}" y="{top + 9}" width="{width:.0f}" height="{FLOOR_HEIGHT - 26}" rx="4" '
            f'fill="#ffffff" stroke="{LINE}"{dashes}/>'
        )
        size = min(13.0, width / (0.62 * len(part)))  # as large as fits
        yield _text(left + width / 2, top + 31, part, size=size, more=' class="part" text-anchor="middle"')
    yield _text(RIGHT + 12, top + 31, told, size=12)


def _text(x: float, y: float, text: str, *, size: float, more: str = "") -> str:
    return f'  <text{more} x="{x:.0f}" y="{y:.0f}" font-size="{size:.1f}" fill="{INK}">{text}</text>'


if __name__ == "__main__":
    Path(__file__).with_name("floors.svg").write_text(draw())
