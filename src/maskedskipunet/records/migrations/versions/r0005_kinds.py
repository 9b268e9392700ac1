"""Which events are of one kind, and the picture of an event's nearest normal moment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("events", sa.Column("has_normal_picture", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("events", sa.Column("kind_id", sa.String, nullable=True))
    op.create_index("ix_events_kind_id_began_unix_s", "events", ["kind_id", "began_unix_s"])
