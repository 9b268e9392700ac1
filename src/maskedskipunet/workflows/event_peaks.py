"""What the model saw at the peaks of a video's events, collected while its scores come."""

from heapq import heappush, heappushpop

from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.view.peak_pictures import PeakPictures, peak_pictures

MAX_PICTURES = 200  # of the strongest events: nobody looks at more


class StrongestPeaks:
    """Keeps pictures of the peaks of the strongest events, some ten kilobytes each.

    height_px, width_px: of the video. most: how many; 0: none.
    """

    def __init__(self, height_px: int, width_px: int, most: int = MAX_PICTURES) -> None:
        self._size_px = {"height_px": height_px, "width_px": width_px}
        self._most = most
        self._kept: list[tuple[float, str, PeakPictures]] = []  # a heap, the weakest first

    def add(self, update: EventUpdate) -> None:
        """Take the last update of an event."""
        event = update.event
        is_stronger = len(self._kept) < self._most or (self._most > 0 and event.top_score > self._kept[0][0])
        if not is_stronger or update.peak is None:
            return
        made = peak_pictures(update.peak, event.top_score, **self._size_px)
        if made is None:
            return
        if len(self._kept) < self._most:
            heappush(self._kept, (event.top_score, event.id, made))
        else:
            heappushpop(self._kept, (event.top_score, event.id, made))

    def pictures(self) -> dict[str, PeakPictures]:
        """Return the pictures by the events' ids."""
        return {event_id: made for _, event_id, made in self._kept}
