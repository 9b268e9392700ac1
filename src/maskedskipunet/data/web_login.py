"""Answers to what web servers ask for a login: Basic, and Digest by MD5, SHA-256 or SHA-512/256 (RFC 7616)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.request import parse_http_list

Digest = Callable[[bytes], str]

# The strongest last.
_DIGESTS: Mapping[str, Digest] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}
_BEGINS = re.compile(r"^([A-Za-z][\w-]*)(?:\s+(?!=)(.*)|\s*)$", re.DOTALL)


@dataclass(frozen=True)
class Challenge:
    """One way to log in that a server offers. scheme: in small letters, such as digest."""

    scheme: str
    fields: Mapping[str, str]

    @property
    def algorithm(self) -> str:
        """The digest's hash, without the `-sess` that may follow it."""
        return self.fields.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def strength(self) -> int:
        """Greater is better; -1 for what cannot be answered."""
        if self.scheme == "basic":
            return 0
        qop = self.fields.get("qop", "auth").lower().replace(" ", "").split(",")
        if self.scheme == "digest" and self.algorithm in _DIGESTS and "auth" in qop:
            return 1 + [*_DIGESTS].index(self.algorithm)
        return -1

    def __str__(self) -> str:
        return f"Digest by {self.algorithm}" if self.scheme == "digest" else self.scheme.capitalize()


def read_challenges(headers: Sequence[str]) -> list[Challenge]:
    """Return what a server's WWW-Authenticate headers offer; one header may hold several.

    >>> [str(challenge) for challenge in read_challenges(['Basic realm="a, b", Digest nonce="1", algorithm=SHA-256'])]
    ['Basic', 'Digest by SHA-256']
    """
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for item in parse_http_list(header):
            text = item.strip()
            if (begins := _BEGINS.match(text)) is not None:
                found.append((begins[1].lower(), {}))
                text = begins[2] or ""
            name, separator, value = text.partition("=")
            if found and separator:
                found[-1][1][name.strip().lower()] = value.strip().strip('"')
    return [Challenge(scheme, fields) for scheme, fields in found]


class Login:
    """A user and a password, and what a server has asked for last, which later requests answer beforehand."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._challenge: Challenge | None = None
        self._count = 0

    def take(self, challenges: Sequence[Challenge]) -> bool:
        """Choose how to answer from what a server offers; whether there is a way. None offered: Basic is tried."""
        best = max(challenges, key=lambda challenge: challenge.strength, default=Challenge("basic", {}))
        self._challenge, self._count = (best, 0) if best.strength >= 0 else (None, 0)
        return self._challenge is not None

    @property
    def scheme(self) -> str:
        """The authentication scheme in use, for instance Basic, or Digest by MD5. Empty before a server has asked."""
        return "" if self._challenge is None else str(self._challenge)

    def answer(self, method: str, uri: str) -> str | None:
        """Return the Authorization header of a request. uri: path and query of the request."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return f"Basic {base64.b64encode(f'{self._user}:{self._password}'.encode()).decode()}"
        self._count += 1
        return self._digest(self._challenge, method, uri)

    def _digest(self, challenge: Challenge, method: str, uri: str) -> str:
        fields = challenge.fields
        hashed = _DIGESTS[challenge.algorithm]
        realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
        own_nonce, count = secrets.token_hex(8), f"{self._count:08x}"
        first = hashed(f"{self._user}:{realm}:{self._password}".encode())
        if fields.get("algorithm", "").upper().endswith("-SESS"):
            first = hashed(f"{first}:{nonce}:{own_nonce}".encode())
        second = hashed(f"{method}:{uri}".encode())
        with_qop = "qop" in fields
        middle = f"{nonce}:{count}:{own_nonce}:auth" if with_qop else nonce
        response = hashed(f"{first}:{middle}:{second}".encode())
        parts = [f'username="{_quoted(self._user)}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
        parts += [f'response="{response}"']
        if "algorithm" in fields:
            parts.append(f"algorithm={fields['algorithm']}")
        if "opaque" in fields:
            parts.append(f'opaque="{fields["opaque"]}"')
        if with_qop:
            parts += ["qop=auth", f"nc={count}", f'cnonce="{own_nonce}"']
        return "Digest " + ", ".join(parts)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
