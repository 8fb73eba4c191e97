"""The newest receipts as the rows of the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import judge
from switchhook.journal.kept import read_passthru
from switchhook.journal.receipt import RecordKind, decode_receipt
from switchhook.streams.facet import host_of
from switchhook.streams.story import enters_stories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.journal.source import JournalRecord
    from switchhook.streams.names import Names


class TailRow(msgspec.Struct, frozen=True):
    """One receipt, as much of it as fits a line; None is what it did not say."""

    seq: int
    at_us: int
    endpoint: str
    call_sid: str | None
    number: str | None
    bot: str
    cause: str
    error: str | None
    option: str
    lead: str


def tail_rows(records: Iterable[JournalRecord], names: Names) -> list[TailRow]:
    """The rows of those records that are receipts with something to tell, in their order."""
    rows = []
    for record in records:
        if record.kind != RecordKind.PASSTHRU:
            continue
        row = _row(record, names)
        if row is not None:
            rows.append(row)
    return rows


def _row(record: JournalRecord, names: Names) -> TailRow | None:
    try:
        receipt = decode_receipt(record.body)
        passthru = read_passthru(receipt)
    except Exception:  # noqa: BLE001 - a receipt that a bug can't read is quarantined by the store,
        # and told of there; the tail goes on without it.
        return None
    if not enters_stories(receipt):
        return None
    verdict = judge(passthru)
    host = host_of(passthru.stream)
    option = receipt.decision.option.value
    return TailRow(
        seq=record.seq,
        at_us=receipt.received_us,
        endpoint=receipt.endpoint,
        call_sid=passthru.call_sid,
        number=passthru.from_ or passthru.from_raw,
        bot=names.bot_name(host, receipt.endpoint, passthru.to or ""),
        cause=verdict.cause.value,
        error=verdict.error.kind.value if verdict.error is not None else None,
        option=option,
        lead=names.lead(receipt.endpoint, option),
    )
