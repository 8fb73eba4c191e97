"""`check --probe`: whether the members of pools answer, asked once from this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.config.files import Inputs, Overrides, check_config, read_whole
from switchhook.routes.probe import SOON_DAYS
from switchhook.routes.probe_worker import probe_all
from switchhook.server.routing import targets_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.config import Config
    from switchhook.routes.probe import Probed


def probe_members(file: str | None) -> int:
    """Probe the members of a configuration's pools, and say of each how it went.

    How many can't be reached, or have a certificate that ends soon; 0 where there are none.
    """
    targets = targets_of(_config_in(file)) if file is not None else {}
    if not targets:
        output.err.print("there is no pool to probe: [bots.NAME.members.NAME] makes one")
        return 0
    found = probe_all(targets, now_ms=_now_ms)
    output.print_table(
        ("POOL", "MEMBER", "PROBE"),
        ((pool, member, _said(each)) for (pool, member), each in found.items()),
    )
    return sum(_is_bad(each) for each in found.values())


def configuration_among(files: Iterable[str], found: str | None) -> str | None:
    """The configuration to probe by: the one that is named among files, else the one found."""
    for file in files:
        if b"[bots." in read_whole(file):
            return file
    return found


def _config_in(file: str) -> Config:
    path = str(Path(file).absolute())
    return check_config(read_whole(file), path, Overrides(), Inputs(os.environ)).config


def _is_bad(found: Probed) -> bool:
    left = found.days_left(_now_ms())
    return not found.reached or (left is not None and left < SOON_DAYS)


def _said(found: Probed) -> str:
    if not found.reached:
        return found.problem
    left = found.days_left(_now_ms())
    ends = "" if left is None else f"; its certificate ends in {left} days"
    return f"takes a WebSocket, in {found.ms:.0f} ms{ends}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
