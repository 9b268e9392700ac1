"""What a card says of an event: why, how rare, how long, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from maskedskipunet.records.answering import open_actions
from maskedskipunet.records.kind_counts import KindCount, counts_of
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.seen import seen_of
from maskedskipunet.web.access import Visitor
from maskedskipunet.web.learning import LearningJob
from maskedskipunet.web.page import Page
from maskedskipunet.web.words import rarity_of, reason_of


@dataclass(frozen=True)
class EventCard:
    """An event as it is shown.

    kind: how many there are of its kind, None where it has none. action: the viewer's last click on it and the number
    of events that it answered, None where there is none. job: what the model learns of it.
    """

    recorded: RecordedEvent
    is_seen: bool
    kind: KindCount | None
    action: tuple[str, int] | None
    job: LearningJob | None

    @property
    def id(self) -> str:
        return self.recorded.event.id

    @property
    def reason(self) -> str:
        """Why it was raised, as a phrase."""
        return reason_of(self.recorded)

    @property
    def shares(self) -> list[tuple[str, float]]:
        """Each cue's share of the score, the largest first."""
        reason = self.recorded.event.reason
        return [] if reason is None else [*reason.shares.items()]

    @property
    def duration_s(self) -> float:
        """The length of the event by its source's clock."""
        return max(self.recorded.event.end_s - self.recorded.event.start_s, 0.0)

    @property
    def rarity(self) -> str:
        """A sentence on how rare such a score is among normal frames; empty if that is unknown."""
        return rarity_of(self.recorded.event.normal_share)


def cards_of(page: Page, who: Visitor, events: Sequence[RecordedEvent]) -> list[EventCard]:
    """Return events as cards for whoever looks, in their order."""
    ids = [recorded.event.id for recorded in events]
    kinds = [(recorded.camera, recorded.event.kind_id) for recorded in events if recorded.event.kind_id is not None]
    with page.records.read() as session:
        counts = counts_of(session, kinds)
    seen, actions = seen_of(page.records, ids, by=who.name), open_actions(page.records, ids, by=who.name)
    return [
        EventCard(
            recorded,
            recorded.event.id in seen,
            counts.get((recorded.camera, recorded.event.kind_id or "")),
            actions.get(recorded.event.id),
            page.learning.of_event(recorded.event.id),
        )
        for recorded in events
    ]


def card_of(page: Page, who: Visitor, event_id: str) -> EventCard:
    """Return one event as a card. Raises RecordsError where there is none."""
    (card,) = cards_of(page, who, [page.records.event(event_id)])
    return card
