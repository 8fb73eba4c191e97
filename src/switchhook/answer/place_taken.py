"""Which place a record of the journal gave to a call: an account's, or that of a pool's member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import (
    RecordKind,
    decode_address,
    decode_admission,
    read_passthru,
)

if TYPE_CHECKING:
    from switchhook.answer.places import Owner
    from switchhook.journal.source import JournalRecord


class PlaceTaken(msgspec.Struct, frozen=True):
    """Whose place a call took; `call` is empty where it is not known.

    `held` is whether the call had the place already, so that it needed no other.
    """

    owner: Owner
    call: str
    held: bool = False


def place_in(record: JournalRecord) -> PlaceTaken | None:
    """None for a record that gave none, and for what is of another release."""
    try:
        if record.kind == RecordKind.ADMISSION:
            admission = decode_admission(record.body)
            if not admission.admitted:
                return None
            held = admission.admission is not None and admission.admission.holds
            return PlaceTaken((admission.account,), read_passthru(admission).call_sid or "", held)
        if record.kind == RecordKind.VOICEBOT:
            given = decode_address(record.body)
            route = given.route
            takes = given.repeat_of is None and given.method != "HEAD" and given.address
            if takes and route is not None and route.member is not None and not given.fallback:
                owner = route.pool, route.member
                return PlaceTaken(owner, read_passthru(given).call_sid or "")
    except msgspec.DecodeError:
        return None
    return None
