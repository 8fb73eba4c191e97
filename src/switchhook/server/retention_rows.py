"""What retention removes from the ledger, by class, and what is held of each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import AuditRows, LedgerAudit
from switchhook.alerts.ledger import AlertRows
from switchhook.callbacks.old_rows_ledger import PromiseRows
from switchhook.calls.ledger import LedgerCalls
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.errors import ClusterError, DataFolderError
from switchhook.exotel.fields import forget_read_numbers
from switchhook.exotel.number_keys import forget_numbers
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import Holdings, Matter, report
from switchhook.server.places import by_age_of, journal_of, ledger_of, store_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.ledger.database import Ledger
    from switchhook.overview.feed import Feed
    from switchhook.retention.policy import ClassReport, RetentionLimits, Rows


def rows_of(ledger: Ledger, now_ms: Callable[[], int]) -> dict[Matter, Rows]:
    """What retention removes from the ledger, by class."""
    return {
        Matter.CALLS: LedgerCalls(ledger),
        Matter.ALERTS: AlertRows(ledger),
        Matter.CAPACITY: LedgerCapacity(ledger),
        Matter.AUDIT: AuditRows(LedgerAudit(ledger), now_ms),
        Matter.PROMISES: PromiseRows(ledger),
    }


def report_of(
    folder: Path, limits: RetentionLimits, now_ms: Callable[[], int]
) -> tuple[ClassReport, ...]:
    """Each class of a data folder: its limit, its oldest, and what was removed.

    Raises SwitchhookError.
    """
    with ExitStack() as opened:
        ledger = ledger_of(folder)
        opened.callback(ledger.close)
        journal = journal_of(folder)
        opened.callback(journal.close)
        oldest = {matter: rows.oldest_ms() for matter, rows in rows_of(ledger, now_ms).items()}
        try:
            oldest[Matter.STORIES] = store_of(folder, journal).oldest_ms()
        except (ClusterError, DataFolderError):
            oldest[Matter.STORIES] = None  # it was not begun yet
        segments = by_age_of(folder).segments()
        removed = LedgerErasures(ledger).removed()
    return report(Holdings(segments, 0, oldest), limits, removed, now_ms())


def forget_in_memory(feed: Feed) -> None:
    """Let go of what memory still holds of a number that was erased."""
    feed.forget()
    forget_numbers()
    forget_read_numbers()
