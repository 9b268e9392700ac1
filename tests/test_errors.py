import copy
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from maskedskipunet import errors
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.files import require_free_space


def family(root: type[MaskedSkipUNetError]) -> list[type[MaskedSkipUNetError]]:
    return [root, *(member for child in root.__subclasses__() for member in family(child))]


FAMILY = [member for member in family(MaskedSkipUNetError) if member.__module__ == errors.__name__]
PARTS = [("what is wrong",), ("what is wrong", "a/place"), ("what is wrong", "", "Do this"), ("wrong", "place", "Do.")]


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_survives_pickling_and_copying_whole(kind: type[MaskedSkipUNetError], parts: tuple[str, ...]) -> None:
    error = kind(*parts)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(error, protocol))
        assert type(twin) is kind
        assert (str(twin), twin.what, twin.where, twin.cure) == (str(error), error.what, error.where, error.cure)
    assert str(copy.deepcopy(error)) == str(error)


def test_an_error_of_a_worker_process_arrives_whole(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        failed = pool.submit(
            require_free_space, tmp_path, 10**30, what="the video", cure="Name another folder"
        ).exception()

    assert type(failed) is errors.DiskSpaceError
    assert str(failed).startswith(f"{tmp_path}: the video needs ")
    assert (failed.where, failed.cure) == (str(tmp_path), "Name another folder")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("the folder is empty",), "the folder is empty."),
        (("the folder is empty.",), "the folder is empty."),
        (("the folder is empty", "videos/"), "videos/: the folder is empty."),
        (("the folder is empty", "", "Put videos into it."), "the folder is empty. Put videos into it."),
        (("the folder is empty", "videos/", "Put videos into it"), "videos/: the folder is empty. Put videos into it."),
    ],
)
def test_a_message_says_where_what_and_the_cure_in_one_line(parts: tuple[str, ...], message: str) -> None:
    assert str(MaskedSkipUNetError(*parts)) == message


def test_the_tree_at_the_top_of_the_module_is_the_family() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^([│ ]*)(?:[├└]── )?(\w+Error)\b", errors.__doc__, re.MULTILINE)

    assert {name for _, name in drawn} == {member.__name__ for member in FAMILY}
    path: list[str] = []
    for indent, name in drawn:
        depth = 0 if name == MaskedSkipUNetError.__name__ else 1 + len(indent) // 4
        path[depth:] = [name]
        if depth:
            assert getattr(errors, name).__bases__ == (getattr(errors, path[depth - 1]),)


def test_one_except_clause_catches_the_whole_family_and_each_member_says_what_it_is_for() -> None:
    for member in FAMILY:
        with pytest.raises(MaskedSkipUNetError):
            raise member("fault")
        assert member.__doc__
