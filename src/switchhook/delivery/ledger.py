"""Deliveries in the ledger: one row for each message and destination, claimed by one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.delivery.delivery import Delivery, DeliveryState, claimed, discarded, replaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import apsw

    from switchhook.delivery.delivery import DeliveryId
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE deliveries (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  destination TEXT NOT NULL,
  payload BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  done_ms INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (kind, key, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_live ON deliveries (kind, destination, due_ms) WHERE done_ms IS NULL;
CREATE INDEX deliveries_by_time ON deliveries (kind, created_ms);
"""

MOST_WAITING = 1_000
"""Deliveries that wait for one destination; beyond, the oldest are discarded."""
MOST_KEPT = 5_000
"""Deliveries of a kind beyond so many are forgotten, the oldest first, once they are over."""

_COLUMNS = (
    "kind, key, destination, payload, created_ms, due_ms, deadline_ms,"
    " state, attempts, done_ms, problem"
)
_SELECT = f"SELECT {_COLUMNS} FROM deliveries"  # noqa: S608 - names of our schema
_THIS = "kind = ? AND key = ? AND destination = ?"
_VALUES = f"({', '.join('?' * 11)})"
_INSERT = f"INSERT INTO deliveries ({_COLUMNS}) VALUES {_VALUES} ON CONFLICT DO NOTHING"  # noqa: S608
_CHANGES = "due_ms = ?, state = ?, attempts = ?, done_ms = ?, problem = ?"
_UPDATE = f"UPDATE deliveries SET {_CHANGES} WHERE {_THIS} AND state = ? AND attempts = ?"  # noqa: S608
_BEING_SENT = f"state = '{DeliveryState.EXECUTING.value}' AND due_ms > ?"


class SqliteDeliveries:
    """`outbox.DeliveryTable` over the ledger, for deliveries of one kind."""

    def __init__(self, ledger: Ledger, kind: str) -> None:
        self._ledger, self._kind = ledger, kind

    def due(self, now_ms: int) -> list[str]:
        """The destinations that something is due to and nothing is being sent to."""
        live = "SELECT DISTINCT destination FROM deliveries WHERE kind = ? AND done_ms IS NULL"
        with self._ledger.reading() as c:
            due = c.execute(f"{live} AND due_ms <= ?", (self._kind, now_ms)).fetchall()
            busy = c.execute(f"{live} AND {_BEING_SENT}", (self._kind, now_ms)).fetchall()
        return sorted({str(name) for (name,) in due} - {str(name) for (name,) in busy})

    def claim(self, destination: str, now_ms: int, lease_ms: int) -> Delivery | None:
        """Claim the oldest that is due to a destination; None where none is, or one is claimed."""
        where = "WHERE kind = ? AND destination = ? AND done_ms IS NULL"
        with self._ledger.writing() as c:
            which = (self._kind, destination, now_ms)
            if c.execute(f"{_SELECT} {where} AND {_BEING_SENT} LIMIT 1", which).fetchone():
                return None
            due = f"{_SELECT} {where} AND due_ms <= ? ORDER BY created_ms, key LIMIT 1"
            while (row := c.execute(due, which).fetchone()) is not None:
                before = _delivery(*row)
                after = claimed(before, now_ms, lease_ms)
                if _replace(c, before, after) and not after.final:
                    return after
            return None

    def change(
        self, id: DeliveryId, decide: Callable[[Delivery], Delivery | None]
    ) -> Delivery | None:
        """Put what `decide` makes of a delivery; None where it is gone or nothing changes."""
        with self._ledger.writing() as c:
            before = _find(c, id)
            after = decide(before) if before is not None else None
            if before is None or after is None or not _replace(c, before, after):
                return None
            if after.final:
                _forget(c, self._kind)
            return after

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what went on from memory: what is new, and what came of what was kept."""
        with self._ledger.writing() as c:
            add(c, deliveries)
            for each in deliveries:
                before = _find(c, each.id)
                if before is not None and replaces(each, before):
                    _replace(c, before, each)

    def live(self) -> list[Delivery]:
        """Those that are not over, the oldest first."""
        with self._ledger.reading() as c:
            rows = c.execute(
                f"{_SELECT} WHERE kind = ? AND done_ms IS NULL ORDER BY created_ms, key",
                (self._kind,),
            )
            return [_delivery(*row) for row in rows]


def add(c: apsw.Connection, deliveries: Iterable[Delivery]) -> None:
    """Put deliveries into the queue, in somebody's transaction; those that are there stay as is."""
    newest_ms: dict[tuple[str, str], int] = {}
    for each in deliveries:
        c.execute(
            _INSERT,
            (
                *(each.kind, each.key, each.destination, each.payload),
                *(each.created_ms, each.due_ms, each.deadline_ms),
                *(each.state.value, each.attempts, each.done_ms, each.problem),
            ),
        )
        newest_ms[each.kind, each.destination] = each.created_ms
    for (kind, destination), at_ms in newest_ms.items():
        _discard_oldest(c, kind, destination, at_ms)
    for kind in {kind for kind, _ in newest_ms}:
        _forget(c, kind)


