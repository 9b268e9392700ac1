"""Indexes of answers, and of the few events that are being removed, by which answers are counted in no time."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_events_is_removing", "events", ["is_removing"], sqlite_where=sa.text("is_removing = 1"))
    op.create_index("ix_answers_answer", "answers", ["answer"])
