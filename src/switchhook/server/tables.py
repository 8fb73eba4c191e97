"""The ledger's tables, those of every topic, and how older ledgers come to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger, rows_ledger
from switchhook.alerts import ledger as alerts
from switchhook.calls import ledger as calls
from switchhook.capacity import ledger as capacity
from switchhook.delivery import ledger as deliveries
from switchhook.ledger import belonging_table
from switchhook.ledger.database import Ledger
from switchhook.retention import ledger as retention
from switchhook.routes import hands_ledger as hands
from switchhook.server import ledger_history as history
from switchhook.streams.issues import ledger as issues
from switchhook.streams.search import saved_views_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.ledger.database import Migration

MIGRATIONS: tuple[Migration, ...] = (
    history.AUDIT + history.USERS,
    history.CAPACITY,
    history.ALERTS,
    history.ISSUES,
    history.CALLS,
    history.SAVED_VIEWS,
    history.ERASURES,
    history.TRUSTED_TIME,
    history.SECOND_FACTORS,
    history.BELONGING,
    "",  # pages with checksums, which a file has before this says so
    history.PASSKEYS,
    history.MAKERS,
    history.DELIVERIES,
    history.AUDIT_NEWEST,
    history.by_destination,
    history.acknowledged,
    history.hand_settings,
)
"""Number n leads from version n to n + 1; all that are due run in one transaction."""

TOPICS = (
    audit_ledger.TABLES,
    rows_ledger.TABLES,
    capacity.TABLES,
    alerts.TABLES,
    deliveries.TABLES,
    issues.TABLES,
    calls.TABLES,
    saved_views_ledger.TABLES,
    retention.TABLES,
    hands.TABLES,
    belonging_table.TABLES,
)
"""The tables that they lead to."""


def open_ledger(place: Path | str) -> Ledger:
    """The ledger in a folder or at PostgreSQL's URL, with all its tables; made where it is missing.

    Raises LedgerError.
    """
    return Ledger(place, MIGRATIONS, TOPICS)
