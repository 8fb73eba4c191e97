"""What a journal's record tells of a call before and beside its passthrus.

An admission, an address that was given, a report of the bot: each as it was kept and understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from switchhook.exotel.passthru import Passthru
from switchhook.journal.bot_report import BotReport, read
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    BotReportReceived,
    RecordKind,
    decode_address,
    decode_admission,
    decode_bot_report,
    read_passthru,
)
from switchhook.journal.source import JournalRecord

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTED_KINDS = (RecordKind.VOICEBOT, RecordKind.ADMISSION, RecordKind.BOT_REPORT)


class RoutedRecord(msgspec.Struct, frozen=True):
    """An answer before the stream, and the request as it was read."""

    record: JournalRecord
    receipt: AddressGiven | AdmissionGiven
    passthru: Passthru
    is_receipt: ClassVar[bool] = True

    @property
    def call_sid(self) -> str | None:
        return self.passthru.call_sid


class ReportedRecord(msgspec.Struct, frozen=True):
    """What a bot said of a stream."""

    record: JournalRecord
    received: BotReportReceived
    report: BotReport
    is_receipt: ClassVar[bool] = False

    @property
    def call_sid(self) -> str | None:
        return self.report.call_sid


def read_routed(record: JournalRecord) -> RoutedRecord | ReportedRecord | None:
    """Read such a record, or a test of one; None for another kind, or of another release."""
    if record.damage:
        return None
    try:
        if record.kind == RecordKind.TEST:
            return _read_test(record)
        if record.kind == RecordKind.BOT_REPORT:
            received = decode_bot_report(record.body)
            report = read(received.raw)
            return None if report is None else ReportedRecord(record, received, report)
        decode = _DECODERS.get(record.kind)
        if decode is None:
            return None
        receipt = decode(record.body)
        return RoutedRecord(record, receipt, read_passthru(receipt))
    except msgspec.DecodeError:
        return None


def _read_test(record: JournalRecord) -> RoutedRecord | None:
    """An operator's test: its kind says nothing of what was asked; what was answered does."""
    address, admission = decode_address(record.body), decode_admission(record.body)
    if address.route is not None or address.address or address.decision.pool:
        return RoutedRecord(record, address, read_passthru(address))
    if address.http_status in _OPTIONS:
        # Only an admission has an account here: the receipt of a passthru keeps none.
        found = RoutedRecord(record, admission, read_passthru(admission))
        return found if admission.account else None
    return RoutedRecord(record, address, read_passthru(address))


_OPTIONS = (200, 302)
"""How A and B are answered; a dynamic URL without an address is answered otherwise."""

_DECODERS: dict[int, Callable[[bytes], AddressGiven | AdmissionGiven]] = {
    RecordKind.VOICEBOT: decode_address,
    RecordKind.ADMISSION: decode_admission,
}
