"""Skips frames when the machine cannot keep up: evenly, and no more than necessary."""

from math import ceil

LOAD_OVER_S = 2.0
ENOUGH = 0.7  # highest share of busy time after `every` shrinks
MAX_EVERY = 1000


class LoadShedder:
    """Decides that one of `every` frames is scored; `every` is 1 while the machine keeps up.

    max_delay_s: `every` grows when frames wait half as long and the wait does not shrink, so that none has to wait
    longer. The caller skips frames that have waited too long at once, so a machine that halted for a moment soon
    catches up, and `every` grows little.
    """

    def __init__(self, max_delay_s: float) -> None:
        self.every = 1
        self._max_delay_s = max_delay_s
        self._looked_s: float | None = None
        self._oldest_s = 0.0  # at the last look
        self._since_s = 0.0
        self._busy_s = 0.0

    def update(self, now_s: float, oldest_s: float, busy_s: float) -> None:
        """Adapt `every` after a cycle.

        oldest_s: how long the oldest frame has waited. busy_s: computing time since the last call.
        """
        if self._looked_s is None:
            self._looked_s = self._since_s = now_s
        self._busy_s += busy_s
        is_behind = oldest_s > self._max_delay_s / 2
        if is_behind and now_s - self._looked_s >= self._max_delay_s / 4:
            # Frames that wait now came before the last change, which takes a while to show.
            if oldest_s >= self._oldest_s:
                self._change(min(MAX_EVERY, self.every + max(1, self.every // 2)), now_s)
            self._looked_s, self._oldest_s = now_s, oldest_s
        elif now_s - self._since_s >= LOAD_OVER_S:
            load = self._busy_s / (now_s - self._since_s)
            fewer = max(self.every // 2, ceil(load * self.every / ENOUGH), 1)
            self._change(self.every if is_behind else min(self.every, fewer), now_s)
        if not is_behind:
            self._oldest_s = 0.0

    def _change(self, every: int, now_s: float) -> None:
        self.every = every
        self._since_s, self._busy_s = now_s, 0.0
