"""The places given of late, read from the journal: a restarted answer program admits no more.

A budget says what may be admitted beyond those up to some record. What this node gave after it
stands in the last records; those before are the console's to know.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.answer.place_taken import place_in
from switchhook.answer.places import PlacesGiven
from switchhook.errors import JournalError
from switchhook.exotel.times import HOUR_MS
from switchhook.journal import JournalReader
from switchhook.journal.receipt import RecordKind

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.journal import Record

log = logging.getLogger("switchhook")

MOST_READ = 20_000
"""Records that are looked through, from the end: some 20 s of a busy node, a second's work."""
_BATCH = 2_000
_KINDS = (RecordKind.ADMISSION, RecordKind.VOICEBOT)


def remember_given(journal: Path, next_seq: int, *, wall_ms: int) -> PlacesGiven:
    """The places that the journal's last records gave, those of the last hour at the most.

    No stream lasts longer than that. `next_seq` is the number of the next record.
    """
    reader = JournalReader(journal)
    try:
        found, since = _newest(reader, next_seq, wall_ms - HOUR_MS)
    except JournalError as error:
        log.error("%s: admissions begin anew", error)  # noqa: TRY400
        return PlacesGiven(next_seq)
    finally:
        reader.close()
    places = PlacesGiven(since)
    for record in reversed(found):
        taken = place_in(record)
        if taken is not None:
            places.add(taken.owner, taken.call, record.seq)
    return places


def _newest(reader: JournalReader, next_seq: int, since_ms: int) -> tuple[list[Record], int]:
    """The records that gave places, newest first, and the first that was looked at."""
    found: list[Record] = []
    before: int | None = None
    since, read = next_seq, 0
    while read < MOST_READ and (records := reader.read_back(before, _BATCH)):
        read += len(records)
        before = since = records[-1].seq
        found += [each for each in records if each.kind in _KINDS and not each.damage]
        if records[-1].at < since_ms:
            return found, 0
    return found, 0 if read < MOST_READ else since
