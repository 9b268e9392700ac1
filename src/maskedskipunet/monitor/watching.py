"""Several cameras, one network: frames are scored as they arrive, those of all cameras together."""

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.camera import Camera, CameraFrame, CameraNews, Patience, ReaderProcess, unix_s
from maskedskipunet.monitor.health import HealthMonitor
from maskedskipunet.monitor.news import CameraState, Health, Listener, Load, News, Scored
from maskedskipunet.monitor.pace import Pace
from maskedskipunet.monitor.rate import RateMonitor
from maskedskipunet.monitor.reading import Arrived, Reading
from maskedskipunet.scoring.ignored import IgnoredRegions
from maskedskipunet.scoring.scorer import Arrivals, Scorer

LOOK_S = 0.1  # how long nothing may happen before it is looked whether watching is still wanted
GATHER_S = 0.1  # how long frames wait for others at most: a turn costs nearly the same for one frame as for several


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """How cameras are watched.

    Args:
        max_delay_s: seconds from a frame's arrival that its score may take; what would take longer is skipped
        report_s: seconds from one report of delays and skipped frames to the next
        with_maps: whether scores come with their maps, from which boxes are drawn
        pictures: whether scores come with the camera's pictures, as JPEG
        expected_fps: frames a second that the network was trained at; a camera that gives clearly fewer is told of
            (None: as each camera's source asks for)
    """

    max_delay_s: float = 2.0
    report_s: float = 60.0
    with_maps: bool = False
    pictures: bool = False
    expected_fps: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_delay_s", "report_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r} seconds", name, "Use a number above 0")


def watch(
    cameras: Mapping[str, LiveSource],
    scorer: Scorer,
    listener: Listener,
    *,
    ignored: Mapping[str, IgnoredRegions] | None = None,
    config: WatchConfig | None = None,
    patience: Patience | None = None,
    wanted: Callable[[], bool] = lambda: True,
    turned: Callable[[], Scorer | None] = lambda: None,
) -> None:
    """Watch cameras until none is left (files end, cameras do not) or watching is not wanted any more.

    cameras: by name, sampled at the rate that the network was trained at. listener: is told everything, in this
    thread; what it raises ends the watching. wanted: asked LOOK_S apart at most, but for the time that computing
    takes. turned: called whenever all that had arrived was dealt with, so that a watchdog sees progress and not merely
    life; may return another scorer of the same network and clips, to score with from then on. ignored: what is not
    looked at, by camera, instead of what the scorer ignores.
    However it ends, no process is left.
    """
    config, patience = config or WatchConfig(), patience or Patience()
    if not cameras:
        raise ConfigError("there is no camera to watch", "cameras", "Name one or more")
    scorer.warm_up()
    watched = []
    for number, (name, source) in enumerate(cameras.items()):
        regions = (ignored or {}).get(name, scorer.ignored)
        camera = _camera(name, source, scorer, regions, config, patience)
        watched.append(WatchedCamera(camera, scorer, number, regions, config.expected_fps or source.fps))
    turns = TurnScorer(scorer, config, listener)
    reported_s = time.monotonic()
    try:
        while wanted() and not all(one.is_done for one in watched):
            if not any(one.waiting for one in watched):
                _wait(watched, LOOK_S)
            for one in watched:
                one.look(listener)
            if (gather_s := turns.gathers_s(watched)) > 0:
                _wait(watched, gather_s)
                continue
            turns.turn(watched)
            if (other := turned()) is not None:
                turns.take_over(other)
                for one in watched:
                    one.take_over(other)
            if time.monotonic() - reported_s >= config.report_s:
                reported_s = time.monotonic()
                turns.report(watched)
        for one in watched:
            one.break_off()
        turns.turn(watched)
        turns.report(watched)
    finally:
        for one in watched:
            one.camera.ask_to_end()
        for one in watched:
            one.camera.stop()


@dataclass
class Taken:
    """What a turn deals with: frames, news that came before them, and whether something broke off before them."""

    frames: list[SizedFrame] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    broken: bool = False


