"""How the commands about nodes show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from switchhook.cli import output
from switchhook.cluster.view import NodeState
from switchhook.exotel.phone_numbers import counted
from switchhook.metrics import duration_text
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.cluster.view import ClusterView, NodeView
    from switchhook.troubles.trouble import Trouble

_AT_ONCE_S = 2


def print_status(view: ClusterView, troubles: Sequence[Trouble]) -> None:
    """Who leads, who is there, what is wrong."""
    leads, leader = view.leads, view.leader
    there = [each for each in view.nodes if each.state is not NodeState.LEFT]
    here = sum(not each.away for each in there)
    if leads is None or leader is None:
        output.out.print(Text("nobody leads", style="bold red"))
    else:
        since = output.moment(time_of(leader.since_ms * 1000))
        output.out.print(
            Text(f"{output.plain(view.label(leads.node))} leads", style="bold green")
            + Text(f" since {since} (epoch {leader.epoch})")
        )
        if leader.wanted is not None:
            output.out.print(f"{output.plain(view.label(leader.wanted))} is wanted as the leader")
    behind = sum(each.behind for each in there)
    output.out.print(f"{here} of {len(there)} nodes are there; {behind:,} records wait")
    for each in troubles:
        output.out.print(Text(f"! {output.plain(each.what)}", style="yellow"), soft_wrap=True)
        if each.todo:
            output.out.print(Text(f"  → {output.plain(each.todo)}", style="cyan"), soft_wrap=True)


def print_nodes(view: ClusterView) -> None:
    """A table of the nodes; below it those that left."""
    output.print_table(
        ("NODE", "STATE", "SEEN", "BEHIND", "SEGMENTS", "ONE COPY", "CLOCK", "RELEASE", "NUMBER"),
        (
            (
                each.name,
                _state(view, each),
                "now" if each.seen_ago_s < _AT_ONCE_S else f"{duration_text(each.seen_ago_s)} ago",
                _behind(each),
                f"{each.segments:,}",
                f"{each.one_copy:,}",
                f"{each.clock_ms:+,} ms",
                each.release,
                counted(each.node),
            )
            for each in view.here
        ),
    )
    for each in view.gone:
        output.out.print(Text(_gone(view, each), style="dim"), soft_wrap=True)


def drained_pairs(view: ClusterView, node: int, *, done: bool) -> list[tuple[str, object]]:
    """How far a node is that is being drained."""
    found = view.of(node)
    assert found is not None
    leads = view.leads is not None and view.leads.node == node
    return [
        ("node", view.label(node)),
        ("leads", "still" if leads else "no"),
        ("handed over", "all" if not found.behind else f"all but {found.behind:,} records"),
        ("newest record", f"{found.last_seq:,}"),
        (
            "may be taken away",
            "yes"
            if done
            else "not yet: callers still come to it, or something waits; take it out of the"
            " balancer, and run this again",
        ),
    ]


def _gone(view: ClusterView, node: NodeView) -> str:
    """One that left, and what is kept of it."""
    when = "" if node.left_ms is None else f" on {output.moment(time_of(node.left_ms * 1000))}"
    kept = "its receipts are kept" if node.kept else "nothing of it is kept"
    lost = f"; {node.behind:,} of its records never came" if node.behind else ""
    return f"{output.plain(view.label(node.node))} left{when}; {kept}{lost}"


def _state(view: ClusterView, node: NodeView) -> Text:
    leads = view.leads is not None and view.leads.node == node.node
    if node.left_and_runs:
        return Text("left, still runs", style="bold red")
    word = "away" if node.away else "leads" if leads else "there"
    style = "bold red" if node.away else "green"
    return Text(word + (", drained" if node.state.value == "draining" else ""), style=style)


def _behind(node: NodeView) -> str:
    if not node.behind:
        return "0"
    return f"{node.behind:,} for {duration_text(node.behind_s)}"
