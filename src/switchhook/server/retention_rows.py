"""What retention removes from the ledger, by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import AuditRows, LedgerAudit
from switchhook.alerts.ledger import AlertRows
from switchhook.calls.ledger import LedgerCalls
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.retention.policy import Matter

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.ledger.database import Ledger
    from switchhook.retention.policy import Rows


def rows_of(ledger: Ledger, now_ms: Callable[[], int]) -> dict[Matter, Rows]:
    """What retention removes from the ledger, by class."""
    return {
        Matter.CALLS: LedgerCalls(ledger),
        Matter.ALERTS: AlertRows(ledger),
        Matter.CAPACITY: LedgerCapacity(ledger),
        Matter.AUDIT: AuditRows(LedgerAudit(ledger), now_ms),
    }
