"""The picture of an event's nearest normal moment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("events", sa.Column("has_normal_picture", sa.Boolean, nullable=False, server_default=sa.false()))
