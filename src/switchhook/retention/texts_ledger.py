"""Every text and blob in every table of the ledger: searched, and masked.

So no table is forgotten when a new one comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import LargeBinary, and_, delete, select, tuple_, update
from sqlalchemy import Text as AnyText
from sqlalchemy.exc import IntegrityError

from switchhook.retention.erasure import SearchedPlace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Row, Table

    from switchhook.exotel.spellings import Traces
    from switchhook.retention.erasure import Erasure

STAYS = frozenset(
    {"audit", "audit_base", "users", "sessions", "tokens", "links"}
    # Without it the next call that is cut off would have them called.
    | {"do_not_call"}
    # What is drawn at random may look like digits.
    | {"belonging", "second_factors", "recovery_codes", "passkeys"}
)
_WHOLE_ROWS = frozenset({"call_details", "calls_due", "promises", "promise_refusals"})
"""Rows about one call, which go when that call does."""
_BATCH = 200
_STEPS = {"yield_per": 500}
"""Rows in memory at once."""


def mask_batch(
    connection: Connection,
    table: Table,
    after: list[Any] | None,
    erasure: Erasure,
    traces: Traces,
) -> tuple[tuple[SearchedPlace, ...], list[Any] | None]:
    """Mask some rows of a table; the counts, and the key to go on after, None at its end."""
    keys, texts = list(table.primary_key), texts_of(table)
    asked = select(*keys, *texts).order_by(*keys).limit(_BATCH)
    if after is not None and len(after) == len(keys):  # a release of before had other keys
        asked = asked.where(tuple_(*keys) > tuple_(*after))
    rows = connection.execute(asked).all()
    found = struck = 0
    for row in rows:
        masked = [_masked(value, traces) for value in row[len(keys) :]]
        times = sum(count for _, count in masked)
        if times:
            found += 1
            struck += times
            this = _this(table, row)
            if traces.whole and table.name in _WHOLE_ROWS:
                connection.execute(delete(table).where(this))
                continue
            values = {column.name: value for column, (value, _) in zip(texts, masked, strict=True)}
            _replace(connection, table, this, values)
    places = erasure.noted(
        f"ledger.{table.name}", searched=len(rows), found=found, spellings=struck
    )
    last = list(rows[-1][: len(keys)]) if len(rows) == _BATCH else None
    return places, last


def texts_of(table: Table) -> list[Column[Any]]:
    """The columns that could hold a number."""
    return [each for each in table.columns if isinstance(each.type, AnyText | LargeBinary)]


def _this(table: Table, row: Row[Any]) -> ColumnElement[bool]:
    """The row whose key stands first in what was read."""
    return and_(*(key == value for key, value in zip(table.primary_key, row, strict=False)))


def _replace(
    connection: Connection, table: Table, this: ColumnElement[bool], values: Mapping[str, Any]
) -> None:
    try:
        with connection.begin_nested():
            connection.execute(update(table).where(this).values(values))
    except IntegrityError:
        # Another row says the same already: this one would be its double.
        connection.execute(delete(table).where(this))


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


def count_left(
    connection: Connection, tables: Sequence[Table], traces: Traces
) -> list[SearchedPlace]:
    """Search all tables; what stays on purpose is counted as such."""
    found = []
    for table in tables:
        searched = left = 0
        for row in connection.execute(select(*texts_of(table)), execution_options=_STEPS):
            searched += 1
            left += any(traces.count(_bytes(value)) for value in row)
        place = SearchedPlace(f"ledger.{table.name}", searched=searched)
        field = "stays" if table.name in STAYS else "left"
        found.append(msgspec.structs.replace(place, **{field: left}))
    return found


def all_texts(connection: Connection, tables: Sequence[Table]) -> Iterator[bytes]:
    """Every text and blob."""
    for table in tables:
        for row in connection.execute(select(*texts_of(table)), execution_options=_STEPS):
            yield from filter(None, map(_bytes, row))


def rows_with(
    connection: Connection, tables: Sequence[Table], traces: Traces
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that hold what is looked for, whole, each with its table's name."""
    for table in tables:
        for row in connection.execute(select(table), execution_options=_STEPS):
            values = {str(name): value for name, value in row._mapping.items()}
            if any(traces.count(_bytes(values[column.name])) for column in texts_of(table)):
                yield str(table.name), values
