"""`switchhook cluster join`: a single machine's data folder, taken along into a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.cluster_parts import settings_for_deed
from switchhook.cli.data import own_data_folder
from switchhook.cli.ledger import deed, now_us
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cluster.view import node_text
from switchhook.server.cluster_join import FORGETS_NOTHING, plan_join
from switchhook.server.cluster_join import join as join_cluster
from switchhook.server.release import release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.access.audit import Deed
    from switchhook.server.cluster_join import Joined, JoinPlan

_MOST_NAMED = 8


def join(
    *,
    plan: Annotated[
        bool, Parameter(name="--plan", negative="", help="Only say what it would do.")
    ] = False,
    leave_ledger_behind: Annotated[
        bool,
        Parameter(
            name="--leave-ledger-behind",
            negative="",
            help="Join without this machine's ledger, which is set aside.",
        ),
    ] = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Take this machine's data folder along into the cluster of its configuration.

    Its ledger (users, audit log, releases, promises …) is copied into the database of the cluster,
    whole or not at all, and its file is set aside; its receipts are handed over from the first on
    once it runs. Stop `switchhook serve` before. Interrupted, it can be run again. An empty data
    folder needs no such step: it joins as it starts. A node that left takes part again.

    Exit code 1 if --plan finds that it can't be done.

    For example:

        switchhook cluster join --plan
        switchhook cluster join
    """
    settings, folder = settings_for_deed(config, data), own_data_folder(config, data)
    if plan:
        found = plan_join(settings, folder, behind=leave_ledger_behind)
        if json:
            output.print_json(_plan_json(found))
        else:
            _print_plan(found)
        return int(bool(found.refused))
    done = join_cluster(
        settings,
        folder,
        behind=leave_ledger_behind,
        release=release(),
        deed=_deed,
        now_us=now_us(),
    )
    if json:
        output.print_json(_done_json(done))
    else:
        _print_done(done)
    return 0


def _deed(what: str, said: Mapping[str, str]) -> Deed:
    return deed(what, **said)


def _plan_json(plan: JoinPlan) -> dict[str, Any]:
    return {
        "database": plan.database,
        "node": plan.node,
        "nodes_there": plan.nodes,
        "records": plan.records,
        "member": plan.member,
        "back": plan.back,
        "ledger": "taken along" if plan.along else "left behind" if plan.behind else "none",
        "new_key": plan.new_key,
        "rows": dict(plan.rows),
        "runs": plan.runs or None,
        "refused": [each._asdict() for each in plan.refused],
        "warned": [each._asdict() for each in plan.warned],
    }


def _done_json(done: Joined) -> dict[str, Any]:
    return {
        **_plan_json(done.plan),
        "node": done.node,
        "rows_copied": sum(done.copied.rows.values()) if done.copied is not None else 0,
        "audit_entries": done.copied.entries if done.copied is not None else None,
        "ledger_is_at": done.aside or None,
    }


def _rows_text(rows: Mapping[str, int]) -> str:
    most = sorted(rows.items(), key=lambda each: -each[1])
    named = ", ".join(f"{count:,} of {name}" for name, count in most[:_MOST_NAMED])
    more = f" and {len(most) - _MOST_NAMED} tables more" if most[_MOST_NAMED:] else ""
    return f"{named}{more}" or "no rows"


def _print_plan(plan: JoinPlan) -> None:
    out = output.out.print
    out(f"cluster: {plan.database}, {plan.nodes} nodes there")
    for each in plan.refused:
        out(f"can't be done: {each.problem}", style="bold red", soft_wrap=True)
        out(f"  → {each.hint}", style="cyan", soft_wrap=True)
    if plan.refused:
        return
    for each in plan.warned:
        out(f"may be too little: {each.problem}", style="yellow", soft_wrap=True)
        out(f"  → {each.hint}", style="cyan", soft_wrap=True)
    if plan.back:
        out(f"{node_text(plan.node)} would take part again", soft_wrap=True)
        return
    if plan.runs:
        out(f"before that, stop switchhook serve: {plan.runs}", style="yellow", soft_wrap=True)
    if plan.member:
        out("this data folder is a node already; what a join left undone is done")
        return
    out("nothing was changed by this plan")
    if plan.along:
        out(f"would be copied into the database: {_rows_text(plan.rows)}", soft_wrap=True)
    if plan.behind:
        out(f"would not be known any more: {_rows_text(plan.rows)}", style="yellow", soft_wrap=True)
    if plan.new_key:
        out(
            "the folder takes the cluster's key: URLs of endpoints without a secret of their own,"
            " links and tokens made here work no more",
            style="yellow",
            soft_wrap=True,
        )
    if plan.records:
        out(f"would be handed over as it runs: {plan.records:,} records of the journal")
    out(FORGETS_NOTHING, soft_wrap=True)


def _print_done(done: Joined) -> None:
    out = output.out.print
    if done.plan.back:
        out(f"{node_text(done.node)} takes part again; if it does not run: switchhook serve")
        return
    out(f"{node_text(done.node)} is a member of the cluster {done.plan.database}", soft_wrap=True)
    if done.copied is not None:
        rows = sum(done.copied.rows.values())
        out(
            f"copied and compared: {rows:,} rows; the audit log holds, with"
            f" {done.copied.entries:,} entries",
            soft_wrap=True,
        )
    if done.aside:
        out(f"its own ledger is now {done.aside}", soft_wrap=True)
        out(FORGETS_NOTHING, soft_wrap=True)
    out("start it: switchhook serve")
