from __future__ import annotations

import pytest

from switchhook.web.sign_in import password_hashing
from web.sign_in.house import CHEAP, House


@pytest.fixture(autouse=True)
def _hashed_in_no_time(monkeypatch):
    """What a hash costs is tested by itself; here somebody signs in hundreds of times."""
    monkeypatch.setattr(password_hashing, "_HASHER", CHEAP)


@pytest.fixture
def house(tmp_path):
    """A console that nobody has an account of, on loopback."""
    return House(tmp_path)
