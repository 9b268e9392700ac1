"""Messages that wait to be delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("sink", sa.String, nullable=False),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("message", sa.JSON, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("fault", sa.String, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("made_unix_s", sa.Float, nullable=False),
        sa.Column("due_unix_s", sa.Float, nullable=False),
        sa.Column("done_unix_s", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("sink", "event_id", "sequence", name="uq_deliveries_sink_event_id_sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_sink_status_id", "deliveries", ["sink", "status", "id"])
