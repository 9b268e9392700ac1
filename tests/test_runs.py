import json
import os
import platform
import shutil
import socket
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError, RunError
from maskedskipunet.runs import (
    LATEST,
    RECORDED_PACKAGES,
    RunFolder,
    create_run,
    describe_environment,
    find_run,
    point_latest,
    point_latest_elsewhere,
    run_meant,
    write_csv,
    write_json,
    write_yaml,
)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def made(runs, *names):
    """Runs of these names (None: the next number), each with a config."""
    folders = []
    for name in names:
        run = create_run(runs, name)
        run.write_config({"name": run.path.name})
        folders.append(run)
    return folders


# Names and numbers


def test_runs_without_a_name_are_numbered(runs):
    assert [run.path.name for run in made(runs, None, None, None)] == ["001", "002", "003"]


@pytest.mark.parametrize(
    ("there", "number"),
    [((), "001"), (("007",), "008"), (("7", "12"), "013"), (("999",), "1000"), (("a", "12b", ".5"), "001")],
)
def test_the_number_follows_the_largest_there(runs, there, number):
    for name in there:
        (runs / name).mkdir(parents=True)
    assert create_run(runs).path == runs / number


def test_a_number_is_not_given_again_while_a_later_run_is_there(runs):
    first, _ = made(runs, None, None)
    first.config.unlink()
    first.path.rmdir()
    assert create_run(runs).path.name == "003"


def test_a_file_with_a_number_for_its_name_is_passed_over(runs):
    runs.mkdir()
    (runs / "001").write_text("a file")
    assert create_run(runs).path.name == "002"


@pytest.mark.parametrize("name", ["a", "my run", "ped2-latent_64", "007", "Läufe", ".hidden", "a.b", "latest2"])
def test_a_run_has_the_name_it_is_given(runs, name):
    assert create_run(runs, name).path == runs / name
    assert (runs / name).is_dir()


@pytest.mark.parametrize(
    "name", ["", ".", "..", LATEST, "a/b", "../a", "/a", "a/", "a/..", "/", "a\0b", "a\nb", "a\x1b[31m"]
)
def test_what_is_no_name_is_refused_and_makes_nothing(runs, name, tmp_path):
    with pytest.raises(RunError, match=r"is no name for a run\. Use letters, digits, - and _"):
        create_run(runs, name)
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=20))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    runs = tmp_path_factory.mktemp("runs")
    try:
        run = create_run(runs, name)
    except RunError:
        assert list(runs.iterdir()) == []
    else:
        assert run.path.parent == runs
        assert run.path.name == name
        assert sorted(child.name for child in runs.iterdir()) == sorted([name, LATEST])


def test_a_name_that_is_taken_is_refused_with_both_ways_on(runs):
    create_run(runs, "a")
    with pytest.raises(RunError, match=r"runs/a: there is such a run already\. Choose another --name, or .*--resume"):
        create_run(runs, "a")


def test_a_file_in_the_place_of_the_runs_is_named(runs):
    runs.write_text("a file")
    with pytest.raises((RunError, ConfigError), match=r"runs: .*folder"):
        create_run(runs)


@pytest.mark.parametrize("named", [True, False])
def test_trainings_that_start_at_once_get_folders_of_their_own(runs, named):
    gate = threading.Barrier(8)
    got, refused = [], []

    def start():
        gate.wait(10)
        try:
            got.append(create_run(runs, "a" if named else None).path.name)
        except RunError:
            refused.append("a")

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (sorted(got), len(refused)) == ((["a"], 7) if named else ([f"{n:03}" for n in range(1, 9)], 0))
    assert [child for child in runs.iterdir() if child.name.startswith(".")] == []


# The latest


def test_latest_points_to_the_run_made_last_and_moves_with_its_folder(runs, tmp_path):
    made(runs, "a", "b")
    assert (runs / LATEST).readlink() == Path("b")
    runs.rename(tmp_path / "moved")
    assert find_run(tmp_path / "moved" / LATEST).read_config() == {"name": "b"}


def test_where_latest_cannot_be_a_link_runs_are_made_all_the_same(runs, monkeypatch):
    (runs / LATEST).mkdir(parents=True)
    assert create_run(runs).path.name == "001"
    assert (runs / LATEST).is_dir()
    assert sorted(child.name for child in runs.iterdir()) == ["001", LATEST]


