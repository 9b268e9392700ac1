"""Watches several cameras with one network: frames of all cameras are scored together as they arrive."""

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
from maskedskipunet.monitor.camera import Camera, CameraEvent, CameraFrame, ReaderProcess, ReconnectPolicy, unix_s
from maskedskipunet.monitor.health import HealthMonitor
from maskedskipunet.monitor.load_shedding import LoadShedder
from maskedskipunet.monitor.monitor_events import CameraState, Health, Load, MonitorEvent, ScoredFrame, Subscriber
from maskedskipunet.monitor.rate import RateMonitor
from maskedskipunet.monitor.reader_process import ArrivedFrame, ReaderConfig
from maskedskipunet.scoring.ignored import IgnoredRegions
from maskedskipunet.scoring.scorer import Arrivals, Scorer

POLL_S = 0.1  # the longest time between two calls of `should_continue` while nothing happens
GATHER_S = 0.1  # the longest time frames wait for others: a cycle costs nearly the same for one frame as for several


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """Settings of watching cameras.

    Args:
        max_delay_s: the longest time in seconds from a frame's arrival to its score; frames that would take longer are
            skipped
        report_s: seconds from one report of delays and skipped frames to the next
        with_maps: attach score maps to scores; boxes are drawn from them
        pictures: attach the camera's pictures to scores, as JPEG
        expected_fps: frames a second that the network was trained at; a camera that gives clearly fewer is reported
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
    subscriber: Subscriber,
    *,
    ignored: Mapping[str, IgnoredRegions] | None = None,
    config: WatchConfig | None = None,
    reconnect_policy: ReconnectPolicy | None = None,
    should_continue: Callable[[], bool] = lambda: True,
    on_cycle: Callable[[], Scorer | None] = lambda: None,
) -> None:
    """Watch cameras until none is left (files end, cameras do not) or until `should_continue` returns False.

    cameras: sources by name, sampled at the rate that the network was trained at. subscriber: receives every event, in
    this thread; an exception it raises ends the watching. should_continue: called at least every POLL_S, apart from the
    time that computing takes. on_cycle: called when everything that has arrived was handled, so that a watchdog sees
    progress; may return another scorer of the same network and clips, which is used from then on. ignored: regions to
    ignore, by camera, instead of those that the scorer ignores.
    No process is left, however it ends.
    """
    config, reconnect_policy = config or WatchConfig(), reconnect_policy or ReconnectPolicy()
    if not cameras:
        raise ConfigError("there is no camera to watch", "cameras", "Name one or more")
    scorer.warm_up()
    watched: list[WatchedCamera] = []
    for number, (name, source) in enumerate(cameras.items()):
        regions = (ignored or {}).get(name, scorer.ignored)
        connection = _connection(name, source, scorer, regions, config, reconnect_policy)
        watched.append(WatchedCamera(connection, scorer, number, regions, config.expected_fps or source.fps))
    cycles = CycleScorer(scorer, config, subscriber)
    reported_s = time.monotonic()
    try:
        while should_continue() and not all(camera.is_done for camera in watched):
            if not any(camera.waiting for camera in watched):
                _wait(watched, POLL_S)
            for camera in watched:
                camera.poll(subscriber)
            if (gather_s := cycles.wait_s(watched)) > 0:
                _wait(watched, gather_s)
                continue
            cycles.score_cycle(watched)
            if (new_scorer := on_cycle()) is not None:
                cycles.set_scorer(new_scorer)
                for camera in watched:
                    camera.set_cues_of(new_scorer)
            if time.monotonic() - reported_s >= config.report_s:
                reported_s = time.monotonic()
                cycles.report(watched)
        for camera in watched:
            camera.stop_scoring()
        cycles.score_cycle(watched)
        cycles.report(watched)
    finally:
        for camera in watched:
            camera.camera.ask_to_end()
        for camera in watched:
            camera.camera.stop()


@dataclass
class CameraBatch:
    """The input of one cycle from one camera.

    events: the camera's events that came before the frames. interrupted: frames before these are missing.
    """

    frames: list[SizedFrame] = field(default_factory=list)
    events: list[MonitorEvent] = field(default_factory=list)
    interrupted: bool = False


class WatchedCamera:
    """A camera with its window of encoded frames, its health and its counters.

    stagger: offset of the frames that are skipped, so that cameras do not all need the machine at once. ignored:
    regions of its frames to ignore. expected_fps: frames a second that it should give, None if unknown.
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
        self.waiting: deque[CameraEvent | None] = deque()  # None: no more frames will be scored
        self.pending: deque[tuple[ArrivedFrame, bool]] = deque()  # frames in the window, and whether each is skipped
        self._scorer, self._position, self._ignored = scorer, stagger, ignored
        self._health = HealthMonitor()
        self._rate = RateMonitor(expected_fps)
        self._delays_s: list[float] = []
        self._frames = self._scored = self._skipped = self._damaged = self._dropped_before = 0

    @property
    def is_done(self) -> bool:
        return self.camera.ended and not self.waiting

    def poll(self, subscriber: Subscriber) -> None:
        """Read what the camera has sent. Other events than frames are published after the scores of earlier frames."""
        for event in self.camera.step():
            self.waiting.append(event)
            if isinstance(event, CameraFrame):
                self._frames += 1
                self._check_frame(event.arrived, event.after_gap, subscriber)

    def _check_frame(self, arrived: ArrivedFrame, after_gap: bool, subscriber: Subscriber) -> None:
        changes = [*self._rate.update(arrived, after_gap)]
        if arrived.pixels is None:
            self._damaged += 1
        else:
            changes += self._health.update(arrived.time_s, arrived.pixels, arrived.colour)
        for change in changes:
            arrived_unix_s = unix_s(arrived.arrived_s)
            subscriber(Health(self.camera.name, change.fault, change.present, arrived_unix_s, change.description))

    def oldest_s(self, now_s: float) -> float:
        """Return how long the oldest frame has waited."""
        arrivals_s = (event.arrived.arrived_s for event in self.waiting if isinstance(event, CameraFrame))
        return next((now_s - arrived_s for arrived_s in arrivals_s), 0.0)

    def set_cues_of(self, scorer: Scorer) -> None:
        """Use the cues of another scorer from the next frame on."""
        self.window.set_cues(scorer.cues)

    def stop_scoring(self) -> None:
        """Stop scoring."""
        self.waiting = deque([*(event for event in self.waiting if not isinstance(event, CameraFrame)), None])

    def take_batch(self, size: int, every: int, earliest_s: float) -> CameraBatch:
        """Return consecutive waiting frames, at most `size` of them for the network, and the events before them.

        every: one of so many frames is scored. earliest_s: frames that arrived before this time are skipped.
        """
        batch, needed = CameraBatch(), 0
        while self.waiting and needed < size:
            event = self.waiting[0]
            is_consecutive = isinstance(event, CameraFrame) and not event.after_gap
            if batch.frames and not is_consecutive:
                break
            self.waiting.popleft()
            if isinstance(event, CameraFrame):
                batch.interrupted |= event.after_gap
                batch.frames.append(sized := self._sized(event.arrived, every, earliest_s))
                needed += sized.pixels is not None
            elif event is None:
                batch.interrupted = True
            else:
                batch.interrupted |= isinstance(event, CameraState) and event.condition in ("lost", "ended")
                batch.events.append(event)
        return batch

    def _sized(self, arrived: ArrivedFrame, every: int, earliest_s: float) -> SizedFrame:
        is_late = arrived.arrived_s < earliest_s
        is_target = not is_late and self._position % every == 0
        needed = not is_late and self._scorer.is_needed(self._position, every)
        self._position += 1
        self.pending.append((arrived, not is_target))
        frame = Frame(arrived.index, arrived.time_s, None)
        if arrived.pixels is None or not needed:
            return SizedFrame(frame, None, is_target)
        mask = self._ignored.mask(arrived.height_px, arrived.width_px)
        return SizedFrame.ignoring(frame, arrived.pixels, mask, is_target=is_target)

    def publish_scores(self, scores: Iterable[FrameScore], subscriber: Subscriber) -> None:
        """Publish the scores of frames in the order in which they were taken."""
        for score in scores:
            arrived, skipped = self.pending.popleft()
            assert arrived.index == score.index
            delay_s = time.monotonic() - arrived.arrived_s
            self._skipped += skipped
            if score.score is not None:
                self._scored += 1
                self._delays_s.append(delay_s)
            subscriber(
                ScoredFrame(
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


class CycleScorer:
    """Scores the waiting frames of several cameras, one batch in each cycle."""

    def __init__(self, scorer: Scorer, config: WatchConfig, subscriber: Subscriber) -> None:
        self._scorer, self._config, self._subscriber = scorer, config, subscriber
        self._load_shedder = LoadShedder(config.max_delay_s)
        self._busy_s = 0.0  # computing time of the last cycle
        self._took_s = 0.0  # computing time of the last cycle that had frames

    def set_scorer(self, scorer: Scorer) -> None:
        """Score with another scorer from the next cycle on."""
        self._scorer = scorer

    def wait_s(self, watched: Sequence[WatchedCamera]) -> float:
        """Return how long to wait for more frames before the next cycle: no longer than the last one took."""
        waiting = [event for camera in watched for event in camera.waiting]
        are_frames = all(isinstance(event, CameraFrame) for event in waiting)  # other events do not wait
        if not waiting or not are_frames or len(waiting) >= self._scorer.batch_size:
            return 0.0
        now_s = time.monotonic()
        return min(GATHER_S, self._took_s) - max(camera.oldest_s(now_s) for camera in watched)

    def score_cycle(self, watched: Sequence[WatchedCamera]) -> None:
        """Score some of the waiting frames, equally many of each camera."""
        began_s = time.monotonic()
        self._load_shedder.update(began_s, max(camera.oldest_s(began_s) for camera in watched), self._busy_s)
        busy = [camera for camera in watched if camera.waiting]
        if not busy:
            self._busy_s = 0.0
            return
        size = max(1, self._scorer.batch_size // len(busy))
        earliest_s = began_s - self._config.max_delay_s
        arrivals: list[Arrivals] = []
        published: list[tuple[WatchedCamera, Sequence[MonitorEvent]]] = []
        for camera in busy:  # events keep their order among the scores of earlier and later frames
            batch = camera.take_batch(size, self._load_shedder.every, earliest_s)
            arrivals += [Arrivals(camera.window, [], batch.interrupted), Arrivals(camera.window, batch.frames)]
            published += [(camera, batch.events), (camera, ())]
        scores = self._scorer.score_arrivals(arrivals, with_maps=self._config.with_maps)
        for (camera, events), camera_scores in zip(published, scores, strict=True):
            camera.publish_scores(camera_scores, self._subscriber)
            for event in events:
                self._subscriber(event)
        self._busy_s = self._took_s = time.monotonic() - began_s

    def report(self, watched: Sequence[WatchedCamera]) -> None:
        for camera in watched:
            self._subscriber(camera.load(self._load_shedder.every))


def _connection(
    name: str,
    source: LiveSource,
    scorer: Scorer,
    ignored: IgnoredRegions,
    config: WatchConfig,
    reconnect_policy: ReconnectPolicy,
) -> Camera:
    reader_config = ReaderConfig(
        source=source,
        height_px=scorer.size_px[0],
        width_px=scorer.size_px[1],
        channels=scorer.channels,
        ignored=ignored,
        max_wait_s=config.max_delay_s,
        pictures=config.pictures,
    )
    return Camera(
        name, partial(ReaderProcess, name, reader_config), reconnect_policy, once=source.address.kind == "file"
    )


def _wait(watched: Sequence[WatchedCamera], timeout_s: float) -> None:
    """Wait until a camera sends something, or until the timeout."""
    poll = select.poll()
    for camera in watched:
        if camera.camera.descriptor is not None:
            poll.register(camera.camera.descriptor, select.POLLIN)
    poll.poll(timeout_s * 1000)
