"""Functions, their parameters and modules stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskedskipunet

PACKAGE = Path(maskedskipunet.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FUNCTION = 60  # lines, with its signature and docstring
MOST_PARAMETERS = 8  # self and cls are not counted
LONGEST_MODULE = 400  # lines


def faults(source: str, name: str) -> Iterator[str]:
    """Yield a line for each limit that the source of a module exceeds."""
    if (lines := len(source.splitlines())) > LONGEST_MODULE:
        yield f"{name}: {lines} lines, of {LONGEST_MODULE} at most"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        where = f"{name}:{node.lineno} {node.name}"
        assert node.end_lineno is not None
        if (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION:
            yield f"{where}: {lines} lines, of {LONGEST_FUNCTION} at most"
        if (count := len(parameters(node))) > MOST_PARAMETERS:
            yield f"{where}: {count} parameters, of {MOST_PARAMETERS} at most"


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of a function's parameters, without self and cls; *args and **kwargs are one each."""
    taken = function.args
    positional = [*taken.posonlyargs, *taken.args]
    if positional and positional[0].arg in ("self", "cls"):
        positional = positional[1:]
    rest = [argument for argument in (taken.vararg, taken.kwarg) if argument is not None]
    return [argument.arg for argument in (*positional, *taken.kwonlyargs, *rest)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_and_its_functions_keep_to_the_limits(path: Path) -> None:
    assert [*faults(path.read_text(), str(path.relative_to(PACKAGE)))] == []


def function_of(*, lines: int = 2, arguments: str = "") -> str:
    return f"def f({arguments}):\n" + "    pass\n" * (lines - 1)


def test_what_just_keeps_to_the_limits_is_no_fault() -> None:
    method = "class C:\n    def f(self, a, b, c, d, *, e, f, g, h): ...\n"

    assert [*faults(function_of(lines=60), "m")] == []
    assert [*faults(method, "m")] == []
    assert [*faults("\n" * 400, "m")] == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (function_of(lines=61), "m:1 f: 61 lines, of 60 at most"),
        (function_of(arguments="a, b, /, c, d, *e, f, g, h, **i"), "m:1 f: 9 parameters, of 8 at most"),
        ("async def g(a, b, c, d, e, f, g, h, i): ...\n", "m:1 g: 9 parameters, of 8 at most"),
        (f"def outer():\n    {function_of(arguments='a, b, c, d, e, f, g, h, i').replace('    ', '        ')}",
         "m:2 f: 9 parameters, of 8 at most"),
        ("\n" * 401, "m: 401 lines, of 400 at most"),
    ],
)  # fmt: skip
def test_a_limit_that_is_exceeded_is_noticed(source: str, fault: str) -> None:
    assert [*faults(source, "m")] == [fault]
