"""The settings of a training run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from maskedskipunet.data.config import DataConfig
from maskedskipunet.detection.reading import CUES, LONGEST_SMOOTHING_S, RECONSTRUCTION
from maskedskipunet.errors import ConfigError, RunError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Schedule = Literal["constant", "cosine"]
Accelerator = Literal["auto", "cpu", "gpu"]
LARGEST_RATE = 1e37  # Adam's first step is ten times as large, and float32 ends at 3e38


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The training; defaults are the publication's.

    Args:
        epochs: train on every clip this many times
        share: let an epoch see only this share of the clips, drawn anew each time; published: 1
        batch_size: use this many clips in a step
        learning_rate: set the learning rate of Adam
        schedule: keep the learning rate constant, as published, or let it fall to zero along a cosine
        precision: train in 32-true, or in a lower precision if the machine is faster with it
        accelerator: train on this hardware; auto uses a GPU if there is one
        max_minutes: stop after so many minutes, even within an epoch (default: no limit)
        restore: draw artificial anomalies into this share of clips, which the network learns to undo; published: 0
        motion_weight: give moving pixels this much extra weight in the loss; published: 0
    """

    epochs: int = 10
    share: float = 1.0
    batch_size: int = 16
    learning_rate: float = 1e-2
    schedule: Schedule = "constant"
    precision: Precision = "32-true"
    accelerator: Accelerator = "auto"
    max_minutes: float | None = None
    restore: float = 0.0
    motion_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"a share of {self.share:g}", "training.share", "Use more than 0, up to 1")
        if not 0 <= self.restore <= 1:
            raise ConfigError(f"a share of {self.restore:g}", "training.restore", "Use 0 to 1")
        if not 0 <= self.motion_weight <= 100:
            raise ConfigError(f"{self.motion_weight:g} times", "training.motion_weight", "Use 0 to 100")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)}", f"training.{name}", "Use 1 or more")
        if not 0 < self.learning_rate <= LARGEST_RATE:
            raise ConfigError(f"{self.learning_rate}", "training.learning_rate", "Use 0.01, for example")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise ConfigError(f"{self.max_minutes} minutes", "training.max_minutes", "Use more than 0")
        for name, choices in (("schedule", Schedule), ("precision", Precision), ("accelerator", Accelerator)):
            if (value := getattr(self, name)) not in (known := get_args(choices)):
                raise ConfigError(f"{value!r}", f"training.{name}", f"Use {', '.join(known[:-1])} or {known[-1]}")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole training run.

    seed: of the weights' random start and the order of clips. runs: folder of run folders. name: of this one (None: the
    next number). start_from: a trained model to continue from. cues: the cues to use, of CUES; a model without
    reconstruction has no network and is not trained, but only sees the footage once. smoothing_s: the fused score is
    the median of the last so many seconds.
    """

    model: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0
    runs: Path = Path("runs")
    name: str | None = None
    start_from: Path | None = None
    cues: tuple[str, ...] = field(default_factory=lambda: tuple(CUES))
    smoothing_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"{self.seed}", "seed", "Use 0 to 4294967295")
        if not 0 <= self.smoothing_s <= LONGEST_SMOOTHING_S:
            raise ConfigError(f"{self.smoothing_s:g} seconds", "smoothing_s", f"Use 0 to {LONGEST_SMOOTHING_S:g}")
        unknown = [cue for cue in self.cues if cue not in CUES]
        if unknown or not self.cues:
            fault = f"there is no cue {unknown[0]!r}" if unknown else "no cue is named"
            raise ConfigError(fault, "cues", f"Use one or more of {', '.join(CUES)}")

    @property
    def has_network(self) -> bool:
        """A network is trained, and not only cues."""
        return RECONSTRUCTION in self.cues

    @property
    def input_format(self) -> InputFormat:
        """The input format of the network to train."""
        return self.data.input_format

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `config.yaml` holds them."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "config.yaml") -> "TrainConfig":
        """Return the inverse of to_dict. Raises RunError when something is missing or unknown."""
        try:
            rest = dict(values)
            data = dict(rest.pop("data"))
            for name in ("path", "cache"):
                data[name] = _path(data.get(name))
            return cls(
                model=NetworkConfig(**rest.pop("model")),
                data=DataConfig(**data),
                training=TrainingConfig(**rest.pop("training")),
                seed=rest.pop("seed"),
                runs=Path(rest.pop("runs")),
                name=rest.pop("name"),
                start_from=_path(rest.pop("start_from")),
                cues=tuple(rest.pop("cues", (RECONSTRUCTION,))),  # runs of earlier versions have no other
                **rest,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"not the config of a run ({error})", where, "Name a run that this version made") from error


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return list(value)
        return str(value) if isinstance(value, Path) else value

    return {name: _plain(value) if isinstance(value, dict) else plain(value) for name, value in values.items()}
