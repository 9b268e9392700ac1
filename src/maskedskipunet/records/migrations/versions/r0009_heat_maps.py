"""Which events have a heat map and a reconstruction of their peak."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name in ("has_heat_map", "has_reconstruction"):
        op.add_column("events", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
