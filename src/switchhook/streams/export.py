"""Exports of streams: what a search finds, row by row, as CSV, NDJSON or Parquet.

Rows are read a page at a time and sent on, so memory stays small however many there are, and
stopping is not asking for more. An export begins at the newest stream that there is then: what is
first told of later is not in it, and none is twice or left out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.number_forms import NumberForm, in_form
from switchhook.exotel.passthru import Direction
from switchhook.exotel.phone_numbers import mask_text, masked
from switchhook.exotel.times import EPOCH
from switchhook.exotel.wire.scalar import without_surrogates
from switchhook.streams.facet import host_of
from switchhook.web.escaping import escaped

if TYPE_CHECKING:
    import pyarrow as pa

    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query, StreamRow
    from switchhook.streams.store import Store
    from switchhook.streams.story import StreamStory

PAGE = 500
ROW_GROUP = 5000
"""Rows of a Parquet row group: small ones, so that a reader can take what it needs."""
LONGEST_CELL = 32_000
"""Characters of a CSV cell; Excel takes 32,767."""

Value = str | int | datetime | None


class ExportColumn(msgspec.Struct, frozen=True):
    """A column of an export. `kind` is text, whole, time, or number for telephone numbers.

    `ours` texts were made here and hold no number of anybody.
    """

    name: str
    meaning: str
    of: Callable[[StreamRow, Names], str | int | None]
    kind: str = "text"


def customer_of(story: StreamStory) -> str | None:
    """The number of whoever is not you in a call: its caller, or who was called by it."""
    outbound = story.said("direction") == Direction.OUTBOUND
    return story.said("to" if outbound else "from_")


def _bot(row: StreamRow, names: Names) -> str:
    return names.bot_name(row.facet.host, row.facet.endpoint, row.facet.exophone)


COLUMNS = {
    column.name: column
    for column in (
        ExportColumn("time", "when it was first told of",
               lambda row, names: row.story.first.received_us, "time"),
        ExportColumn("last", "when it was last told of",
               lambda row, names: row.story.last.received_us, "time"),
        ExportColumn("cause", "our verdict on how it ended", lambda row, names: row.facet.cause),
        ExportColumn("kind", "what went wrong on the way to the bot",
               lambda row, names: row.facet.kind),
        ExportColumn("from", "the caller's number", lambda row, names: row.story.said("from_"),
               "number"),
        ExportColumn("to", "the number called", lambda row, names: row.story.said("to"), "number"),
        ExportColumn("customer", "the number at the other end: who called, or was called",
               lambda row, names: customer_of(row.story), "number"),
        ExportColumn("exophone", "your number, by its name where it has one",
               lambda row, names: names.exophone(row.facet.exophone)),
        ExportColumn("bot", "the bot, by its name where it has one", _bot),
        ExportColumn("host", "the host in StreamUrl", lambda row, names: host_of(row.story.stream)),
        ExportColumn("option", "what was answered", lambda row, names: row.story.settled_by.option),
        ExportColumn("lead", "where that leads, in your words",
               lambda row, names: names.destination(
                   row.facet.endpoint, row.story.settled_by.option,
                   row.story.settled_by.select)),
        ExportColumn("duration", "seconds that it lasted",
               lambda row, names: row.story.stream.duration_s, "whole"),
        ExportColumn("endpoint", "the endpoint that first told of it",
               lambda row, names: row.facet.endpoint),
        ExportColumn("flow", "the flow, by its name where it has one",
               lambda row, names: names.flow(row.story.said("flow_id"))),
        ExportColumn("custom_field", "the CustomField of the call",
               lambda row, names: row.story.said("custom_field")),
        ExportColumn("digits", "the digits dialled before the Passthru",
               lambda row, names: row.story.said("digits"), "number"),
        ExportColumn("direction", "inbound or outbound",
               lambda row, names: row.story.said("direction")),
        ExportColumn("status", "the stream's status as it was said",
               lambda row, names: row.story.stream.status),
        ExportColumn("disconnected_by", "who ended it, as it was said",
               lambda row, names: row.story.stream.disconnected_by_raw),
        ExportColumn("detailed_status", "as it was said",
               lambda row, names: row.story.stream.detailed_status),
        ExportColumn("error", "the error's text", lambda row, names: row.story.stream.error),
        ExportColumn("url", "StreamUrl", lambda row, names: row.story.stream.url),
        ExportColumn("recording_url", "the recording",
               lambda row, names: row.story.stream.recording_url),
        ExportColumn("late_ms", "by how much its receipt was kept late",
               lambda row, names: row.late_ms, "whole"),
        ExportColumn("one_copy", "whether its receipt was answered with one copy",
               lambda row, names: "yes" if row.one_copy else None, "ours"),
        ExportColumn("stream", "StreamSID", lambda row, names: row.story.sid),
        ExportColumn("call", "CallSid", lambda row, names: row.story.call_sid),
        ExportColumn("id", "the receipt that first told of it",
               lambda row, names: row.story.first.id, "ours"),
    )
}  # fmt: skip
"""Everything that can be exported, by name."""
USUAL = ("time", "cause", "kind", "from", "bot", "option", "duration", "endpoint")


def columns_named(text: str) -> tuple[tuple[ExportColumn, ...], str | None]:
    """The columns of a list between commas, and the first name that is none.

    None named are the usual ones; `all` is every one.
    """
    if text == "all":
        return tuple(COLUMNS.values()), None
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = next((name for name in names if name not in COLUMNS), None)
    return tuple(COLUMNS[name] for name in names or USUAL if name in COLUMNS), wrong


class ExportFormat(msgspec.Struct, frozen=True):
    """What is exported and how: columns, whose numbers may be seen, the zone of times.

    With a form of `numbers` it is for programs: whole numbers have that form, national ones are
    `region`'s, and a cell has an apostrophe only where a sheet would run it. `headers` are the
    columns' names in the file, empty for a CSV without them; `bom` is whether a CSV begins with a
    byte order mark; `once` gives one row a customer, that of the newest stream.
    """

    columns: tuple[ExportColumn, ...]
    sees: Callable[[str], bool]
    zone: tzinfo
    numbers: NumberForm | None = None
    region: str = "IN"
    headers: tuple[str, ...] | None = None
    bom: bool = True
    once: bool = False

    @property
    def names(self) -> list[str]:
        """What the columns are called in the file."""
        return list(self.headers) if self.headers else [each.name for each in self.columns]


Rows = Iterator[list[Value]]


def rows_of(store: Store, query: Query, names: Names, look: ExportFormat) -> Rows:
    """The values of all streams that a query finds, newest first, a page at a time."""
    before, told = store.position() + 1, set[bytes]()
    while True:
        found = store.search(query, names, before_seq=before, limit=PAGE)
        for row in found.rows:
            if not look.once or _is_first(row, told):
                yield _values(row, names, look)
        if found.next is None:
            return
        before = found.next


_NUMBER = re.compile(r"\+[0-9]{7,15}")


def _is_first(row: StreamRow, told: set[bytes]) -> bool:
    """Whether a row is the first of its customer; who has told no number is nobody to call."""
    number = customer_of(row.story) or ""
    if not _NUMBER.fullmatch(number):
        return False
    key = hashlib.blake2b(number.encode(), digest_size=10).digest()
    new = key not in told
    told.add(key)
    return new


def _values(row: StreamRow, names: Names, look: ExportFormat) -> list[Value]:
    sees = look.sees(row.story.call_sid or "")
    return [_value(column, column.of(row, names), sees, look) for column in look.columns]


def _value(column: ExportColumn, value: str | int | None, sees: bool, look: ExportFormat) -> Value:
    match column.kind:
        case "time":
            assert isinstance(value, int)
            return _moment(value, look.zone)
        case "whole":
            return value
        case _:
            text = without_surrogates(str(value or ""))
            if sees and column.kind == "number" and look.numbers is not None:
                return in_form(text, look.numbers, look.region)
            if sees or column.kind == "ours":
                return text
            return masked(text) if column.kind == "number" else mask_text(text)


def _moment(microseconds: int, zone: tzinfo) -> datetime | None:
    try:
        return (EPOCH + timedelta(microseconds=microseconds)).astimezone(zone)
    except (OverflowError, ValueError):  # a clock that is far beyond every calendar
        return None


_ACTS = re.compile(r"[=+\-@|%\t\r\n\uff1d\uff0b\uff0d\uff20]")
_COUNTS = re.compile(r"[ 0-9.,:/eE+-]*[0-9][ 0-9.,:/eE+-]*")


_DIALLED = re.compile(r"\+?[0-9]{3,15}")


def csv_text(text: str, *, program: bool = False) -> str:
    """A text as a CSV cell that no spreadsheet takes for a formula, a number or a date.

    Such a one begins with an apostrophe; one for a `program` only where it is a formula. What would
    move or hide text stands as its code.
    """
    shown = escaped(text)
    if len(shown) > LONGEST_CELL:
        shown = f"{shown[:LONGEST_CELL]}… ({len(text)} characters)"
    acts = _ACTS.match(text.lstrip() or text) or _ACTS.match(text)
    if acts or (not program and _COUNTS.fullmatch(text)):
        return "'" + shown
    return shown


def as_csv(rows: Rows, look: ExportFormat) -> Iterator[bytes]:
    """CSV, as a rule with a byte order mark, which Excel needs to read it as UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    if look.headers is None:
        zone = _zone_name(look.zone)
        writer.writerow(
            [f"{each.name} ({zone})" if each.kind == "time" else each.name for each in look.columns]
        )
    elif look.headers:
        writer.writerow([csv_text(each, program=True) for each in look.headers])
    yield (b"\xef\xbb\xbf" if look.bom else b"") + _taken(text)
    for page in _pages(rows, PAGE):
        for row in page:
            cells = zip(look.columns, row, strict=True)
            writer.writerow([_csv_value(column, value, look) for column, value in cells])
        yield _taken(text)


