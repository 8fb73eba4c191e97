"""Waiting until the answer processes are told what a command set by hand, or somebody else did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from switchhook.capacity.facts_file import FactsReader
from switchhook.cli import output
from switchhook.cli.data import console_runs, steady_now_ms
from switchhook.system.data_folder import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.rules.routing import RoutingFacts

_IN_FORCE_S, _LOOK_S = 3.0, 0.05


def until_told(
    folder: Path, done: Callable[[RoutingFacts], bool], instead: Callable[[], str | None]
) -> int:
    """Wait until what was kept is told. Exit code 1 where it is not, and why on standard error.

    `done` says whether it is, and `instead` what was set since in its place, and by whom.
    """
    reader = FactsReader(folder, boot_id())
    until = time.monotonic() + _IN_FORCE_S
    while True:
        if reader.path.exists() and done(reader.look(steady_now_ms(folder))[1]):
            return 0
        if (now := instead()) is not None:
            output.err.print(f"by now {output.plain(now)}", soft_wrap=True)
            return 1
        if time.monotonic() >= until or not console_runs(folder):
            break
        time.sleep(_LOOK_S)
    why = "no console runs, which would tell it"
    if console_runs(folder):
        why = "the console does not tell it; look at its log"
    output.err.print(f"it is kept, and not in force yet: {why}", soft_wrap=True)
    return 1
