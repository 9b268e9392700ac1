from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cli.parsing import SHORT_FORMS, Parser, build
from maskedskipunet.cli.train import add_cue_options, add_train_options, train_config
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.config import DataConfig
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.training.config import TrainConfig, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class Box:
    """The box.

    Args:
        size_px: how large it is,
            which takes two lines to say
        kind: open or shut
        share: 10% say (default: none)
    """

    size_px: int = 4
    kind: Literal["open", "shut"] = "open"
    share: float | None = None


def box_parser() -> Parser:
    parser = Parser("pack", "PLACE", "Pack boxes.")
    parser.add("place", type=Path, required=True, metavar="PLACE", help="Where.")
    parser.add("--count", type=int, default=1, in_recipe=True, help="How many.")
    parser.add_switch("--fast", dest="fast", help="In a hurry.")
    parser.add_config(Box, "box")
    parser.add_recipe()
    return parser


def train_parser() -> Parser:
    parser = Parser("train", "", "")
    add_train_options(parser)
    add_cue_options(parser)
    parser.add("--from", dest="start_from", type=Path, in_recipe=True, help="")
    return parser


def test_what_is_not_given_is_as_in_the_dataclasses():
    options = train_parser().parse([])
    assert train_config(options) == TrainConfig()
    assert options.start_from is None


def test_an_option_that_may_stand_several_times_is_a_list_in_a_recipe_too(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {ignore: ['1,2,3,4', mask.png]}\n")
    of_recipe = train_config(train_parser().parse(["--config", str(recipe)]))
    assert of_recipe.data.ignore == ("1,2,3,4", "mask.png")

    arguments = ["--config", str(recipe), "--data.ignore", "1%,2%,3%,4%", "--data.ignore=1,2 3,4 1,9"]
    assert train_config(train_parser().parse(arguments)).data.ignore == ("1%,2%,3%,4%", "1,2 3,4 1,9")
    recipe.write_text("data: {ignore: '1,2 3,4 1,9'}\n")
    assert train_config(train_parser().parse(["--config", str(recipe)])).data.ignore == ("1,2 3,4 1,9",)
    recipe.write_text("seed: [1, 2]\n")
    with pytest.raises(UsageError, match=r"recipe\.yaml, seed: not a single value"):
        train_parser().parse(["--config", str(recipe)])


def test_every_field_is_an_option():
    options = box_parser().parse(["here", "--box.size_px", "9", "--box.kind=shut", "--box.share", "0.5", "--fast"])
    assert build(Box, options, "box") == Box(size_px=9, kind="shut", share=0.5)
    assert (options.place, options.count, options.fast) == (Path("here"), 1, True)


@pytest.mark.parametrize("arguments", [["--fast", "here"], ["here", "--fast"], ["--count", "2", "here"]])
def test_an_argument_that_stands_alone_may_stand_anywhere(arguments):
    assert box_parser().parse(arguments).place == Path("here")


@pytest.mark.parametrize(("value", "count"), [("-1", -1), ("+7", 7)])
def test_a_number_may_have_a_sign(value, count):
    assert box_parser().parse(["here", "--count", value]).count == count


@pytest.mark.parametrize(("name", "short"), SHORT_FORMS.items())
def test_a_short_form_means_the_same_as_the_full_name(name, short):
    value = {"data.path": "footage", "data.on_bad_frame": "skip"}[name]
    in_full, in_short = (train_config(train_parser().parse([form, value])) for form in (f"--{name}", short))
    assert in_full == in_short != TrainConfig()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "PLACE must be given. See `maskedskipunet pack --help`."),
        (["here", "there"], "'there' is one argument too many. See `maskedskipunet pack --help`."),
        (["here", "--box.size_px"], "--box.size_px needs a value. Write --box.size_px=VALUE where"),
        (["here", "--count", "--fast"], "--count needs a value. Write --count=VALUE where"),
        (["here", "--count", "-x"], "--count needs a value. Write --count=VALUE where"),
        (["here", "--fast=yes"], "--fast takes no value. Write --fast alone."),
        (["here", "--box.size", "3"], "there is no option '--box.size'. Perhaps you mean --box.size_px."),
        (["here", "--size-px", "3"], "there is no option '--size-px'. Perhaps you mean --box.size_px."),
        (["here", "--boks.kind=open"], "there is no option '--boks.kind'. Perhaps you mean --box.kind."),
        (["here", "--quickly"], "there is no option '--quickly'. See `maskedskipunet pack --help`."),
        (["here", "-c"], "there is no option '-c'. See `maskedskipunet pack --help`."),
        (["here", "--box", "3"], "there is no option '--box'."),
        (["here", "--" + "x" * 90], f"there is no option '--{'x' * 57}…'. See"),
        (["here", "--count", "many"], "--count: 'many' is not a whole number."),
        (["here", "--box.kind", "ajar"], "--box.kind: 'ajar' is not among the choices. Use open or shut."),
        ([""], "PLACE: '' is no path."),
    ],
)
def test_what_is_not_understood_is_told_in_a_sentence(arguments, told):
    with pytest.raises(UsageError) as refused:
        box_parser().parse(arguments)
    assert str(refused.value).startswith(told)


def test_an_option_cannot_be_shortened_so_that_a_later_one_does_not_change_its_meaning():
    with pytest.raises(UsageError, match="there is no option '--coun'"):
        box_parser().parse(["here", "--coun", "2"])


def recipe(folder: Path, text: str) -> str:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return f"--config={path}"


