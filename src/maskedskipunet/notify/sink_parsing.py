"""Parses the sinks of a configuration file, `{NAME: {type: webhook, url: …}}`, and reports all faults at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.config import SETTINGS, SinkConfig
from maskedskipunet.notify.secrets import CURE, Secret
from maskedskipunet.notify.settings import Settings
from maskedskipunet.records.subscriptions import BETWEEN, Subscription

_OWN = "type"
_SUBSCRIPTION_FIELDS = {field.name: field for field in fields(Subscription) if field.name != "sink"}


def read_sinks(mapping: Mapping[str, Any], where: str = "sinks") -> tuple[SinkConfig, ...]:
    """Return the sinks of a configuration.

    mapping: `type` and settings by name, as read from YAML; numbers may be text. where: the name of the mapping in
    errors. Raises one ConfigError that lists every fault of all sinks.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            "sinks must be a mapping of names to settings", where, "Write `NAME: {type: webhook, url: …}`"
        )
    faults: list[str] = []
    sinks = []
    for name, raw in mapping.items():
        sink_faults: list[str] = []
        sink = _read_sink(str(name), raw, sink_faults)
        faults += [f"{name}: {fault}" for fault in sink_faults]
        if sink is not None and not sink_faults:
            sinks.append(sink)
    if faults:
        raise ConfigError(BETWEEN.join(faults), where, "Correct the settings")
    return tuple(sinks)


def _read_sink(name: str, raw: Any, faults: list[str]) -> SinkConfig | None:
    if not name.isprintable() or not 0 < len(name) <= 100:
        faults.append("not a valid name of a sink")
    if not isinstance(raw, Mapping):
        faults.append("settings are missing")
        return None
    kind: Any = raw.get(_OWN)
    if not isinstance(kind, str) or kind not in SETTINGS:
        faults.append(f"type must be one of {', '.join(SETTINGS)}")
        return None
    settings_type: type[Settings] = SETTINGS[kind]
    setting_fields = {field.name: field for field in fields(settings_type)}
    known = _SUBSCRIPTION_FIELDS | setting_fields
    for key in raw:
        if key not in known and key != _OWN:
            near = get_close_matches(str(key), known, 1)
            faults.append(f"there is no setting {str(key)[:40]!r}" + (f", perhaps you mean {near[0]}" if near else ""))
    defaults = {name: getattr(settings_type, name) for name in ("phases", "states", "events_per_hour")}
    subscription = defaults | dict(
        _values(Subscription, {key: raw[key] for key in _SUBSCRIPTION_FIELDS if key in raw}, faults)
    )
    values = dict(_values(settings_type, {key: raw[key] for key in setting_fields if key in raw}, faults))
    needed = [
        field.name
        for field in setting_fields.values()
        if field.default is MISSING and field.default_factory is MISSING and field.name not in raw
    ]
    faults += [f"{field} is missing" for field in needed]
    built_subscription = _build(Subscription, subscription | {"sink": name}, faults)
    if needed or len(values) < len(setting_fields.keys() & raw.keys()):
        return None
    settings = _build(settings_type, values, faults)
    return None if built_subscription is None or settings is None else SinkConfig(built_subscription, settings)


def _build(kind: type, values: Mapping[str, Any], faults: list[str]) -> Any:
    try:
        return kind(**values)
    except ConfigError as error:
        faults += error.what.split(BETWEEN)
        return None


def _values(kind: type, values: Mapping[str, Any], faults: list[str]) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(kind)
    for key, value in values.items():
        try:
            yield key, _value(hints[key], value)
        except ValueError as error:
            faults.append(f"{key} {error}")


def _value(hint: Any, value: Any) -> Any:
    """Return a value in its setting's type. Raises ValueError that says what it should be, and never what it is."""
    if get_origin(hint) in (Union, UnionType):
        if value is None or value in ("", "null", "~"):
            return None
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_value(get_args(hint)[0], item) for item in items)
    if get_origin(hint) is Mapping:
        return _headers(value)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(f"must be one of {', '.join(get_args(hint))}")
        return value
    return _READERS[hint](value)


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str | int | float) for text in value.values()):
        raise ValueError("must be a mapping of names to texts")
    return {str(name): str(text) for name, text in value.items()}


def _number(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("must be a number") from None


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number or number in (float("inf"), float("-inf")) or int(number) != number:
        raise ValueError("must be a whole number")
    return int(number)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return str(value).lower() == "true"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path")
    return Path(value)


def _secret(value: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError(f"cannot be read: {CURE}")
    return Secret(value)


_READERS: Mapping[Any, Callable[[Any], Any]] = {
    float: _number,
    int: _whole,
    bool: _truth,
    str: _text,
    Path: _path,
    Secret: _secret,
}
