"""Forms of networks are measured anew in each test here."""

import pytest


@pytest.fixture(autouse=True)
def measured_anew(nothing_measured: None) -> None:
    """No timing is remembered from before."""
