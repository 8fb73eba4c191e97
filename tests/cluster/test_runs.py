"""What nodes run: named where they differ, by node and endpoint."""

from __future__ import annotations

from switchhook.cluster.runs import Runs, differences, encoded, read_runs

SAME = Runs("c" * 64, {"sales": "a" * 64}, "b" * 64)


def test_nodes_that_run_the_same_differ_in_nothing():
    assert differences({}) == ()
    assert differences({"a": SAME, "b": SAME}) == ()
    assert differences({"a": SAME, "b": Runs(rules=SAME.rules)}) == ()  # what isn't known


def test_who_differs_is_named_with_the_endpoint():
    other = Runs(SAME.config, {"sales": "7" * 64, "gate": "8" * 64}, SAME.pools)
    seven, eight, same = (f"sha256:{each * 16}" for each in "78a")
    assert differences({"b": SAME, "a": SAME, "c": other}) == (
        "nodes run different rules for endpoint gate:"
        f" a and b run the built-in ones; c runs {eight}",
        f"nodes run different rules for endpoint sales: a and b run {same}; c runs {seven}",
    )
    assert "a, b and d run " in differences({"a": SAME, "b": SAME, "d": SAME, "c": other})[0]


def test_configurations_and_pools_too():
    said = differences({"a": SAME, "b": Runs("d" * 64, SAME.rules, "e" * 64)})
    assert [each.partition(":")[0] for each in said] == [
        "nodes run different configurations",
        "nodes run different pools",
    ]


def test_they_go_both_ways():
    assert read_runs(encoded(SAME)) == SAME
    assert read_runs(b"") is None
    assert read_runs(b"{") is None
