"""Users of the review page, their sessions, and the limit of failed logins."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import delete, func, select

from maskedskipunet.errors import RecordsError
from maskedskipunet.records.page_tables import LoginFailureRow, SessionRow, UserRow
from maskedskipunet.records.store import Records

Role = Literal["viewer", "editor"]
IDLE_S = 14 * 86400.0  # a session that nobody uses for so long is over
LONGEST_S = 90 * 86400.0
NOTED_EVERY_S = 3600.0  # a page that is open must not write for each request
MOST_SESSIONS = 50  # of one user; the one that was used longest ago goes
FREE_FAILURES = 5  # by one name or from one address, before further logins have to wait
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
FORGIVEN_S = 86400.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class User:
    """Someone who may log in. A viewer looks, an editor answers too."""

    name: str
    role: Role
    created_unix_s: float


@dataclass(frozen=True)
class UserSession:
    """A browser that is logged in. csrf_token: what each of its changes has to repeat."""

    user: User
    csrf_token: str


def add_user(records: Records, name: str, password_hash: str, role: Role) -> User:
    """Add a user. Raises RecordsError for a name that is none or is taken, and a role that there is not."""
    if not _NAME.fullmatch(name):
        cure = "Use up to 64 letters, digits, and . _ @ -"
        raise RecordsError(f"{name[:80]!r} is no name of a user", "users", cure)
    if role not in get_args(Role):
        raise RecordsError(f"{str(role)[:40]!r} is no role", "users", f"Use {' or '.join(get_args(Role))}")
    with records.write() as session:
        if session.scalars(select(UserRow).where(func.lower(UserRow.name) == name.lower())).first() is not None:
            raise RecordsError(f"there is already a user {name!r}", "users", "Remove it first, or use another name")
        row = UserRow(name=name, role=role, password_hash=password_hash, created_unix_s=records.clock())
        session.add(row)
        return _user(row)


def list_users(records: Records) -> list[User]:
    """Return all users, by name."""
    with records.read() as session:
        return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]


def has_users(records: Records) -> bool:
    """Return whether anybody may log in; nobody has to where there is none."""
    with records.read() as session:
        return session.scalars(select(UserRow.id).limit(1)).first() is not None


def remove_user(records: Records, name: str) -> None:
    """Remove a user and end all sessions of it; what it answered stays. Raises RecordsError where there is none."""
    with records.write() as session:
        row = session.scalars(select(UserRow).where(UserRow.name == name)).first()
        if row is None:
            known = ", ".join(session.scalars(select(UserRow.name).order_by(UserRow.name))) or "none"
            raise RecordsError(f"there is no user {name[:80]!r}", "users", f"There are: {known}")
        session.delete(row)


def password_hash_of(records: Records, name: str) -> str | None:
    """Return the hash of a user's password; None where there is no such user."""
    with records.read() as session:
        return session.scalars(select(UserRow.password_hash).where(UserRow.name == name)).first()


def replace_password_hash(records: Records, name: str, password_hash: str) -> None:
    """Keep another hash of the same password, where hashing has become stronger."""
    with records.write() as session:
        if (row := session.scalars(select(UserRow).where(UserRow.name == name)).first()) is not None:
            row.password_hash = password_hash


def user_named(records: Records, name: str) -> User | None:
    """Return a user; None where there is none of this name."""
    with records.read() as session:
        row = session.scalars(select(UserRow).where(UserRow.name == name)).first()
        return None if row is None else _user(row)


def open_session(records: Records, name: str, token_hash: str, csrf_token: str) -> None:
    """Log a browser in as a user, and end sessions that are too old or too many."""
    now_unix_s = records.clock()
    with records.write() as session:
        row = session.scalars(select(UserRow).where(UserRow.name == name)).one()
        session.execute(delete(SessionRow).where(_is_over(now_unix_s)))
        own = select(SessionRow).where(SessionRow.user_id == row.id).order_by(SessionRow.used_unix_s.desc())
        for old in session.scalars(own.offset(MOST_SESSIONS - 1)).all():
            session.delete(old)
        session.add(
            SessionRow(
                token_hash=token_hash,
                user_id=row.id,
                csrf_token=csrf_token,
                created_unix_s=now_unix_s,
                used_unix_s=now_unix_s,
            )
        )


def session_of(records: Records, token_hash: str) -> UserSession | None:
    """Return who a browser is logged in as; None where it is not, or no longer."""
    now_unix_s = records.clock()
    with records.read() as session:
        wanted = select(SessionRow).where(SessionRow.token_hash == token_hash, ~_is_over(now_unix_s))
        row = session.scalars(wanted).first()
        if row is None:
            return None
        found, is_noted = UserSession(_user(row.user), row.csrf_token), now_unix_s - row.used_unix_s < NOTED_EVERY_S
    if not is_noted:
        with records.write() as session:
            if (again := session.get(SessionRow, token_hash)) is not None:
                again.used_unix_s = now_unix_s
    return found


def close_session(records: Records, token_hash: str) -> None:
    """Log a browser out."""
    with records.write() as session:
        session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))


def wait_s(records: Records, keys: Sequence[str]) -> float:
    """Return how long a login by this name and from this address has to wait, 0 where it may be tried now."""
    now_unix_s, waits = records.clock(), [0.0]
    with records.read() as session:
        for row in session.scalars(select(LoginFailureRow).where(LoginFailureRow.key.in_(keys))):
            if row.count >= FREE_FAILURES:
                pause_s = min(FIRST_WAIT_S * 2 ** min(row.count - FREE_FAILURES, 10), LONGEST_WAIT_S)
                waits.append(min(row.last_unix_s + pause_s - now_unix_s, pause_s))  # the clock may have been set
    return max(waits)


def note_failure(records: Records, keys: Sequence[str]) -> None:
    """Count a login that failed, for its name and for its address."""
    now_unix_s = records.clock()
    with records.write() as session:
        session.execute(delete(LoginFailureRow).where(LoginFailureRow.last_unix_s < now_unix_s - FORGIVEN_S))
        for key in keys:
            row = session.get(LoginFailureRow, key)
            if row is None:
                row = LoginFailureRow(key=key, count=0, last_unix_s=now_unix_s)
                session.add(row)
            row.count, row.last_unix_s = row.count + 1, now_unix_s


def forgive(records: Records, keys: Sequence[str]) -> None:
    """Forget the failed logins of a name that has logged in."""
    with records.read() as session:
        is_known = session.scalars(select(LoginFailureRow.key).where(LoginFailureRow.key.in_(keys))).first() is not None
    if is_known:
        with records.write() as session:
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.key.in_(keys)))


def _is_over(now_unix_s: float) -> Any:
    return (SessionRow.used_unix_s < now_unix_s - IDLE_S) | (SessionRow.created_unix_s < now_unix_s - LONGEST_S)


def _user(row: UserRow) -> User:
    role: Any = row.role
    return User(row.name, role, row.created_unix_s)
