"""Looking for what was erased in what a restore brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.spellings import Subject
from switchhook.retention.erased_calls import named_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.retention.fingerprints import Suspects

_LONGEST_SID = 64


def look_at_records(suspects: Suspects, bodies: Iterable[bytes]) -> None:
    """Look at the bodies of records of a journal."""
    calls = suspects.subjects - {Subject.NUMBER}
    for body in bodies:
        suspects.look_at_text(body)
        if not calls:
            continue
        named = named_in(body)
        for sid in named.sids:
            suspects.look_at(Subject.CALL, sid)
        if named.custom_field is not None:
            suspects.look_at(Subject.CUSTOM_FIELD, named.custom_field)


def look_at_texts(suspects: Suspects, texts: Iterable[bytes]) -> None:
    """Look at the texts of a ledger; one that is a SID stands alone there."""
    calls = suspects.subjects - {Subject.NUMBER}
    for text in texts:
        suspects.look_at_text(text)
        if calls and len(text) <= _LONGEST_SID:
            suspects.look_at(Subject.CALL, text.decode(errors="replace"))
