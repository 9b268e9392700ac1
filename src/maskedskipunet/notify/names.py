"""Names of cameras where only plain ones are taken."""

import re
from hashlib import sha256


def plain_name(name: str) -> str:
    """Letters, digits, - and _ alone; different for different names.

    >>> plain_name("door"), plain_name("front door")
    ('door', 'front_door-7279')
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:4]}"
