"""Call details: which calls are to be asked for, and what Exotel said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.calls.sources import Due, KeptDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE calls_due (
  account TEXT NOT NULL,
  call_sid TEXT NOT NULL,
  ended_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  looks INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  PRIMARY KEY (account, call_sid)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_due_at ON calls_due (account, due_ms);
CREATE TABLE call_details (
  account TEXT NOT NULL,
  call_sid TEXT NOT NULL,
  fetched_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (call_sid, account)
) STRICT;
CREATE INDEX call_details_at ON call_details (fetched_ms);
"""

MOST_DUE = 50_000
"""Calls that wait at once, of all accounts."""


class SqliteCalls:
    """The details of calls over the ledger; any thread may use it. Raises LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def want(self, wanted: Sequence[Due]) -> int:
        """Put calls in the queue; how many had no room.

        One that waits already, or was asked for since it ended, changes nothing.
        """
        with self._ledger.writing() as connection:
            waiting: int = connection.execute("SELECT count(*) FROM calls_due").get
            room = max(0, MOST_DUE - waiting)
            refused = 0
            for due in wanted:
                if not room:
                    refused += 1
                    continue
                connection.execute(
                    "INSERT OR IGNORE INTO calls_due SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
                    " (SELECT 1 FROM call_details WHERE call_sid = ? AND account = ?)",
                    (
                        due.account,
                        due.call_sid,
                        due.ended_ms,
                        due.due_ms,
                        due.looks,
                        due.failures,
                        due.call_sid,
                        due.account,
                    ),
                )
                room -= connection.changes()
            return refused

    def due(self, account: str, now_ms: int, most: int) -> list[Due]:
        """The calls of an account whose time has come, those that wait longest first."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT account, call_sid, ended_ms, due_ms, looks, failures FROM calls_due"
                " WHERE account = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?",
                (account, now_ms, most),
            )
            return [_due(row) for row in rows]

    def looked(self, due: Due, again: Due | None, kept: KeptDetails | None) -> None:
        """Keep what was learnt, and when to look again, in one go."""
        with self._ledger.writing() as connection:
            if again is None:
                connection.execute(
                    "DELETE FROM calls_due WHERE account = ? AND call_sid = ?",
                    (due.account, due.call_sid),
                )
            else:
                connection.execute(
                    "UPDATE calls_due SET due_ms = ?, looks = ?, failures = ?"
                    " WHERE account = ? AND call_sid = ?",
                    (again.due_ms, again.looks, again.failures, due.account, due.call_sid),
                )
            if kept is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO call_details (account, call_sid, fetched_ms, body)"
                    " VALUES (?, ?, ?, ?)",
                    (kept.account, kept.call_sid, kept.fetched_ms, kept.body),
                )

    def details(self, call_sid: str) -> list[KeptDetails]:
        """What is kept of a call, by account."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT account, call_sid, fetched_ms, body FROM call_details"
                " WHERE call_sid = ? ORDER BY account",
                (call_sid,),
            )
            return [_kept(row) for row in rows]

    def forget(self, accounts: Sequence[str], ended_before_ms: int) -> int:
        """Drop what waits of other accounts than these, and what ended before a time."""
        with self._ledger.writing() as connection:
            holes = ", ".join("?" * len(accounts))
            connection.execute(
                f"DELETE FROM calls_due WHERE account NOT IN ({holes}) OR ended_ms < ?",  # noqa: S608
                (*accounts, ended_before_ms),
            )
            return connection.changes()

    # What retention asks.

    def oldest_ms(self) -> int | None:
        """When the oldest was fetched; None where there is none."""
        with self._ledger.reading() as connection:
            found: int | None = connection.execute("SELECT min(fetched_ms) FROM call_details").get
            return found

    def remove(self, before_ms: int, most: int = 1000) -> int:
        """Delete at most `most` that were fetched before a time; how many there were."""
        with self._ledger.writing() as connection:
            connection.execute(
                "DELETE FROM call_details WHERE (call_sid, account) IN"
                " (SELECT call_sid, account FROM call_details WHERE fetched_ms < ?"
                " ORDER BY fetched_ms LIMIT ?)",
                (before_ms, most),
            )
            return connection.changes()


def _due(row: tuple[Any, ...]) -> Due:
    account, call_sid, ended_ms, due_ms, looks, failures = row
    return Due(account, call_sid, ended_ms, due_ms, looks, failures)


def _kept(row: tuple[Any, ...]) -> KeptDetails:
    account, call_sid, fetched_ms, body = row
    return KeptDetails(account, call_sid, fetched_ms, body)
