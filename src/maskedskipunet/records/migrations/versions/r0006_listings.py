"""Indexes that hold all that lists and counts of events look at, so that both stay quick however many there are."""

from alembic import op

revision = "0006"
down_revision = "0005"

_FILTERED = ("camera_id", "is_removing")


def upgrade() -> None:
    for columns in (("began_unix_s", "id", *_FILTERED), ("top_score", "id", "began_unix_s", *_FILTERED)):
        op.create_index(f"ix_events_{'_'.join(columns)}", "events", columns)