class WatchedCamera:
    """A camera, its window of encoded frames, its health, and what is counted of it.

    stagger: shifts which frames are left out, so that cameras do not all want the machine at once. ignored: what of its
    frames is not looked at. expected_fps: frames a second that it should give, None where that is not known.
    """

    def __init__(
        self,
        camera: Camera,
        scorer: Scorer,
        stagger: int,
        ignored: IgnoredRegions,
        expected_fps: float | None = None,
    ) -> None:
        self.camera = camera
        self.window = scorer.open_window()
        self.waiting: deque[CameraNews | None] = deque()  # None: nothing more is to be scored
        self.pending: deque[tuple[Arrived, bool]] = deque()  # given to the window: the frame, and whether it is skipped
        self._scorer, self._position, self._ignored = scorer, stagger, ignored
        self._health = HealthMonitor()
        self._rate = RateMonitor(expected_fps)
        self._delays_s: list[float] = []
        self._frames = self._scored = self._skipped = self._damaged = self._dropped_before = 0

    @property
    def is_done(self) -> bool:
        return self.camera.ended and not self.waiting

    def look(self, listener: Listener) -> None:
        """Take in what came. What is no frame is told when the frames before it have their scores."""
        for news in self.camera.step():
            if isinstance(news, CameraFrame):
                self.waiting.append(news)
                self._frames += 1
                self._look_at(news.arrived, news.fresh, listener)
            else:
                self.waiting.append(news)

    def _look_at(self, arrived: Arrived, fresh: bool, listener: Listener) -> None:
        changes = [*self._rate.update(arrived, fresh)]
        if arrived.pixels is None:
            self._damaged += 1
        else:
            changes += self._health.update(arrived.time_s, arrived.pixels, arrived.colour)
        for change in changes:
            when_s = unix_s(arrived.arrived_s)
            listener(Health(self.camera.name, change.fault, change.present, when_s, change.told))

    def oldest_s(self, now_s: float) -> float:
        """Return how long the oldest frame has waited."""
        arrived_s = (one.arrived.arrived_s for one in self.waiting if isinstance(one, CameraFrame))
        return next((now_s - at_s for at_s in arrived_s), 0.0)

    def take_over(self, scorer: Scorer) -> None:
        """Go by the cues of another scorer from the next frame on."""
        self.window.take_over(scorer.cues)

    def break_off(self) -> None:
        """Stop scoring."""
        self.waiting = deque([*(one for one in self.waiting if not isinstance(one, CameraFrame)), None])

    def take(self, most: int, every: int, latest_s: float) -> "Taken":
        """Neighbouring frames that wait, so many of them for the network at most, and what came before them.

        every: of how many one is scored. latest_s: frames that arrived before are not scored any more.
        """
        taken, needed = Taken(), 0
        while self.waiting and needed < most:
            one = self.waiting[0]
            is_neighbour = isinstance(one, CameraFrame) and not one.fresh
            if taken.frames and not is_neighbour:
                break
            self.waiting.popleft()
            if isinstance(one, CameraFrame):
                taken.broken |= one.fresh
                taken.frames.append(sized := self._sized(one.arrived, every, latest_s))
                needed += sized.pixels is not None
            else:
                taken.broken |= one is None or (isinstance(one, CameraState) and one.condition in ("lost", "ended"))
                taken.news += [] if one is None else [one]
        return taken

    def _sized(self, arrived: Arrived, every: int, latest_s: float) -> SizedFrame:
        late = arrived.arrived_s < latest_s
        is_target = not late and self._position % every == 0
        needed = not late and self._scorer.is_needed(self._position, every)
        self._position += 1
        self.pending.append((arrived, not is_target))
        frame = Frame(arrived.index, arrived.time_s, None)
        if arrived.pixels is None or not needed:
            return SizedFrame(frame, None, is_target)
        mask = self._ignored.mask(arrived.height_px, arrived.width_px)
        return SizedFrame.ignoring(frame, arrived.pixels, mask, is_target=is_target)

    def tell(self, scores: Iterable[FrameScore], listener: Listener) -> None:
        for score in scores:
            arrived, skipped = self.pending.popleft()
            assert arrived.index == score.index
            delay_s = time.monotonic() - arrived.arrived_s
            self._skipped += skipped
            if score.score is not None:
                self._scored += 1
                self._delays_s.append(delay_s)
            listener(
                Scored(
                    self.camera.name,
                    score,
                    unix_s(arrived.arrived_s),
                    delay_s,
                    skipped,
                    arrived.height_px,
                    arrived.width_px,
                    arrived.picture,
                )
            )

    def load(self, every: int) -> Load:
        """Return what was counted since the last call."""
        delays_s = self._delays_s
        load = Load(
            self.camera.name,
            time.time(),
            self._frames,
            self._scored,
            self._skipped,
            self.camera.dropped - self._dropped_before,
            median(delays_s) if delays_s else None,
            max(delays_s, default=None),
            every,
            self._damaged,
        )
        self._delays_s = []
        self._frames = self._scored = self._skipped = self._damaged = 0
        self._dropped_before = self.camera.dropped
        return load


