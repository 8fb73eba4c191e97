"""Deliveries in the ledger: one row for each message and destination, claimed by one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from sqlalchemy import (
    Column,
    Index,
    MetaData,
    Row,
    Table,
    and_,
    delete,
    func,
    select,
    tuple_,
    update,
)

from switchhook.delivery.delivery import Delivery, DeliveryState, claimed, discarded, replaces
from switchhook.ledger.sql import KEYED, Blob, Number, Text, upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.delivery.delivery import DeliveryId
    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_deliveries = Table(
    "deliveries",
    TABLES,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("payload", Blob, nullable=False),
    Column("created_ms", Number, nullable=False),
    Column("due_ms", Number, nullable=False),
    Column("deadline_ms", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Number, nullable=False),
    Column("done_ms", Number),
    Column("problem", Text, nullable=False),
    Index("deliveries_by_time", "kind", "created_ms"),
    **KEYED,
)
_live = _deliveries.c.done_ms.is_(None)
Index(
    "deliveries_live",
    *(_deliveries.c.kind, _deliveries.c.destination, _deliveries.c.due_ms),
    sqlite_where=_live,
    postgresql_where=_live,
)

MOST_WAITING = 1_000
"""Deliveries that wait for one destination; beyond, the oldest are discarded."""
MOST_KEPT = 5_000
"""Deliveries of a kind beyond so many are forgotten, the oldest first, once they are over."""

_c = _deliveries.c
_executing = _c.state == DeliveryState.EXECUTING.value
_oldest_first = (_c.created_ms, _c.key)


class LedgerDeliveries:
    """`outbox.DeliveryTable` over the ledger, for deliveries of one kind."""

    def __init__(self, ledger: Ledger, kind: str) -> None:
        self._ledger, self._kind = ledger, kind
        self.shared = ledger.fenced

    def lapse(self, now_ms: int) -> None:
        """Have due at once what somebody who led before has claimed, and may send no more."""
        theirs = and_(_c.kind == self._kind, _live, _executing, _c.due_ms > now_ms)
        with self._ledger.writing() as connection:
            connection.execute(update(_deliveries).where(theirs).values(due_ms=now_ms))

    def due(self, now_ms: int) -> list[str]:
        """The destinations that something is due to and nothing is being sent to."""
        live = select(_c.destination).distinct().where(_c.kind == self._kind, _live)
        with self._ledger.reading() as connection:
            due = connection.scalars(live.where(_c.due_ms <= now_ms)).all()
            busy = connection.scalars(live.where(_executing, _c.due_ms > now_ms)).all()
        return sorted({*due} - {*busy})

    def claim(self, destination: str, now_ms: int, lease_ms: int) -> Delivery | None:
        """Claim the oldest that is due to a destination; None where none is, or one is claimed."""
        its = select(_deliveries).where(_c.kind == self._kind, _c.destination == destination, _live)
        due = its.where(_c.due_ms <= now_ms).order_by(*_oldest_first).limit(1)
        with self._ledger.writing() as connection:
            if connection.execute(its.where(_executing, _c.due_ms > now_ms).limit(1)).first():
                return None
            while (row := connection.execute(due).first()) is not None:
                before = _delivery(row)
                after = claimed(before, now_ms, lease_ms)
                if _replace(connection, before, after) and not after.final:
                    return after
            return None

    def change(
        self, id: DeliveryId, decide: Callable[[Delivery], Delivery | None]
    ) -> Delivery | None:
        """Put what `decide` makes of a delivery; None where it is gone or nothing changes."""
        with self._ledger.writing() as connection:
            before = _find(connection, id)
            after = decide(before) if before is not None else None
            if before is None or after is None or not _replace(connection, before, after):
                return None
            if after.final:
                _forget(connection, self._kind)
            return after

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what went on from memory: what is new, and what came of what was kept."""
        with self._ledger.writing() as connection:
            add(connection, deliveries)
            for each in deliveries:
                before = _find(connection, each.id)
                if before is not None and replaces(each, before):
                    _replace(connection, before, each)

    def live(self) -> list[Delivery]:
        """Those that are not over, the oldest first."""
        asked = select(_deliveries).where(_c.kind == self._kind, _live).order_by(*_oldest_first)
        with self._ledger.reading() as connection:
            return [_delivery(row) for row in connection.execute(asked)]


