"""The columns of the table of streams: what each shows, and what a click on a value looks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.phone_numbers import Ours, mask_text, masked
from switchhook.journal.steady_time import TOLERANCE_MS

if TYPE_CHECKING:
    from switchhook.access.roles import Viewer
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import StreamRow


class Cell(msgspec.Struct, frozen=True):
    """One value.

    `kind` says how it is drawn: time and call (both of the call `text`, one of whose receipts is
    `value`), cause, number, text or said.

    A click looks for `key:value`; without a key it can't be clicked. `note` stands beside it.
    """

    kind: str
    text: str = ""
    key: str = ""
    value: str = ""
    note: str = ""
    at_us: int | None = None


class Column(msgspec.Struct, frozen=True):
    """A column under its title; `of` makes its cell of a stream."""

    name: str
    title: str
    of: Callable[[StreamRow, Names, Viewer], Cell]
    numeric: bool = False


def _time(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    at_us = _placed_us(row, row.story.first.received_us)
    return Cell("time", row.story.call_sid or "", value=row.story.last.id, at_us=at_us)


def _last(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    return Cell("time", at_us=_placed_us(row, row.story.last.received_us))


def _placed_us(row: StreamRow, received_us: int) -> int:
    """A time of a stream; where the system's clock was wrong, the one at which it belongs."""
    first_us, placed_us = row.story.first.received_us, row.at_ms * 1000
    moved_us = placed_us - first_us
    if abs(moved_us) <= TOLERANCE_MS * 1000:
        return received_us
    return received_us + moved_us if received_us >= first_us else placed_us


def _call(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    return Cell("call", row.story.call_sid or "", value=row.story.last.id)


def _number(field: str, key: str) -> Callable[[StreamRow, Names, Viewer], Cell]:
    def of(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
        number = row.story.said(field) or ""
        if not viewer.sees(row.story.call_sid or ""):
            # Whoever may not see a number must not find it in an address either.
            return Cell("number", masked(number) or "")
        number = Ours(number)
        name = names.exophones.get(number, "")
        return Cell("number", number, key if number else "", number, name)

    return of


def _bot(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    facet = row.facet
    name = names.bot_name(facet.host, facet.endpoint, facet.exophone)
    note = facet.host if name != facet.host else ""
    return Cell("text", name, "bot" if name else "", name, note)


def _cause(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    return Cell("cause", row.facet.cause, "cause", row.facet.cause)


def _error(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    text = row.story.stream.error or ""
    sees = viewer.sees(row.story.call_sid or "")
    return Cell("said", Ours(text) if sees else mask_text(text))


def _duration(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    seconds = row.story.stream.duration_s
    return Cell("text", "" if seconds is None else f"{seconds} s")


def _option(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    by = row.story.settled_by
    leads = names.destination(row.facet.endpoint, by.option, by.select)
    return Cell("text", by.option, "option", by.option, leads)


def _flow(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
    flow = row.story.said("flow_id") or ""
    name = names.flow(flow)
    return Cell("text", name, "flow" if flow else "", flow, flow if name != flow else "")


def _plain(key: str, text: Callable[[StreamRow], str]) -> Callable[..., Cell]:
    def of(row: StreamRow, names: Names, viewer: Viewer) -> Cell:
        value = text(row)
        return Cell("text", value, key if value else "", value)

    return of


COLUMNS = {
    column.name: column
    for column in (
        Column("time", "Time", _time),
        Column("cause", "Cause", _cause),
        Column("kind", "Error", _plain("kind", lambda row: row.facet.kind)),
        Column("from", "From", _number("from_", "from")),
        Column("to", "To", _number("to", "to")),
        Column("bot", "Bot", _bot),
        Column("option", "Answered", _option),
        Column("duration", "Lasted", _duration, numeric=True),
        Column("endpoint", "Endpoint", _plain("endpoint", lambda row: row.facet.endpoint)),
        Column("host", "Host", _plain("host", lambda row: row.facet.host)),
        Column("flow", "Flow", _flow),
        Column("status", "Status", _plain("status", lambda row: row.facet.status)),
        Column("error", "Error text", _error),
        Column("last", "Last told of", _last),
        Column("stream", "StreamSID", _plain("stream", lambda row: row.story.sid or "")),
        Column("call", "CallSid", _call),
    )
}
USUAL = ("time", "cause", "kind", "from", "bot", "option", "duration", "endpoint")


def columns_named(text: str) -> tuple[Column, ...]:
    """The columns of a list between commas, each once; the usual ones where it names none."""
    names = [name for name in dict.fromkeys(text.split(",")) if name in COLUMNS]
    return tuple(COLUMNS[name] for name in names or USUAL)
