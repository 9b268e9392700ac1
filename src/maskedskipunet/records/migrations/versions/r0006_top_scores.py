"""An index for pages of events in order of their highest scores."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_events_top_score_id", "events", ["top_score", "id"])
