"""Turns camera names into plain ones for topics and file names."""

import re
from hashlib import sha256


def plain_name(name: str) -> str:
    """Return a name of letters, digits, - and _ only; different names give different results.

    >>> plain_name("door"), plain_name("front door")
    ('door', 'front_door-7279')
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:4]}"
