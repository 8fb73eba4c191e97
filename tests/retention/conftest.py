from __future__ import annotations

import pytest

from switchhook.journal import upkeep


@pytest.fixture(autouse=True)
def _the_writer_looks_often(monkeypatch):
    """For what erasures ask of it; these wait for nothing else."""
    monkeypatch.setattr(upkeep, "LOOK_S", 0.005)
