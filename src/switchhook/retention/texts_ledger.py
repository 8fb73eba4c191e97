"""Every text and blob in every table of the ledger: searched, and masked.

So no table is forgotten when a new one comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from switchhook.retention.erasure import SearchedPlace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.exotel.spellings import Traces
    from switchhook.retention.erasure import Erasure

STAYS = frozenset(
    {"audit", "audit_base", "users", "sessions", "tokens", "links"}
    | {
        "second_factors",
        "recovery_codes",
        "passkeys",
    }  # bytes at random, which may look like digits
)
_WHOLE_ROWS = frozenset({"call_details", "calls_due"})
"""Rows about one call, which go when that call does."""
_LEFT_OUT = frozenset({"erasures", "removed", "trusted"})
_BATCH = 200


def tables(connection: apsw.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " ORDER BY name"
    )
    return [name for (name,) in rows if name not in _LEFT_OUT]


def _columns(connection: apsw.Connection, table: str) -> tuple[list[str], list[str]]:
    """The columns that name a row, and those that could hold a number."""
    info: list[Any] = connection.execute(
        "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY pk", (table,)
    ).fetchall()
    without_rowid = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE name = ?", (table,)
    ).get
    keys = [name for name, _, pk in info if pk]
    texts = [name for name, kind, _ in info if kind.upper() in ("TEXT", "BLOB", "ANY", "")]
    return keys if without_rowid else ["rowid"], texts


def _select(table: str, keys: Sequence[str], columns: Sequence[str], *, after: bool) -> str:
    key = ", ".join(keys)
    where = f" WHERE ({key}) > ({', '.join('?' * len(keys))})" if after else ""
    return f"SELECT {', '.join([*keys, *columns])} FROM {table}{where} ORDER BY {key}"  # noqa: S608 - names of our schema


def mask_batch(
    connection: apsw.Connection,
    table: str,
    after: list[Any] | None,
    erasure: Erasure,
    traces: Traces,
) -> tuple[tuple[SearchedPlace, ...], list[Any] | None]:
    """Mask some rows of a table; the counts, and the key to go on after, None at its end."""
    keys, columns = _columns(connection, table)
    rows = connection.execute(
        _select(table, keys, columns, after=after is not None) + " LIMIT ?",
        (*(after or ()), _BATCH),
    ).fetchall()
    found = struck = 0
    for row in rows:
        masked = [_masked(value, traces) for value in row[len(keys) :]]
        times = sum(count for _, count in masked)
        if times:
            found += 1
            struck += times
            key = dict(zip(keys, row, strict=False))
            if traces.whole and table in _WHOLE_ROWS:
                _delete(connection, table, key)
                continue
            values = dict(zip(columns, (value for value, _ in masked), strict=True))
            _replace(connection, table, key, values)
    places = erasure.noted(f"ledger.{table}", searched=len(rows), found=found, spellings=struck)
    last = list(rows[-1][: len(keys)]) if len(rows) == _BATCH else None
    return places, last


def _replace(
    connection: apsw.Connection, table: str, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    which = " AND ".join(f"{name} IS ?" for name in key)
    try:
        connection.execute(
            f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in values)} WHERE {which}",  # noqa: S608 - names of our schema
            (*values.values(), *key.values()),
        )
    except apsw.ConstraintError:
        # Another row says the same already: this one would be its double.
        _delete(connection, table, key)


def _delete(connection: apsw.Connection, table: str, key: Mapping[str, Any]) -> None:
    which = " AND ".join(f"{name} IS ?" for name in key)
    connection.execute(f"DELETE FROM {table} WHERE {which}", tuple(key.values()))  # noqa: S608 - names of our schema


def _masked(value: Any, traces: Traces) -> tuple[Any, int]:
    if isinstance(value, str):
        return traces.mask_text(value)
    if isinstance(value, bytes):
        return traces.mask(value)
    return value, 0


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bytes) else b""


def count_left(connection: apsw.Connection, traces: Traces) -> list[SearchedPlace]:
    """Search all tables; what stays on purpose is counted as such."""
    found = []
    for name in tables(connection):
        searched = left = 0
        for _, values in _rows(connection, name):
            searched += 1
            left += any(traces.count(_bytes(value)) for value in values)
        place = SearchedPlace(f"ledger.{name}", searched=searched)
        field = "stays" if name in STAYS else "left"
        found.append(msgspec.structs.replace(place, **{field: left}))
    return found


def all_texts(connection: apsw.Connection) -> Iterator[bytes]:
    """Every text and blob."""
    for name in tables(connection):
        for _, values in _rows(connection, name):
            yield from filter(None, map(_bytes, values))


def rows_with(connection: apsw.Connection, traces: Traces) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that hold what is looked for, whole, each with its table's name."""
    for name in tables(connection):
        keys, _ = _columns(connection, name)
        which = " AND ".join(f"{key} IS ?" for key in keys)
        for key, values in _rows(connection, name):
            if any(traces.count(_bytes(value)) for value in values):
                cursor = connection.execute(f"SELECT * FROM {name} WHERE {which}", key)  # noqa: S608 - names of our schema
                for row in cursor:
                    columns = [column for column, _ in cursor.get_description()]
                    yield name, dict(zip(columns, row, strict=True))


def _rows(connection: apsw.Connection, table: str) -> Iterator[tuple[Any, Any]]:
    """The key of each row, and its texts."""
    keys, columns = _columns(connection, table)
    for row in connection.execute(_select(table, keys, columns, after=False)):
        yield row[: len(keys)], row[len(keys) :]
