"""What is said of nodes has our numbers whole, and no telephone number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exotel.test_phone_numbers import leaks
from node_rows import NOW_MS, A, node, view
from switchhook.alerts.notify.text import harmless
from switchhook.cluster.cluster_troubles import cluster_troubles
from switchhook.cluster.leaving import runs_on_text, twin_text, unknown_text
from switchhook.cluster.placing import clock_problem
from switchhook.cluster.view import Conflict, NodeState, node_text
from switchhook.doctor.cluster import judge_nodes
from switchhook.errors import DivergedError, NotLeaderError
from switchhook.exotel.phone_numbers import mask_text

NODES = st.integers(1, 2**32 - 2)
RECORDS = st.integers(0, 2**53)
EPOCHS = st.integers(1, 999_999_999)


def sentences(number, seq, more, epoch):
    """What can be said of a node with a number like a telephone's."""
    who = f"mumbai-2 ({node_text(number)})"
    yield from (unknown_text(who), twin_text(who), runs_on_text(NOW_MS))
    yield str(DivergedError(number, seq, seq))
    yield str(DivergedError(number, seq, seq + more + 1))
    yield str(NotLeaderError(epoch))
    # Two of one name, so that each is called by its number too; one is away, one late, one left.
    twin = number + 1
    behind = {"last_seq": seq + 9, "handed_seq": 9}
    for said in (
        {"seen_ago_s": 99.0, **behind},
        {"handed_ago_s": 99.0, "clock_ms": -9_000_000, **behind},
        {"state": NodeState.LEFT, "left_ms": NOW_MS},
    ):
        seen = view(
            node(A, "leads"),
            node(number, "mumbai-2", **said),
            node(twin, "mumbai-2"),
            conflicts=(Conflict(number, min(more, 999_999_999), 1.0), Conflict(999, 3, 1.0)),
        )
        yield from (text for each in cluster_troubles(seen) for text in (each.what, each.todo))
        yield from (text for each in judge_nodes(seen) for text in (each.said, each.todo))
    yield clock_problem(who, 9_000_000) or ""


@given(NODES, RECORDS, RECORDS, EPOCHS)
def test_numbers_of_nodes_and_records_stay_whole(number, seq, more, epoch):
    for said in sentences(number, min(seq, 999_999_000), more, epoch):
        assert mask_text(said) == said
        assert mask_text(harmless(said)) == harmless(said, numbers=True)


@given(st.from_regex(r"\+?91[6-9][0-9]{9}|0[6-9][0-9]{9}|[689][0-9]{7}", fullmatch=True), NODES)
def test_a_telephone_number_that_is_somebody_s_name_is_masked(name, number):
    """Wherever it comes from: a node's name, say, or what a node says of itself."""
    seen = view(node(A, "leads"), node(number, name, seen_ago_s=99.0, clock_ms=9_000_000))
    for each in cluster_troubles(seen):
        for text in (each.what, each.todo):
            digits = name.lstrip("+")
            assert leaks(digits, mask_text(text)) is None
            assert leaks(digits, harmless(text)) is None
