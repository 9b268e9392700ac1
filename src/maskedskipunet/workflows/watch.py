"""Watch live cameras with a trained network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.sampling import require_rate
from maskedskipunet.data.streams import LiveSource
from maskedskipunet.data.video import probe_video
from maskedskipunet.errors import ConfigError, VideoError
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.monitor.camera import Patience
from maskedskipunet.monitor.news import Listener, News
from maskedskipunet.monitor.service import ServiceManager
from maskedskipunet.monitor.watching import WatchConfig, watch
from maskedskipunet.workflows.ignored import also_ignoring
from maskedskipunet.workflows.scoring import load_scorer


@dataclass(frozen=True)
class WatchPlan:
    """What will be done. late_frames: frames that come after one before it has its score, (T-1)/2.

    fps: the rate that frames are taken at; None where the model does not say which it was trained at.
    """

    cameras: Sequence[str]
    late_frames: int
    fps: float | None
    stride: int

    def told(self) -> str:
        taken = "frames as they come" if self.fps is None else f"{self.fps:g} frames a second"
        if self.stride > 1:
            taken += f", every {self.stride}-th"
        late = f"{self.late_frames} frame{'' if self.late_frames == 1 else 's'}"
        if self.fps is not None:
            late += f" ({self.late_frames * self.stride / self.fps:.2f} s)"
        count = len(self.cameras)
        cameras = f"{count} camera{'' if count == 1 else 's'}"
        return f"watching {cameras}, {taken}; a score comes {late} and the computing after its frame"


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
    ignore: Mapping[str, Sequence[str]] | None = None,
    wanted: Callable[[], bool] = lambda: True,
    planned: Callable[[WatchPlan], None] = lambda plan: None,
) -> None:
    """Watch cameras until watching is not wanted any more, or until files, where only files are named, end.

    model: a run or whatever load_model takes. listeners: each is told everything, in this order and in this thread:
    what takes long belongs into a thread of its own. fps: in place of the rate that the model states. speed: of
    files. ignore: shapes that are not looked at, by camera, besides the model's. planned: is told before
    anything is opened what will be done.
    Raises DataError for a file that cannot be read, WeightsError for a model that cannot, ConfigError for settings
    that do not fit.
    """
    patience = patience or Patience()
    network, how = load_scorer(model, device, precision)
    rate = how.fps if fps is None else fps
    sources = {
        name: LiveSource(
            address=address,
            fps=rate,
            stride=how.stride,
            open_s=patience.first_s,
            read_s=patience.stall_s,
            speed=speed,
        )
        for name, address in cameras.items()
    }
    ignored = {
        name: also_ignoring(how, (ignore or {}).get(name, ()), f"cameras.{name}.ignore").ignore for name in cameras
    }
    for source in sources.values():
        _require_readable(source)
    planned(WatchPlan(list(cameras), network.clip_length // 2, rate, how.stride))
    service = ServiceManager()
    is_ready = False

    def listener(news: News) -> None:
        for listen in listeners:
            listen(news)

    def turned() -> None:
        nonlocal is_ready
        if not is_ready:
            service.ready()
            is_ready = True
        service.progress()

    try:
        watch(
            sources,
            network,
            (how.height_px, how.width_px),
            listener,
            ignored=ignored,
            config=config,
            patience=patience,
            wanted=wanted,
            turned=turned,
        )
    finally:
        service.stopping()


def _require_readable(source: LiveSource) -> None:
    """A file that is not there will not come, other than a camera: that is told before anything is watched."""
    if source.address.kind != "file":
        return
    path = source.address.path
    if path.is_dir():
        raise ConfigError("a folder cannot be watched", str(path), "Name a video file, or score the folder")
    if not path.exists():
        raise VideoError("no such file", str(path), "Check the path; streams begin with rtsp:// or http://")
    require_rate(probe_video(path, "skip"), source.fps, str(path))
