from math import isfinite
from pathlib import Path
from typing import Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cli.values import LONGEST_SHOWN, UsageError, placeholder, read_value, shown

Choice = Literal["skip", "stop"]


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "12", 12),
        (int, "-3", -3),
        (float, "1e-3", 0.001),
        (float, "5", 5.0),
        (bool, "true", True),
        (bool, "False", False),
        (str, "", ""),
        (str, "none", "none"),
        (Path, "a b/ü", Path("a b/ü")),
        (Choice, "skip", "skip"),
        (int | None, "3", 3),
        (Optional[Choice], "stop", "stop"),  # noqa: UP045  # as typing writes it too
    ],
)
def test_a_value_is_read_as_the_type_of_its_setting(hint, text, value):
    read = read_value(hint, text, "--option")
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("hint", "text", "told"),
    [
        (int, "x", "--option: 'x' is not a whole number. Use digits alone."),
        (int, "1.5", "--option: '1.5' is not a whole number. Use digits alone."),
        (int, "9" * 5000, f"--option: '{'9' * 59}…' is not a whole number. Use digits alone."),
        (float, "", "--option: '' is not a number. Use one such as 10 or 0.5."),
        (float, "nan", "--option: 'nan' is not a number. Use one such as 10 or 0.5."),
        (float, "inf", "--option: 'inf' is not a number. Use one such as 10 or 0.5."),
        (float, "1e999", "--option: '1e999' is not a number. Use one such as 10 or 0.5."),
        (bool, "1", "--option: '1' is not among the choices. Use true or false."),
        (Choice, "Skip", "--option: 'Skip' is not among the choices. Use skip or stop."),
        (Literal["a", "b", "c"] | None, "", "--option: '' is not among the choices. Use a, b or c."),
        (Path, "", "--option: '' is no path. Name a file or a folder."),
        (Path, "a\0b", "--option: 'a\\x00b' is no path. Name a file or a folder."),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_a_cure(hint, text, told):
    with pytest.raises(UsageError) as refused:
        read_value(hint, text, "--option")
    assert str(refused.value) == told


@given(st.integers(-(10**30), 10**30))
def test_every_whole_number_is_read_back(number):
    assert read_value(int, str(number), "") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_back(number):
    assert read_value(float, repr(number), "") == number


@given(st.sampled_from([int, float, bool, str, Path, Choice]), st.text())
def test_any_text_is_a_value_or_a_usage_error_in_one_short_line(hint, text):
    told = ""
    try:
        value = read_value(hint, text, "--option")
        assert not isinstance(value, float) or isfinite(value)
    except UsageError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1
    assert len(told) < 11 * LONGEST_SHOWN  # an unprintable sign takes ten


@pytest.mark.parametrize(
    ("hint", "stands_for_it"),
    [(int, "N"), (float | None, "NUMBER"), (bool, "{true,false}"), (Path, "PATH"), (Choice | None, "{skip,stop}")],
)
def test_a_help_text_shows_what_can_be_written(hint, stands_for_it):
    assert placeholder(hint) == stands_for_it


def test_a_long_text_is_cut_where_it_is_shown():
    assert shown("x" * LONGEST_SHOWN) == repr("x" * LONGEST_SHOWN)
    assert shown("x" * (LONGEST_SHOWN + 1)) == repr("x" * (LONGEST_SHOWN - 1) + "…")
