"""Which form a part gets: the fastest that fits, measured once a machine."""

import json
from pathlib import Path

import pytest

from maskedskipunet.inference import choosing
from maskedskipunet.inference.choosing import Form, Part, choose_forms

SECONDS = {"slow": 3.0, "middle": 2.0, "fast": 1.0}
BYTES = {"slow": 10, "middle": 20, "fast": 100}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each run takes what SECONDS says, and is written down."""
    runs: list[str] = []

    def seconds(run: object, made: str) -> float:
        runs.append(made)
        return SECONDS[made]

    monkeypatch.setattr(choosing, "_seconds", seconds)
    return runs


def part(name: str, *forms: str) -> Part[str]:
    return Part(name, [Form(form, BYTES[form], lambda form=form: form) for form in forms], lambda made: made)


def names(forms: list[Form[str]]) -> list[str]:
    return [form.name for form in forms]


def test_the_fastest_form_of_each_part_is_taken(measured: list[str]) -> None:
    assert names(choose_forms([part("a", "slow", "fast"), part("b", "middle", "slow")], 1000)) == ["fast", "middle"]


def test_where_room_is_short_what_loses_least_for_its_room_gives_way(measured: list[str]) -> None:
    parts = [part("a", "slow", "middle", "fast"), part("b", "slow", "middle")]
    assert names(choose_forms(parts, 119)) == ["middle", "middle"]  # 1 s for 80 bytes, not 1 s for 10
    assert names(choose_forms(parts, 30)) == ["slow", "middle"] or names(choose_forms(parts, 30)) == ["middle", "slow"]


def test_where_nothing_fits_the_smallest_are_taken(measured: list[str]) -> None:
    assert names(choose_forms([part("a", "fast", "middle", "slow")], 1)) == ["slow"]


def test_what_was_measured_is_remembered(measured: list[str], own_cache: Path) -> None:
    choose_forms([part("a", "slow", "fast")], 1000)
    assert measured
    measured.clear()
    assert names(choose_forms([part("a", "slow", "fast")], 1000)) == ["fast"]
    assert not measured
    (timings,) = json.loads((own_cache / choosing.TIMINGS_NAME).read_text()).values()
    assert timings == {"a: slow": 3.0, "a: fast": 1.0}


@pytest.mark.parametrize("garbled", ["", "{", "[]", '{"machine": 3}', '{"machine": {"a: slow": "x"}}', "null", "\0"])
def test_a_garbled_memory_is_measured_anew(garbled: str, measured: list[str], own_cache: Path) -> None:
    (own_cache / choosing.TIMINGS_NAME).write_text(garbled)
    assert names(choose_forms([part("a", "slow", "fast")], 1000)) == ["fast"]


def test_where_nothing_can_be_remembered_it_works_all_the_same(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKEDSKIPUNET_CACHE", "/proc/nowhere")
    assert names(choose_forms([part("a", "slow", "fast")], 1000)) == ["fast"]
