import copy
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.config import DataConfig
from maskedskipunet.errors import ConfigError, RunError
from maskedskipunet.model.config import VARIANTS, InputFormat, NetworkConfig
from maskedskipunet.training.config import Precision, Schedule, TrainConfig, TrainingConfig

paths = st.none() | st.text("abcü .-_/", min_size=1).map(Path)
rates = st.floats(1e-3, 1e3)
sizes = st.integers(2, 40).map(lambda steps: steps * 16)

networks = st.builds(
    NetworkConfig,
    variant=st.sampled_from([name for name, variant in VARIANTS.items() if not variant.single_frame]),
    latent_dim=st.integers(1, 64).map(lambda steps: steps * 8),
    clip_length=st.none() | st.integers(0, 4).map(lambda half: 2 * half + 1),
    channels=st.sampled_from([1, 3]),
    masked_weights=st.sampled_from(["learned", "frozen"]),
)
footage = st.builds(
    DataConfig,
    path=paths,
    scene=st.none() | st.from_regex(r"[0-9]{2}", fullmatch=True),
    height_px=sizes,
    width_px=sizes,
    fps=st.none() | rates,
    stride=st.integers(1, 100),
    image_fps=rates,
    max_frames=st.none() | st.integers(1),
    holdback=st.floats(0, 1, exclude_max=True),
    on_bad_frame=st.sampled_from(["skip", "stop"]),
    cache=paths,
)
trainings = st.builds(
    TrainingConfig,
    epochs=st.integers(1, 1000),
    batch_size=st.integers(1, 1000),
    learning_rate=st.floats(1e-12, 1e3),
    schedule=st.sampled_from(get_args(Schedule)),
    precision=st.sampled_from(get_args(Precision)),
    accelerator=st.sampled_from(["auto", "cpu", "gpu"]),
    max_minutes=st.none() | st.floats(1e-9, 1e9),
)
configs = st.builds(
    TrainConfig,
    model=networks,
    data=footage,
    training=trainings,
    seed=st.integers(0, 2**32 - 1),
    runs=paths.filter(bool),
    name=st.none() | st.text().filter(str.isprintable),  # others are refused as names of runs
    start_from=paths,
)


@given(configs)
def test_a_config_comes_back_from_its_yaml_as_it_was(config: TrainConfig) -> None:
    written = yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True)

    assert TrainConfig.from_dict(yaml.safe_load(written)) == config


def test_a_config_is_written_in_plain_values() -> None:
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(name, str) and plain(inner) for name, inner in value.items())
        if type(value) is list:
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    data = DataConfig(path=Path("a"), cache=Path("b"), ignore=("1,2,3,4",))
    assert plain(TrainConfig(data=data, start_from=Path("c")).to_dict())


@pytest.mark.parametrize("part", [None, "model", "data", "training"])
def test_an_unknown_setting_is_refused_and_named(part: str | None) -> None:
    values = TrainConfig().to_dict()
    (values if part is None else values[part])["learning_speed"] = 1

    with pytest.raises(RunError, match=r"config\.yaml.*learning_speed"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize("name", ["model", "data", "training", "seed", "runs", "name", "start_from"])
def test_a_missing_part_is_refused_and_named(name: str) -> None:
    values = TrainConfig().to_dict()
    del values[name]

    with pytest.raises(RunError, match=f"there/config.yaml.*{name}"):
        TrainConfig.from_dict(values, "there/config.yaml")


def test_the_config_of_a_run_made_before_scenes_were_known_is_still_understood() -> None:
    values = TrainConfig().to_dict()
    del values["data"]["scene"]

    assert TrainConfig.from_dict(values) == TrainConfig()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.data())
def test_whatever_a_damaged_config_says_is_refused_with_an_error_of_ours_or_fits(data: st.DataObject) -> None:
    values = copy.deepcopy(TrainConfig().to_dict())
    part: Any = values
    keys = data.draw(st.sampled_from([*[(key,) for key in values], *[("data", key) for key in values["data"]]]))
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = data.draw(anything)

    with suppress(ConfigError, RunError):
        understood = TrainConfig.from_dict(values)
        assert TrainConfig.from_dict(understood.to_dict()) == understood


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("schedule", "linear"),
        ("precision", "16"),
        ("accelerator", "tpu"),
        ("max_minutes", 0.0),
        ("max_minutes", float("nan")),
    ],
)
def test_a_setting_that_cannot_be_is_refused_under_its_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"training.{name}"):
        TrainingConfig(**{name: value})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_cannot_be_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        TrainConfig(seed=seed)


def test_the_input_format_is_how_the_footage_is_looked_at() -> None:
    data = DataConfig(height_px=32, width_px=48, fps=5.0, stride=2, image_fps=4.0)

    assert TrainConfig(data=data).input_format == InputFormat(
        height_px=32, width_px=48, fps=5.0, stride=2, image_fps=4.0
    )
