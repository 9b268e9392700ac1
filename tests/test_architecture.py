"""The architecture page is true: its table is the tested one, its names exist, its picture and its walks fit."""

import inspect
import os
import re
import runpy
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from multiprocessing import Pipe
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any
from unittest.mock import Mock
from xml.etree import ElementTree

import numpy as np
import pytest

import maskedskipunet
from maskedskipunet.cli.evaluate import run as evaluate_command
from maskedskipunet.cli.score import run as score_command
from maskedskipunet.cli.train import run as train_command
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.monitor.camera import ReaderProcess
from maskedskipunet.monitor.channel import Receiver
from maskedskipunet.monitor.reader_process import ReaderConfig, read_camera
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.workflows.watch import Recording, WatchOptions, watch_cameras

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text()
TESTED = runpy.run_path(str(ROOT / "tests" / "test_package.py"))
PARTS: dict[str, set[str]] = {part: allowed - {"__version__"} for part, allowed in TESTED["MAY_IMPORT"].items()}
ROOTS: set[str] = TESTED["ROOTS"]
STORED_RUN = ROOT / "tests" / "golden" / "run_0_1_0"
FILE_NAME = re.compile(r"\.(?:parquet|json|csv|png|yaml|py)$")


def section(title: str) -> str:
    """Return a section of the architecture page, without its heading."""
    sections = re.split(r"^## ", ARCHITECTURE, flags=re.MULTILINE)
    return next(part for part in sections if part.startswith(title)).split("\n", 1)[1]


def steps(title: str) -> list[str]:
    """Return the numbered lines of a walk."""
    return [line for line in section(title).splitlines() if re.match(r"\d+\. ", line)]


