"""`switchhook cluster`: the nodes that share a database: who leads, how each is, and joining."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from switchhook.cli import output
from switchhook.cli.by_itself import ByItself, by_itself_json, print_by_itself
from switchhook.cli.cluster_doctor import doctor
from switchhook.cli.cluster_join import join
from switchhook.cli.cluster_parts import REASON, acted, acts_on, view_of, view_or_own, watched
from switchhook.cli.cluster_shown import drained_pairs, print_nodes, print_status
from switchhook.cli.options import CONFIG, DATA, JSON, SECONDS
from switchhook.cluster.cluster_troubles import cluster_troubles
from switchhook.cluster.json import cluster_json, node_json
from switchhook.cluster.view import ClusterView, NodeState, node_named

app = App(name="cluster", help="The nodes that share a database: who leads, how each is, joining.")
app.command(join, name="join")
app.command(doctor, name="doctor")


@app.command
def status(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Say who leads, how many nodes are there, and what is wrong.

    Straight from the database, so it needs no node that runs; on a node whose database is away, how
    that node is by itself. Exit code 1 where nobody leads or anything is wrong.
    """
    view = view_or_own(config, data)
    if isinstance(view, ByItself):
        return _say_own(view, json=json)
    troubles = list(cluster_troubles(view))
    if json:
        output.print_json(
            {
                **cluster_json(view, view.read_ms),
                "troubles": [{"what": each.what, "todo": each.todo} for each in troubles],
            }
        )
    else:
        print_status(view, troubles)
    return int(view.leads is None or bool(troubles))


@app.command
def nodes(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the nodes: what each said last, and how much of it waits.

    Exit code 1 if one that should be there is away, or one that left still runs.
    On a node whose database is away it says how that node is by itself, with exit code 1.
    """
    view = view_or_own(config, data)
    if isinstance(view, ByItself):
        return _say_own(view, json=json)
    if json:
        for node in view.nodes:
            output.print_json(node_json(view, node))
    else:
        print_nodes(view)
    odd = (
        each.left_and_runs or (each.away and each.state is NodeState.ACTIVE) for each in view.nodes
    )
    return int(any(odd))


def _say_own(own: ByItself, *, json: bool) -> int:
    if json:
        said = {"clustered": True, "said": own.state.said, "cluster": None, "nodes": []}
        trouble = {"what": own.state.said, "todo": own.state.todo}
        output.print_json({**said, "troubles": [trouble], "node": by_itself_json(own)})
    else:
        print_by_itself(own)
    return 1


@app.command
def lead(
    node: str,
    *,
    reason: REASON = "",
    within: Annotated[
        float, Parameter(validator=SECONDS, help="Seconds to wait until it leads.")
    ] = 15,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Have a node lead, as soon as the one that leads has ended what it does.

    Callers notice nothing; pages and messages pause for a second or two. Exit code 1 if it does not
    lead in time.

    For example:

        switchhook cluster lead mumbai-2 --reason "mumbai-1 gets a new disk"

    Parameters
    ----------
    node
        Its name or number.
    """
    with acts_on(config, data) as (acts, url):
        done = acts.lead(node, reason, acted)
        views = watched(url, within, None)
        last = next(views)
        for last in views:
            if last.leads is not None and last.leads.node == done.node.node:
                break
    leads = last.leads is not None and last.leads.node == done.node.node
    if json:
        output.print_json({"said": done.said, "leads": leads})
    else:
        name = last.label(done.node.node)
        output.out.print(f"{name} leads" if leads else f"{done.said}, and does not lead yet")
    return int(not leads)


@app.command
def drain(
    node: str,
    *,
    back: Annotated[bool, Parameter(name="--back", negative="", help="Take it back.")] = False,
    reason: REASON = "",
    within: Annotated[
        float, Parameter(validator=SECONDS, help="Seconds to wait for all of it.")
    ] = 60,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Have a node lead no more, and say when everything of it is handed over.

    It goes on answering whoever comes to it: take it out of the balancer. Exit code 0 once it does
    not lead, all its records are in the database and nobody came in 3 seconds, so that it may be
    taken away; else 1.

    For example:

        switchhook cluster drain mumbai-2
        switchhook cluster drain mumbai-2 --back

    Parameters
    ----------
    node
        Its name or number.
    """
    with acts_on(config, data) as (acts, url):
        view = view_of(config, data)
        if back:
            done = acts.take_back(node, reason, acted)
            if json:
                output.print_json({"said": done.said})
            else:
                output.out.print(done.said)
            return 0
        found = node_named(view.nodes, node)
        if found.state is not NodeState.DRAINING:  # called again it only looks
            acts.drain(node, reason, acted)
        last, drained = _until_drained(url, found.node, within)
    if json:
        shown = last.of(found.node)
        assert shown is not None
        output.print_json({**node_json(last, shown), "may_be_taken_away": drained})
    else:
        output.print_pairs(drained_pairs(last, found.node, done=drained))
    return int(not drained)


def _until_drained(url: str, node: int, within: float) -> tuple[ClusterView, bool]:
    """Look until a node may be taken away, or time is over: the last look, and whether it may."""
    still_since, seq, away = 0.0, -1, False
    last = None
    for last in watched(url, within, None):
        now = last.of(node)
        assert now is not None, "its row stays"
        if now.last_seq != seq:
            still_since, seq = last.read_ms / 1000, now.last_seq
        leads = last.leads is not None and last.leads.node == node
        quiet_s = last.read_ms / 1000 - still_since
        away = not leads and not now.behind and (quiet_s >= 3 or now.away)
        if away:
            break
    assert last is not None, "it was looked at once"
    return last, away


@app.command
def leave(
    node: str,
    *,
    reason: REASON = "",
    anyway: Annotated[
        bool, Parameter(name="--anyway", negative="", help="What it did not hand over is lost.")
    ] = False,
    within: Annotated[
        float,
        Parameter(
            validator=SECONDS, help="Seconds to wait until one that runs has handed over all."
        ),
    ] = 60,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Have a node be none of the cluster's any more. Its receipts stay.

    One that runs is drained: it leads no more, and once all that it has is handed over and nobody
    came in 3 seconds it has left, and may be stopped. Exit code 1 if that takes longer; take it out
    of the balancer, and run this again. One that was stopped with records that are not in the
    database is refused; if its disk is lost, say --anyway.

    A node that left and is started again says so and does not start; `switchhook cluster join` on
    its machine takes it back.

    For example:

        switchhook cluster leave mumbai-2

    Parameters
    ----------
    node
        Its name or number.
    """
    with acts_on(config, data) as (acts, url):
        found = node_named(view_of(config, data).nodes, node)
        if not found.away and found.state is not NodeState.LEFT:
            if found.state is NodeState.ACTIVE:
                acts.drain(node, reason, acted)
            last, drained = _until_drained(url, found.node, within)
            if not drained:
                return _not_left(last, found.node, json=json)
        done = acts.leave(node, reason, acted, anyway=anyway)
    if json:
        output.print_json({"said": done.said})
    else:
        output.out.print(done.said)
    return 0


def _not_left(view: ClusterView, node: int, *, json: bool) -> int:
    """Say of a node that is drained why it has not left yet."""
    said = f"{view.label(node)} is drained, and has not left yet"
    if json:
        output.print_json({"said": said})
    else:
        output.out.print(output.plain(said))
        output.print_pairs(drained_pairs(view, node, done=False))
    return 1
