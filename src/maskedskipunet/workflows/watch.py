"""Watch live cameras with a trained network."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.sampling import has_fewer, require_rate
from maskedskipunet.data.video.decoding import probe_video
from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.input_format import InputFormat
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.camera import ReconnectPolicy
from maskedskipunet.monitor.live_writer import LiveWriter
from maskedskipunet.monitor.metering import Meter, MetricsSubscriber
from maskedskipunet.monitor.model_changes import ModelChanges
from maskedskipunet.monitor.monitor_events import Subscriber
from maskedskipunet.monitor.recorder import Recorder, RecordingConfig
from maskedskipunet.monitor.session import WatchSession
from maskedskipunet.monitor.watching import WatchConfig, watch
from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.dispatcher import Dispatcher
from maskedskipunet.records.kinds import known_kinds
from maskedskipunet.records.store import Records
from maskedskipunet.scoring.ignored import IgnoredRegions, also_ignoring
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.normal_moments import NormalMoments

FRAMES_MISSED = 3  # before a camera is taken for lost


@dataclass(frozen=True)
class Recording:
    """The settings of recording: the folder, how events are recorded, and the sinks."""

    folder: Path
    config: RecordingConfig = field(default_factory=RecordingConfig)
    sinks: tuple[SinkConfig, ...] = ()


@dataclass(frozen=True)
class WatchPlan:
    """The plan of a watch: its cameras, its frame rate and its threshold.

    late_frames: frames that arrive after a frame before it has its score. fps: the rate at which frames are taken; None
    if the model does not state its rate of training. threshold: of alarms, None if the model has none and gives only
    scores. budget: the false alarms that the threshold allows, as text. left: unfinished work of a watch that was
    killed, a line each. normal_frames: how many frames the model was calibrated on.
    """

    cameras: Sequence[str]
    late_frames: int
    fps: float | None
    stride: int
    threshold: float | None = None
    budget: str = ""
    records: Path | None = None
    left: Sequence[str] = ()
    normal_frames: int | None = None

    def describe(self) -> str:
        taken = "all frames" if self.fps is None else f"{self.fps:g} frame{'' if self.fps == 1 else 's'} a second"
        if self.stride > 1:
            taken += f", every {self.stride}-th"
        late = f"{self.late_frames} frame{'' if self.late_frames == 1 else 's'}"
        if self.fps is not None:
            late += f" ({self.late_frames * self.stride / self.fps:.2f} s)"
        count = len(self.cameras)
        cameras = f"{count} camera{'' if count == 1 else 's'}"
        return f"watching {cameras}, {taken}; scores arrive {late} plus computing time later"

    def describe_alarms(self) -> str:
        if self.threshold is None:
            also = "" if self.records is None else f"; camera faults are recorded in {self.records}"
            return f"no alarms, only scores: set a threshold with `maskedskipunet calibrate NORMAL… --model RUN`{also}"
        into = "not recorded" if self.records is None else f"recorded in {self.records}"
        return f"alarms at the threshold {self.threshold:.5f}, for {self.budget}; {into}"


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """The settings of a watch, and where its alarms go.

    fps: frames a second, instead of the rate that the model states. speed: of files. recording: where alarms go, which
    there are where the model has a threshold (see calibrate); None: to the subscribers alone. ignore: shapes that are
    not looked at, by camera, besides the model's.
    """

    fps: float | None = None
    speed: float = 1.0
    device: str = "auto"
    precision: Precision = "float32"
    config: WatchConfig = field(default_factory=WatchConfig)
    reconnect_policy: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    recording: Recording | None = None
    ignore: Mapping[str, Sequence[str]] = field(default_factory=dict)


def watch_cameras(
    cameras: Mapping[str, CameraAddress],
    model: Path,
    subscribers: Sequence[Subscriber],
    options: WatchOptions | None = None,
    *,
    should_continue: Callable[[], bool] = lambda: True,
    on_plan: Callable[[WatchPlan], None] = lambda plan: None,
) -> None:
    """Watch cameras until `should_continue` returns False, or until all files have ended if there are only files.

    model: a run, or anything else that load_model takes. subscribers: each receives every event, in this order and in
    this thread; slow work belongs into a thread of its own. on_plan: receives the plan before any camera is opened.
    Raises DataError for a file that cannot be read, WeightsError for a model that cannot, ConfigError for settings
    that do not fit, RecordsError for a records folder that cannot be used.
    """
    options = options or WatchOptions()
    changes, recording = ModelChanges(model), options.recording
    scorer = load_scorer(model, options.device, options.precision)
    input_format = scorer.input_format
    model_fps = options.fps or input_format.fps or input_format.footage_fps
    _require_all_there(cameras)
    sources = _sources(cameras, input_format, options)
    ignored = _ignored(cameras, input_format, options)
    finders = _finders(cameras, scorer.calibration, options.speed)
    plan = _plan(cameras, scorer, model_fps)
    with ExitStack() as opened:
        if recording is not None and (finders or recording.sinks):  # cameras fail without a threshold too
            recorders, left = _begin_recording(recording, cameras, NormalMoments(model), finders, opened)
            plan, subscribers = replace(plan, records=recording.folder, left=left), [*recorders, *subscribers]
        on_plan(plan)
        session = WatchSession(scorer, finders, subscribers, changes.poll)
        opened.callback(session.stopping)
        watch(
            sources,
            scorer,
            session.publish,
            ignored=ignored,
            config=_config(options, model_fps, has_alarms=bool(finders)),
            reconnect_policy=_with_longer_stall(options.reconnect_policy, model_fps, input_format.stride),
            should_continue=should_continue,
            on_cycle=session.on_cycle,
        )
        session.end()


def _sources(
    cameras: Mapping[str, CameraAddress], input_format: InputFormat, options: WatchOptions
) -> dict[str, LiveSource]:
    return {
        name: LiveSource(
            address=address,
            fps=_rate_of(address, options.fps or input_format.fps, input_format.footage_fps),
            stride=input_format.stride,
            open_s=options.reconnect_policy.first_s,
            read_s=options.reconnect_policy.stall_s,
            speed=options.speed,
        )
        for name, address in cameras.items()
    }


def _ignored(
    cameras: Mapping[str, CameraAddress], input_format: InputFormat, options: WatchOptions
) -> dict[str, IgnoredRegions]:
    return {
        name: IgnoredRegions.of(also_ignoring(input_format, options.ignore.get(name, ()), f"cameras.{name}.ignore"))
        for name in cameras
    }


def _finders(
    cameras: Mapping[str, CameraAddress], calibration: Calibration | None, speed: float
) -> dict[str, CameraAlarms]:
    """Return what finds each camera's alarms; nothing if the model has no threshold."""
    if (criteria := AlarmCriteria.of(calibration)) is None:
        return {}
    return {
        name: CameraAlarms(name, str(address), criteria, speed=speed if address.kind == "file" else 1.0)
        for name, address in cameras.items()
    }


