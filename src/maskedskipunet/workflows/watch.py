"""Watch live cameras with a trained network."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.sampling import has_fewer, require_rate
from maskedskipunet.data.streams import LiveSource
from maskedskipunet.data.video import probe_video
from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.camera import Patience
from maskedskipunet.monitor.news import CameraState, Listener, Load, ModelChange, News, Scored
from maskedskipunet.monitor.recorder import Recorder, RecordingConfig
from maskedskipunet.monitor.service import ServiceManager
from maskedskipunet.monitor.sinks.building import build_posts
from maskedskipunet.monitor.sinks.config import SinkConfig
from maskedskipunet.monitor.sinks.courier import Courier
from maskedskipunet.monitor.sinks.metrics import MetricsSink
from maskedskipunet.monitor.watching import WatchConfig, watch
from maskedskipunet.records.kinds import known_kinds
from maskedskipunet.records.store import Records
from maskedskipunet.scoring.ignored import IgnoredRegions, also_ignoring
from maskedskipunet.scoring.loading import load_scorer, with_other_cues
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.model_changes import Changed, ModelChanges
from maskedskipunet.workflows.normal_moments import NormalMoments

FRAMES_MISSED = 3  # before a camera is taken for lost


@dataclass(frozen=True)
class Recording:
    """Where events are recorded, how, and who is told of them."""

    folder: Path
    config: RecordingConfig = field(default_factory=RecordingConfig)
    sinks: tuple[SinkConfig, ...] = ()


@dataclass(frozen=True)
class WatchPlan:
    """What will be done. late_frames: frames that come after one before it has its score.

    fps: the rate that frames are taken at; None where the model does not say which it was trained at. threshold: of
    alarms, and the budget that it keeps, in words; None where the model has none, and gives scores alone. left: what
    a watch that was killed had left half done, a line each. normal_frames: how many the model was calibrated on.
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

    def told(self) -> str:
        taken = (
            "frames as they come" if self.fps is None else f"{self.fps:g} frame{'' if self.fps == 1 else 's'} a second"
        )
        if self.stride > 1:
            taken += f", every {self.stride}-th"
        late = f"{self.late_frames} frame{'' if self.late_frames == 1 else 's'}"
        if self.fps is not None:
            late += f" ({self.late_frames * self.stride / self.fps:.2f} s)"
        count = len(self.cameras)
        cameras = f"{count} camera{'' if count == 1 else 's'}"
        return f"watching {cameras}, {taken}; scores arrive {late} plus computing time later"

    def told_of_alarms(self) -> str:
        if self.threshold is None:
            also = "" if self.records is None else f"; what is wrong with cameras is recorded in {self.records}"
            return f"no alarms, only scores: a threshold is set by `maskedskipunet calibrate NORMAL… --model RUN`{also}"
        into = "recorded nowhere" if self.records is None else f"recorded in {self.records}"
        return f"alarms from the threshold {self.threshold:.5f} on, for {self.budget}; {into}"


