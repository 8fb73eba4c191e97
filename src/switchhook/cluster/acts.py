"""What people do with nodes: have one lead, drain one, take one back, let one leave.

Each is one transaction with its entry in the audit log. Raises NodeError for what can't be, and
LedgerError where the database can't be written; nothing was changed then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.access import audit_ledger
from switchhook.cluster.lease import want
from switchhook.cluster.view import ClusterView, NodeState, NodeView, node_named, node_text
from switchhook.cluster.view_queries import read_view
from switchhook.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection
    from sqlalchemy import Connection as LedgerConnection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

    MakeDeed = Callable[[str, str, dict[str, str]], Deed]
    """Of what was done, to which node, with what details."""

LONGEST_REASON = 200


class Done(msgspec.Struct, frozen=True):
    """What was done, in a sentence, and to which node."""

    node: NodeView
    said: str


class NodeActs:
    """The acts, over the ledger that all nodes share; `now_ms` is the time of their entries."""

    def __init__(self, ledger: Ledger, now_ms: Callable[[], int]) -> None:
        self._ledger, self._now_ms = ledger, now_ms

    def lead(self, said: str, reason: str, deed: MakeDeed) -> Done:
        """Have a node lead as soon as who leads has ended what it does."""

        def act(connection: Connection, view: ClusterView, node: NodeView) -> Done:
            leads = view.leads
            if leads is not None and leads.node == node.node:
                raise NodeError(f"{node.name} leads already", "there is nothing to do")
            if not node.takes_part:
                why = "it is away" if node.away else f"it is {node.state.value}"
                hint = "name a node that runs" if node.away else "take it back first: drain --back"
                raise NodeError(f"{node.name} can't lead: {why}", hint)
            if not want(connection, node.node):
                hint = "start a node: the first that looks leads"
                raise NodeError("nobody has led yet", hint)
            return Done(node, f"{view.label(node.node)} is wanted as the leader")

        return self._do("wanted a node as leader", said, reason, deed, act)

    def drain(self, said: str, reason: str, deed: MakeDeed) -> Done:
        """Have a node lead no more; it goes on answering, and hands over what it has."""

        def act(connection: Connection, view: ClusterView, node: NodeView) -> Done:
            _refuse(node, NodeState.DRAINING)
            _refuse(node, NodeState.LEFT)
            others = [each for each in view.nodes if each.takes_part and each.node != node.node]
            if not others:
                hint = "start another node first: nobody else could lead"
                raise NodeError(f"{node.name} is the only node that takes part", hint)
            _set(connection, node, NodeState.DRAINING)
            return Done(node, f"{view.label(node.node)} is drained: it answers, and leads no more")

        return self._do("drained a node", said, reason, deed, act)

    def take_back(self, said: str, reason: str, deed: MakeDeed) -> Done:
        """Have a node that was drained, or had left, take part again."""

        def act(connection: Connection, view: ClusterView, node: NodeView) -> Done:
            _refuse(node, NodeState.ACTIVE)
            _set(connection, node, NodeState.ACTIVE)
            return Done(node, f"{view.label(node.node)} takes part again")

        return self._do("took a node back", said, reason, deed, act)

    def leave(self, said: str, reason: str, deed: MakeDeed, *, anyway: bool = False) -> Done:
        """Have a node be none of the cluster's any more; its receipts stay.

        One that runs is drained before, and hands over what it has. Where it was stopped before it
        had, that is lost: only `anyway`.
        """

        def act(connection: Connection, view: ClusterView, node: NodeView) -> Done:
            _refuse(node, NodeState.LEFT)
            leads = view.leads is not None and view.leads.node == node.node
            if not node.away and (leads or node.state is not NodeState.DRAINING):
                hint = "drain it first: it leads no more then, and hands over what it has"
                raise NodeError(f"{node.name} runs, and takes part", hint)
            if node.behind and not anyway:
                problem = f"{node.behind:,} records of {node.name} are not in the database"
                hint = "wait until it has handed them over"
                if node.away:
                    hint = "start it until they are handed over; if its disk is lost: --anyway"
                raise NodeError(problem, hint)
            _set(connection, node, NodeState.LEFT)
            stop = "" if node.away else ", and may be stopped"
            return Done(node, f"{view.label(node.node)} has left{stop}; its receipts stay")

        return self._do("had a node leave", said, reason, deed, act)

    def _do(
        self,
        what: str,
        said: str,
        reason: str,
        deed: MakeDeed,
        act: Callable[[Connection, ClusterView, NodeView], Done],
    ) -> Done:
        if len(reason) > LONGEST_REASON:
            hint = f"at most {LONGEST_REASON} characters"
            raise NodeError("its reason is too long", hint)
        now_ms = self._now_ms()
        with self._ledger.writing() as connection:
            raw = _raw(connection)
            view = read_view(raw, now_ms)
            done = act(raw, view, node_named(view.nodes, said))
            details = {"node": node_text(done.node.node), **({"reason": reason} if reason else {})}
            entry = deed(what, done.node.name, details)
            audit_ledger.append(connection, entry, now_ms * 1_000)
            return done


def _raw(connection: LedgerConnection) -> Connection:
    """The connection as psycopg has it, in the same transaction."""
    from psycopg import Connection

    raw = connection.connection.driver_connection
    assert isinstance(raw, Connection), "nodes share a ledger on PostgreSQL"
    return raw


def _refuse(node: NodeView, state: NodeState) -> None:
    if node.state is state:
        word = {
            NodeState.ACTIVE: "takes part already",
            NodeState.DRAINING: "is drained already",
            NodeState.LEFT: "has left already",
        }
        raise NodeError(f"{node.name} {word[state]}", "there is nothing to do")


def _set(connection: Connection, node: NodeView, state: NodeState) -> None:
    left = "clock_timestamp()" if state is NodeState.LEFT else "NULL"
    asked = f"UPDATE cluster_node SET state = %s, left_at = {left} WHERE node = %s"  # noqa: S608 - ours
    connection.execute(asked.encode(), (state.value, node.node))
