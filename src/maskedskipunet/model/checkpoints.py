"""Checkpoints as people save them with `torch.save`: the weights of a network are found in them by their names.

Nothing that such a file carries is executed. Objects of other programs in it (settings, a numpy number, a whole pickled
network) become placeholders that do nothing; torch's own loader of weights reads the rest.
"""

import pickletools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor

from maskedskipunet.errors import WeightsError

DESCRIPTION_KEY = "maskedskipunet"  # under which a training's state says which network and input it belongs to
ANCHORS = ("encoder.conv_4.conv_last.weight", "encoder.3.project.weight")  # in the published code's names, and in ours
PREFERRED = ("model_state_dict", "state_dict", "model", "network", "net", "weights")
MAX_PICKLE_BYTES = 64 * 2**20  # of the part that is no weights
MAX_NESTED, MAX_LAYERS = 4, 20
NOT_WEIGHTS = "not a checkpoint of weights alone (nothing in it was executed)"
_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module"})  # what wraps a network adds to its names
_PART_OF_NETWORK = re.compile(r"^(encoder|decoder|skips|m?conv\d)\.")
_RENAMED_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # as pickles of protocol 2 name them
_DATA_OF_BUILTINS = frozenset({"set", "frozenset", "slice", "range", "complex", "bytearray", "object", "list", "dict"})
_HARMFUL = frozenset(
    {"builtins", "os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy", "ctypes", "pty"}
    | {"code", "pickle", "pip", "webbrowser"}
)
_LEGACY_PICKLES = 4  # a number, a version, the machine, and then what was saved
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True)
class Checkpoint:
    """Weights by their names in the network, and the file's description of the network (None: none)."""

    weights: Mapping[str, Tensor]
    description: str | None

    @property
    def is_published(self) -> bool:
        return ANCHORS[0] in self.weights


class Unread:
    """A placeholder for an object of another program, whose code is not executed."""

    named: ClassVar[str] = ""

    def __new__(cls, *_: Any, **__: Any) -> "Unread":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the weights of the one network in a file that torch.save wrote. Raises WeightsError where
    there is none.
    """
    content = _load(path)
    description = content.get(DESCRIPTION_KEY) if isinstance(content, Mapping) else None
    found = dict(_networks(content))
    if not found:
        if isinstance(content, Unread):
            fault = f"{NOT_WEIGHTS}, but a pickled {content.named}"
            raise WeightsError(fault, str(path), "Save its state_dict()")
        cure = "Name a checkpoint of the published code"
        raise WeightsError("not the weights of a published network", str(path), cure)
    preferred = [location for name in PREFERRED for location in found if location.split(" ")[0] == name]
    if len(found) > 1 and not preferred:
        locations = ", ".join(location or "the file itself" for location in found)
        raise WeightsError(f"holds several networks ({locations})", str(path), "Save the one that is meant alone")
    weights = found[preferred[0] if preferred else next(iter(found))]
    return Checkpoint(weights, description if isinstance(description, str) else None)


def named_weights(weights: Mapping[str, Tensor], path: Path) -> Checkpoint:
    """Return the weights of the one network among weights that were read already, by their names."""
    found = dict(_networks(weights))
    if len(found) != 1:
        raise WeightsError("the weights do not say which network they belong to", str(path), "Name our own file")
    return Checkpoint(next(iter(found.values())), None)


def is_torch_file(path: Path) -> bool:
    """Return whether a file starts like those of torch.save, whatever its name."""
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_START))
    return start.startswith(b"PK\x03\x04") or start == _LEGACY_START


def _networks(content: Any, location: str = "", nested: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield every network in a saved object, and its position there."""
    if isinstance(content, Unread):
        content = dict(_layers(content)) or content.state
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        content = {str(index): value for index, value in enumerate(content[:MAX_LAYERS])}
    if not isinstance(content, Mapping):
        return
    tensors = {_unwrapped(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for name in tensors:
        for anchor in ANCHORS:
            prefix = name.removesuffix(anchor)
            if prefix != name and (not prefix or prefix.endswith(".")):
                inner = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
                own = {key: value for key, value in inner.items() if _PART_OF_NETWORK.match(key)}
                yield " ".join(filter(None, [location, prefix.rstrip(".")])), own
    if nested < MAX_NESTED:
        for name, value in content.items():
            if not isinstance(value, Tensor):
                yield from _networks(value, " ".join(filter(None, [location, str(name)])), nested + 1)


def _layers(module: Unread, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of a whole network that was pickled, from what its layers keep."""
    state = module.state
    if not isinstance(state, Mapping) or depth > MAX_LAYERS:
        return
    for kind in ("_parameters", "_buffers", "_modules"):
        for name, value in (state.get(kind) or {}).items():
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, Unread):
                yield from _layers(value, f"{prefix}{name}.", depth + 1)


def _unwrapped(name: Any) -> str:
    return ".".join(part for part in str(name).split(".") if part not in _WRAPPERS)


def _load(path: Path) -> Any:
    try:
        placeholders: list[Any] = [
            (type("Unread", (Unread,), {"named": name}), name) for name in _named_objects(path) if _is_harmless(name)
        ]
        with (
            path.open("rb") as file,  # torch would go by some names
            warnings.catch_warnings(),
            torch.serialization.safe_globals(placeholders),
        ):
            warnings.simplefilter("ignore")  # of unusual pickles
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise nearly anything
        kind = _kind(path)
        raise WeightsError(NOT_WEIGHTS + (f", but {kind}" if kind else ""), str(path), "Name one you trust") from error


def _named_objects(path: Path) -> set[str]:
    """Return the full names of all classes and functions that a file of torch.save refers to."""
    names = set()
    for operation, argument in _operations(path):
        if operation == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            names.add(f"{_RENAMED_MODULES.get(module, module)}.{name}")
    return names


def _operations(path: Path) -> Iterator[tuple[str, Any]]:
    if is_zipfile(path):
        with ZipFile(path) as archive:
            (info,) = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
            if info.file_size > MAX_PICKLE_BYTES:
                raise ValueError("too large for what is no weights")
            pickled = archive.read(info)
        yield from ((operation.name, argument) for operation, argument, _ in pickletools.genops(pickled))
    else:
        with path.open("rb") as file:
            for _ in range(_LEGACY_PICKLES):
                yield from ((operation.name, argument) for operation, argument, _ in pickletools.genops(file))


def _is_harmless(name: str) -> bool:
    """Return whether an object is allowed in a checkpoint; others are never executed, but such a file is suspicious."""
    module, _, rest = name.partition(".")
    return module not in _HARMFUL or (module == "builtins" and rest in _DATA_OF_BUILTINS)


def _kind(path: Path) -> str:
    """Describe a file that is no checkpoint by its first bytes; empty if they are unknown."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: fetch the file itself with `git lfs pull`"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page: the download gave something else than the file"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")) or start[257:262] == b"ustar":
        return "an archive: unpack it"
    if start.startswith(b"\x89HDF"):
        return "an HDF5 file, as Keras writes them"
    if start.startswith(b"\x80") and not start.startswith(_LEGACY_START):
        return "a pickle that torch.save did not write"
    if not is_zipfile(path):
        return ""
    with ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript program, which would have to be run"
    return "" if any(name.endswith("/data.pkl") for name in names) else "an archive: unpack it"
