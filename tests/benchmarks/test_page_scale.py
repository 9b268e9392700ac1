"""The benchmark of the review page makes records like those of a watch, and asks all its questions."""

import json
import sys
from pathlib import Path

import pytest

from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.store import Records

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import page_scale  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))


def test_the_records_that_it_makes_can_be_asked_for_and_all_questions_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_scale, "REPEATS", 1)
    content = page_scale.run(tmp_path / "records", (20, 200), days=1)

    assert set(content["events"]) == {"20", "200"}
    assert content["events"]["20"].keys() == content["events"]["200"].keys()
    assert content["slowest_p95_ms"] > 0
    assert content["curve_bytes_per_camera_and_day"] < 2_200_000
    json.dumps(content)
    with Records.open(tmp_path / "records") as records:
        assert records.count(EventQuery()) == 200
        assert records.count(EventQuery(answer="none")) == 160
        assert records.events()[0].event.reason is not None
        first = page_scale.FIRST_DAY
        month = records.curves.read("door", first, first + 86400, points=50)
        assert month.frames.sum() == 86400
