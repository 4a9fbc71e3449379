"""Fixtures for tests of the coder."""

from __future__ import annotations

import pytest
from coder_cases import gaussian_pmf_table

from lcrs import coding


@pytest.fixture(scope="session")
def table() -> coding.CdfTable:
    """A table of 12 bell-shaped rows."""
    return gaussian_pmf_table()