def _plan(cameras: Mapping[str, CameraAddress], scorer: Scorer, fps: float | None) -> WatchPlan:
    calibration = scorer.calibration
    plan = WatchPlan(list(cameras), scorer.late_frames, fps, scorer.input_format.stride)
    if calibration is None or calibration.alarm is None:
        return plan
    alarm = calibration.alarm
    budget = str(alarm.budget)
    return replace(plan, threshold=alarm.rule.threshold, budget=budget, normal_frames=calibration.frames)


def _config(options: WatchOptions, fps: float | None, *, has_alarms: bool) -> WatchConfig:
    """Return how cameras are watched: alarms need the maps of scores, and records need pictures of them."""
    config = replace(options.config, expected_fps=fps)
    if has_alarms:
        config = replace(config, with_maps=True, pictures=config.pictures or options.recording is not None)
    return config


def _begin_recording(
    recording: Recording,
    cameras: Mapping[str, CameraAddress],
    normal: NormalMoments,
    finders: Mapping[str, CameraAlarms],
    opened: ExitStack,
) -> tuple[list[Subscriber], list[str]]:
    """Open the records and the sinks until `opened` is closed; return the subscribers, and unfinished work found.

    They close in the order that loses nothing: the last events are written before the sinks close.
    """
    records = opened.enter_context(Records.open(recording.folder, watching=True))
    for name, finder in finders.items():
        finder.load_kinds(known_kinds(records.events(camera=name)))
    sinks = build_sinks(recording.sinks, records, list(cameras))
    with ExitStack() as unused:
        for subscribed in sinks.values():
            unused.callback(subscribed.sink.close)
        subscriptions = [subscribed.subscription for subscribed in sinks.values()]
        shown = {name: str(address) for name, address in cameras.items()}
        recorder = Recorder(records, shown, subscriptions=subscriptions, config=recording.config, normal=normal.nearest)
        recorder.end_left_open()
        opened.enter_context(Dispatcher(records, sinks))
        unused.pop_all()
    opened.enter_context(recorder)
    live = LiveWriter(
        recording.folder,
        cameras,
        threshold=lambda name: finders[name].level if name in finders else None,
        keep_free_bytes=recording.config.keep_free_bytes,
    )
    opened.enter_context(live)
    meters = [subscribed.sink for subscribed in sinks.values() if isinstance(subscribed.sink, Meter)]
    return [recorder, live, MetricsSubscriber(meters)], records.finished


def _require_all_there(cameras: Mapping[str, CameraAddress]) -> None:
    """Raise one error that names the faults of all cameras."""
    faults: list[MaskedSkipUNetError] = []
    for address in cameras.values():
        try:
            address.require_there()
        except MaskedSkipUNetError as error:
            faults.append(error)
    if len(faults) > 1:
        listed = "; ".join(f"{fault.where}: {fault.what}" for fault in faults)
        raise ConfigError(f"{len(faults)} faults: {listed}", "cameras", "Mend their addresses")
    if faults:
        raise faults[0]


def _rate_of(address: CameraAddress, fps: float | None, footage_fps: float | None) -> float | None:
    """Return the frames a second that are taken of a camera; None: all that come.

    fps: must be had, in a file at least. footage_fps: of the footage that was trained on; a file that has fewer is
    taken as it is.
    """
    if address.kind != "file":
        return fps or footage_fps
    info = probe_video(address.path, "skip")
    require_rate(info, fps, str(address.path))
    return fps or (None if footage_fps is not None and has_fewer(info, footage_fps) else footage_fps)


def _with_longer_stall(reconnect_policy: ReconnectPolicy, fps: float | None, stride: int) -> ReconnectPolicy:
    """Return a policy whose stall timeout is longer than the time between several of the frames that are taken."""
    apart_s = stride / fps if fps is not None else 0.0
    return replace(reconnect_policy, stall_s=max(reconnect_policy.stall_s, FRAMES_MISSED * apart_s))