def newest(c: apsw.Connection, kind: str, limit: int) -> list[Delivery]:
    """Deliveries of a kind, the newest message first."""
    rows = c.execute(
        f"{_SELECT} WHERE kind = ? ORDER BY created_ms DESC, key, destination LIMIT ?",
        (kind, limit),
    )
    return [_delivery(*row) for row in rows]


def oldest_ms(c: apsw.Connection, kind: str) -> int | None:
    """When the oldest of a kind was made."""
    found: int | None = c.execute(
        "SELECT min(created_ms) FROM deliveries WHERE kind = ?", (kind,)
    ).get
    return found


def remove(c: apsw.Connection, kind: str, before_ms: int, most: int) -> int:
    """Remove some of a kind that were made before a time; how many."""
    c.execute(
        "DELETE FROM deliveries WHERE (kind, key, destination) IN"
        " (SELECT kind, key, destination FROM deliveries"
        " WHERE kind = ? AND created_ms < ? LIMIT ?)",
        (kind, before_ms, most),
    )
    return c.changes()


def _discard_oldest(c: apsw.Connection, kind: str, destination: str, at_ms: int) -> None:
    waiting = (
        "FROM deliveries WHERE kind = ? AND destination = ? AND done_ms IS NULL"
        f" AND state <> '{DeliveryState.EXECUTING.value}'"
    )
    count: int = c.execute(f"SELECT count(*) {waiting}", (kind, destination)).get
    if count > MOST_WAITING:
        rows: list[Any] = c.execute(
            f"SELECT {_COLUMNS} {waiting} ORDER BY created_ms, key LIMIT ?",
            (kind, destination, count - MOST_WAITING),
        ).fetchall()
        for row in rows:
            before = _delivery(*row)
            problem = f"more than {MOST_WAITING} messages wait"
            _replace(c, before, discarded(before, problem, at_ms))


def _forget(c: apsw.Connection, kind: str) -> None:
    """Keep those that are over within their bound."""
    c.execute(
        "DELETE FROM deliveries WHERE kind = ? AND done_ms IS NOT NULL AND created_ms <="
        " (SELECT created_ms FROM deliveries WHERE kind = ?"
        " ORDER BY created_ms DESC LIMIT 1 OFFSET ?)",
        (kind, kind, MOST_KEPT),
    )


def _find(c: apsw.Connection, id: DeliveryId) -> Delivery | None:
    row: Any = c.execute(f"{_SELECT} WHERE {_THIS}", id).fetchone()
    return None if row is None else _delivery(*row)


def _replace(c: apsw.Connection, before: Delivery, after: Delivery) -> bool:
    """Put what became of a delivery; whether it was still as before.

    Its payload stays as it is in the ledger, where a number may have been masked in it.
    """
    c.execute(
        _UPDATE,
        (
            *(after.due_ms, after.state.value, after.attempts, after.done_ms, after.problem),
            *(*before.id, before.state.value, before.attempts),
        ),
    )
    return bool(c.changes())


def _delivery(
    kind: str,
    key: str,
    destination: str,
    payload: bytes,
    created_ms: int,
    due_ms: int,
    deadline_ms: int,
    state: str,
    attempts: int,
    done_ms: int | None,
    problem: str,
) -> Delivery:
    return Delivery(
        kind=kind,
        key=key,
        destination=destination,
        payload=payload,
        created_ms=created_ms,
        due_ms=due_ms,
        deadline_ms=deadline_ms,
        state=DeliveryState(state),
        attempts=attempts,
        done_ms=done_ms,
        problem=problem,
    )
