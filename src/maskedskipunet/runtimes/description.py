"""The description inside an exported file: the network, its input, and how it was calibrated."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig

KEY = "maskedskipunet"  # under which a file carries its description
FORMAT_VERSION = 1

Part = Literal["clip", "encode", "reconstruct"]
"""What a file computes: scores of whole clips, features of single frames, or scores from features."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """The description inside an exported file.

    version: of the program that wrote it. model_id: tells the network's weights from others; the parts of one model
    share it. parameters: how many weights the network has. cues: the cues of the model beside its network, whose file
    lies beside this one. calibration: the threshold and what it is of; None if the model has none.
    """

    part: Part
    network: NetworkConfig
    input_format: InputFormat
    version: str
    model_id: str
    parameters: int
    cues: tuple[str, ...] = ()
    calibration: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """Return the description as it stands in a file."""
        described = {
            "format": FORMAT_VERSION,
            "version": self.version,
            "part": self.part,
            "model_id": self.model_id,
            "network": asdict(self.network) | {"clip_length": self.network.frames},
            "parameters": self.parameters,
            "input": self.input_format.to_dict() | {"spacing": self.input_format.spacing},
            "rate_fps": self.input_format.sampled_fps,
            "colours": "RGB" if self.network.channels == 3 else "grey",
            "cues": list(self.cues),
            "calibration": None if self.calibration is None else dict(self.calibration),
        }
        return json.dumps(described, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | None, path: Path) -> "Description":
        """Return the inverse of to_json. text: None if the file has no description. Raises WeightsError."""
        cure = "Name a file that `maskedskipunet export` wrote"
        if not text:
            raise WeightsError("the file was not exported by this program", str(path), cure)
        try:
            values = json.loads(text)
            if values["format"] != FORMAT_VERSION:
                raise ValueError(f"format {values['format']!r}, this version reads {FORMAT_VERSION}")
            if values["part"] not in get_args(Part):
                raise ValueError(f"part {values['part']!r}")
            return cls(
                part=values["part"],
                network=NetworkConfig(**values["network"]),
                input_format=InputFormat.from_dict(values["input"]),
                version=str(values["version"]),
                model_id=str(values["model_id"]),
                parameters=int(values["parameters"]),
                cues=tuple(map(str, values["cues"])),
                calibration=values["calibration"],
            )
        except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
            raise WeightsError(f"cannot understand the file's description ({error})", str(path), cure) from error
