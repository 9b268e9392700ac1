"""What the package shows to others, what importing it costs, and which part may import which."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import maskedskipunet

PACKAGE = Path(maskedskipunet.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

PUBLIC = [
    "Detector",
    "MaskedSkipUNet",
    "MaskedSkipUNetError",
    "NetworkConfig",
    "Result",
    "__version__",
    "create_model",
    "frame_score",
    "load_detector",
    "load_model",
    "load_published_weights",
    "reconstruction_loss",
    "score_map",
]

# Which parts of the package each part may import, besides itself. A part is a folder or a module of the root.
ROOTS = {"errors", "files", "input_format", "clip_geometry", "progress"}  # for everybody
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "clip_geometry": {"errors"},
    "input_format": {"clip_geometry", "errors"},
    "progress": set(),
    "plain_yaml": set(),
    "machine": set(),
    "runs": {"errors", "files", "machine", "plain_yaml"},
    "data": ROOTS | {"machine"},
    "scene": ROOTS | {"data"},
    "model": ROOTS,
    "inference": ROOTS | {"data", "model", "machine"},
    "cues": ROOTS | {"data", "detection"},
    "runtimes": ROOTS | {"model"},
    "export": ROOTS | {"inference", "model", "runtimes"},
    "scoring": ROOTS | {"cues", "data", "detection", "inference", "model", "runtimes"},
    "training": ROOTS | {"data", "detection", "model", "runs"},
    "evaluation": ROOTS | {"data"},
    "detection": ROOTS,
    "view": ROOTS | {"data", "evaluation", "detection"},
    "notify": ROOTS | {"detection", "records", "view"},
    "records": ROOTS | {"detection"},
    "monitor": ROOTS | {"cues", "data", "detection", "model", "records", "scoring", "view"},
    "archive": ROOTS | {"data", "scoring", "detection", "machine"},
}
MAY_IMPORT["workflows"] = {*MAY_IMPORT, "__version__"}
MAY_IMPORT["web"] = ROOTS | {"records", "view", "workflows"}
MAY_IMPORT["cli"] = {*MAY_IMPORT, "__version__"}
MAY_IMPORT["__main__"] = {"cli"}
MAY_IMPORT["__init__"] = {"errors", "model", "workflows"}

# The homes of what others wrote: the parts that may import it. A new dependency gets a line here on purpose.
HOMES = {
    "PIL": {"data", "scene", "view", "workflows"},
    "alembic": {"records"},
    "argon2": {"web"},
    "av": {"data"},
    "cv2": {"cues", "data"},
    "fastapi": {"web"},
    "fsspec": {"data"},
    "jinja2": {"web"},
    "lightning": {"training"},
    "markupsafe": {"web"},
    "matplotlib": {"view"},
    "numpy": {
        *(
            "archive",
            "cues",
            "data",
            "detection",
            "evaluation",
            "export",
            "runtimes",
            "scene",
            "view",
            "scoring",
            "monitor",
            "records",
            "workflows",
            "cli",
        )
    },
    "onnx": {"export"},
    "onnxruntime": {"runtimes"},
    "openvino": {"export", "runtimes"},
    "paho": {"notify"},
    "prometheus_client": {"notify"},
    "pydantic": {"web"},
    "pyarrow": {"archive", "data", "evaluation", "records", "workflows"},
    "ray": {"archive"},
    "rich": {"cli"},
    "safetensors": {"cues", "model"},
    "scipy": {"data", "evaluation", "detection"},
    "sqlalchemy": {"records"},
    "starlette": {"web"},
    "submitit": {"archive"},
    "torch": {"cues", "export", "model", "inference", "runtimes", "scoring", "training", "workflows"},
    "uvicorn": {"web"},
    "yaml": {"plain_yaml", "runs", "workflows", "cli"},
}

EXTRAS = {  # what need not be installed: the extra, and what it installs
    "cv2": ("usb", "opencv-python-headless"),
    "fsspec": ("cloud", "fsspec"),
    "ray": ("ray", "ray"),
    "submitit": ("slurm", "submitit"),
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a module imports, in functions too; what it takes from the package itself counts as one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            assert node.module is not None
            yield from (
                f"{node.module}.{name.name}" if node.module == "maskedskipunet" else node.module for name in node.names
            )


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_public_names_are_these_and_change_on_purpose_only() -> None:
    assert sorted(maskedskipunet.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_listed_and_explained(name: str) -> None:
    value = getattr(maskedskipunet, name)

    assert name in dir(maskedskipunet)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_a_star_import_brings_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from maskedskipunet import *", names)

    assert set(PUBLIC) <= names.keys()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'maskedskipunet' has no attribute 'load_modle'"):
        maskedskipunet.load_modle  # noqa: B018


def test_the_version_is_the_distributions() -> None:
    assert maskedskipunet.__version__ == metadata.version("maskedskipunet")


@pytest.mark.parametrize(
    "code",
    [
        "import maskedskipunet",
        "import maskedskipunet; dir(maskedskipunet); maskedskipunet.MaskedSkipUNetError; maskedskipunet.NetworkConfig",
        "from maskedskipunet.cli.main import main; assert main(['--help']) == 0",
        "from maskedskipunet.cli.main import main; assert main([]) == 0",
        "from maskedskipunet.cli.main import main; assert main(['--version']) == 0",
        "from maskedskipunet.cli.main import main; assert main(['trian']) == 2",
    ],
)
def test_importing_the_package_and_asking_it_for_help_loads_no_library(code: str) -> None:
    output = run_python(f"{code}\nimport sys; print(*sorted(name.partition('.')[0] for name in sys.modules))")

    loaded = set(output.splitlines()[-1].split())
    assert "maskedskipunet" in loaded
    assert loaded & HOMES.keys() == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_points_up_the_table(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} has no row in the table"

    for module in imports(path):
        top, _, rest = module.partition(".")
        if top == "maskedskipunet":
            imported = rest.partition(".")[0]
            assert imported in MAY_IMPORT[part] | {part}, f"{part} may not import {imported}"
        elif top not in sys.stdlib_module_names:
            assert top in HOMES, f"{top} has no home in the table"
            assert part in HOMES[top], f"{part} may not import {top}, whose home is {', '.join(sorted(HOMES[top]))}"


def test_the_table_of_parts_has_no_circle() -> None:
    left = {part: allowed & MAY_IMPORT.keys() for part, allowed in MAY_IMPORT.items()}
    while free := [part for part, allowed in left.items() if not allowed & left.keys()]:
        for part in free:
            del left[part]

    assert left == {}


def test_nothing_but_the_main_module_imports_the_command_line() -> None:
    assert {part for part, allowed in MAY_IMPORT.items() if "cli" in allowed} == {"__main__"}


def test_every_library_that_is_imported_is_declared_a_dependency() -> None:
    required = metadata.requires("maskedskipunet")
    assert required is not None
    declared = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in required}
    providers = metadata.packages_distributions()

    for library in HOMES.keys() - EXTRAS.keys():
        assert {name.lower().replace("_", "-") for name in providers[library]} & declared, library


def test_every_library_that_need_not_be_installed_is_declared_by_its_extra() -> None:
    extras = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]

    for extra, distribution in EXTRAS.values():
        assert any(requirement.startswith(distribution) for requirement in extras[extra]), extra


def test_the_imports_that_the_table_is_held_against_include_those_inside_functions(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b\ndef f():\n    from c import d\n    from maskedskipunet import runs\n")

    assert [*imports(module)] == ["a.b", "c", "maskedskipunet.runs"]
