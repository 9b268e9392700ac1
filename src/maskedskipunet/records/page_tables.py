"""The tables of the review page: its users, and what they answered and saw."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from maskedskipunet.records.tables import Table


class UserRow(Table):
    """Someone who may log in. role: `viewer` or `editor`. password_hash: by Argon2, with its salt."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    created_unix_s: Mapped[float]


class SessionRow(Table):
    """A browser that is logged in. token_hash: SHA-256 of what its cookie holds. used_unix_s: when, to an hour."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str]
    created_unix_s: Mapped[float]
    used_unix_s: Mapped[float]

    user: Mapped[UserRow] = relationship()


class LoginFailureRow(Table):
    """Logins that failed one after another. key: the name, or the address that they came from."""

    __tablename__ = "login_failures"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_unix_s: Mapped[float]


class AnswerChangeRow(Table):
    """One answer that one action gave or took back.

    action: the id that all changes of one click share. user: whose click it was, empty where nobody logs in. before,
    before_unix_s, before_by: the answer that held until then. is_undone: whether the click was taken back.
    """

    __tablename__ = "answer_changes"
    __table_args__ = (Index(None, "event_id"), Index(None, "user", "id"), Index(None, "action"))

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    user: Mapped[str]
    changed_unix_s: Mapped[float]
    before: Mapped[str | None]
    before_unix_s: Mapped[float | None]
    before_by: Mapped[str | None]
    after: Mapped[str | None]
    is_undone: Mapped[bool]


class SeenRow(Table):
    """A user's first look at an event."""

    __tablename__ = "seen"

    event_id: Mapped[str] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    user: Mapped[str] = mapped_column(primary_key=True)
    seen_unix_s: Mapped[float]
