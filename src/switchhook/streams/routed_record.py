"""What a journal's record tells of a call before and beside its passthrus.

An admission, an address that was given, a report of the bot: each as it was kept and understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    @property
    def call_sid(self) -> str | None:
        return self.passthru.call_sid


class ReportedRecord(msgspec.Struct, frozen=True):
    """What a bot said of a stream."""

    record: JournalRecord
    received: BotReportReceived
    report: BotReport

    @property
    def call_sid(self) -> str | None:
        return self.report.call_sid


def read_routed(record: JournalRecord) -> RoutedRecord | ReportedRecord | None:
    """Read such a record; None for one of another kind, or of another release."""
    if record.damage:
        return None
    try:
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


_DECODERS: dict[int, Callable[[bytes], AddressGiven | AdmissionGiven]] = {
    RecordKind.VOICEBOT: decode_address,
    RecordKind.ADMISSION: decode_admission,
}
