"""Waiting for an erasure that a console carries out: said aloud, and left at any time."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cluster.erasures import WishesOfNodes
from switchhook.cluster.view_queries import read_view
from switchhook.errors import ClusterError, LedgerError
from switchhook.postgresql_server import ASKED_S, Fence, connect, explained
from switchhook.retention.erasure import NodeState, awaited

if TYPE_CHECKING:
    from switchhook.cluster.view import ClusterView
    from switchhook.retention.erasure import NodeErased, Proof
    from switchhook.retention.retention_worker import RetentionWorker

ALONE_S, NODES_S = 0.1, 1.0
"""How often to look, on one machine and on several."""
GOES_ON = (
    "it goes on by itself: the page Settings and `switchhook keep` say how far it is; the same"
    " command waits for it again"
)


def wait(keeper: RetentionWorker, id: str, url: str | None) -> Proof:
    """The proof of an erasure once it is done; `url` is the database that several nodes share.

    Who interrupts it loses nothing: KeyboardInterrupt, after a word about it.
    """
    said = _Said()
    said.say("the console does it; this only waits for it: leave by Ctrl-C, and it goes on")
    try:
        while True:
            try:
                proof = keeper.proof(id)
                if proof is not None and proof.state == "done":
                    return proof
                if url is not None:
                    said.say(*_nodes_lines(url, id))
            except (ClusterError, LedgerError) as error:
                said.say(f"{error}; the erasure goes on once that is mended")
            time.sleep(ALONE_S if url is None else NODES_S)
    except KeyboardInterrupt:
        output.err.print(f"the erasure {id} is not done yet, and {GOES_ON}", soft_wrap=True)
        raise


class _Said:
    """Says what is new: durations grow all the time, and are no news."""

    def __init__(self) -> None:
        self._lines: tuple[str, ...] = ()

    def say(self, *lines: str) -> None:
        news = tuple(each.partition(" for ")[0] for each in lines)
        if news == self._lines:
            return
        self._lines = news
        for each in lines:
            output.err.print(output.plain(each), soft_wrap=True)


def _nodes_lines(url: str, id: str) -> list[str]:
    """Who has done it, who is awaited, and who is to begin."""
    told = WishesOfNodes(url, Fence(0)).told(id)
    with explained(url), closing(connect(url, silent_s=ASKED_S)) as connection:
        view = read_view(connection, time.time_ns() // 1_000_000)
    return nodes_lines(told, view)


def nodes_lines(told: tuple[NodeErased, ...], view: ClusterView) -> list[str]:
    """The same, a line for each node and one of what goes on by itself."""
    waits = {each.node: each for each in awaited(told, view.away)}
    lines = [] if view.leads is not None else ["no node leads: it goes on once one does"]
    for each in told:
        if each.state is NodeState.DONE:
            lines.append(f"{each.name}: done")
        elif each.state is NodeState.LEFT:
            lines.append(f"{each.name}: left the cluster, and is not waited for")
        else:
            lines.append(f"{each.name}: awaited, {waits[each.node].words}")
    if any(each.away_s is not None for each in waits.values()):
        lines.append(
            "a node that is away erases by itself once it returns; if it never does, `switchhook"
            " cluster leave NODE`, and erase its disk"
        )
    return lines
