"""Who asks: sessions of browsers, logins of programs, and who may change something."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from math import ceil
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from maskedskipunet.records import users
from maskedskipunet.records.store import Records
from maskedskipunet.web.forms import Form, read_form
from maskedskipunet.web.page import page_of
from maskedskipunet.web.passwords import hash_password, is_outdated, is_password
from maskedskipunet.web.refusals import ForbiddenError, LoginNeededError, TooManyLoginsError

COOKIE = "maskedskipunet_session"


@dataclass(frozen=True)
class Visitor:
    """The person or program behind a request.

    name: of the user, empty where nobody logs in. can_answer: whether it may change something. csrf_token: what
    each change has to repeat. by_browser: whether a cookie says who it is, or nothing does; a program that sends its
    password with each request needs no token.
    """

    name: str
    can_answer: bool
    csrf_token: str
    by_browser: bool = True

    @property
    def is_logged_in(self) -> bool:
        return bool(self.name)


def visitor(request: Request) -> Visitor:
    """Return who asks. Raises LoginNeededError where somebody has to log in first."""
    page, records = page_of(request), page_of(request).records
    if token := request.cookies.get(COOKIE):
        session = users.session_of(records, hash_of(token))
        if session is not None:
            return Visitor(session.user.name, session.user.role == "editor", session.csrf_token)
    authorization = request.headers.get("authorization", "")
    if authorization.lower().startswith("basic "):
        user = _program(records, authorization[6:], address_of(request))
        return Visitor(user.name, user.role == "editor", "", by_browser=False)
    if not users.has_users(records) and not page.settings.needs_login and not _is_forwarded(request):
        return Visitor("", True, page.csrf_token)
    raise LoginNeededError


def editor(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """Return who asks for a change by JSON. Raises ForbiddenError where it may not, or another site asks."""
    return _allowed(who, request.headers.get("x-csrf-token", ""))


def form_of_editor(
    who: Annotated[Visitor, Depends(visitor)], form: Annotated[Form, Depends(read_form)]
) -> tuple[Visitor, Form]:
    """Return who sends a form that changes something, and the form. Raises ForbiddenError as `editor` does."""
    return _allowed(who, form.text("csrf")), form


def log_in(records: Records, name: str, password: str, address: str) -> tuple[str, users.User]:
    """Log a browser in; returns the token for its cookie.

    Raises LoginNeededError for a wrong name or password, TooManyLoginsError after several of them.
    """
    user = _checked(records, name, password, address)
    token = secrets.token_urlsafe(32)
    users.open_session(records, user.name, hash_of(token), secrets.token_urlsafe(32))
    return token, user


def set_cookie(response: Response, token: str, *, secure: bool) -> None:
    """Have a browser send a token from now on, to this page alone and out of reach of scripts."""
    age_s = int(users.IDLE_S)
    response.set_cookie(COOKIE, token, max_age=age_s, httponly=True, samesite="lax", secure=secure, path="/")


def hash_of(token: str) -> str:
    """Return what the database keeps of a token, so that whoever reads the database cannot log in with it."""
    return hashlib.sha256(token.encode()).hexdigest()


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client is not None else "unknown"


def _allowed(who: Visitor, token: str) -> Visitor:
    if not who.can_answer:
        raise ForbiddenError("a viewer looks, and changes nothing", "Ask for the role editor")
    if who.by_browser and not secrets.compare_digest(token.encode(), who.csrf_token.encode()):
        raise ForbiddenError("the page was open for too long, or another site asked", "Reload the page and try again")
    return who


def _program(records: Records, encoded: str, address: str) -> users.User:
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise LoginNeededError from error
    return _checked(records, name, password, address)


def _checked(records: Records, name: str, password: str, address: str) -> users.User:
    by_name, by_address = f"name {name.lower()[:64]}", f"address {address[:64]}"
    if (wait_s := users.wait_s(records, [by_name, by_address])) > 0:
        raise TooManyLoginsError(ceil(wait_s))
    known = users.password_hash_of(records, name)
    user = users.user_named(records, name)
    if not is_password(password, known) or known is None or user is None:
        users.note_failure(records, [by_name, by_address])
        raise LoginNeededError("the name or the password is wrong")
    users.forgive(records, [by_name, by_address])
    if is_outdated(known):
        users.replace_password_hash(records, name, hash_password(password))
    return user


def _is_forwarded(request: Request) -> bool:
    """Return whether another server passes the request on, so that it may come from anywhere."""
    return any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "via"))
