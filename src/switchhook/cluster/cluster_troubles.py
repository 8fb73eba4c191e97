"""What is wrong with the cluster, in words: which node, what that means for callers, what mends it.

Pure. Callers are answered by every node that runs, whatever is wrong here; so nothing of this is
told before what callers suffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cluster.leaving import moment_text
from switchhook.cluster.runs import differences, read_runs
from switchhook.cluster.view import NodeState
from switchhook.errors import sentence
from switchhook.metrics import count_text, duration_text
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.cluster.view import ClusterView, NodeView

AWAY_S = 15.0
BEHIND_S = 30.0
CLOCK_S = 2.0
FEW_DAYS = 2
WAITS_S = 5.0
MANY_LEADERS = 3
_MOST_NAMED = 3
_ORDER = 4
"""After what fails callers and what mends it."""


def is_away(view: ClusterView, node: NodeView) -> bool | None:
    """Whether a node is missed; one that was drained and has handed over all is not.

    None where it could not be heard of either, as nobody could: the database was away, or we were.
    """
    if node.gone or node.seen_ago_s < AWAY_S:
        return False
    if node.state is not NodeState.ACTIVE and not node.behind:
        return False
    return True if view.reached_s >= AWAY_S else None


def is_behind(view: ClusterView, node: NodeView) -> bool | None:
    """Whether a node hands over late; None where it could not hand over any sooner."""
    if node.behind_s < BEHIND_S:
        return False
    return True if view.reached_s >= BEHIND_S else None


def rules_differ(view: ClusterView) -> tuple[str, ...]:
    """In what the nodes that are there differ, a sentence each; nothing of those that don't say."""
    runs = {view.label(each.node): read_runs(each.runs) for each in view.here if not each.away}
    return differences({name: found for name, found in runs.items() if found is not None})


def cluster_troubles(view: ClusterView) -> Iterable[Trouble]:
    """Each is told once an alert of its key fires."""
    if view.nodes and view.leader is None:
        yield _not_begun()
        return
    for node in view.here:
        yield from _of_node(view, node)
    gone = {each.node for each in view.gone}
    for each in view.conflicts:
        if each.node not in gone:
            yield _cloned(view.label(each.node), each.count)
    yield from _rules(view)
    yield from _database(view)
    yield from _erased_again(view)
    yield from _leaders(view)


def _of_node(view: ClusterView, node: NodeView) -> Iterable[Trouble]:
    name = view.label(node.node)
    if is_away(view, node):
        yield _away(name, node, view.typed(node.node))
        return
    if node.left_and_runs:
        yield _left(name, node, view.typed(node.node))
    if node.away:
        return
    if is_behind(view, node):
        yield _trouble(
            "node.behind_s",
            name,
            f"{_called(name)} hands its receipts over late: {node.behind:,} wait, for"
            f" {duration_text(node.behind_s)}",
            "Its callers are answered; their receipts are on its disk alone, and on no page yet."
            " Look at its log, and whether it reaches the database: `switchhook cluster doctor`"
            " there.",
        )
    if node.clock_off_s >= CLOCK_S:
        way = "ahead of" if node.clock_ms > 0 else "behind"
        yield _trouble(
            "node.clock_off_s",
            name,
            f"The clock of {_called(name)} is {duration_text(node.clock_off_s)} {way} the"
            " database's",
            "Times of its receipts, and rules by the hour, are wrong by that. Let NTP set it:"
            " `timedatectl set-ntp true`, or chrony.",
        )


def _left(name: str, node: NodeView, typed: str) -> Trouble:
    when = "" if node.left_ms is None else f" on {moment_text(node.left_ms)}"
    return _trouble(
        "node.left",
        name,
        f"{_called(name)} still runs, and it left the cluster{when}",
        "Callers who come to it are answered, and their receipts are handed over; but admission"
        " lets none of them in, and it never leads. Take it out of the balancer and stop it, or"
        f" take it back: `switchhook cluster drain {typed} --back`.",
    )


def _away(name: str, node: NodeView, typed: str) -> Trouble:
    waits = (
        f" {node.behind:,} of its receipts are not in the database: they are on its disk."
        if node.behind
        else ""
    )
    return _trouble(
        "node.away",
        name,
        f"{_called(name)} was not heard of for {duration_text(node.seen_ago_s)}",
        f"Does the balancer still send it callers?{waits} Start it, or see whether it reaches the"
        f" database; if it is not to come back: `switchhook cluster leave {typed}`.",
    )


