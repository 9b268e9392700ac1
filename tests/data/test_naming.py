from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.naming import is_hidden, natural_key, visible_children
from maskedskipunet.errors import DataError


def test_numbers_in_names_are_compared_as_numbers():
    assert sorted(["frame10", "frame2", "frame1"], key=natural_key) == ["frame1", "frame2", "frame10"]


def test_the_case_of_letters_does_not_decide_the_order():
    assert sorted(["b1", "A2", "a1", "B2"], key=natural_key) == ["a1", "A2", "b1", "B2"]


def test_unpadded_and_padded_numbers_fall_into_one_order():
    assert sorted(["003", "1", "02", "10"], key=natural_key) == ["1", "02", "003", "10"]


def test_names_that_differ_in_leading_zeros_alone_have_one_order():
    assert sorted(["1", "01"], key=natural_key) == sorted(["01", "1"], key=natural_key)


@given(st.lists(st.text(max_size=12), unique=True), st.randoms())
def test_the_order_does_not_depend_on_how_a_folder_is_listed(names, random):
    shuffled = random.sample(names, len(names))
    assert sorted(shuffled, key=natural_key) == sorted(names, key=natural_key)


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, 4))
def test_any_two_numbers_behind_one_word_are_in_their_own_order(a, b, padding):
    first, second = f"frame{'0' * padding}{a}", f"frame{b}"
    if a != b:
        assert (natural_key(first) < natural_key(second)) == (a < b)


@pytest.mark.parametrize(
    "name", [".DS_Store", "._001.tif", "UCSDped2.m~", "Thumbs.db", "THUMBS.DB", "desktop.ini", "__MACOSX"]
)
def test_what_systems_and_editors_leave_behind_is_hidden(name):
    assert is_hidden(Path("folder") / name)


@pytest.mark.parametrize("name", ["001.tif", "Test001", "a~b.mp4", "thumbs.png"])
def test_footage_is_not_hidden(name):
    assert not is_hidden(Path(".cache") / name)


def test_children_come_in_natural_order_without_the_hidden_ones(tmp_path):
    for name in ["10.jpg", "2.jpg", ".DS_Store", "._2.jpg", "2.jpg~"]:
        (tmp_path / name).touch()
    assert [child.name for child in visible_children(tmp_path)] == ["2.jpg", "10.jpg"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(DataError, match=r"missing: cannot list the folder \(No such file"):
        visible_children(tmp_path / "missing")
