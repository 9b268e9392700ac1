"""Scores an archive: many videos on disks or in object stores, by workers on one machine or many."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from hashlib import sha256
from pathlib import Path

from maskedskipunet.archive.claims import Claims
from maskedskipunet.archive.driver import DriverOptions
from maskedskipunet.archive.report import ArchiveReport
from maskedskipunet.archive.runners import RUNNERS, Work
from maskedskipunet.archive.target import CLAIMS, Target
from maskedskipunet.archive.tasks import ArchiveSource
from maskedskipunet.archive.worker import WorkerSetup
from maskedskipunet.cues.cue_model import CUES_NAME
from maskedskipunet.data.footage_files import FootageFile, names_many, objects_below, require_object_address
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.data.start_times import require_pattern
from maskedskipunet.errors import ConfigError, DataError, WeightsError, advice_when_interrupted
from maskedskipunet.files import read_text
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.machine import cores, memory_bytes
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.workflows.input_selection import LARGEST_LIST_BYTES, LIST_SUFFIX, find_videos, is_address

GIGA = 1_000_000_000
MEMORY_SHARE = 0.8  # of this machine's memory, that workers may use together
SCORING = 1  # raised when the same model gives other scores
_MODEL_FILES = ("config.json", "model.safetensors", CUES_NAME)


@dataclass(frozen=True, kw_only=True)
class ArchiveOptions:
    """Options of scoring an archive.

    runner: one of RUNNERS. workers: None for as many as this machine has cores and memory for. worker_gb: the most
    memory of a worker, in units of 10^9 bytes. minutes: of a segment. starts: a pattern of names, see start_unix_s.
    again: also try what was set aside. Raises ConfigError for settings that cannot be.
    """

    runner: str = "local"
    workers: int | None = None
    worker_gb: float = 4.0
    minutes: float = 15.0
    on_bad_frame: OnBadFrame = "stop"
    device: str = "auto"
    precision: Precision = "float32"
    ignore: Sequence[str] = ()
    starts: str | None = None
    again: bool = False

    def __post_init__(self) -> None:
        if self.runner not in RUNNERS:
            raise ConfigError(f"there is no runner {self.runner!r}", "--runner", f"Use one of {', '.join(RUNNERS)}")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"{self.workers} workers", "--workers", "Use 1 or more")
        for name, value in (("--worker-memory", self.worker_gb), ("--minutes", self.minutes)):
            if not 0 < value < float("inf"):
                raise ConfigError(f"{value:g} is not above 0", name, "Use a number above 0")
        if self.starts is not None:
            require_pattern(self.starts)

    @property
    def worker_count(self) -> int:
        """The number of workers."""
        if self.workers is not None:
            return self.workers
        room = MEMORY_SHARE * (memory_bytes() or 0) / (self.worker_gb * GIGA)
        return max(1, min(cores() or 1, int(room) or 1))


def archive(
    sources: Sequence[str],
    model: Path,
    to: Path,
    options: ArchiveOptions | None = None,
    *,
    progress: Progress | None = None,
) -> ArchiveReport:
    """Score all that sources name, into the folder `to`, and return the report on it.

    What is scored already, with the same model and settings, is not scored again. Raises DataError for sources that
    name nothing, WeightsError or ConfigError for a model or settings that cannot be; faults of single videos are in the
    report.
    """
    options, progress = options or ArchiveOptions(), progress or Silent()
    found = find_archive_sources(sources, progress)
    setup = _setup(model, options)
    target = Target(to)
    _require_one_key(target, setup.key)
    target.prepare({"key": setup.key, "model": _model_hash(model), "minutes": options.minutes})
    work = Work(
        target=target,
        sources=found,
        setup=setup,
        options=DriverOptions(key=setup.key, again=options.again),
        workers=options.worker_count,
    )
    with (
        advice_when_interrupted(f"what is scored stays in {to}; called again, it goes on from there"),
        progress.stage("scoring", len(found), "videos") as advance,
    ):
        RUNNERS[options.runner](work, advance)
    return ArchiveReport.of(target)


def find_archive_sources(sources: Sequence[str], progress: Progress | None = None) -> list[ArchiveSource]:
    """Return the videos that sources name, each once, in order.

    A single file or address that is not there is one too, with its fault. Raises DataError for a folder, pattern or
    list that names nothing, ConfigError for an address that cannot be.
    """
    note = None if progress is None else progress.note
    found: dict[str, ArchiveSource] = {}
    for source in sources:
        for expanded in _expanded(source):
            if is_address(expanded):
                videos = _objects(expanded)
            elif Path(expanded).exists() or has_magic(expanded):
                videos = [_local(video.path) for video in find_videos([expanded], note)]
            else:
                videos = [_local(Path(expanded))]
            for video in videos:
                found.setdefault(video.file.address, video)
    return [*found.values()]


def _expanded(source: str) -> Iterator[str]:
    """Yield a source, or what the list that it names holds."""
    path = Path(source)
    if is_address(source) or path.suffix.lower() != LIST_SUFFIX or not path.is_file():
        yield source
        return
    try:
        lines = read_text(path, max_bytes=LARGEST_LIST_BYTES).splitlines()
    except (OSError, ValueError) as error:
        raise DataError("cannot read the list", source, "Name a text file with a video a line") from error
    entries = dict.fromkeys(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not entries:
        raise DataError("the list names nothing", source, "Write a video a line")
    for entry in entries:
        yield entry if is_address(entry) else str(path.parent / entry)


def _objects(address: str) -> list[ArchiveSource]:
    require_object_address(address, "SOURCE")
    if names_many(address):
        return [ArchiveSource(file, version) for file, version in objects_below(address)]
    return [ArchiveSource(FootageFile(address))]


def _local(path: Path) -> ArchiveSource:
    file = FootageFile(str(path.resolve()))
    try:
        return ArchiveSource(file, file.version())
    except DataError as error:
        return ArchiveSource(file, fault=str(error))


def _setup(model: Path, options: ArchiveOptions) -> WorkerSetup:
    """Return what workers need to know. Raises WeightsError or ConfigError for a model that cannot be used."""
    threads = max(1, (cores() or 1) // options.worker_count)
    setup = WorkerSetup(
        model=model.resolve(),
        key="",
        seconds=60 * options.minutes,
        device=options.device,
        precision=options.precision,
        on_bad_frame=options.on_bad_frame,
        ignore=tuple(options.ignore),
        starts=options.starts,
        memory_bytes=round(options.worker_gb * GIGA),
        threads=threads,
    )
    looks_at = setup.load_scorer().input_format.to_dict()
    parts = [SCORING, _model_hash(model), looks_at, options.precision, options.on_bad_frame, options.minutes]
    key = sha256(json.dumps([*parts, options.starts], sort_keys=True).encode()).hexdigest()[:20]
    return WorkerSetup(**{**vars(setup), "key": key})


def _model_hash(model: Path) -> str:
    """Return a hash of all that a model's scores depend on; a calibration is not among it."""
    try:
        folder = model_folder(model)
        files = [folder / name for name in _MODEL_FILES if (folder / name).exists()]
    except WeightsError:
        files = [model]
    total = sha256()
    for file in files:
        total.update(file.name.encode() + b"\0")
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                total.update(part)
    return total.hexdigest()


def _require_one_key(target: Target, key: str) -> None:
    """Raises ConfigError if another process is scoring into the target with another model or other settings."""
    if not (target.folder / CLAIMS).is_dir() or target.settings(must_exist=False).get("key") == key:
        return
    with Claims(target.folder / CLAIMS) as claims:
        if claims.others():
            what = "another process is scoring into it, with another model or other settings"
            raise ConfigError(what, str(target.folder), "Wait until it has ended, or name another folder")
