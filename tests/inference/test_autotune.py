"""Which form a part gets: the fastest that fits, measured once a machine."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.inference import autotune
from maskedskipunet.inference.autotune import Candidate, Operation, autotune_operations

SECONDS = {"slow": 3.0, "middle": 2.0, "fast": 1.0}
BYTES = {"slow": 10, "middle": 20, "fast": 100}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each run takes what SECONDS says, and is written down."""
    runs: list[str] = []

    def seconds(run: object, made: str) -> float:
        runs.append(made)
        return SECONDS[made]

    monkeypatch.setattr(autotune, "_seconds", seconds)
    return runs


def operation(name: str, *candidates: str) -> Operation[str]:
    return Operation(
        name, [Candidate(form, BYTES[form], lambda form=form: form) for form in candidates], lambda made: made
    )


def names(candidates: list[Candidate[str]]) -> list[str]:
    return [form.name for form in candidates]


def test_the_fastest_form_of_each_part_is_taken(measured: list[str]) -> None:
    assert names(autotune_operations([operation("a", "slow", "fast"), operation("b", "middle", "slow")], 1000)) == [
        "fast",
        "middle",
    ]


def test_where_room_is_short_the_fastest_that_fits_is_taken(measured: list[str]) -> None:
    operations = [operation("a", "slow", "middle", "fast"), operation("b", "slow", "middle")]
    assert names(autotune_operations(operations, 120)) == ["fast", "middle"]
    assert names(autotune_operations(operations, 119)) == ["middle", "middle"]
    assert sorted(names(autotune_operations(operations, 30))) == ["middle", "slow"]


def test_where_nothing_fits_the_smallest_are_taken(measured: list[str]) -> None:
    assert names(autotune_operations([operation("a", "fast", "middle", "slow")], 1)) == ["slow"]


def test_what_was_measured_is_remembered(measured: list[str], own_cache: Path) -> None:
    autotune_operations([operation("a", "slow", "fast")], 1000)
    assert measured
    measured.clear()
    assert names(autotune_operations([operation("a", "slow", "fast")], 1000)) == ["fast"]
    assert not measured
    (timings,) = json.loads((own_cache / autotune.TIMINGS_NAME).read_text()).values()
    assert timings == {"a: slow": 3.0, "a: fast": 1.0}


@pytest.mark.parametrize("garbled", ["", "{", "[]", '{"machine": 3}', '{"machine": {"a: slow": "x"}}', "null", "\0"])
def test_a_garbled_memory_is_measured_anew(garbled: str, measured: list[str], own_cache: Path) -> None:
    (own_cache / autotune.TIMINGS_NAME).write_text(garbled)
    assert names(autotune_operations([operation("a", "slow", "fast")], 1000)) == ["fast"]


def test_where_nothing_can_be_remembered_it_works_all_the_same(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKEDSKIPUNET_CACHE", "/proc/nowhere")
    assert names(autotune_operations([operation("a", "slow", "fast")], 1000)) == ["fast"]


def test_a_form_whose_operations_alone_take_longer_is_not_run(
    measured: list[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "matrix_flops_per_s", lambda: 1.0)
    candidates = [
        Candidate("slow", 10, lambda: "slow", least_flops=2.0),  # takes 3 s, more than 2
        Candidate("fast", 100, lambda: "fast", least_flops=0.5),  # takes 1 s
    ]

    assert names(autotune_operations([Operation("a", candidates, lambda made: made)], 1000)) == ["fast"]
    assert set(measured) == {"fast"}
    (timings,) = json.loads((own_cache / autotune.TIMINGS_NAME).read_text()).values()
    assert timings == {"a: fast": 1.0}  # what was not measured is not remembered


def test_a_form_that_could_win_is_run(measured: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "matrix_flops_per_s", lambda: 1.0)
    candidates = [
        Candidate("fast", 10, lambda: "fast", least_flops=0.9),
        Candidate("slow", 10, lambda: "slow", least_flops=0.1),
    ]

    assert names(autotune_operations([Operation("a", candidates, lambda made: made)], 1000)) == ["fast"]
    assert set(measured) == {"slow", "fast"}


def test_a_form_that_never_fits_is_not_run(measured: list[str]) -> None:
    assert names(autotune_operations([operation("a", "fast", "middle")], 50)) == ["middle"]
    assert set(measured) == {"middle"}


def test_a_disturbed_measurement_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first part's fast form is measured, others use the machine."""
    runs: list[str] = []

    def seconds(run: object, made: str) -> float:
        runs.append(made)
        disturbed = made == "fast" and runs.count("fast") <= 1
        return 2.5 * SECONDS["middle"] if disturbed else SECONDS[made]

    monkeypatch.setattr(autotune, "_seconds", seconds)

    assert names(autotune_operations([operation("a", "middle", "fast")], 1000)) == ["fast"]


@given(
    seconds=st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=4), min_size=1, max_size=4),
    room=st.integers(0, 40),
    data=st.data(),
)
def test_no_other_way_within_the_room_is_faster(seconds: list[list[int]], room: int, data: st.DataObject) -> None:
    sizes = [data.draw(st.lists(st.integers(0, 20), min_size=len(some), max_size=len(some))) for some in seconds]
    operations = [
        Operation(str(at), [Candidate(str(number), size, str) for number, size in enumerate(some)], str)
        for at, some in enumerate(sizes)
    ]
    costs = [{str(number): float(value) for number, value in enumerate(some)} for some in seconds]

    chosen = [int(form.name) for form in autotune._fastest_within(operations, costs, room)]

    def size_of(way: Sequence[int]) -> int:
        return sum(some[number] for some, number in zip(sizes, way, strict=True))

    def seconds_of(way: Sequence[int]) -> int:
        return sum(some[number] for some, number in zip(seconds, way, strict=True))

    ways = list(product(*(range(len(some)) for some in seconds)))
    fitting = [seconds_of(way) for way in ways if size_of(way) <= room]
    if fitting:
        assert size_of(chosen) <= room
        assert seconds_of(chosen) == min(fitting)
    else:
        assert size_of(chosen) == min(map(size_of, ways))
