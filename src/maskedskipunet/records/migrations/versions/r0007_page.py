"""What the review page keeps: users and their sessions, who answered and who has seen what, and the cue of an event."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("answers", sa.Column("answered_by", sa.String, nullable=True))
    op.add_column("events", sa.Column("cue", sa.String, nullable=True))
    op.execute("UPDATE events SET cue = json_extract(reason, '$.cue') WHERE reason IS NOT NULL")
    op.create_index("ix_events_cue_began_unix_s", "events", ["cue", "began_unix_s"])
    op.create_index("ix_events_phase", "events", ["phase"])
    counted = ["kind_id", "camera_id", "is_removing", "began_unix_s", "id"]
    op.create_index("ix_events_kind_id_camera_id_is_removing_began_unix_s_id", "events", counted)
    _create_tables_of_users()
    op.create_table(
        "answer_changes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("changed_unix_s", sa.Float, nullable=False),
        sa.Column("before", sa.String, nullable=True),
        sa.Column("before_unix_s", sa.Float, nullable=True),
        sa.Column("before_by", sa.String, nullable=True),
        sa.Column("after", sa.String, nullable=True),
        sa.Column("is_undone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answer_changes"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_answer_changes_event_id", ondelete="CASCADE"),
    )
    op.create_index("ix_answer_changes_event_id", "answer_changes", ["event_id"])
    op.create_index("ix_answer_changes_user_id", "answer_changes", ["user", "id"])
    op.create_index("ix_answer_changes_action", "answer_changes", ["action"])
    op.create_table(
        "seen",
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("seen_unix_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "user", name="pk_seen"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_seen_event_id", ondelete="CASCADE"),
    )


def _create_tables_of_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("created_unix_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("csrf_token", sa.String, nullable=False),
        sa.Column("created_unix_s", sa.Float, nullable=False),
        sa.Column("used_unix_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "login_failures",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_unix_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_login_failures"),
    )
