from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.config import DataConfig
from maskedskipunet.errors import ConfigError

NAN, INF = float("nan"), float("inf")


def test_the_defaults_are_the_publications():
    config = DataConfig()
    assert (config.height_px, config.width_px, config.fps, config.stride, config.max_frames) == (
        256,
        256,
        None,
        1,
        None,
    )


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("height_px", 100, "Use 96"),
        ("height_px", 0, "Use 32"),
        ("height_px", -64, "Use 32"),
        ("height_px", 16, "Use 32"),
        ("width_px", 255, "Use 256"),
        ("width_px", 31, "Use 32"),
        ("fps", 0, "Use a rate above 0"),
        ("fps", -5.0, "Use a rate above 0"),
        ("fps", NAN, "Use a rate above 0"),
        ("fps", INF, "Use a rate above 0"),
        ("stride", 0, "Use 1 or more"),
        ("stride", -1, "Use 1 or more"),
        ("image_fps", 0.0, "Use a rate above 0"),
        ("image_fps", NAN, "Use a rate above 0"),
        ("image_fps", INF, "Use a rate above 0"),
        ("max_frames", 0, "Use 1 or more"),
        ("max_frames", -1, "Use 1 or more"),
        ("holdback", 1, "Use 0 to just under 1"),
        ("holdback", -0.1, "Use 0 to just under 1"),
        ("holdback", NAN, "Use 0 to just under 1"),
        ("scene", "1", "Use two digits, such as 01"),
        ("scene", "001", "Use two digits"),
        ("scene", "01\n", "Use two digits"),
        ("scene", "", "Use two digits"),
        ("scene", 12, "Use two digits"),
        ("on_bad_frame", "ignore", "Use skip or stop"),
        ("on_bad_frame", "", "Use skip or stop"),
    ],
)
def test_each_fault_is_refused_with_the_options_name_and_a_cure(name, value, cure):
    with pytest.raises(ConfigError, match=rf"^data\.{name}: .*{cure}"):
        DataConfig(**{name: value})


@given(st.integers(2, 200), st.integers(2, 200))
def test_every_multiple_of_16_from_32_on_is_a_size(height, width):
    config = DataConfig(height_px=16 * height, width_px=16 * width)
    assert (config.height_px, config.width_px) == (16 * height, 16 * width)


@given(st.integers(-100, 5000).filter(lambda size: size % 16 or size < 32), st.sampled_from(["height_px", "width_px"]))
def test_every_other_size_is_refused_and_the_size_advised_is_taken(size, name):
    with pytest.raises(ConfigError) as refused:
        DataConfig(**{name: size})
    advised = int(refused.value.cure.removeprefix("Use "))
    assert getattr(DataConfig(**{name: advised}), name) == advised
    assert abs(advised - size) <= 8 or advised == 32


def test_values_at_the_edge_of_what_can_be_are_taken():
    config = DataConfig(fps=0.001, stride=10**6, max_frames=1, holdback=0.999, on_bad_frame="skip", image_fps=1e-3)
    assert config.holdback == 0.999


def test_footage_that_is_not_named_is_asked_for():
    with pytest.raises(ConfigError, match=r"no footage is named.*--data PATH"):
        _ = DataConfig().footage
    assert DataConfig(path=Path("videos")).footage == Path("videos")
