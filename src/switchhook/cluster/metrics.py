"""Figures of the cluster and of each node, as they were when the view was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cluster.cluster_troubles import is_away, is_behind, rules_differ
from switchhook.cluster.view import NodeState
from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.cluster.view import ClusterView, NodeView
    from switchhook.metrics import Source

OVER_S = 3_600.0
"""So long what was told of a node that is gone is said to be over: alerts of it end by that."""


def cluster_figures(view: Callable[[], ClusterView | None]) -> Source:
    """Nothing on one machine. What is not known, as a node is away, is None or left out."""

    def read(_now_ms: int) -> Iterable[Figure]:
        seen = view()
        if seen is None or not seen.read_ms:
            return
        cloned = {each.node: each.count for each in seen.conflicts}
        for node in seen.here:
            yield from _of(seen, node, cloned.get(node.node, 0))
        for node in gone_lately(seen):
            yield from _over(seen, node)
        at_ms = seen.read_ms
        live = sum(not each.away for each in seen.nodes if each.state is not NodeState.LEFT)
        leads = seen.leads
        yield Figure("cluster.nodes", float(live), at_ms)
        if leads is not None:
            led_s = max(at_ms - seen.led[0].since_ms, 0) / 1000 if seen.led else None
            yield Figure("cluster.led_s", led_s, at_ms)
        yield Figure("cluster.leader_changes", float(len(seen.led)), at_ms)
        yield Figure("cluster.rules_differ", float(bool(rules_differ(seen))), at_ms)
        yield Figure("cluster.days_ahead", float(max(seen.days_ahead, 0)), at_ms)
        yield Figure("cluster.undated", float(seen.undated), at_ms)
        yield Figure("cluster.commits_waiting", float(seen.commits_waiting), at_ms)
        yield Figure("cluster.commits_waiting_s", seen.longest_wait_s, at_ms)
        yield Figure("cluster.erased_again", float(seen.erased_again.count), at_ms)

    return read


def gone_lately(view: ClusterView) -> list[NodeView]:
    """Those of which it is said that all that was told of them is over."""
    return [each for each in view.gone if min(each.left_ago_s, each.seen_ago_s) < OVER_S]


def _over(view: ClusterView, node: NodeView) -> Iterable[Figure]:
    """Of one that left just now all that was told of it is over."""
    labels = (("node", view.label(node.node)),)
    for name in ("away", "left", "cloned", *_UNKNOWN_AWAY):
        yield Figure(f"node.{name}", None, view.read_ms, labels, 0, gone=True)


_UNKNOWN_AWAY = ("behind", "behind_s", "clock_off_s")
"""What rules look at, and nobody knows of a node that is away."""


def _of(view: ClusterView, node: NodeView, cloned: int) -> Iterable[Figure]:
    labels, leads = (("node", view.label(node.node)),), view.leads
    at_ms = view.read_ms
    away, behind = is_away(view, node), is_behind(view, node)
    yield Figure("node.away", None if away is None else float(away), at_ms, labels)
    yield Figure("node.leads", float(leads is not None and leads is node), at_ms, labels)
    yield Figure("node.seen_s", node.seen_ago_s, at_ms, labels)
    yield Figure("node.cloned", float(cloned > 0), at_ms, labels)
    yield Figure("node.left", float(node.left_and_runs), at_ms, labels)
    if node.away:
        since_ms = at_ms - int(node.seen_ago_s * 1000)
        for name in _UNKNOWN_AWAY:
            yield Figure(f"node.{name}", None, at_ms, labels, 0, since_ms)
        return
    yield Figure("node.behind", float(node.behind), at_ms, labels)
    yield Figure("node.behind_s", None if behind is None else node.behind_s, at_ms, labels)
    yield Figure("node.segments_waiting", float(node.segments), at_ms, labels)
    yield Figure("node.bytes_waiting", float(node.waiting_bytes), at_ms, labels)
    yield Figure("node.one_copy", float(node.one_copy), at_ms, labels)
    yield Figure("node.clock_off_s", node.clock_off_s, at_ms, labels)
