"""Alerts, what was said of them and to whom, and silences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.book import Book, Delivery, DeliveryState
from switchhook.alerts.messages import LastNotification, Message, Silence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

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

MOST_KEPT = 5_000
"""Resolved alerts, causes and messages beyond so many are forgotten, the oldest first."""

_encode = msgspec.msgpack.Encoder().encode
_alert = msgspec.msgpack.Decoder(Alert).decode
_spoken = msgspec.msgpack.Decoder(LastNotification).decode
_message = msgspec.msgpack.Decoder(Message).decode
_matcher = msgspec.msgpack.Decoder(tuple[tuple[str, str], ...]).decode

_DELIVERY = (
    "m.id, d.destination, m.body, d.state, d.attempts, d.next_ms, d.done_ms, d.problem"
    " FROM deliveries d JOIN messages m ON m.id = d.message"
)


class SqliteAlerts:
    """`AlertBook` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def load(self, now_ms: int) -> Book:
        """The alerts as they are, what was said, silences that last, deliveries that wait."""
        with self._ledger.reading() as c:
            alerts = c.execute("SELECT body FROM alerts WHERE state != 'resolved'")
            live = tuple(_alert(body) for (body,) in alerts)
            spoken = tuple(_spoken(body) for (body,) in c.execute("SELECT body FROM spoken"))
            waiting = c.execute(f"SELECT {_DELIVERY} WHERE d.state = 'waiting' ORDER BY m.at_ms")
            return Book(
                live, spoken, tuple(_silences(c, now_ms)), tuple(_delivery(*row) for row in waiting)
            )

    def save(
        self,
        alerts: Sequence[Alert],
        spoken: Sequence[LastNotification],
        deliveries: Sequence[Delivery],
    ) -> None:
        """Keep what changed, all or nothing; the same again changes nothing."""
        with self._ledger.writing() as c:
            for alert in alerts:
                _keep_alert(c, alert)
            c.executemany(
                "INSERT OR REPLACE INTO spoken VALUES (?, ?, ?)",
                [(each.cause, each.at_ms, _encode(each)) for each in spoken],
            )
            for each in deliveries:
                c.execute(
                    "INSERT OR IGNORE INTO messages VALUES (?, ?, ?)",
                    (each.id, each.message.at_ms, _encode(each.message)),
                )
                c.execute(
                    "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        each.id,
                        each.destination,
                        each.state.value,
                        each.attempts,
                        each.next_ms,
                        each.done_ms,
                        each.problem,
                    ),
                )
            if any(alert.resolved_ms is not None for alert in alerts) or deliveries or spoken:
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

    def deliveries(self, limit: int) -> list[Delivery]:
        """What was sent or is to be, the newest message first."""
        with self._ledger.reading() as c:
            rows = c.execute(
                f"SELECT {_DELIVERY} ORDER BY m.at_ms DESC, m.id, d.destination LIMIT ?",
                (limit,),
            )
            return [_delivery(*row) for row in rows]


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
    """Keep what is kept within its bounds; what goes on, and what waits, stays."""
    c.execute(
        "DELETE FROM alerts WHERE resolved_ms <= (SELECT resolved_ms FROM alerts"
        " WHERE fired_ms IS NOT NULL AND resolved_ms IS NOT NULL"
        " ORDER BY resolved_ms DESC LIMIT 1 OFFSET ?)",
        (MOST_KEPT,),
    )
    c.execute(
        "DELETE FROM messages WHERE at_ms <= (SELECT at_ms FROM messages"
        " ORDER BY at_ms DESC LIMIT 1 OFFSET ?) AND id NOT IN"
        " (SELECT message FROM deliveries WHERE state = 'waiting')",
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


def _delivery(
    id: str,
    destination: str,
    body: bytes,
    state: str,
    attempts: int,
    next_ms: int,
    done_ms: int | None,
    problem: str,
) -> Delivery:
    return Delivery(
        id=id,
        destination=destination,
        message=_message(body),
        state=DeliveryState(state),
        attempts=attempts,
        next_ms=next_ms,
        done_ms=done_ms,
        problem=problem,
    )


class AlertRows:
    """Alerts that are over and messages that were sent, as retention sees them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def oldest_ms(self) -> int | None:
        with self._ledger.reading() as connection:
            found: int | None = connection.execute(
                "SELECT min(at_ms) FROM (SELECT min(resolved_ms) AS at_ms FROM alerts"
                " WHERE fired_ms IS NOT NULL UNION ALL SELECT min(at_ms) FROM messages"
                " UNION ALL SELECT min(until_ms) FROM silences)"
            ).get
            return found

    def remove(self, before_ms: int, most: int) -> int:
        with self._ledger.writing() as connection:
            removed = 0
            for sql in (
                "DELETE FROM alerts WHERE (key, since_ms) IN (SELECT key, since_ms FROM alerts"
                " WHERE fired_ms IS NOT NULL AND resolved_ms < ? LIMIT ?)",
                "DELETE FROM messages WHERE id IN"
                " (SELECT id FROM messages WHERE at_ms < ? LIMIT ?)",
                "DELETE FROM silences WHERE id IN"
                " (SELECT id FROM silences WHERE until_ms < ? LIMIT ?)",
            ):
                connection.execute(sql, (before_ms, most))
                removed += connection.changes()
            return removed