def add(connection: Connection, deliveries: Iterable[Delivery]) -> None:
    """Put deliveries into the queue, in somebody's transaction; those that are there stay as is."""
    newest_ms: dict[tuple[str, str], int] = {}
    for each in deliveries:
        row = upsert(connection, _deliveries).values({**asdict(each), "state": each.state.value})
        connection.execute(row.on_conflict_do_nothing())
        newest_ms[each.kind, each.destination] = each.created_ms
    for (kind, destination), at_ms in newest_ms.items():
        _discard_oldest(connection, kind, destination, at_ms)
    for kind in {kind for kind, _ in newest_ms}:
        _forget(connection, kind)


def newest(connection: Connection, kind: str, limit: int) -> list[Delivery]:
    """Deliveries of a kind, the newest message first."""
    asked = (
        select(_deliveries)
        .where(_c.kind == kind)
        .order_by(_c.created_ms.desc(), _c.key, _c.destination)
        .limit(limit)
    )
    return [_delivery(row) for row in connection.execute(asked)]


def oldest_ms(connection: Connection, kind: str) -> int | None:
    """When the oldest of a kind was made."""
    found: int | None = connection.scalar(select(func.min(_c.created_ms)).where(_c.kind == kind))
    return found


def remove(connection: Connection, kind: str, before_ms: int, most: int) -> int:
    """Remove some of a kind that were made before a time; how many."""
    id = (_c.kind, _c.key, _c.destination)
    old = select(*id).where(_c.kind == kind, _c.created_ms < before_ms).limit(most)
    return connection.execute(delete(_deliveries).where(tuple_(*id).in_(old))).rowcount


def _discard_oldest(connection: Connection, kind: str, destination: str, at_ms: int) -> None:
    waiting = and_(_c.kind == kind, _c.destination == destination, _live, ~_executing)
    count = connection.execute(
        select(func.count()).select_from(_deliveries).where(waiting)
    ).scalar_one()
    if count > MOST_WAITING:
        asked = select(_deliveries).where(waiting).order_by(*_oldest_first)
        for row in connection.execute(asked.limit(count - MOST_WAITING)).all():
            before = _delivery(row)
            problem = f"more than {MOST_WAITING} messages wait"
            _replace(connection, before, discarded(before, problem, at_ms))


def _forget(connection: Connection, kind: str) -> None:
    """Keep those that are over within their bound."""
    bound = (
        select(_c.created_ms)
        .where(_c.kind == kind)
        .order_by(_c.created_ms.desc())
        .limit(1)
        .offset(MOST_KEPT)
        .scalar_subquery()
    )
    connection.execute(
        delete(_deliveries).where(_c.kind == kind, _c.done_ms.is_not(None), _c.created_ms <= bound)
    )


def _this(id: DeliveryId) -> ColumnElement[bool]:
    kind, key, destination = id
    return and_(_c.kind == kind, _c.key == key, _c.destination == destination)


def _find(connection: Connection, id: DeliveryId) -> Delivery | None:
    row = connection.execute(select(_deliveries).where(_this(id))).first()
    return None if row is None else _delivery(row)


def _replace(connection: Connection, before: Delivery, after: Delivery) -> bool:
    """Put what became of a delivery; whether it was still as before.

    Its payload stays as it is in the ledger, where a number may have been masked in it.
    """
    was = and_(_c.state == before.state.value, _c.attempts == before.attempts)
    change = update(_deliveries).where(_this(before.id), was)
    change = change.values(
        due_ms=after.due_ms,
        state=after.state.value,
        attempts=after.attempts,
        done_ms=after.done_ms,
        problem=after.problem,
    )
    return bool(connection.execute(change).rowcount)


def _delivery(row: Row[Any]) -> Delivery:
    found = row._asdict()
    return Delivery(**{**found, "state": DeliveryState(found["state"])})