def watch_cameras(
    cameras: Mapping[str, CameraAddress],
    model: Path,
    listeners: Sequence[Listener],
    *,
    fps: float | None = None,
    speed: float = 1.0,
    device: str = "auto",
    precision: Precision = "float32",
    config: WatchConfig | None = None,
    patience: Patience | None = None,
    recording: Recording | None = None,
    ignore: Mapping[str, Sequence[str]] | None = None,
    wanted: Callable[[], bool] = lambda: True,
    planned: Callable[[WatchPlan], None] = lambda plan: None,
) -> None:
    """Watch cameras until watching is not wanted any more, or until files, where only files are named, end.

    model: a run or whatever load_model takes. listeners: each is told everything, in this order and in this thread:
    what takes long belongs into a thread of its own. fps: in place of the rate that the model states. speed: of
    files. recording: where alarms go, which there are where the model has a threshold (see calibrate); None: to the
    listeners alone. ignore: shapes that are not looked at, by camera, besides the model's. planned: is told before
    any camera is opened what will be done.
    Raises DataError for a file that cannot be read, WeightsError for a model that cannot, ConfigError for settings
    that do not fit, RecordsError for a records folder that cannot be used.
    """
    changes = ModelChanges(model)
    scorer = load_scorer(model, device, precision)
    input_format, calibration = scorer.input_format, scorer.calibration
    criteria = AlarmCriteria.of(calibration)
    model_fps = fps or input_format.fps or input_format.footage_fps
    config = replace(config or WatchConfig(), expected_fps=model_fps)
    patience = patience or Patience()
    _require_all_there(cameras)
    sources = {
        name: LiveSource(
            address=address,
            fps=_rate_of(address, fps or input_format.fps, input_format.footage_fps),
            stride=input_format.stride,
            open_s=patience.first_s,
            read_s=patience.stall_s,
            speed=speed,
        )
        for name, address in cameras.items()
    }
    ignored = {
        name: IgnoredRegions.of(also_ignoring(input_format, (ignore or {}).get(name, ()), f"cameras.{name}.ignore"))
        for name in cameras
    }
    plan = WatchPlan(list(cameras), scorer.late_frames, model_fps, input_format.stride)
    finders: dict[str, CameraAlarms] = {}
    if calibration is not None and calibration.alarm is not None and criteria is not None:
        plan = replace(plan, threshold=criteria.rule.threshold, budget=str(calibration.alarm.budget))
        plan = replace(plan, normal_frames=calibration.frames)
        finders = {
            name: CameraAlarms(name, str(address), criteria, speed=_speed(address, speed))
            for name, address in cameras.items()
        }
        config = replace(config, with_maps=True, pictures=config.pictures or recording is not None)
    service = ServiceManager()
    is_ready = False
    with ExitStack() as opened:
        if recording is not None and (finders or recording.sinks):  # cameras fail without a threshold too
            keepers, left = _begin_recording(recording, cameras, NormalMoments(model), finders, opened)
            plan, listeners = replace(plan, records=recording.folder, left=left), [*keepers, *listeners]
        planned(plan)

        def listener(news: News) -> None:
            for listen in listeners:
                listen(news)
            if finders:
                for alarm in _alarms(news, finders):
                    listener(alarm)

        def turned() -> Scorer | None:
            nonlocal is_ready, scorer
            if not is_ready:
                service.ready()
                is_ready = True
            service.progress()
            if (changed := changes.look()) is None:
                return None
            if changed.cues is not None:
                other = with_other_cues(scorer, changed.cues)
                listener(_heed_cues(other is not None, finders))
                scorer = other or scorer
            if changed.calibration is not None or changed.reason:
                listener(_heed(changed, finders))
            return scorer

        opened.callback(service.stopping)
        watch(
            sources,
            scorer,
            listener,
            ignored=ignored,
            config=config,
            patience=_as_rare(patience, model_fps, input_format.stride),
            wanted=wanted,
            turned=turned,
        )
        for finder in finders.values():
            for alarm in finder.end():
                listener(alarm)


def _alarms(news: News, finders: Mapping[str, CameraAlarms]) -> Iterator[News]:
    """What follows for alarms from what was told."""
    match news:
        case Scored():
            yield from finders[news.camera].see(news)
        case CameraState(condition="lost" | "ended"):
            yield from finders[news.camera].end()


def _heed_cues(heeded: bool, finders: Mapping[str, CameraAlarms]) -> ModelChange:
    """Say that all cameras go by a model's new cues, or why they do not."""
    threshold = next((finder.threshold for finder in finders.values()), None)
    told = "the model learned more of what is normal: its cues are gone by from now on"
    if not heeded:
        told = "the model's cues were learned again, and look at something else: start watching again to go by them"
    return ModelChange(threshold, heeded, time.time(), told)


