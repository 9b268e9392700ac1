"""Describes alarms for `watch`: when they began, how rare their scores are, where clip and picture are."""

import time
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.detection.kinds import describe_kind
from maskedskipunet.monitor.monitor_events import Alarm
from maskedskipunet.view.reasons import describe_reason


@dataclass
class AlarmLines:
    """Describes alarms in lines.

    films: names of the cameras that are files; their alarms have the video's own time. records: folder of clips and
    pictures, None if nothing is kept. normal_frames: how many frames the model was calibrated on, None if unknown.
    """

    films: frozenset[str] = frozenset()
    records: Path | None = None
    normal_frames: int | None = None

    def describe(self, alarm: Alarm) -> str:
        """Return a line for the begin and the end of an alarm, and an empty one for updates in between."""
        event, when = alarm.update.event, self._when(alarm)
        if alarm.update.phase == "new":
            event_id = event.id[: console.SHOWN_OF_ID]
            rare = self._rarity(event.normal_share)
            why = "" if event.reason is None else f"; {describe_reason(event.reason)}"
            kind = self._kind(alarm)
            return f"{alarm.camera}: ALARM since {when}, score {event.top_score:.5f}{rare}{why}{kind}; event {event_id}"
        if alarm.update.phase == "end":
            length_s = event.end_s - event.start_s
            lasted = f"ended: lasted {length_s:.1f} s from {when}, highest score {event.top_score:.5f}"
            return f"{alarm.camera}: {lasted}{self._kind(alarm)}{self._files(alarm)}"
        return ""

    def _kind(self, alarm: Alarm) -> str:
        """Return a note of the number of alarms of one kind; nothing for the first."""
        if alarm.of_kind < 2 or alarm.kind_began_unix_s is None:
            return ""
        first = console.moment(alarm.kind_began_unix_s)
        if alarm.camera in self.films and alarm.kind_start_s is not None:
            first = console.clock(alarm.kind_start_s)
        return f"; {describe_kind(alarm.of_kind, first)}"

    def _when(self, alarm: Alarm) -> str:
        if alarm.camera in self.films:
            return f"{console.clock(alarm.update.event.start_s)} of the video"
        return time.strftime("%H:%M:%S", time.localtime(alarm.began_unix_s))

    def _rarity(self, share: float | None) -> str:
        from maskedskipunet.detection.calibration import describe_rarity, describe_share

        if share is None:
            return ""
        frames = self.normal_frames
        return f", reached by {describe_share(share) if frames is None else describe_rarity(share, frames)}"

    def _files(self, alarm: Alarm) -> str:
        from maskedskipunet.records.folder import RecordsFolder

        if self.records is None:
            return ""
        folder, event_id = RecordsFolder(self.records), alarm.update.event.id
        clip, picture = (path_of(event_id, alarm.began_unix_s) for path_of in (folder.clip, folder.picture))
        return f"; clip {clip}, picture {picture}"
