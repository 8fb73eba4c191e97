"""A process that counts a part of a back-test over the journal of all nodes: `python -m` this."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from switchhook.cluster.merged_journal import MergedJournal
from switchhook.releases.backtest_engine import main
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.journal.source import JournalSource

PROGRAM = "switchhook.server.backtest_process"
"""Its name, for `Work.program`; `Work.journal` is the database's URL then."""
_open: Callable[[str], JournalSource] = partial(MergedJournal, yield_cpu=yield_cpu)

if __name__ == "__main__":
    main(_open)