def rows(text: str) -> dict[str, str]:
    """Return the rows of a table whose first cell is a name in backticks."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def allowed_by_page() -> dict[str, set[str]]:
    """Return the import table as the architecture page states it."""
    allowed: dict[str, set[str]] = {}
    for part, cell in rows(section("Who may import whom")).items():
        names = set(re.findall(r"`(\w+)`", cell))
        names |= ROOTS if "roots" in cell else set()
        names |= set(allowed) - {part} if cell.startswith("all of the above") else set()
        assert names or cell == "nothing", f"{part}: {cell}"
        allowed[part] = names
    return allowed


def test_the_import_table_on_the_page_is_the_tested_one() -> None:
    assert allowed_by_page() == PARTS


def test_every_part_is_described() -> None:
    assert rows(section("The floors")).keys() == PARTS.keys() - {"__main__", "__init__"}


def test_what_the_page_calls_planned_is_not_there_and_everything_else_is() -> None:
    package = ROOT / "src" / "maskedskipunet"
    for part, told in rows(section("The floors")).items():
        is_there = (package / part).is_dir() or (package / f"{part}.py").is_file()
        assert is_there != told.startswith("planned"), part


def test_the_picture_shows_every_part_above_whatever_it_may_import() -> None:
    picture = ElementTree.parse(DOCS / "images" / "floors.svg")
    texts = [node for node in picture.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "part"]
    heights = {str(node.text): float(node.attrib["y"]) for node in texts}

    assert heights.keys() == PARTS.keys() - {"__main__", "__init__"}
    ground = max(heights.values())
    for part, allowed in PARTS.items():
        for lower in allowed & heights.keys() if part in heights else ():
            assert heights[lower] > heights[part] or heights[lower] == heights[part] == ground, f"{part} over {lower}"


def test_the_picture_is_as_its_script_draws_it() -> None:
    drawn = runpy.run_path(str(DOCS / "images" / "draw_floors.py"))["draw"]()

    assert (DOCS / "images" / "floors.svg").read_text() == drawn, "run python docs/images/draw_floors.py"


def test_a_library_that_the_page_gives_one_home_has_that_home_alone() -> None:
    homes = dict(re.findall(r"`(\w+)` only by `(\w+)`", section("Who may import whom")))

    assert len(homes) > 2
    assert {library: TESTED["HOMES"][library] for library in homes} == {name: {home} for name, home in homes.items()}


def named_on_page() -> list[str]:
    """Return what the page names with dots: modules, classes, functions and methods of the package."""
    spans = set(re.findall(r"`(\w+(?:\.\w+)+)`", ARCHITECTURE))
    return sorted(span for span in spans if not FILE_NAME.search(span))


def found(name: str) -> Any:
    """Return what a dotted name below the package names. Raises AttributeError or ModuleNotFoundError."""
    thing: Any = maskedskipunet
    parts = name.split(".")
    for number, part in enumerate(parts):
        if isinstance(thing, ModuleType):
            try:
                thing = import_module(".".join(["maskedskipunet", *parts[: number + 1]]))
                continue
            except ModuleNotFoundError:
                pass
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("name", named_on_page())
def test_every_module_and_function_on_the_architecture_page_exists(name: str) -> None:
    assert name.split(".")[0] in PARTS
    found(name)


def test_a_name_that_is_not_there_is_noticed() -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        found("scoring.scorer.Scorer.scored")
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        found("scoring.scorers.Scorer")


@pytest.mark.parametrize("title", ["A frame through score", "A frame through watch", "A clip", "A label", "An option"])
def test_a_walk_has_ten_steps_or_fewer_of_one_line_each(title: str) -> None:
    walk = steps(title)

    assert 5 <= len(walk) <= 10
    assert [int(step.split(".")[0]) for step in walk] == [*range(1, len(walk) + 1)]
    assert not re.search(r"^ +\S", section(title), re.MULTILINE), "a step goes on in the next line"


def test_a_frame_passes_fifteen_modules_or_fewer_on_its_way_through_score() -> None:
    modules = set(re.findall(r"`([a-z_]+\.[a-z_]+)\.\w", "\n".join(steps("A frame through score"))))

    assert 10 <= len(modules) <= 15


# -- walks are walked -------------------------------------------------------------------------------------------------


def code_of(thing: Any) -> set[CodeType]:
    """Return the code that runs when a function is called, a property is asked for or something of a class is."""
    if isinstance(thing, type):
        return {code for value in vars(thing).values() for code in code_of(value)}
    if isinstance(thing, property | cached_property):
        thing = thing.fget if isinstance(thing, property) else thing.func
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    return {thing.__code__} if isinstance(thing, FunctionType) else set()


@contextmanager
def watched_calls() -> Iterator[list[CodeType]]:
    """Collect the code of what the page names, in the order in which it is called meanwhile, in new threads too."""
    named = {code for name in named_on_page() for code in code_of(found(name))}
    called: list[CodeType] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in named:
            called.append(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def not_called(title: str, called: list[CodeType], *but: str) -> list[str]:
    """Return what a walk names and nobody called after the steps before it. but: what other ways in call."""
    missing, position = [], 0
    for step in steps(title):
        names = [name for name in re.findall(r"`([a-z_]\w*(?:\.\w+)+)`", step) if not FILE_NAME.search(name)]
        begun = []
        for name in names:
            if name in but or isinstance(found(name), ModuleType):
                continue
            codes = code_of(found(name))
            index = next((index for index in range(position, len(called)) if called[index] in codes), None)
            if index is None:
                missing.append(name)
            else:
                begun.append(index)
        position = min(begun, default=position)  # the names of one step stand in any order
    return missing


def write_video(path: Path, frames: int = 12, step: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for number in range(frames):
            writer.write(np.full((32, 48, 3), 60 + step * number, np.uint8))
    return path


def test_score_calls_everything_that_its_walk_names(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4")
    import_module("maskedskipunet.view.plots")

    with watched_calls() as called:
        code = score_command([str(video), f"--model={STORED_RUN}", f"--out={tmp_path / 'out'}", "--ignore=0,0,8,8"])

    assert code == 0
    assert not_called("A frame through score", called) == []
    for name in ("scores.parquet", "scores.png", "events.json", "events.csv"):
        assert (tmp_path / "out" / name).is_file()


class ReaderThread(ReaderProcess):
    """Reads a camera in a thread of this process, where its calls are seen."""

    def __init__(self, name: str, config: ReaderConfig) -> None:
        self._pipe, theirs = Pipe(duplex=False)
        self._receiver, self._asked = Receiver(self._pipe.fileno()), False

        def read() -> None:
            with theirs:
                read_camera(config, theirs, os.getppid())

        self._thread = threading.Thread(target=read, name=f"camera {name}")
        self._thread.start()

    def kill(self) -> None:
        self._thread.join()
        self._pipe.close()


def test_watch_calls_everything_that_its_walk_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskedskipunet.monitor.watching.ReaderProcess", ReaderThread)
    monkeypatch.setattr("maskedskipunet.monitor.reader_process.signal", Mock())  # is a process's alone, as is its end
    monkeypatch.setattr("maskedskipunet.monitor.reader_process._die_with", lambda parent: None)
    video = write_video(tmp_path / "a.mp4", frames=30, step=6)
    sinks = read_sinks({"hook": {"type": "webhook", "url": "http://127.0.0.1:9/hook"}})  # nobody is there
    options = WatchOptions(recording=Recording(tmp_path / "records", sinks=sinks), speed=4)

    with watched_calls() as called:
        watch_cameras({"a": CameraAddress.parse(str(video))}, STORED_RUN, [], options)

    assert not_called("A frame through watch", called) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[CodeType]]:
    """The run that `train` made by a recipe, and what was called to make it and to load it."""
    place = tmp_path_factory.mktemp("trained")
    write_video(place / "footage" / "normal" / "a.mp4")
    recipe = place / "recipe.yaml"
    recipe.write_text("data: {fps: 5, height_px: 32, width_px: 48}\nmodel: {latent_dim: 8}\ntraining: {epochs: 1}\n")
    import_module("maskedskipunet.training.fit")  # what is imported meanwhile would be watched too
    options = {"config": recipe, "data": place / "footage", "runs": place / "runs", "data.cache": place / "cache"}
    with watched_calls() as called:
        code = train_command([f"--{name}={value}" for name, value in options.items()])
        load_scorer(place / "runs" / "001")
    assert code == 0
    return place / "runs" / "001", called


def test_training_calls_everything_that_its_walk_names(trained: tuple[Path, list[CodeType]]) -> None:
    assert not_called("A clip in training", trained[1]) == []


def test_an_option_passes_everything_that_its_walk_names(trained: tuple[Path, list[CodeType]]) -> None:
    run, called = trained

    assert not_called("An option, to where it acts", called) == []
    assert "fps: 5" in (run / "config.yaml").read_text()
    assert load_scorer(run).input_format.fps == 5


def test_evaluate_calls_everything_that_its_walk_names(tmp_path: Path) -> None:
    write_video(tmp_path / "footage" / "test" / "a.mp4", frames=6)
    (tmp_path / "footage" / "test" / "a_labels.csv").write_text("0\n0\n1\n1\n0\n0\n")
    (tmp_path / "scores.csv").write_text("video,frame,score\n" + "".join(f"a,{n},{n % 4}\n" for n in range(6)))

    import_module("maskedskipunet.workflows.evaluate")
    with watched_calls() as called:
        code = evaluate_command([str(tmp_path / "scores.csv"), "--data", str(tmp_path / "footage")])

    other_ways = {
        "evaluation.truth.read_ground_truth",  # with --ground-truth
        "evaluation.pixels.PixelCounts",  # with masks
        "evaluation.regions.RegionCounts",
    }
    assert code == 0
    assert not_called("A label and a score through evaluate", called, *other_ways) == []


def test_a_walk_that_names_what_nobody_calls_is_noticed() -> None:
    with watched_calls() as called:
        section("The floors")

    assert "data.video.decoding.read_video" in not_called("A frame through score", called)


def test_a_walk_whose_steps_are_in_another_order_is_noticed() -> None:
    first, then = code_of(found("data.ahead.read_ahead")), code_of(found("model.score.score_map"))

    missing = not_called("A frame through score", [*then, *first])

    assert "data.ahead.read_ahead" not in missing
    assert "model.score.score_map" in missing
