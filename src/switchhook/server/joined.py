"""A program's first step in a cluster: its data folder is a member, and has what all nodes run."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from switchhook.cluster.joining import held, join_if_needed
from switchhook.cluster.leaving import ALONE_AGAIN, JOIN_AGAIN, moment_text, standing_at
from switchhook.errors import DataFolderError
from switchhook.server.release import release

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.cluster.membership import Membership
    from switchhook.config import Config

log = logging.getLogger("switchhook.node")

ONCE_S, LEAST_S = 3.0, 0.5
"""A start waits so long for what the database says: it needs none, and goes on without."""


def join_cluster(config: Config, folder: Path) -> None:
    """Have a data folder be a member, before anything runs on it. Raises SwitchhookError.

    Nothing is done, and no database asked, where there is no cluster. A node that left does not
    start. A member takes what all nodes run, so that no caller is answered by what was undone
    meanwhile. Where the database is away it starts with what it has, for callers come first.
    """
    note = join_if_needed(config.cluster, folder, release())
    url = config.cluster.database
    if note is not None and url is not None:
        until_s = time.monotonic() + ONCE_S
        _refuse_left(folder, note, url)
        limit_s = max(until_s - time.monotonic(), LEAST_S)
        _take_what_all_run(folder, note.node, url, config.cluster.node_name, limit_s)


def _refuse_left(folder: Path, note: Membership, url: str) -> None:
    """Raise DataFolderError where the node of a data folder left, and the database says so."""
    standing = standing_at(url, note, ONCE_S)
    if standing is None or standing.left_ms is None:
        return
    problem = f"its node, {standing.name}, left the cluster on {moment_text(standing.left_ms)}"
    hint = f"take it back: {JOIN_AGAIN}; or have it go on alone: {ALONE_AGAIN}"
    raise DataFolderError(str(folder), problem, hint)


def _take_what_all_run(folder: Path, node: int, url: str, name: str, limit_s: float) -> None:
    from switchhook.postgresql_server import Connector  # who runs alone never loads these
    from switchhook.server.told_part import told_relay

    relay = told_relay(folder, node, Connector(url, node=name), name)
    try:
        with held(folder):
            relay.once(limit_s)
    except DataFolderError as error:
        # Where the other program runs on it, that one has it told.
        log.debug("what all nodes run is not taken before the start: %s", error.problem)
        return
    for problem in relay.problems():
        log.warning("this node starts with what it ran last: %s", problem)
