"""`cameras.yaml`: which cameras are watched, by which model, and how patiently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.monitor.camera import ReconnectPolicy
from maskedskipunet.monitor.clips import ClipConfig
from maskedskipunet.monitor.recorder import RecordingConfig
from maskedskipunet.monitor.watching import WatchConfig
from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.plain_yaml import ValueLoader
from maskedskipunet.records.pruning import Retention
from maskedskipunet.runs import run_meant
from maskedskipunet.scoring.ignored import also_ignoring

EXAMPLE = "Write `cameras: {door: rtsp://…}` into it"
LARGEST = 1_000_000  # characters


@dataclass(frozen=True)
class CameraFile:
    """The content of a file of cameras.

    model, records: None if it names none. fps: None if it asks for no rate. ignore: shapes that are not looked
    at, of the cameras that have any.
    """

    cameras: Mapping[str, CameraAddress]
    model: Path | None
    fps: float | None
    config: WatchConfig
    reconnect_policy: ReconnectPolicy
    records: Path | None = None
    recording: RecordingConfig = field(default_factory=RecordingConfig)
    sinks: tuple[SinkConfig, ...] = ()
    ignore: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_camera_file(path: Path, model: Path | None = None) -> CameraFile:
    """Read and check it as a whole, with what it names on this machine: its model, and cameras that are files.

    model: to be taken instead of the one that it names.
    Raises ConfigError that names every fault of the file at once, and shows no address.
    """
    faults: list[str] = []
    settings = _mapping(_document(path), str(path), faults)
    cameras, ignore = _cameras(settings.pop("cameras", None), faults)
    named, records = (_path(name, settings.pop(name, None), faults) for name in ("model", "records"))
    if model is None and named is not None and not _is_model(named):
        faults.append(f"model: no such model, {named}")
    clips, retention = _clips(settings.pop("clips", None), faults), _retention(settings.pop("keep", None), faults)
    sinks = _sinks(settings.pop("sinks", None), faults)
    numbers = {name: _number(name, settings.pop(name), faults) for name in list(settings) if name in _numbers()}
    faults += [f"{name}: there is no such setting" for name in settings]
    reconnect_policy = _built(ReconnectPolicy, numbers, faults)
    config = _built(WatchConfig, numbers, faults)
    fps = numbers.get("fps")
    if fps is not None and not 0 < fps < float("inf"):
        faults.append("fps: not a rate above 0")
    if faults or reconnect_policy is None or config is None:
        count = f"{len(faults)} faults: " if len(faults) > 1 else ""
        raise ConfigError(count + "; ".join(faults), str(path), "Mend the file")
    recording = RecordingConfig() if retention is None else RecordingConfig(retention=retention)
    recording = recording if clips is None else replace(recording, clips=clips)
    return CameraFile(cameras, model or named, fps, config, reconnect_policy, records, recording, sinks, ignore)


def named_sources(sources: list[str]) -> dict[str, CameraAddress]:
    """Return cameras of a command line by the printable part of their addresses. Raises ConfigError."""
    cameras: dict[str, CameraAddress] = {}
    for number, text in enumerate(sources, start=1):
        address = CameraAddress.parse(text, f"source {number}")
        name = str(address)
        cameras[f"{name} ({number})" if name in cameras else name] = address
    return cameras


class _NoTwice(ValueLoader):
    """Loads plain values, and refuses a name that is given twice: the first camera would be gone without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [str(key.value) for key, _ in node.value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(twice)} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]