def test_after_a_run_is_removed_latest_points_to_the_newest_left(runs):
    first, second, third = made(runs, "a", "b", "c")
    for seconds, run in enumerate((second, first), start=1):
        os.utime(run.path, (seconds, seconds))
    third.config.unlink()
    third.path.rmdir()
    point_latest_elsewhere(runs)
    assert (runs / LATEST).readlink() == Path("a")
    for run in (first, second):
        run.config.unlink()
        run.path.rmdir()
    point_latest_elsewhere(runs)
    assert list(runs.iterdir()) == []
    point_latest_elsewhere(runs)


def with_model(run, seconds):
    run.model.mkdir()
    for name in ("config.json", "model.safetensors"):
        (run.model / name).write_text("{}")
        os.utime(run.model / name, (seconds, seconds))
    point_latest(run)
    return run


def test_latest_goes_on_meaning_a_model_until_the_next_has_one(runs):
    with_model(*made(runs, "a"), 1)
    (second,) = made(runs, "b")
    assert run_meant(runs / LATEST).path.name == (runs / LATEST).resolve().name == "a"
    assert find_run(runs / LATEST).path.name == "b"  # to go on with
    with_model(second, 2)
    assert run_meant(runs / LATEST).path.name == (runs / LATEST).resolve().name == "b"


def test_a_folder_that_will_hold_no_model_is_never_the_latest(runs):
    create_run(runs, "table", for_model=False)
    assert not (runs / LATEST).exists()
    with_model(*made(runs, "a"), 1)
    create_run(runs, "another", for_model=False)
    assert (runs / LATEST).readlink() == Path("a")


@pytest.mark.parametrize("target", ["gone", "unfinished"])
def test_a_link_to_what_has_no_model_leads_to_the_latest_that_has_one(runs, target):
    for seconds, run in enumerate(made(runs, "z", "b"), 1):
        with_model(run, seconds)
    made(runs, "unfinished")
    (runs / LATEST).unlink()
    (runs / LATEST).symlink_to(target)
    assert run_meant(runs / LATEST).path.name == run_meant(Path(LATEST), runs).path.name == "b"


def test_after_the_latest_model_is_removed_latest_means_the_one_before_and_no_unfinished_run(runs):
    _, newer = (with_model(run, seconds) for seconds, run in enumerate(made(runs, "a", "b"), 1))
    made(runs, "unfinished")
    shutil.rmtree(newer.path)
    point_latest_elsewhere(runs)
    assert (runs / LATEST).readlink() == Path("a")


# Finding a run


def test_a_run_is_found_by_its_path_its_name_or_as_the_latest(runs):
    made(runs, "a", "b")
    assert find_run(runs / "a").path == runs / "a"
    assert find_run(Path("a"), runs).path == runs / "a"
    assert find_run(Path(LATEST), runs).path.name == "b"
    assert find_run(runs / LATEST).path.name == "b"


def test_a_path_goes_before_a_name(runs, tmp_path, monkeypatch):
    made(runs, "a")
    made(tmp_path, "a")
    monkeypatch.chdir(tmp_path)
    assert find_run(Path("a")).path == Path("a")
    assert find_run(Path("a"), runs).path == Path("a")


@pytest.mark.parametrize("path", ["gone", LATEST, "a/b", "empty", "file"])
def test_what_is_no_run_is_named(runs, path):
    (runs / "empty").mkdir(parents=True)
    (runs / "file").write_text("a file")
    (runs / LATEST).symlink_to("gone")
    with pytest.raises(RunError, match=rf"{path}: no such run\. Name a run folder, such as runs/latest"):
        find_run(Path(path), runs)


# What a run holds


def test_each_thing_has_one_place():
    run = RunFolder(Path("runs/a"))
    assert run.epoch_weights(1) == Path("runs/a/checkpoints/epoch_01.safetensors")
    assert run.epoch_weights(100) == Path("runs/a/checkpoints/epoch_100.safetensors")
    places = [value for name, value in vars(run).items() if name != "path"]
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to("runs/a") for place in places)


