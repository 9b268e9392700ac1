"""How cameras are now, what messages name states by, and from when an event's age is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("cameras", sa.Column("condition", sa.String, nullable=False, server_default=""))
    op.add_column("cameras", sa.Column("condition_unix_s", sa.Float, nullable=True))
    op.add_column("cameras", sa.Column("heard_unix_s", sa.Float, nullable=True))
    op.add_column("cameras", sa.Column("trusted_unix_s", sa.Float, nullable=True))
    op.add_column("events", sa.Column("aged_from_unix_s", sa.Float, nullable=True))
    op.add_column("states", sa.Column("reference", sa.String, nullable=True))