def _document(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except UnicodeDecodeError:
        fault = "not a text file"
    except OSError as error:
        fault = f"cannot read the file ({error.strerror})"
    else:
        try:
            if len(text) <= LARGEST:
                return yaml.load(text, _NoTwice)  # a SafeLoader
            fault = "too large for a list of cameras"
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            location = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark is not None else ""
            fault = f"not YAML that names cameras{location}"
    # Out here, so that no traceback shows a line of the file: it may hold a password.
    raise ConfigError(fault, str(path), EXAMPLE)


def _mapping(value: Any, where: str, faults: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        faults.append("the file holds no settings")
        return {}
    return {str(name): setting for name, setting in value.items()}


def _cameras(value: Any, faults: list[str]) -> tuple[dict[str, CameraAddress], dict[str, tuple[str, ...]]]:
    found: dict[str, CameraAddress] = {}
    ignored: dict[str, tuple[str, ...]] = {}
    if not isinstance(value, dict) or not value:
        faults.append("cameras: none is named")
        return found, ignored
    for key, raw in value.items():
        where, source = f"cameras.{key}", raw
        if isinstance(raw, dict):
            settings = {str(setting): value for setting, value in raw.items()}
            source, shapes = settings.pop("source", None), _shapes(settings.pop("ignore", None), where, faults)
            faults += [f"{where}.{setting}: there is no such setting" for setting in settings]
            if shapes:
                ignored[str(key)] = shapes
        name = str(key)
        if not name.isprintable() or not name.strip() or "/" in name or name.startswith("."):
            faults.append(f"{where!r}: not a name that a folder could have")
        elif not isinstance(source, str):
            faults.append(f"{where}: not an address")
        else:
            try:
                found[name] = CameraAddress.parse(source, where)
                found[name].require_there()
            except MaskedSkipUNetError as error:
                faults.append(f"{where}: {error.what}" + (f", {error.where}" if error.where != where else ""))
    return found, ignored


def _shapes(value: Any, where: str, faults: list[str]) -> tuple[str, ...]:
    """Return shapes to ignore, with mask images read."""
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        faults.append(f"{where}.ignore: not a list of shapes")
        return ()
    try:
        return also_ignoring(InputFormat(), texts, f"{where}.ignore").ignore
    except MaskedSkipUNetError as error:
        faults.append(f"{error.where}: {error.what}")
        return ()


def _path(name: str, value: Any, faults: list[str]) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        faults.append(f"{name}: not a path")
        return None
    return Path(value)


def _is_model(path: Path) -> bool:
    """Return whether there is anything that could be one; what it holds is seen when it is loaded."""
    try:
        return run_meant(path) is not None or path.exists()
    except OSError:  # a name longer than any may be
        return False


def _clips(value: Any, faults: list[str]) -> ClipConfig | None:
    """Parse `clips: {before_s: 5, after_s: 5, longest_s: 120}`."""
    numbers = _section("clips", value, ("before_s", "after_s", "longest_s"), faults)
    try:
        return ClipConfig(**numbers) if numbers else None
    except ConfigError as error:
        faults.append(f"{error.where}: {error.what}")
        return None


def _retention(value: Any, faults: list[str]) -> Retention | None:
    """Parse `keep: {days: 30, gigabytes: 10}`; missing settings keep their defaults."""
    numbers = _section("keep", value, ("days", "gigabytes"), faults)
    kept = RecordingConfig().retention
    try:
        if "days" in numbers:
            kept = replace(kept, older_than_s=86400 * numbers["days"])
        if "gigabytes" in numbers:
            kept = replace(kept, larger_than_bytes=int(1e9 * numbers["gigabytes"]))
    except (ConfigError, OverflowError, ValueError):
        faults.append("keep: days and gigabytes are numbers from 0 on")
    return kept if numbers else None


def _section(name: str, value: Any, known: Sequence[str], faults: list[str]) -> dict[str, Any]:
    """Return the numbers of a section, those that are some."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.append(f"{name}: settings are missing, of {', '.join(known)}")
        return {}
    faults += [f"{name}.{key}: there is no such setting" for key in value if key not in known]
    read = {key: _number(f"{name}.{key}", value[key], faults) for key in known if key in value}
    return {key: number for key, number in read.items() if number is not None}


def _sinks(value: Any, faults: list[str]) -> tuple[SinkConfig, ...]:
    if value is None:
        return ()
    try:
        return read_sinks(value)
    except ConfigError as error:
        faults.append(f"{error.where}: {error.what}")
        return ()


def _numbers() -> set[str]:
    return {"fps", "max_delay_s", "report_s", *(field.name for field in fields(ReconnectPolicy))}


def _number(name: str, value: Any, faults: list[str]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.append(f"{name}: not a number")
        return None
    return float(value)


def _built(kind: Any, numbers: Mapping[str, float | None], faults: list[str]) -> Any:
    given = {field.name: numbers[field.name] for field in fields(kind) if numbers.get(field.name) is not None}
    sound = {}
    for name, value in given.items():
        try:
            kind(**{name: value})
            sound[name] = value
        except ConfigError as error:
            faults.append(f"{error.where}: {error.what}")
    return kind(**sound)
