"""The ledger's tables, those of every topic, in the order in which they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import ledger as access
from switchhook.access import passkeys_ledger, second_factors_ledger
from switchhook.alerts import ledger as alerts
from switchhook.calls import ledger as calls
from switchhook.capacity import ledger as capacity
from switchhook.ledger import Ledger, belonging
from switchhook.retention import ledger as keeping
from switchhook.streams.issues import ledger as issues
from switchhook.streams.search import saved_views_ledger

if TYPE_CHECKING:
    from pathlib import Path

MIGRATIONS = (
    access.TABLES,
    capacity.TABLES,
    alerts.TABLES,
    issues.TABLES,
    calls.TABLES,
    saved_views_ledger.TABLES,
    keeping.TABLES,
    keeping.TRUSTED_TABLE,
    second_factors_ledger.TABLES,
    belonging.TABLES,
    "",  # pages with checksums, which a file has before this says so
    passkeys_ledger.TABLES,
    access.MAKER_COLUMN,
)
"""Number n leads from version n to n + 1; all that are due run in one transaction."""


def open_ledger(folder: Path) -> Ledger:
    """The ledger in a folder, with all its tables; made where it is missing. Raises LedgerError."""
    return Ledger(folder, MIGRATIONS)
