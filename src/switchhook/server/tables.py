"""The ledger's tables, those of every topic, and how older ledgers come to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger, passkeys_ledger, second_factors_ledger
from switchhook.access import ledger as access
from switchhook.alerts import ledger as alerts
from switchhook.delivery import ledger as deliveries
from switchhook.ledger import Ledger, belonging
from switchhook.server import ledger_history as history
from switchhook.streams.search import saved_views_ledger

if TYPE_CHECKING:
    from pathlib import Path

MIGRATIONS = (
    history.AUDIT + access.TABLES,
    history.CAPACITY,
    alerts.TABLES,
    history.ISSUES,
    history.CALLS,
    history.SAVED_VIEWS,
    history.ERASURES,
    history.TRUSTED_TIME,
    second_factors_ledger.TABLES,
    history.BELONGING,
    "",  # pages with checksums, which a file has before this says so
    passkeys_ledger.TABLES,
    access.MAKER_COLUMN,
    alerts.DELIVERIES_ASIDE + deliveries.TABLES + alerts.DELIVERIES_MOVED,
    history.AUDIT_NEWEST,
)
"""Number n leads from version n to n + 1; all that are due run in one transaction."""

TOPICS = (audit_ledger.TABLES, belonging.TABLES, saved_views_ledger.TABLES)
"""What they lead to."""


def open_ledger(place: Path | str) -> Ledger:
    """The ledger in a folder or at PostgreSQL's URL, with all its tables; made where it is missing.

    Raises LedgerError.
    """
    return Ledger(place, MIGRATIONS, TOPICS)
