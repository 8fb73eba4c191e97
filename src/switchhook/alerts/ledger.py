"""Alerts, what was said of them and to whom, and silences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import (
    Column,
    Index,
    MetaData,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.book import KIND, PROMISE_KIND, Book, SentMessage, message_of
from switchhook.alerts.notification import LastNotification
from switchhook.alerts.quiet import Silence
from switchhook.delivery import ledger as delivery_ledger
from switchhook.ledger.sql import COUNTED, KEYED, Blob, Number, Text, add, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from switchhook.delivery.delivery import Delivery
    from switchhook.ledger.database import Ledger
    from switchhook.metrics import Labels

TABLES = MetaData()
_alerts = Table(
    "alerts",
    TABLES,
    Column("key", Text, primary_key=True),
    Column("since_ms", Number, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("fired_ms", Number),
    Column("resolved_ms", Number),
    Column("body", Blob, nullable=False),
    **KEYED,
)
_fired = _alerts.c.fired_ms.is_not(None)
Index("alerts_over", _alerts.c.resolved_ms, sqlite_where=_fired, postgresql_where=_fired)
_spoken = Table(
    "spoken",
    TABLES,
    Column("cause", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("at_ms", Number, nullable=False),
    Column("body", Blob, nullable=False),
    **KEYED,
)
_silences = Table(
    "silences",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("matcher", Blob, nullable=False),
    Column("since_ms", Number, nullable=False),
    Column("until_ms", Number, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    **COUNTED,
)

_acknowledged = Table(
    "acknowledged",
    TABLES,
    Column("alert", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    **KEYED,
)

MOST_KEPT = 5_000
"""Resolved alerts, causes and silences beyond so many are forgotten, the oldest first."""

_encode = msgspec.msgpack.Encoder().encode
_read_alert = msgspec.msgpack.Decoder(Alert).decode
_read_notification = msgspec.msgpack.Decoder(LastNotification).decode
_read_matcher = msgspec.msgpack.Decoder(tuple[tuple[str, str], ...]).decode


class LedgerAlerts:
    """`AlertBook` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def load(self, now_ms: int) -> Book:
        """The alerts as they are, what was said, silences that last."""
        live = select(_alerts.c.body).where(_alerts.c.state != AlertState.RESOLVED.value)
        with self._ledger.reading() as connection:
            return Book(
                tuple(map(_read_alert, connection.scalars(live))),
                tuple(map(_read_notification, connection.scalars(select(_spoken.c.body)))),
                tuple(_lasting(connection, now_ms)),
            )

    def save(
        self,
        alerts: Sequence[Alert],
        spoken: Sequence[LastNotification],
        deliveries: Sequence[Delivery],
    ) -> None:
        """Keep what changed and is to be sent, all or nothing; the same again changes nothing."""
        with self._ledger.writing() as connection:
            for alert in alerts:
                _keep_alert(connection, alert)
            for each in spoken:
                key = {"cause": each.cause, "destination": each.destination}
                put(connection, _spoken, **key, at_ms=each.at_ms, body=_encode(each))
            delivery_ledger.add(connection, deliveries)
            if any(alert.resolved_ms is not None for alert in alerts) or spoken:
                _forget(connection)

    def add_silence(
        self, matcher: Labels, since_ms: int, until_ms: int, reason: str, by: str
    ) -> Silence:
        """Begin a silence."""
        with self._ledger.writing() as connection:
            number = add(
                connection,
                _silences,
                matcher=_encode(matcher),
                since_ms=since_ms,
                until_ms=until_ms,
                reason=reason,
                by=by,
            )
            return Silence(number, matcher, since_ms, until_ms, reason, by)

    def end_silence(self, id: int, now_ms: int) -> bool:
        """End a silence that lasts; whether there was one."""
        lasts = and_(_silences.c.id == id, _silences.c.until_ms > now_ms)
        with self._ledger.writing() as connection:
            ended = connection.execute(update(_silences).where(lasts).values(until_ms=now_ms))
            return bool(ended.rowcount)

    def acknowledge(self, alert: str, by: str, at_ms: int) -> None:
        """Hand in, for a console that may run, that somebody is on an alert, by its id."""
        with self._ledger.writing() as connection:
            put(connection, _acknowledged, alert=alert, by=by, at_ms=at_ms)

    def take_acknowledged(self) -> list[tuple[str, str]]:
        """What was handed in since: the alerts' ids, and who is on them."""
        asked = select(_acknowledged.c.alert, _acknowledged.c.by).order_by(_acknowledged.c.at_ms)
        with self._ledger.reading() as connection:
            if not connection.execute(asked.limit(1)).first():
                return []
        with self._ledger.writing() as connection:
            found = [(row.alert, row.by) for row in connection.execute(asked)]
            connection.execute(delete(_acknowledged))
        return found

    def resolved(self, limit: int) -> list[Alert]:
        """Alerts that fired and are over, newest first."""
        asked = (
            select(_alerts.c.body)
            .where(_fired, _alerts.c.resolved_ms.is_not(None))
            .order_by(_alerts.c.resolved_ms.desc())
            .limit(limit)
        )
        with self._ledger.reading() as connection:
            return list(map(_read_alert, connection.scalars(asked)))

    def fired_between(self, since_ms: int, until_ms: int) -> list[Alert]:
        """Alerts that fired and were not over before a time, oldest first."""
        over = _alerts.c.resolved_ms
        asked = (
            select(_alerts.c.body)
            .where(
                _fired,
                _alerts.c.since_ms < until_ms,
                or_(over.is_(None), over >= since_ms),
            )
            .order_by(_alerts.c.since_ms, _alerts.c.key)
        )
        with self._ledger.reading() as connection:
            return list(map(_read_alert, connection.scalars(asked)))

    def sent(self, limit: int) -> list[SentMessage]:
        """What was sent or is to be, the newest message first."""
        with self._ledger.reading() as connection:
            found = delivery_ledger.newest(connection, KIND, limit)
        return [SentMessage(message_of(each), each) for each in found]