def test_a_config_comes_back_as_it_was_written_in_its_order(runs):
    config = {"z": 1, "a": {"b": [1, 2.5, None, True], "ü": "Straße"}, "path": "caf\udce9", "empty": {}}
    run = create_run(runs)
    run.write_config(config)
    assert run.read_config() == config
    assert list(run.read_config()) == list(config)
    assert "Straße" in run.config.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- 1\n",
        b"words",
        b"a: [1",
        b"\xff\xfe\x00",
        b"\x00",
        b"a: 2020-13-45",
        b"a: !!python/object/apply:os.getcwd []",
        b"*a",
    ],
)
def test_a_config_that_is_none_is_named(runs, content):
    run = create_run(runs)
    run.config.write_bytes(content)
    with pytest.raises(RunError, match=r"config\.yaml: (cannot read the|not a) run's config\. Name a whole run folder"):
        run.read_config()


def test_a_config_that_is_missing_is_named(runs):
    with pytest.raises(RunError, match=r"config\.yaml: cannot read the run's config"):
        create_run(runs).read_config()


@pytest.mark.parametrize(
    ("content", "finished"),
    [
        ('{"finished": true}', True),
        ('{"finished": false}', False),
        ("{}", False),
        ("", False),
        ("[]", False),
        ("null", False),
        ("{", False),
        (None, False),
    ],
)
def test_a_run_is_finished_when_it_says_so(runs, content, finished):
    run = create_run(runs)
    if content is not None:
        run.progress.write_text(content)
    assert run.is_finished() is finished


# Writing figures


def test_figures_for_programs_are_plain_json(tmp_path):
    content = {"auc": 0.5, "name": "Straße", "bytes": "caf\udce9", "none": None, "list": [1, 2]}
    write_json(tmp_path / "sub" / "a.json", content)
    text = (tmp_path / "sub" / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert text.endswith("}\n")
    assert "Straße" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_refused_and_leaves_nothing(tmp_path, value):
    (tmp_path / "a.json").write_text("before")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auc": [0.5, value]})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"auc": object()})
    assert (tmp_path / "a.json").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_tables_are_written_with_their_header(tmp_path):
    write_csv(tmp_path / "a.csv", ["name", "auc"], [["a, b", 0.5], ["Straße", None], ["caf\udce9", 1]])
    assert (tmp_path / "a.csv").read_bytes().decode() == 'name,auc\r\n"a, b",0.5\r\nStraße,\r\ncaf\\udce9,1\r\n'


def test_a_table_that_fails_half_way_leaves_nothing(tmp_path):
    def rows():
        yield [1]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_csv(tmp_path / "a.csv", ["a"], rows())
    assert list(tmp_path.iterdir()) == []


words = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=5)


@given(st.dictionaries(words, st.one_of(st.integers(), words, st.booleans(), st.none())))
def test_any_settings_come_back_from_yaml_and_json(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    write_yaml(folder / "any.yaml", content)
    write_json(folder / "any.json", content)
    assert yaml.safe_load((folder / "any.yaml").read_text(encoding="utf-8")) == content
    assert json.loads((folder / "any.json").read_text(encoding="utf-8")) == content


# The environment


def test_the_environment_holds_versions_and_hardware_and_no_name_path_or_address(monkeypatch):
    for variable in ("USER", "LOGNAME", "HOSTNAME", "HOME", "PWD", "VIRTUAL_ENV"):
        monkeypatch.setenv(variable, "/secret-of-someone")
    monkeypatch.setattr(platform, "node", lambda: "secret-of-someone")
    monkeypatch.setattr(socket, "gethostname", lambda: "secret-of-someone")
    described = describe_environment(["An accelerator"])
    assert set(described) == {
        "packages", "python", "system", "processor", "instruction_set", "cores", "memory_gb", "accelerators"
    }  # fmt: skip
    text = json.dumps(described)
    assert "secret" not in text
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text
    assert set(described["packages"]) <= set(RECORDED_PACKAGES)
    assert described["packages"]["numpy"][0].isdecimal()
    assert described["python"] == platform.python_version()
    assert described["accelerators"] == ["An accelerator"]
    assert described["cores"] >= 1
    assert described["memory_gb"] > 0
    assert described["processor"]
    assert described["instruction_set"]


def test_the_environment_can_be_stored(runs):
    run = create_run(runs)
    write_json(run.environment, describe_environment())
    assert json.loads(run.environment.read_text())["accelerators"] == []