def _heed(changed: Changed, finders: Mapping[str, CameraAlarms]) -> ModelChange:
    """Have all cameras go by a model's new calibration, and say so; or say why they do not."""
    before = next((finder.threshold for finder in finders.values()), None)
    calibration, criteria = changed.calibration, AlarmCriteria.of(changed.calibration)
    if calibration is None or calibration.alarm is None or criteria is None:
        return ModelChange(before, False, time.time(), changed.reason)
    setting = calibration.alarm
    threshold = setting.rule.threshold
    if before is None:
        told = f"the model has a threshold now, {threshold:.5f} for {setting.budget}: start watching again for alarms"
        return ModelChange(None, False, time.time(), told)
    for finder in finders.values():
        finder.take_over(criteria)
    told = (
        f"the model was calibrated again: alarms from {threshold:.5f} on, for {setting.budget} (before, {before:.5f})"
    )
    return ModelChange(threshold, True, time.time(), told, calibration.frames)


def _speed(address: CameraAddress, speed: float) -> float:
    return speed if address.kind == "file" else 1.0


def _begin_recording(
    recording: Recording,
    cameras: Mapping[str, CameraAddress],
    normal: NormalMoments,
    finders: Mapping[str, CameraAlarms],
    opened: ExitStack,
) -> tuple[list[Listener], list[str]]:
    """Open the records and the sinks until `opened` is closed; returns who is to be told everything, and what was left.

    Closed in the order that loses nothing: the last events are written before the sinks take leave.
    """
    records = opened.enter_context(Records.open(recording.folder, watching=True))
    for name, finder in finders.items():
        finder.know(known_kinds(records.events(camera=name)))
    posts = build_posts(recording.sinks, records, list(cameras))
    with ExitStack() as unused:
        for post in posts.values():
            unused.callback(post.sink.close)
        routes = [post.route for post in posts.values()]
        shown = {name: str(address) for name, address in cameras.items()}
        recorder = Recorder(records, shown, routes=routes, config=recording.config, normal=normal.nearest)
        recorder.take_over()
        opened.enter_context(Courier(records, posts))
        unused.pop_all()
    opened.enter_context(recorder)
    meters = [post.sink for post in posts.values() if isinstance(post.sink, MetricsSink)]

    def measure(news: News) -> None:
        for meter in meters:
            if isinstance(news, Scored) and news.frame.score is not None:
                meter.frame_scored(news.camera, news.frame.score, news.delay_s)
            elif isinstance(news, Load):
                meter.frames_skipped(news.camera, news.skipped)
            elif isinstance(news, CameraState) and news.condition != "connecting":
                meter.camera_running(news.camera, news.condition == "running")

    return [recorder, measure], records.finished


def _require_all_there(cameras: Mapping[str, CameraAddress]) -> None:
    """Every fault of all cameras is told at once."""
    faults: list[MaskedSkipUNetError] = []
    for address in cameras.values():
        try:
            address.require_there()
        except MaskedSkipUNetError as error:
            faults.append(error)
    if len(faults) > 1:
        told = "; ".join(f"{fault.where}: {fault.what}" for fault in faults)
        raise ConfigError(f"{len(faults)} faults: {told}", "cameras", "Mend their addresses")
    if faults:
        raise faults[0]


def _rate_of(address: CameraAddress, asked: float | None, footage_fps: float | None) -> float | None:
    """The frames a second that are taken of a camera; None: all that come.

    asked: must be had, in a file at least. footage_fps: of the footage that was trained on; a file that has fewer is
    taken as it is.
    """
    if address.kind != "file":
        return asked or footage_fps
    info = probe_video(address.path, "skip")
    require_rate(info, asked, str(address.path))
    return asked or (None if footage_fps is not None and has_fewer(info, footage_fps) else footage_fps)


def _as_rare(patience: Patience, fps: float | None, stride: int) -> Patience:
    """The patience for frames of which few are taken: a stall is what lasts longer than several of them are apart."""
    apart_s = stride / fps if fps is not None else 0.0
    return replace(patience, stall_s=max(patience.stall_s, FRAMES_MISSED * apart_s))