def _csv_value(column: ExportColumn, value: Value, look: ExportFormat) -> str | int:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str):
        if look.numbers is not None and column.kind == "number" and _DIALLED.fullmatch(value):
            return value  # a plus and digits: a sheet makes a number of it, and runs nothing
        return csv_text(value, program=look.numbers is not None)
    return "" if value is None else value


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


_HIDDEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def as_ndjson(rows: Rows, look: ExportFormat) -> Iterator[bytes]:
    """One object a line; what would act on a terminal is escaped, as JSON can."""
    names = look.names
    for page in _pages(rows, PAGE):
        lines = [
            msgspec.json.encode(dict(zip(names, map(_json_value, row), strict=True))).decode()
            for row in page
        ]
        whole = "\n".join(lines) + "\n"
        yield _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", whole).encode()


def _json_value(value: Value) -> str | int | None:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


class _Sink(io.RawIOBase):
    """A file that only gives on what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def as_parquet(rows: Rows, look: ExportFormat) -> Iterator[bytes]:
    """Parquet in row groups of a few thousand, each sent when it is full."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = zip(look.names, look.columns, strict=True)
    schema = pa.schema([pa.field(name, _arrow_type(pa, each, look)) for name, each in named])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in _pages(rows, ROW_GROUP):
            arrays = [
                pa.array(column, type=field.type)
                for column, field in zip(zip(*page, strict=True), schema, strict=True)
            ]
            writer.write_table(
                pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP
            )
            yield sink.take()
    yield sink.take()


def _arrow_type(pa: Any, column: ExportColumn, look: ExportFormat) -> pa.DataType:
    if column.kind == "time":
        return pa.timestamp("us", tz=_arrow_zone(look.zone))
    return pa.int64() if column.kind == "whole" else pa.string()


def _arrow_zone(zone: tzinfo) -> str:
    """A zone by a name that readers of the file know: IANA's, or its offset."""
    return getattr(zone, "key", None) or f"{datetime.now(zone):%z}"


def _zone_name(zone: tzinfo) -> str:
    return getattr(zone, "key", None) or str(zone)


def _pages(rows: Rows, size: int) -> Iterator[Sequence[list[Value]]]:
    page: list[list[Value]] = []
    for row in rows:
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


class Format(msgspec.Struct, frozen=True):
    """A form of export: the ending of its file, its media type, and what writes it."""

    ending: str
    media_type: str
    write: Callable[[Rows, ExportFormat], Iterator[bytes]]


FORMATS = {
    each.ending: each
    for each in (
        Format("csv", "text/csv; charset=utf-8", as_csv),
        Format("ndjson", "application/x-ndjson", as_ndjson),
        Format("parquet", "application/vnd.apache.parquet", as_parquet),
    )
}
"""The forms, by the word that asks for them."""
