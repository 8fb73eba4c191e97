"""The bench of the hand-over: a real shipper and a PostgreSQL of its own, and its figures."""

import os
import tempfile
from pathlib import Path

import pytest

from benchmarks.hand_over import HandOverResult, measure, table
from benchmarks.machine import Cores
from benchmarks.postgresql import binaries


@pytest.mark.process
def test_a_backlog_and_single_receipts_are_measured():
    if binaries() is None:
        pytest.skip("there is no PostgreSQL here")
    core = min(os.sched_getaffinity(0))
    said: list[str] = []
    # Not pytest's folder: whoever runs PostgreSQL in root's place could not get into it.
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as work:
        found = measure(Path(work), Cores(core, (core,)), 1, said.append, 600)
    assert found.receipts == 600
    assert all(each > 0 for each in (*found.rates, *found.copy_rates))
    assert {name: len(took) for name, took in found.waited.items()} == {
        "no standby": 50,
        "a standby": 50,
    }
    assert "rows/s" in said[0]


def test_its_figures_are_told():
    waited = {"no standby": [1.0, 2.0], "a standby": [3.0, 4.0]}
    found = HandOverResult(1000, [9000.0, 11_000.0], [20_000.0], waited, 12.0, {"peak": 44.0})
    text = "\n".join(table(found))
    assert "| the shipper | 10,000 | 9,000 to 11,000 |" in text
    assert "| the commit waits for a standby | 3.00 | 4.00 | 2 |" in text
    assert table(None) == []
