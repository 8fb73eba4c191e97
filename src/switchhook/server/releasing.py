"""Releases, wired: the ledger, the data folder and the configuration tied together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.releases.backtest_keeper import BackTests
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.releasing import Releasing
from switchhook.system.supervisor import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.ledger.database import Ledger
    from switchhook.releases.running import Running


def releasing_of(ledger: Ledger, running: Running, now_ms: Callable[[], int]) -> Releasing:
    """Releases in a ledger, and what runs of them."""
    return Releasing(LedgerReleases(ledger), running, now_ms)


def backtests_of(folder: Path, releases: LedgerReleases) -> BackTests:
    """Back-tests of a data folder, each by the command in a process of its own."""

    def words(number: int, since: str) -> list[str]:
        said = ["release", "backtest", str(number), "--since", since, "--data", str(folder)]
        return program(*said)

    return BackTests(folder, releases, words)
