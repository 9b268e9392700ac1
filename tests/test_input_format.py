import json

import pytest

from maskedskipunet.errors import ConfigError
from maskedskipunet.input_format import SIZE_STEP, InputFormat
from maskedskipunet.model import config
from maskedskipunet.model.config import LEVELS


def test_its_earlier_home_still_leads_to_it() -> None:
    assert config.InputFormat is InputFormat
    assert SIZE_STEP == 2**LEVELS


def test_what_came_later_is_written_only_where_it_says_something() -> None:
    plain = {"height_px": 256, "width_px": 256, "fps": None, "stride": 1, "image_fps": 10.0}

    assert json.dumps(InputFormat().to_dict()) == json.dumps(plain)
    later = InputFormat(spacing=3, footage_fps=25, ignore=("1%,1%,2%,2%",)).to_dict()
    assert later == plain | {"spacing": 3, "footage_fps": 25, "ignore": ["1%,1%,2%,2%"]}


@pytest.mark.parametrize("made", [InputFormat(), InputFormat(spacing=4, fps=8, stride=2, ignore=("1,1,2,2",))])
def test_it_is_read_as_it_was_written(made: InputFormat) -> None:
    assert InputFormat.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize("spacing", [0, -1, 1.5, "3", None])
def test_a_spacing_that_cannot_be_is_refused(spacing: object) -> None:
    with pytest.raises(ConfigError, match=r"input\.spacing: .*Use 1 or more"):
        InputFormat.from_dict({"spacing": spacing})


@pytest.mark.parametrize(
    ("made", "rate"),
    [
        (InputFormat(), None),
        (InputFormat(fps=8), 8),
        (InputFormat(fps=8, stride=2), 4),
        (InputFormat(footage_fps=25, stride=5), 5),
    ],
)
def test_the_rate_of_sampled_frames_is_known_where_the_footages_is(made: InputFormat, rate: float | None) -> None:
    assert made.sampled_fps == rate
