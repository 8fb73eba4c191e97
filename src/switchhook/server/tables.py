"""The ledger's tables, those of every topic, and how older ledgers come to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger, rows_ledger
from switchhook.alerts import ledger as alerts
from switchhook.callbacks import rows_ledger as promises
from switchhook.calls import ledger as calls
from switchhook.capacity import ledger as capacity
from switchhook.delivery import ledger as deliveries
from switchhook.flags import ledger as flags
from switchhook.ledger import belonging_table
from switchhook.ledger.database import Ledger
from switchhook.releases import ledger as releases
from switchhook.retention import ledger as retention
from switchhook.routes import hands_ledger as hands
from switchhook.server import ledger_history as history
from switchhook.server import ledger_steps as steps
from switchhook.streams.issues import ledger as issues
from switchhook.streams.search import saved_views_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.ledger.database import Fence, Migration
    from switchhook.postgresql_server import Url

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
    steps.by_destination,
    steps.acknowledged,
    steps.hand_settings,
    steps.releases,
    steps.flags,
    steps.promises,
)
"""Number n leads from version n to n + 1; all that are due run in one transaction."""

OLDEST = 21
"""The oldest version whose release can use the tables that these steps lead to.

A step first adds what is new, so that the release of before goes on beside it (`OLDEST` stays); a
later release takes away what nobody uses any more (`OLDEST` becomes the version that stopped using
it). Nodes so are upgraded one by one, and a release can be gone back from.
"""

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
    releases.TABLES,
    flags.TABLES,
    promises.TABLES,
    belonging_table.TABLES,
)
"""The tables that they lead to."""


def open_ledger(place: Path | Url, fence: Fence | None = None) -> Ledger:
    """The ledger in a folder or at PostgreSQL's URL, with all its tables; made where it is missing.

    It is written while `fence` holds, if any. Raises LedgerError.
    """
    return Ledger(place, MIGRATIONS, TOPICS, fence=fence, oldest=OLDEST)