def _called(name: str) -> str:
    """A node in a sentence; one that nobody knows is called by its number."""
    return name if name.startswith("node ") else f"node {name_text(name)}"


def _not_begun() -> Trouble:
    """Nothing else is wrong before the first lead: who leads makes what is missing."""
    return Trouble(
        level=Level.WARN,
        order=_ORDER,
        key=key_of("cluster.not_begun", ()),
        what="No node has led yet: the cluster was made, and none of its nodes runs or can lead.",
        todo="Start one: `switchhook serve`. If one runs, its log says why it can't lead.",
        page="/nodes",
    )


def _cloned(name: str, count: int) -> Trouble:
    return _trouble(
        "node.cloned",
        name,
        f"Two machines run as {_called(name)}: {count_text(count, 'record')} came again with"
        " another content",
        "One data folder is a copy of the other. Callers are answered by both, and the receipts of"
        " one wait on its disk: its /healthz says that its folder is the copy. Stop that one, and"
        " start it with an empty data folder; keep its old one aside.",
        level=Level.BAD,
    )


def _rules(view: ClusterView) -> Iterable[Trouble]:
    found = rules_differ(view)
    if found:
        more = f"; and {len(found) - _MOST_NAMED} more" if found[_MOST_NAMED:] else ""
        yield Trouble(
            level=Level.WARN,
            order=_ORDER,
            key=key_of("cluster.rules_differ", ()),
            what=sentence("; and ".join(found[:_MOST_NAMED]) + more),
            todo="Callers get what the node that they come to decides. Make the nodes' files alike:"
            " `switchhook rules show` on each says what it runs.",
            page="/nodes",
        )


def _database(view: ClusterView) -> Iterable[Trouble]:
    if view.id and view.days_ahead < FEW_DAYS:
        days = count_text(max(view.days_ahead, 0), "day")
        what = f"The database has tables for the receipts of only {days} after today."
        if view.days_ahead <= 0:
            what = "The database has no table for the receipts of tomorrow."
        yield Trouble(
            level=Level.WARN,
            order=_ORDER,
            key=key_of("cluster.days_ahead", ()),
            what=what,
            todo="Each node makes them a week ahead, each day's as a partition: may its user create"
            " tables? `switchhook cluster doctor` says why it can't.",
            page="/nodes",
        )
    if view.longest_wait_s >= WAITS_S:
        commits = count_text(view.commits_waiting, "commit")
        yield Trouble(
            level=Level.WARN,
            order=_ORDER,
            key=key_of("cluster.commits_waiting_s", ()),
            what=f"{commits} in the database waited for a standby for"
            f" {duration_text(view.longest_wait_s)} so far.",
            todo="Callers are answered; with keep = two-copies their receipts are marked as having"
            " one copy. Bring a standby back: `switchhook cluster doctor` names those that should"
            " be there.",
            page="/nodes",
        )


def _erased_again(view: ClusterView) -> Iterable[Trouble]:
    found = view.erased_again
    if found.count:
        before = "an erasure" if found.count == 1 else f"{found.count:,} erasures"
        again = "it is done again" if found.count == 1 else "they are done again"
        if found.lacks:
            again = "it is being done again"
            if found.count > 1:
                again = f"they are being done again, {found.done:,} of them so far"
        yield Trouble(
            level=Level.WARN,
            order=_ORDER,
            key=key_of("cluster.erased_again", ()),
            what=f"The database was restored to before {before}; {again}.",
            todo="Nothing has to be done here: each node knew what it had erased. What copied the"
            " database in between, such as a backup, has it. Settings shows the proofs.",
            page="/nodes",
        )


def _leaders(view: ClusterView) -> Iterable[Trouble]:
    if len(view.led) >= MANY_LEADERS:
        yield Trouble(
            level=Level.WARN,
            order=_ORDER,
            key=key_of("cluster.leader_changes", ()),
            what=f"The leader changed {len(view.led)} times in an hour.",
            todo="Pages and messages pause for seconds each time; callers don't notice. Look in the"
            " nodes' logs for why the lease was lost: a slow database, or a busy machine.",
            page="/nodes",
        )


def _trouble(figure: str, name: str, what: str, todo: str, *, level: Level = Level.WARN) -> Trouble:
    return Trouble(
        level=level,
        order=_ORDER,
        key=key_of(figure, (("node", name),)),
        what=sentence(what),
        todo=todo,
        page="/nodes",
    )
