"""The tables of the records database. What is changed here needs a migration beside it; a test holds the two together.

Times are seconds since 1970 in UTC (`…_unix_s`), or since the source's first frame (`…_s`).
"""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, MetaData, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {float: Float, list[Any]: JSON, dict[str, Any]: JSON}  # noqa: RUF012  # as SQLAlchemy wants it


class CameraRow(Table):
    """A camera. source: its address without credentials.

    condition: its connection as the watch knew it last (connecting, running, lost, ended), empty if none was heard
    of; condition_unix_s: since when. heard_unix_s: when a frame of it arrived last, as written twice a minute;
    trusted_unix_s: when that was written last by a clock that could be trusted.
    """

    __tablename__ = "cameras"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str]
    condition: Mapped[str] = mapped_column(default="")
    condition_unix_s: Mapped[float | None]
    heard_unix_s: Mapped[float | None]
    trusted_unix_s: Mapped[float | None]


class EventRow(Table):
    """An event in its present state.

    sequence: the number of its earlier messages. revision: counts every change of the row; filed_revision: the revision
    in its JSON file. is_removing: its files are being removed, then the row. aged_from_unix_s: the time from which its
    age is counted if the clock was wrong at its begin; otherwise null.
    cue: the one that its reason names.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "began_unix_s"),
        Index(None, "camera_id", "began_unix_s"),
        Index(None, "kind_id", "began_unix_s"),
        Index(None, "cue", "began_unix_s"),
        Index(None, "phase"),
        Index(None, "is_removing", sqlite_where=text("is_removing = 1")),  # of few events; lists must not use it
        Index(None, "kind_id", "camera_id", "is_removing", "began_unix_s", "id"),  # kinds, counted
        Index(None, "began_unix_s", "id", "camera_id", "is_removing"),  # lists by time, and counts
        Index(None, "top_score", "id", "began_unix_s", "camera_id", "is_removing"),  # lists by strangeness
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id"))
    source: Mapped[str]
    start_s: Mapped[float]
    end_s: Mapped[float]
    peak_s: Mapped[float]
    start_frame: Mapped[int]
    end_frame: Mapped[int]
    peak_frame: Mapped[int]
    top_score: Mapped[float]
    mean_score: Mapped[float]
    normal_share: Mapped[float | None]
    boxes: Mapped[list[Any]]
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    kind_id: Mapped[str | None]
    cue: Mapped[str | None]
    began_unix_s: Mapped[float]
    updated_unix_s: Mapped[float]
    phase: Mapped[str]
    sequence: Mapped[int]
    has_clip: Mapped[bool]
    has_picture: Mapped[bool]
    has_normal_picture: Mapped[bool] = mapped_column(server_default=false())
    has_heat_map: Mapped[bool] = mapped_column(server_default=false())
    has_reconstruction: Mapped[bool] = mapped_column(server_default=false())
    revision: Mapped[int]
    filed_revision: Mapped[int]
    is_removing: Mapped[bool]
    aged_from_unix_s: Mapped[float | None]

    camera: Mapped[CameraRow] = relationship()
    answer: Mapped["AnswerRow | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class AnswerRow(Table):
    """What a person said of an event: `normal`, `anomaly` or `unsure`. The last answer counts.

    answered_by: the name of the user of the page who gave it; null where it is not known.
    """

    __tablename__ = "answers"
    __table_args__ = (Index(None, "answer"),)

    event_id: Mapped[str] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    answer: Mapped[str]
    answered_unix_s: Mapped[float]
    answered_by: Mapped[str | None]


class StateRow(Table):
    """A state of a camera over a time: lost, frozen, covered, moved, a gap, drift. It has no end while it lasts.

    reference: its unique id in messages; null for states of earlier versions.
    """

    __tablename__ = "states"
    __table_args__ = (Index(None, "camera_id", "began_unix_s"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id"))
    kind: Mapped[str]
    detail: Mapped[str]
    began_unix_s: Mapped[float]
    ended_unix_s: Mapped[float | None]
    reference: Mapped[str | None]


class DeliveryRow(Table):
    """A message of an event, or of a camera's state, to one sink: `waiting`, `delivered` or `dropped`.

    It holds its whole content and outlives its event. event_id: for a state, the state's reference. due_unix_s: it is
    not tried before. fault: of the last try, or why it was dropped.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("sink", "event_id", "sequence"),
        Index(None, "sink", "status", "id"),
        {"sqlite_autoincrement": True},  # an id held by a dispatcher never means another message
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sink: Mapped[str]
    event_id: Mapped[str]
    phase: Mapped[str]
    sequence: Mapped[int]
    message: Mapped[dict[str, Any]]
    status: Mapped[str]
    fault: Mapped[str | None]
    attempts: Mapped[int]
    made_unix_s: Mapped[float]
    due_unix_s: Mapped[float]
    done_unix_s: Mapped[float | None]
