"""Every shipped recipe can be trained with, and says how, how long and what comes out."""

import re
from pathlib import Path

import pytest

from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.train import add_cue_options, add_train_options, train_config

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def test_recipes_are_shipped() -> None:
    assert {"ped2.yaml", "ped2_cpu.yaml"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_understood_and_opens_with_its_command_time_and_result(path: Path) -> None:
    parser = Parser("train", "--data PATH", "Learn.")
    add_train_options(parser)
    add_cue_options(parser)

    config = train_config(parser.parse(["--config", str(path)]))

    head = path.read_text().split("\nmodel:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert re.search(rf"^#   maskedskipunet (train|ablate) --config recipes/{path.name} --data ", head, re.MULTILINE)
    assert "Time" in head
    assert "esult" in head
    assert config.data.path is None  # whose footage it is, the person says


def test_the_recipe_at_the_published_size_is_the_publications_but_for_its_schedule() -> None:
    parser = Parser("train", "--data PATH", "Learn.")
    add_train_options(parser)
    add_cue_options(parser)
    path = next(path for path in RECIPES if path.name == "ped2.yaml")

    published = train_config(parser.parse(["--training.schedule", "cosine"]))

    assert train_config(parser.parse(["--config", str(path)])) == published
