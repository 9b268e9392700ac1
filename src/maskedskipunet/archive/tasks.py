"""The units of work that a pool of workers is given, and what comes back."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

from maskedskipunet.archive.segments import Segment, source_name
from maskedskipunet.data.footage_files import FileVersion, FootageFile


@dataclass(frozen=True)
class ArchiveSource:
    """A video of an archive. version: None if it is not known yet. fault: why it cannot be read, if that is known."""

    file: FootageFile
    version: FileVersion | None = None
    fault: str | None = None

    @property
    def name(self) -> str:
        return source_name(self.file.address)


@dataclass(frozen=True)
class Plan:
    """The segments of a video. key: a hash of the model and settings that they hold for."""

    source: str
    address: str
    version: str
    key: str
    size: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PlanTask:
    """Find the segments of a video."""

    source: ArchiveSource

    prefix: ClassVar[str] = "plan-"

    @property
    def id(self) -> str:
        return f"{self.prefix}{sha256(self.source.file.address.encode()).hexdigest()[:20]}"

    @property
    def address(self) -> str:
        return self.source.file.address


@dataclass(frozen=True)
class ScoreTask:
    """Score a segment."""

    segment: Segment

    @property
    def id(self) -> str:
        return self.segment.id

    @property
    def address(self) -> str:
        return self.segment.address


Task = PlanTask | ScoreTask


@dataclass(frozen=True)
class Scores:
    """The scores of a segment. table: Arrow's table. work: what it took (seconds, host, peak memory)."""

    table: Any
    work: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A task failed, and its worker goes on. again: another try could help."""

    cause: str
    again: bool = True


@dataclass(frozen=True)
class Died:
    """A worker died. is_own_fault: the task may have killed it; otherwise its machine was lost."""

    cause: str
    is_own_fault: bool = True


Outcome = Plan | Scores | Fault | Died