def test_the_command_line_overrides_a_recipe_wherever_it_is_named(tmp_path):
    config = recipe(tmp_path, "count: 5\nbox: {size_px: 6, kind: shut}\n")
    for arguments in (["here", config, "--count", "2"], ["here", "--count", "2", config]):
        options = box_parser().parse(arguments)
        assert (options.count, build(Box, options, "box")) == (2, Box(size_px=6, kind="shut"))


def test_settings_left_empty_in_a_recipe_keep_their_defaults(tmp_path):
    options = box_parser().parse(["here", recipe(tmp_path, "count: null\nbox:\n  kind: ~\n  share:\n")])
    assert (options.count, build(Box, options, "box")) == (1, Box())
    assert build(Box, box_parser().parse(["here", recipe(tmp_path, "box: null\n")]), "box") == Box()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("counts: 3", "recipe.yaml, counts: there is no such setting. Perhaps you mean count."),
        ("box: {size: 3}", "recipe.yaml, box.size: there is no such setting. Perhaps you mean box.size_px."),
        ("box: 3", "recipe.yaml, box: a group of settings, not one. Write `box: {size_px: …}`."),
        ("place: here", "recipe.yaml, place: there is no such setting."),
        ("config: other.yaml", "recipe.yaml, config: there is no such setting."),
        ("fast: true", "recipe.yaml, fast: there is no such setting."),
        ("count: many", "recipe.yaml, count: 'many' is not a whole number. Use digits alone."),
        ("box: {share: .nan}", "recipe.yaml, box.share: '.nan' is not a number."),
        ("box: {kind: ajar}", "recipe.yaml, box.kind: 'ajar' is not among the choices. Use open or shut."),
    ],
)
def test_what_is_wrong_in_a_recipe_is_told_with_its_place(text, told, tmp_path):
    with pytest.raises(UsageError) as refused:
        box_parser().parse(["here", recipe(tmp_path, text)])
    assert str(refused.value).startswith(f"{tmp_path}/{told}")


def test_a_setting_that_a_command_has_no_use_for_may_stand_empty_in_a_recipe(tmp_path):
    parser = box_parser()
    parser.refuse("lid", "boxes have no lids")
    assert parser.parse(["here", recipe(tmp_path, "lid: null\ncount: 3")]).count == 3
    with pytest.raises(UsageError, match=r"recipe\.yaml, lid: boxes have no lids\. Leave it out"):
        parser.parse(["here", recipe(tmp_path, "lid: red")])


PATHS = st.none() | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=8
).map(Path)
POSITIVE = st.floats(min_value=0, exclude_min=True, max_value=1e30)
CONFIGS = st.builds(
    TrainConfig,
    model=st.builds(
        NetworkConfig,
        variant=st.sampled_from([name for name, variant in VARIANTS.items() if not variant.single_frame]),
        latent_dim=st.integers(1, 100).map(lambda number: 8 * number),
        clip_length=st.none() | st.integers(0, 9).map(lambda number: 2 * number + 1),
        masked_weights=st.sampled_from(["learned", "frozen"]),
    ),
    data=st.builds(
        DataConfig,
        path=PATHS,
        height_px=st.integers(2, 99).map(lambda number: 16 * number),
        fps=st.none() | POSITIVE,
        image_fps=POSITIVE,
        max_frames=st.none() | st.integers(1, 10**20),
        holdback=st.floats(0, 1, exclude_max=True),
        on_bad_frame=st.sampled_from(["skip", "stop"]),
        cache=PATHS,
    ),
    training=st.builds(
        TrainingConfig,
        epochs=st.integers(1, 10**9),
        learning_rate=POSITIVE,
        precision=st.sampled_from(["32-true", "bf16-mixed", "16-mixed"]),
        max_minutes=st.none() | POSITIVE,
    ),
    seed=st.integers(0, 2**32 - 1),
    name=st.none() | st.text("abc-_ äö[]", min_size=1, max_size=8),
    start_from=PATHS,
)


@given(CONFIGS)
def test_the_config_that_a_run_keeps_is_a_recipe_for_the_same_training(tmp_path_factory, config):
    folder = tmp_path_factory.getbasetemp()
    text = yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True)
    options = train_parser().parse([recipe(folder, text)])
    assert replace(train_config(options), start_from=options.start_from) == config


@given(st.lists(st.text(max_size=12) | st.sampled_from(["--data", "--seed", "--", "-", "--name=x", "3"]), max_size=5))
def test_any_arguments_are_options_or_a_usage_error(arguments):
    if any(argument in ("-h", "--help") for argument in arguments):
        return
    with suppress(UsageError):
        assert isinstance(train_config(train_parser().parse(arguments)), TrainConfig)


@pytest.mark.parametrize("config", [NetworkConfig, DataConfig, TrainingConfig])
def test_every_setting_is_explained(config, capsys):
    parser = Parser("x", "", "")
    parser.add_config(config, "key")
    with pytest.raises(SystemExit):
        parser.parse(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for field in fields(config):
        assert f"--key.{field.name} " in shown
        told = shown.split(f"--key.{field.name} ")[1].split(" --")[0].split(" ", 1)[1]
        assert len(told.split("(default")[0]) > 5, f"{field.name} is not explained: {told}"


def test_a_text_over_several_lines_and_a_percent_sign_are_shown_as_they_are(capsys):
    with pytest.raises(SystemExit) as ended:
        box_parser().parse(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "How large it is, which takes two lines to say (default: 4)." in shown
    assert "10% say (default: none)." in shown
