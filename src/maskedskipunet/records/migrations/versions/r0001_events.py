"""Cameras, events, answers and states."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "cameras",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
        sa.UniqueConstraint("name", name="uq_cameras_name"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("camera_id", sa.Integer, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("peak_s", sa.Float, nullable=False),
        sa.Column("start_frame", sa.Integer, nullable=False),
        sa.Column("end_frame", sa.Integer, nullable=False),
        sa.Column("peak_frame", sa.Integer, nullable=False),
        sa.Column("top_score", sa.Float, nullable=False),
        sa.Column("mean_score", sa.Float, nullable=False),
        sa.Column("normal_share", sa.Float, nullable=True),
        sa.Column("boxes", sa.JSON, nullable=False),
        sa.Column("began_unix_s", sa.Float, nullable=False),
        sa.Column("updated_unix_s", sa.Float, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("has_clip", sa.Boolean, nullable=False),
        sa.Column("has_picture", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("filed_revision", sa.Integer, nullable=False),
        sa.Column("is_removing", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_events_camera_id"),
    )
    op.create_index("ix_events_began_unix_s", "events", ["began_unix_s"])
    op.create_index("ix_events_camera_id_began_unix_s", "events", ["camera_id", "began_unix_s"])
    op.create_table(
        "answers",
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("answered_unix_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_answers"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_answers_event_id", ondelete="CASCADE"),
    )
    op.create_table(
        "states",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("camera_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("began_unix_s", sa.Float, nullable=False),
        sa.Column("ended_unix_s", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_states"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_states_camera_id"),
    )
    op.create_index("ix_states_camera_id_began_unix_s", "states", ["camera_id", "began_unix_s"])
