"""What `/healthz` of the private port says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.fold import Folder
    from switchhook.streams.store import Store
    from switchhook.web.json import Json


def console_health(
    folder: Folder,
    store: Store,
    complaints: Iterable[str],
    version: str,
    node: Json | None = None,
) -> Json:
    """Green as long as it can work: an orchestrator that restarts us would mend nothing.

    `node` is the node that says so (`node_json`), None on one machine.
    """
    problems = list(complaints)
    lag: int | None = None
    try:
        lag = folder.lag()
        count, _ = store.quarantined(0)
        if count:
            problems.append(f"{count} records could not be folded: see /api/v1/status")
    except SwitchhookError as error:
        problems.append(str(error))
    if folder.problem is not None and folder.problem not in problems:
        problems.append(f"the fold stands still: {folder.problem}")
    elif not folder.running:
        problems.append("the fold does not run")
    return {
        "status": "degraded" if problems else "ok",
        "problems": list(dict.fromkeys(problems)),
        "fold_lag": lag,
        "version": version,
        "node": node,
    }


def node_json(name: str, *, leads: bool) -> Json:
    """The node of a cluster that says how it is."""
    return {"name": name, "leads": leads}
