"""Passwords: hashed by Argon2, checked a few at a time."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from maskedskipunet.errors import ConfigError

SHORTEST, LONGEST = 8, 1000
_together = threading.BoundedSemaphore(2)  # each takes memory and a core on purpose


def hash_password(password: str) -> str:
    """Return the hash of a password, with its salt. Raises ConfigError for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(f"a password of {len(password)} characters", "password", f"Use {SHORTEST} or more")
    with _together:
        return _hasher().hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Return whether a hash is that of a password. None, for a user that there is not, takes as long and is False."""
    if len(password) > LONGEST:
        return False
    with _together:
        try:
            return _hasher().verify(password_hash or _nobody(), password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Return whether a password would be hashed more strongly today."""
    return _hasher().check_needs_rehash(password_hash)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash("nobody's password")
