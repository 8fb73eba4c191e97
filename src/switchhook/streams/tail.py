"""The newest receipts as the rows of the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.streams.parsed_record import PassthruRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.names import Names
    from switchhook.streams.parsed_record import ParsedRecord


class TailRow(msgspec.Struct, frozen=True):
    """One receipt, as much of it as fits a line; None or empty is what it did not say.

    It has no text that the operator chose: `bot` and `destination` ask what that is now.
    """

    seq: int
    id: str
    at_us: int
    endpoint: str
    call_sid: str | None
    number: str | None
    host: str
    exophone: str
    cause: str
    error: str
    option: str
    select: str = ""

    def bot(self, names: Names) -> str:
        """The bot's name, or its host; empty where neither is known."""
        return names.bot_name(self.host, self.endpoint, self.exophone)

    def destination(self, names: Names) -> str:
        """Where the option leads, or the keyword beside it; empty where nobody said."""
        return names.destination(self.endpoint, self.option, self.select)


def told_of(records: Iterable[ParsedRecord]) -> list[PassthruRecord]:
    """Those records that have a row: passthrus with something to tell, in their order."""
    return [each for each in records if isinstance(each, PassthruRecord) and each.enters_stories]


def tail_row(parsed: PassthruRecord, node: int) -> TailRow:
    """The row of one that has one, kept by that node."""
    passthru, facet = parsed.passthru, parsed.facet
    return TailRow(
        seq=parsed.record.seq,
        id=parsed.parsed(node).by.id,
        at_us=parsed.receipt.received_us,
        endpoint=facet.endpoint,
        call_sid=passthru.call_sid,
        number=passthru.from_ or passthru.from_raw,
        host=facet.host,
        exophone=facet.exophone,
        cause=facet.cause,
        error=facet.kind,
        option=facet.option,
        select=parsed.receipt.decision.select,
    )