class TurnScorer:
    """Scores what waits at several cameras, a batch a turn."""

    def __init__(self, scorer: Scorer, config: WatchConfig, listener: Listener) -> None:
        self._scorer, self._config, self._listener = scorer, config, listener
        self._pace = Pace(config.max_delay_s)
        self._busy_s = 0.0  # by the last turn
        self._took_s = 0.0  # the last turn that had frames

    def take_over(self, scorer: Scorer) -> None:
        """Score with another scorer from the next turn on."""
        self._scorer = scorer

    def gathers_s(self, watched: Sequence[WatchedCamera]) -> float:
        """Return how long to wait for more frames before the next turn: no longer than the last one took."""
        waiting = [each for one in watched for each in one.waiting]
        are_frames = all(isinstance(each, CameraFrame) for each in waiting)  # news does not wait
        if not waiting or not are_frames or len(waiting) >= self._scorer.batch_size:
            return 0.0
        now_s = time.monotonic()
        return min(GATHER_S, self._took_s) - max(one.oldest_s(now_s) for one in watched)

    def turn(self, watched: Sequence[WatchedCamera]) -> None:
        """Score some of the frames that wait, of each camera as many."""
        began_s = time.monotonic()
        self._pace.turn(began_s, max(one.oldest_s(began_s) for one in watched), self._busy_s)
        busy = [one for one in watched if one.waiting]
        if not busy:
            self._busy_s = 0.0
            return
        most = max(1, self._scorer.batch_size // len(busy))
        taken = [one.take(most, self._pace.every, began_s - self._config.max_delay_s) for one in busy]
        arrivals: list[Arrivals] = []
        told: list[tuple[WatchedCamera, Sequence[News]]] = []
        for one, some in zip(busy, taken, strict=True):  # news stands between what came before it and what came after
            arrivals += [Arrivals(one.window, [], some.broken), Arrivals(one.window, some.frames)]
            told += [(one, some.news), (one, ())]
        scores = self._scorer.score_turn(arrivals, with_maps=self._config.with_maps)
        for (one, after), found in zip(told, scores, strict=True):
            one.tell(found, self._listener)
            for news in after:
                self._listener(news)
        self._busy_s = self._took_s = time.monotonic() - began_s

    def report(self, watched: Sequence[WatchedCamera]) -> None:
        for one in watched:
            self._listener(one.load(self._pace.every))


def _camera(
    name: str,
    source: LiveSource,
    scorer: Scorer,
    ignored: IgnoredRegions,
    config: WatchConfig,
    patience: Patience,
) -> Camera:
    reading = Reading(
        source=source,
        height_px=scorer.size_px[0],
        width_px=scorer.size_px[1],
        channels=scorer.channels,
        ignored=ignored,
        max_wait_s=config.max_delay_s,
        pictures=config.pictures,
    )
    return Camera(name, partial(ReaderProcess, name, reading), patience, once=source.address.kind == "file")


def _wait(watched: Sequence[WatchedCamera], most_s: float) -> None:
    """Until something comes from a camera, for so long at most."""
    poll = select.poll()
    for one in watched:
        if one.camera.descriptor is not None:
            poll.register(one.camera.descriptor, select.POLLIN)
    poll.poll(most_s * 1000)
