"""Which events somebody has looked at."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from maskedskipunet.records.page_tables import SeenRow
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import EventRow


def mark_seen(records: Records, ids: Sequence[str], *, by: str) -> None:
    """Keep that a user has looked at events; the first time holds. Events that are gone are left out."""
    with records.write() as session:
        known = session.scalars(select(EventRow.id).where(EventRow.id.in_(ids))).all()
        for event_id in known:
            row = {"event_id": event_id, "user": by, "seen_unix_s": records.clock()}
            session.execute(insert(SeenRow).values(row).on_conflict_do_nothing())


def seen_of(records: Records, ids: Sequence[str], *, by: str) -> frozenset[str]:
    """Return which of these events a user has looked at."""
    with records.read() as session:
        wanted = select(SeenRow.event_id).where(SeenRow.event_id.in_(ids), SeenRow.user == by)
        return frozenset(session.scalars(wanted))


def seen_by(records: Records, event_id: str) -> list[tuple[str, float]]:
    """Return who has looked at an event and when first, in order of time."""
    with records.read() as session:
        wanted = select(SeenRow.user, SeenRow.seen_unix_s).where(SeenRow.event_id == event_id)
        return [(user, unix_s) for user, unix_s in session.execute(wanted.order_by(SeenRow.seen_unix_s))]
