"""Pages from templates, and how values look on them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from maskedskipunet.web.access import Visitor
from maskedskipunet.web.page import page_of
from maskedskipunet.web.words import reason_of, told_of_job

NO_BREAK = "\u00a0"
_TOGETHER = re.compile(r"(?<=\d) (?=(?:s|min|h|%)\b|%)")  # a number and its unit stay on one line
STATIC = Path(__file__).parent / "static"


def render(
    request: Request, template: str, who: Visitor | None, /, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page, or a part of one, for whoever asks; None before a login."""
    given = {"who": who, "path": request.url.path, "settings": page_of(request).settings}
    return HTMLResponse(_templates().get_template(template).render(given | values), status)


def render_text(name: str, values: Mapping[str, Any]) -> str:
    """Return what a template makes of values alone."""
    return _templates().get_template(name).render(values)


def is_fragment(request: Request) -> bool:
    """Return whether a part of a page is asked for, to be put into the one that is open."""
    return request.headers.get("hx-request") == "true"


def local_path(text: str, otherwise: str) -> str:
    """Return an address of this page that a form names to go on with; `otherwise` for any other.

    >>> local_path("/review?camera=door", "/"), local_path("//example.org", "/"), local_path("https://example.org", "/")
    ('/review?camera=door', '/', '/')
    """
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_local else otherwise


def moment(unix_s: float | None, style: str = "time") -> Markup:
    """Return a time that the page's script shows in the viewer's own zone; style: `time`, `date` or `ago`.

    >>> moment(1.0)
    Markup('<time datetime="1970-01-01T00:00:01Z" data-show="time">1970-01-01 00:00:01 UTC</time>')
    """
    if unix_s is None:
        return Markup("–")
    then = datetime.fromtimestamp(unix_s, UTC)
    shown = then.strftime("%Y-%m-%d %H:%M:%S UTC")
    machine = then.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-show="{}">{}</time>').format(machine, style, shown)


def duration(seconds: float) -> str:
    """Return how long something lasted.

    >>> duration(3.21), duration(75), duration(7260)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest_s} s"


def percent(share: float) -> str:
    """Return a share in whole percent, with no share of something shown as none.

    >>> percent(0.412), percent(0.001), percent(0)
    ('41 %', '< 1 %', '0 %')
    """
    return "< 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def score(value: float) -> str:
    """Return a score with four digits that mean something.

    >>> score(0.0123), score(7.5)
    ('0.01230', '7.500')
    """
    return f"{value:#.4g}"


def sentence(text: str) -> str:
    """Return a phrase as a sentence.

    >>> sentence("moves fast")
    'Moves fast.'
    """
    return f"{text[:1].upper()}{_TOGETHER.sub(NO_BREAK, text[1:].rstrip('.'))}."


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("maskedskipunet.web", "templates"),
        autoescape=select_autoescape(("html", "svg"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": moment,
        "duration": duration,
        "percent": percent,
        "score": score,
        "sentence": sentence,
        "reason": reason_of,
        "told": told_of_job,
    }
    return environment