def _keep_alert(connection: Connection, alert: Alert) -> None:
    key, since_ms = alert.key, alert.since_ms
    if alert.state is AlertState.RESOLVED and alert.fired_ms is None:
        never_told = and_(_alerts.c.key == key, _alerts.c.since_ms == since_ms)
        connection.execute(delete(_alerts).where(never_told))
        return
    put(
        connection,
        _alerts,
        key=key,
        since_ms=since_ms,
        state=alert.state.value,
        fired_ms=alert.fired_ms,
        resolved_ms=alert.resolved_ms,
        body=_encode(alert),
    )


def _forget(connection: Connection) -> None:
    """Keep what is kept within its bounds; what goes on stays."""
    over = _alerts.c.resolved_ms
    for column, kept in (
        (over, select(over).where(_fired, over.is_not(None))),
        (_spoken.c.at_ms, select(_spoken.c.at_ms)),
        (_silences.c.id, select(_silences.c.id)),
    ):
        bound = kept.order_by(column.desc()).limit(1).offset(MOST_KEPT).scalar_subquery()
        connection.execute(delete(column.table).where(column <= bound))


def _lasting(connection: Connection, now_ms: int) -> list[Silence]:
    asked = select(_silences).where(_silences.c.until_ms > now_ms).order_by(_silences.c.until_ms)
    return [
        Silence(id, _read_matcher(matcher), since_ms, until_ms, reason, by)
        for id, matcher, since_ms, until_ms, reason, by in connection.execute(asked)
    ]


class AlertRows:
    """Alerts that are over and messages that were sent, as retention sees them.

    Those of how promises ended are among them: they are as old as what they say.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def oldest_ms(self) -> int | None:
        with self._ledger.reading() as connection:
            found: list[int | None] = [
                connection.scalar(select(func.min(_alerts.c.resolved_ms)).where(_fired)),
                *(delivery_ledger.oldest_ms(connection, kind) for kind in (KIND, PROMISE_KIND)),
                connection.scalar(select(func.min(_silences.c.until_ms))),
            ]
            return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def remove(self, before_ms: int, most: int) -> int:
        with self._ledger.writing() as connection:
            removed = sum(
                delivery_ledger.remove(connection, kind, before_ms, most)
                for kind in (KIND, PROMISE_KIND)
            )
            for table, over in (
                (_alerts, and_(_fired, _alerts.c.resolved_ms < before_ms)),
                (_silences, _silences.c.until_ms < before_ms),
            ):
                key = tuple_(*table.primary_key)
                old = select(*table.primary_key).where(over).limit(most)
                removed += connection.execute(delete(table).where(key.in_(old))).rowcount
            return removed
