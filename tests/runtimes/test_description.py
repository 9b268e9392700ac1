"""The description inside an exported file is read as it was written, and refused if it is none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from maskedskipunet.errors import WeightsError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.runtimes.description import Description

DESCRIPTION = Description(
    part="clip",
    network=NetworkConfig(latent_dim=8, clip_length=5, channels=1),
    input_format=InputFormat(height_px=32, width_px=48, fps=10, stride=2, spacing=4, ignore=("0%,0%,50%,50%",)),
    version="0.1.0",
    model_id="0123456789abcdef",
    parameters=1234,
    cues=("movement",),
    calibration={"score_of": ["reconstruction", "movement"], "threshold": 3.5},
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_read_as_it_was_written(variant: str) -> None:
    length = 1 if VARIANTS[variant].single_frame else 5
    described = replace(DESCRIPTION, network=NetworkConfig(variant=variant, latent_dim=8, clip_length=length))

    assert Description.from_json(described.to_json(), Path("model.onnx")) == described


def test_programs_that_read_it_find_everything_written_out() -> None:
    told = json.loads(replace(DESCRIPTION, network=NetworkConfig(), input_format=InputFormat()).to_json())

    assert told["network"]["clip_length"] == 3
    assert told["input"]["spacing"] == 1
    assert told["rate_fps"] is None
    assert told["colours"] == "RGB"
    grey = json.loads(DESCRIPTION.to_json())
    assert (grey["colours"], grey["rate_fps"], grey["calibration"]["threshold"]) == ("grey", 5, 3.5)


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", "nonsense", '{"format": 2}', "[" * 100_000])
def test_a_text_that_is_no_description_is_refused(text: str | None) -> None:
    with pytest.raises(WeightsError, match=r"^model\.onnx: "):
        Description.from_json(text, Path("model.onnx"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("part", "decode"),
        ("network", {"variant": "transformer"}),
        ("network", None),
        ("input", {"height_px": 33, "width_px": 48}),
        ("parameters", "many"),
        ("cues", 3),
    ],
)
def test_a_description_with_an_impossible_value_is_refused(name: str, value: object) -> None:
    told = json.loads(DESCRIPTION.to_json()) | {name: value}

    with pytest.raises(WeightsError, match="cannot understand the file's description"):
        Description.from_json(json.dumps(told), Path("model.onnx"))
