"""The API against requests that schemathesis makes of its own document: no fault of ours, and nothing undocumented."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
BASE = "http://127.0.0.1:8420"
EXAMPLES = 8  # of each operation


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_requests_of_any_kind_get_an_answer_that_is_documented(site: Any, browser: Any, mode: str) -> None:
    from schemathesis.specs.openapi import checks as conformance

    schema = schemathesis.openapi.from_dict(browser.get("/api/v1/openapi.json").json())
    schema.app = site.app
    checks = [
        schemathesis.checks.not_a_server_error,
        conformance.status_code_conformance,
        conformance.content_type_conformance,
        conformance.response_schema_conformance,
        conformance.negative_data_rejection,
    ]
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 10
    asked = 0
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.headers = {**(case.headers or {}), "x-csrf-token": browser.csrf}
            case.call_and_validate(base_url=BASE, checks=checks)

        with suppress(Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
            ask()
    assert asked >= EXAMPLES * 5
