"""A network on disk: `config.json` (what it is) and safetensors (its weights), nothing that runs code."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.files import atomic_write, keep_earlier, read_text
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig

CONFIG_NAME = "config.json"
LARGEST_BYTES = 1_000_000  # of a description
WEIGHTS_NAME = "model.safetensors"
# All that a network's own scores depend on: as it was trained, or as it was exported, whole and in two parts.
EXPORTED_FILES = tuple(
    f"{name}{suffix}" for suffix in (".onnx", ".xml", ".bin") for name in ("model", "encode", "reconstruct")
)
NETWORK_FILES = (CONFIG_NAME, WEIGHTS_NAME, *EXPORTED_FILES)
FORMAT_VERSION = 1
_HEADER_KEY = "maskedskipunet"  # under which a weights file carries its network's description


def write_model_folder(
    folder: Path, config: NetworkConfig, input_format: InputFormat | None, weights: Mapping[str, Tensor]
) -> None:
    """Write a network's description and weights into a folder."""
    write_weights(folder / WEIGHTS_NAME, config, input_format, weights)
    write_description(folder, config, input_format)


def write_weights(
    path: Path, config: NetworkConfig, input_format: InputFormat | None, weights: Mapping[str, Tensor]
) -> None:
    """Write weights into one safetensors file with the network's description in its header."""
    # One key alone: safetensors writes several in an order of its own, and equal weights should be equal files.
    header = {_HEADER_KEY: json.dumps(describe_network(config, input_format))}
    with atomic_write(path) as part, _os_errors():
        save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()}, part, metadata=header)


def read_weights(path: Path) -> tuple[tuple[NetworkConfig, InputFormat | None] | None, dict[str, Tensor]]:
    """Read a safetensors file: the description of its network, None if another program wrote it, and its weights.

    Raises WeightsError for another kind of file, and for a description that this version does not understand.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read the weights ({error})", str(path), "Name a whole model file") from error
    return (understand_description(header[_HEADER_KEY], path) if _HEADER_KEY in header else None), weights


def is_safetensors(path: Path) -> bool:
    """Return whether a file is called so, or starts as such files do: the length of a JSON object, then the object."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix.lower() == ".safetensors" or start[8:] == b"{"


def read_model_folder(folder: Path) -> tuple[NetworkConfig, InputFormat | None, dict[str, Tensor]]:
    """Read what write_model_folder wrote. Raises WeightsError for anything else."""
    config, input_format = read_description(folder)
    try:
        return config, input_format, load_file(folder / WEIGHTS_NAME)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"cannot read the weights ({error})", str(folder / WEIGHTS_NAME), "Name a whole model folder"
        ) from error


def read_description(folder: Path) -> tuple[NetworkConfig, InputFormat | None]:
    """Return the configuration and the input format of a model folder. Raises WeightsError if they are missing."""
    path = folder / CONFIG_NAME
    try:
        return understand_description(read_text(path, max_bytes=LARGEST_BYTES), path)
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read the model's description ({error})", str(path)) from error


def write_cues_only(folder: Path, input_format: InputFormat, channels: int) -> None:
    """Write the description of a model that has no network, only cues. channels: of the frames that they look at."""
    described = {"format": FORMAT_VERSION, "network": None, "channels": channels, "input": input_format.to_dict()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / CONFIG_NAME) as part:
        part.write_text(json.dumps(described, indent=2) + "\n")


def read_cues_only(folder: Path) -> tuple[InputFormat, int] | None:
    """Return the input format and the channels that write_cues_only wrote; None if the model has a network.

    Raises WeightsError for a damaged description.
    """
    path = folder / CONFIG_NAME
    try:
        described = json.loads(read_text(path, max_bytes=LARGEST_BYTES))
        if not isinstance(described, dict) or described.get("network", ...) is not None:
            return None
        if described["format"] != FORMAT_VERSION:
            raise ValueError(f"format {described['format']!r}, this version reads {FORMAT_VERSION}")
        channels = described["channels"]
        if channels not in (1, 3):
            raise ValueError(f"{channels!r} channels")
        return InputFormat.from_dict(described["input"]), int(channels)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise WeightsError(f"not a model's description ({error})", str(path), "Name a model folder of ours") from error


def rewrite_input_format(folder: Path, input_format: InputFormat) -> None:
    """Replace the input format of a model folder; the earlier description stays as `config.N.json`."""
    cues_only = read_cues_only(folder)
    config = None if cues_only is not None else read_description(folder)[0]
    keep_earlier(folder / CONFIG_NAME)
    if cues_only is not None:
        write_cues_only(folder, input_format, channels=cues_only[1])
    elif config is not None:
        write_description(folder, config, input_format)


def write_description(folder: Path, config: NetworkConfig, input_format: InputFormat | None) -> None:
    """Write a network's description into a model folder."""
    with atomic_write(folder / CONFIG_NAME) as part:
        part.write_text(json.dumps(describe_network(config, input_format), indent=2) + "\n")


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turn what safetensors tells of the operating system, in words alone, back into an OSError."""
    try:
        yield
    except SafetensorError as error:
        if number := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        raise


def describe_network(config: NetworkConfig, input_format: InputFormat | None) -> dict[str, Any]:
    """Return the configuration and the input format of a network as plain values."""
    network = asdict(config) | {"clip_length": config.frames}
    return {"format": FORMAT_VERSION, "network": network, "input": input_format and input_format.to_dict()}


def understand_description(text: str, path: Path) -> tuple[NetworkConfig, InputFormat | None]:
    """Return the inverse of describe_network, from JSON. Raises WeightsError for anything else."""
    try:
        description = json.loads(text)
        if description["format"] != FORMAT_VERSION:
            raise ValueError(f"format {description['format']!r}, this version reads {FORMAT_VERSION}")
        if description["network"] is None and "channels" in description:
            raise WeightsError("the model has no network, only cues", str(path), "Name a model with a network")
        config = NetworkConfig(**description["network"])
        seen = description.get("input")
        return config, InputFormat.from_dict(seen) if seen else None
    except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise WeightsError(f"not a model's description ({error})", str(path), "Name a model folder of ours") from error
