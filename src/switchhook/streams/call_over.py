"""Whether a record says that its call is over: none of its streams runs on then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.call_words import is_final
from switchhook.streams.parsed_record import CallbackRecord, PassthruRecord

if TYPE_CHECKING:
    from switchhook.streams.parsed_record import ParsedRecord


def says_over(parsed: ParsedRecord, call_sid: str) -> bool:
    """Whether a record is of this call and says that it has ended."""
    match parsed:
        case PassthruRecord(passthru=passthru):
            same = passthru.call_sid == call_sid and parsed.enters_stories
            return same and (passthru.ended_at is not None or is_final(passthru.call_status))
        case CallbackRecord(callback=callback):
            return (
                callback is not None and callback.call_sid == call_sid and is_final(callback.status)
            )
        case _:
            return False
