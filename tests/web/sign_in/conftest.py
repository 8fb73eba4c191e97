from __future__ import annotations

import pytest

from web.sign_in.house import House


@pytest.fixture
def house(tmp_path):
    """A console that nobody has an account of, on loopback."""
    return House(tmp_path)
