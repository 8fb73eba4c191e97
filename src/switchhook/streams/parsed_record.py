"""A record of the journal, decoded and parsed once for all who follow the journal.

What follows the journal makes these values: the fold, a rebuild. It hands the same ones to the
store and to those who listen (live feed, call ends, traces), and lets go of them batch by batch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Verdict, classify
from switchhook.exotel.passthru import Passthru
from switchhook.exotel.wire.known_shapes import QuickReader
from switchhook.exotel.wire.status_callback import StatusCallback
from switchhook.journal.receipt import (
    Receipt,
    RecordKind,
    StatusReceived,
    decode_receipt,
    decode_status,
    id_of,
    order_text,
    read_callback,
    read_passthru,
)
from switchhook.journal.source import JournalRecord
from switchhook.streams.facet import Facet, exophone_of, host_of
from switchhook.streams.story import ParsedReceipt, ReceiptRef, enters_stories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST_REASON = 300
_reader = QuickReader()


class PassthruRecord(msgspec.Struct, frozen=True, gc=False):
    """A passthru: its receipt, the request as it was read, the verdict without its words.

    `facet` is what a stream of which this alone tells is counted under.
    """

    record: JournalRecord
    receipt: Receipt
    passthru: Passthru
    verdict: Verdict
    facet: Facet

    @property
    def enters_stories(self) -> bool:
        """Whether it tells anything of its own: a HEAD request and a repeat don't."""
        return enters_stories(self.receipt)

    def parsed(self, node: int) -> ParsedReceipt:
        """What it tells of its stream and call; `node` is the journal's."""
        return _parsed(self.record, self.receipt, self.passthru, node)


class CallbackRecord(msgspec.Struct, frozen=True, gc=False):
    """A StatusCallback; `callback` is None where it names neither a call nor a status."""

    record: JournalRecord
    received: StatusReceived
    callback: StatusCallback | None


class OtherRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of any other kind, of which one reader at most wants the body."""

    record: JournalRecord


class UnreadableRecord(msgspec.Struct, frozen=True, gc=False):
    """A record that is damaged or that a bug can't read; `reason` names no number."""

    record: JournalRecord
    reason: str


ParsedRecord = PassthruRecord | CallbackRecord | OtherRecord | UnreadableRecord


def parse_record(record: JournalRecord) -> ParsedRecord:
    """Decode and parse a record; never raises."""
    if record.damage:
        return UnreadableRecord(record, record.damage[:_LONGEST_REASON])
    try:
        if record.kind == RecordKind.PASSTHRU:
            return parse_passthru_record(record)
        if record.kind == RecordKind.STATUS:
            received = decode_status(record.body)
            return CallbackRecord(record, received, read_callback(received))
    except Exception as error:  # noqa: BLE001 - what one record makes fail is said of that one; no
        # other may suffer for it.
        return UnreadableRecord(record, reason_of(error))
    return OtherRecord(record)


def parse_records(
    records: Iterable[JournalRecord], between: Callable[[], object]
) -> list[ParsedRecord]:
    """Parse records in their order; `between` is called after each."""
    found = []
    for record in records:
        found.append(parse_record(record))
        between()
    return found


def parse_passthru_record(record: JournalRecord) -> PassthruRecord:
    """Parse the record of a passthru; raises whatever a receipt can make its readers raise."""
    receipt = decode_receipt(record.body)
    passthru = read_passthru(receipt, _reader.read)
    verdict = classify(passthru)
    stream = passthru.stream
    state = None if stream is None else stream.state
    facet = Facet(
        receipt.endpoint,
        "" if state is None else str(state),
        str(verdict.cause),  # `value` of an enum is slow to ask
        str(receipt.decision.option),
        str(verdict.kind or ""),
        host_of(stream),
        exophone_of(passthru.direction, passthru.from_, passthru.to),
    )
    return PassthruRecord(record, receipt, passthru, verdict, facet)


def read_parsed(record: JournalRecord, node: int) -> ParsedReceipt:
    """What the record of a passthru tells, for who needs no more; raises as the one before."""
    receipt = decode_receipt(record.body)
    return _parsed(record, receipt, read_passthru(receipt, _reader.read), node)


def _parsed(
    record: JournalRecord, receipt: Receipt, passthru: Passthru, node: int
) -> ParsedReceipt:
    name, decision = id_of(record, node), receipt.decision
    by = ReceiptRef(
        name,
        receipt.received_us,
        receipt.endpoint,
        decision.option.value,
        decision.rule,
        decision.select,
        order_text(record),
    )
    return ParsedReceipt(by, passthru)


def reason_of(error: Exception) -> str:
    """Why a record was refused, in a text that any database takes and that names no number."""
    text = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    return re.sub(r"[0-9]{5,}", "…", text.encode("ascii", "backslashreplace").decode())
