"""The programs of the page on other runtimes run without this package, and print the scores of the run."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import maskedskipunet as msu
from maskedskipunet.workflows.export import export

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text()
RUN = ROOT / "tests" / "golden" / "run_0_1_0"
WITHOUT_US = "import sys\nsys.modules['maskedskipunet'] = sys.modules['torch'] = None  # not to be had\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames, and a run exported for both runtimes under the names of the page."""
    folder = tmp_path_factory.mktemp("page")
    network = msu.load_model(RUN)
    assert network.input_format is not None
    network.input_format = replace(network.input_format, ignore=(), spacing=2)
    network.save_pretrained(folder / "spaced")
    network.input_format = replace(network.input_format, spacing=1)
    network.save_pretrained(folder / "run")
    for name, size in (("large", (96, 64)), ("small", (48, 32))):
        (folder / name).mkdir()
        for number in range(12):
            pixels = np.random.default_rng(number).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
            Picture.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(folder / name / f"{number:02d}.png")
    return folder


def program(title: str) -> str:
    """Return the code of a section of the page."""
    section = PAGE.split(f"\n## {title}", 1)[1]
    block = re.search(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


@pytest.mark.parametrize(
    ("title", "format", "model", "frames"),
    [
        ("ONNX Runtime", "onnx", "spaced", "large"),
        ("OpenVINO", "openvino", "spaced", "large"),
        ("A stream", "onnx", "run", "small"),
    ],
)
@pytest.mark.filterwarnings("ignore:the model has no threshold")
def test_a_program_of_the_page_prints_the_scores_of_the_run(
    title: str, format: str, model: str, frames: str, place: Path, tmp_path: Path
) -> None:
    export(place / model, format, tmp_path / "exports" / f"friday-{format}")  # type: ignore[arg-type]
    (tmp_path / "frames").symlink_to(place / frames)
    wanted = {
        result.index: result.score
        for result in msu.load_detector(place / model).predict(place / frames)
        if result.score is not None
    }

    done = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_US + program(title)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = {int(index): float(score) for index, score in map(str.split, done.stdout.splitlines())}
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("title", ["ONNX Runtime", "OpenVINO"])
def test_a_program_of_the_page_is_about_twenty_lines(title: str) -> None:
    assert sum(bool(line.strip()) for line in program(title).splitlines()) <= 20
