"""What retention removes from the ledger, by class, and what is held of each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import AuditRows, LedgerAudit
from switchhook.alerts.ledger import AlertRows
from switchhook.calls.ledger import LedgerCalls
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.errors import DataFolderError
from switchhook.journal import JournalReader, SealedSegments
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import Holdings, Matter, report
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.ledger.database import Ledger
    from switchhook.retention.policy import ClassReport, RetentionLimits, Rows


def rows_of(ledger: Ledger, now_ms: Callable[[], int]) -> dict[Matter, Rows]:
    """What retention removes from the ledger, by class."""
    return {
        Matter.CALLS: LedgerCalls(ledger),
        Matter.ALERTS: AlertRows(ledger),
        Matter.CAPACITY: LedgerCapacity(ledger),
        Matter.AUDIT: AuditRows(LedgerAudit(ledger), now_ms),
    }


def report_of(
    folder: Path, limits: RetentionLimits, now_ms: Callable[[], int]
) -> tuple[ClassReport, ...]:
    """Each class of a data folder: its limit, its oldest, and what was removed.

    Raises SwitchhookError.
    """
    with ExitStack() as opened:
        ledger = open_ledger(folder / LEDGER)
        opened.callback(ledger.close)
        journal = JournalReader(folder / JOURNAL)
        opened.callback(journal.close)
        oldest = {matter: rows.oldest_ms() for matter, rows in rows_of(ledger, now_ms).items()}
        try:
            oldest[Matter.STORIES] = SqliteStore(folder / STORE, journal).oldest_ms()
        except DataFolderError:
            oldest[Matter.STORIES] = None  # it was not begun yet
        segments = SealedSegments(folder / JOURNAL).segments()
        removed = LedgerErasures(ledger).removed()
    return report(Holdings(segments, 0, oldest), limits, removed, now_ms())
