"""The bench of two copies: real programs and a PostgreSQL of its own, and its figures."""

import os
import tempfile
from pathlib import Path

import msgspec
import pytest

from benchmarks import plan, two_copies
from benchmarks.machine import Cores
from benchmarks.postgresql import binaries
from benchmarks.two_copies import ALONE, KeptAs, table


@pytest.mark.process
def test_each_way_to_keep_receipts_is_measured():
    if binaries() is None:
        pytest.skip("there is no PostgreSQL here")
    core, said = min(os.sched_getaffinity(0)), list[str]()
    sizes = msgspec.structs.replace(plan.QUICK, rounds=1, closed_s=0.3, open_s=0.3, warm_up_s=0.1)
    # Not pytest's folder: whoever runs PostgreSQL in root's place could not get into it.
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as work:
        bench = plan.Bench(Path(work), Cores(core, (core,)), sizes, said.append)
        found = two_copies.measure(bench, Path(work) / "cluster")
    assert list(found) == [ALONE, "local", "two-copies"]
    for kept in found.values():
        assert all(each > 0 for each in (*kept.rates, *kept.p99, *kept.cpu_us, kept.memory))
        assert kept.answers > 0
    assert found[ALONE].one_copy == found["local"].one_copy == 0
    assert len(said) == 3


def test_its_figures_are_told():
    kept = KeptAs([9000.0, 11_000.0], [1.0, 2.0], [3.0, 5.0], [80.0, 90.0], 7, 1000, 72.0)
    assert table({"two-copies": kept})[2] == (
        '| a node, `keep = "two-copies"` | 10,000 | 9,000 to 11,000 | 85 | 1.50 | 4.00'
        " | 3.00 to 5.00 | 7 of 1,000 | 72 |"
    )
    assert table({}) == []
