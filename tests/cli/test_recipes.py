import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cli.recipes import LARGEST, read_recipe
from maskedskipunet.cli.values import UsageError


def test_settings_come_by_their_full_names_as_text(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "seed: 3\nname: null\ntraining:\n  learning_rate: 1e-3\n  epochs: 2\ndata: {fps: 12.5, path: ü}\n",
        encoding="utf-8",
    )
    assert dict(read_recipe(path)) == {
        "seed": "3",
        "name": None,
        "training.learning_rate": "1e-3",
        "training.epochs": "2",
        "data.fps": "12.5",
        "data.path": "ü",
    }


BOMB = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file holds no settings"),
        (b"# nothing yet\n", "the file holds no settings"),
        (b"- 1\n- 2\n", "the file holds no settings"),
        (b"just words", "the file holds no settings"),
        (b"a: [1\nb: }", "not YAML that holds settings (line 2: "),
        (b"a: 1\n\tb: 2", "not YAML that holds settings (line 2: "),
        (b"[" * 5000, "not YAML that holds settings"),
        (bytes(range(256)), "not a text file"),
        (b"\xff\xfe", "not a text file"),
        (b"x" * (LARGEST + 1), "too large for a recipe"),
        (b"seed: 1\nname: a\nseed: 2", "recipe.yaml, seed: the setting is given twice"),
        (b"seed: [1, [2]]", "recipe.yaml, seed: not a single value"),
        (b"seed: [{a: 1}]", "recipe.yaml, seed: not a single value"),
        (b"data:\n  fps: {a: 1}", "recipe.yaml, data.fps: not a single value"),
        (BOMB.encode(), "(line 2: a value that stands for another, write it out)"),
    ],
)
def test_what_is_no_recipe_is_told_in_one_line_with_its_place(content, told, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        list(read_recipe(path))
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_missing_recipe_and_a_folder_are_told(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the recipe .No such file or directory.. Name a YAML file"):
        list(read_recipe(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match=r"cannot read the recipe .Is a directory.. Name a YAML file"):
        list(read_recipe(tmp_path))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir", "!!timer"])
def test_nothing_in_a_recipe_is_executed(tag, tmp_path):
    path, trace = tmp_path / "recipe.yaml", tmp_path / "trace"
    path.write_text(f"seed: {tag} ['{trace}']\n")
    with pytest.raises(UsageError, match=r"recipe\.yaml, seed: not a single value"):
        list(read_recipe(path))
    assert not trace.exists()


@pytest.mark.parametrize("text", ["2024-01-01", "007", "0x10", "1_000", "yes", "12:30:45", "Norway: no", "1e5"])
def test_what_looks_like_a_date_a_time_or_a_truth_stays_as_it_was_written(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: {text!r}\n" if ": " in text else f"name: {text}\n")
    assert dict(read_recipe(path)) == {"name": text}


def test_a_recipe_may_come_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("seed: 4\n",))
    writer.start()
    assert dict(read_recipe(pipe)) == {"seed": "4"}
    writer.join()


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_a_usage_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        settings = dict(read_recipe(path))
    except UsageError:
        return
    assert all(isinstance(name, str) and isinstance(text, str | list | None) for name, text in settings.items())


def test_a_list_of_values_is_a_list_of_texts(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("data: {ignore: ['1,2,3,4', 5%, ~], path: []}\n")
    assert dict(read_recipe(path)) == {"data.ignore": ["1,2,3,4", "5%", "~"], "data.path": []}


def test_a_word_in_quotes_is_a_word_even_if_it_says_null(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: 'null'\nseed: null\ndata: {path: '~', cache: ~}\n")
    assert dict(read_recipe(path)) == {"name": "null", "seed": None, "data.path": "~", "data.cache": None}
