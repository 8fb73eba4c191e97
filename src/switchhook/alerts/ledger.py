"""Alerts, what was said of them and to whom, and silences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.book import KIND, Book, SentMessage, message_of
from switchhook.alerts.messages import LastNotification, Silence
from switchhook.delivery import ledger as delivery_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from switchhook.delivery.delivery import Delivery
    from switchhook.ledger.database import Ledger
    from switchhook.metrics import Labels

TABLES = """
CREATE TABLE alerts (
  key TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  fired_ms INTEGER,
  resolved_ms INTEGER,
  body BLOB NOT NULL,
  PRIMARY KEY (key, since_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_over ON alerts (resolved_ms) WHERE fired_ms IS NOT NULL;
CREATE TABLE spoken (
  cause TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE silences (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  matcher BLOB NOT NULL,
  since_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,
  by TEXT NOT NULL
) STRICT;
CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_time ON messages (at_ms);
CREATE TABLE deliveries (
  message TEXT NOT NULL REFERENCES messages ON DELETE CASCADE,
  destination TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  done_ms INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (message, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (next_ms) WHERE state = 'waiting';
"""

DELIVERIES_ASIDE = """
DROP INDEX deliveries_waiting;
ALTER TABLE deliveries RENAME TO alert_deliveries;
"""
DELIVERIES_MOVED = """
INSERT INTO deliveries (kind, key, destination, payload, created_ms, due_ms, deadline_ms,
  state, attempts, done_ms, problem)
SELECT 'alert', m.id, d.destination, m.body, m.at_ms, d.next_ms, m.at_ms + 21600000,
  CASE WHEN d.state = 'sent' THEN 'completed' WHEN d.state = 'given up' THEN 'discarded'
    WHEN d.attempts > 0 THEN 'retryable' ELSE 'available' END,
  d.attempts, CASE WHEN d.state = 'waiting' THEN NULL ELSE coalesce(d.done_ms, m.at_ms) END,
  d.problem
FROM alert_deliveries d JOIN messages m ON m.id = d.message;
DROP TABLE alert_deliveries;
DROP TABLE messages;
"""
"""Messages had a table of alerts' own; they moved to `delivery.ledger.TABLES`, between these."""

MOST_KEPT = 5_000
"""Resolved alerts, causes and silences beyond so many are forgotten, the oldest first."""

_encode = msgspec.msgpack.Encoder().encode
_alert = msgspec.msgpack.Decoder(Alert).decode
_spoken = msgspec.msgpack.Decoder(LastNotification).decode
_matcher = msgspec.msgpack.Decoder(tuple[tuple[str, str], ...]).decode


class SqliteAlerts:
    """`AlertBook` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def load(self, now_ms: int) -> Book:
        """The alerts as they are, what was said, silences that last."""
        with self._ledger.reading() as c:
            alerts = c.execute("SELECT body FROM alerts WHERE state != 'resolved'")
            live = tuple(_alert(body) for (body,) in alerts)
            spoken = tuple(_spoken(body) for (body,) in c.execute("SELECT body FROM spoken"))
            return Book(live, spoken, tuple(_silences(c, now_ms)))

    def save(
        self,
        alerts: Sequence[Alert],
        spoken: Sequence[LastNotification],
        deliveries: Sequence[Delivery],
    ) -> None:
        """Keep what changed and is to be sent, all or nothing; the same again changes nothing."""
        with self._ledger.writing() as c:
            for alert in alerts:
                _keep_alert(c, alert)
            c.executemany(
                "INSERT OR REPLACE INTO spoken VALUES (?, ?, ?)",
                [(each.cause, each.at_ms, _encode(each)) for each in spoken],
            )
            delivery_ledger.add(c, deliveries)
            if any(alert.resolved_ms is not None for alert in alerts) or spoken:
                _forget(c)

    def add_silence(
        self, matcher: Labels, since_ms: int, until_ms: int, reason: str, by: str
    ) -> Silence:
        """Begin a silence."""
        with self._ledger.writing() as c:
            c.execute(
                "INSERT INTO silences (matcher, since_ms, until_ms, reason, by)"
                " VALUES (?, ?, ?, ?, ?)",
                (_encode(matcher), since_ms, until_ms, reason, by),
            )
            return Silence(c.last_insert_rowid(), matcher, since_ms, until_ms, reason, by)

    def end_silence(self, id: int, now_ms: int) -> bool:
        """End a silence that lasts; whether there was one."""
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE silences SET until_ms = ? WHERE id = ? AND until_ms > ?",
                (now_ms, id, now_ms),
            )
            return bool(c.changes())

    def resolved(self, limit: int) -> list[Alert]:
        """Alerts that fired and are over, newest first."""
        with self._ledger.reading() as c:
            rows = c.execute(
                "SELECT body FROM alerts WHERE fired_ms IS NOT NULL AND resolved_ms IS NOT NULL"
                " ORDER BY resolved_ms DESC LIMIT ?",
                (limit,),
            )
            return [_alert(body) for (body,) in rows]

    def sent(self, limit: int) -> list[SentMessage]:
        """What was sent or is to be, the newest message first."""
        with self._ledger.reading() as c:
            found = delivery_ledger.newest(c, KIND, limit)
        return [SentMessage(message_of(each), each) for each in found]


def _keep_alert(c: apsw.Connection, alert: Alert) -> None:
    key, since_ms = alert.key, alert.since_ms
    if alert.state is AlertState.RESOLVED and alert.fired_ms is None:
        c.execute("DELETE FROM alerts WHERE key = ? AND since_ms = ?", (key, since_ms))
        return
    c.execute(
        "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?)",
        (key, since_ms, alert.state.value, alert.fired_ms, alert.resolved_ms, _encode(alert)),
    )


def _forget(c: apsw.Connection) -> None:
    """Keep what is kept within its bounds; what goes on stays."""
    c.execute(
        "DELETE FROM alerts WHERE resolved_ms <= (SELECT resolved_ms FROM alerts"
        " WHERE fired_ms IS NOT NULL AND resolved_ms IS NOT NULL"
        " ORDER BY resolved_ms DESC LIMIT 1 OFFSET ?)",
        (MOST_KEPT,),
    )
    c.execute(
        "DELETE FROM spoken WHERE at_ms <= (SELECT at_ms FROM spoken"
        " ORDER BY at_ms DESC LIMIT 1 OFFSET ?)",
        (MOST_KEPT,),
    )
    c.execute(
        "DELETE FROM silences WHERE id <= (SELECT id FROM silences ORDER BY id DESC"
        " LIMIT 1 OFFSET ?)",
        (MOST_KEPT,),
    )


def _silences(c: apsw.Connection, now_ms: int) -> list[Silence]:
    rows = c.execute(
        "SELECT id, matcher, since_ms, until_ms, reason, by FROM silences WHERE until_ms > ?"
        " ORDER BY until_ms",
        (now_ms,),
    )
    return [
        Silence(id, _matcher(matcher), since_ms, until_ms, reason, by)
        for id, matcher, since_ms, until_ms, reason, by in rows
    ]


class AlertRows:
    """Alerts that are over and messages that were sent, as retention sees them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def oldest_ms(self) -> int | None:
        with self._ledger.reading() as connection:
            found: list[int | None] = [
                connection.execute(
                    "SELECT min(resolved_ms) FROM alerts WHERE fired_ms IS NOT NULL"
                ).get,
                delivery_ledger.oldest_ms(connection, KIND),
                connection.execute("SELECT min(until_ms) FROM silences").get,
            ]
            return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def remove(self, before_ms: int, most: int) -> int:
        with self._ledger.writing() as connection:
            removed = delivery_ledger.remove(connection, KIND, before_ms, most)
            for sql in (
                "DELETE FROM alerts WHERE (key, since_ms) IN (SELECT key, since_ms FROM alerts"
                " WHERE fired_ms IS NOT NULL AND resolved_ms < ? LIMIT ?)",
                "DELETE FROM silences WHERE id IN"
                " (SELECT id FROM silences WHERE until_ms < ? LIMIT ?)",
            ):
                connection.execute(sql, (before_ms, most))
                removed += connection.changes()
            return removed
