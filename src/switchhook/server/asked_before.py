"""What was asked lately, read from the journal: a restarted answer program knows repeats too."""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from switchhook.answer.repeats import MOST_REMEMBERED, WINDOW_MS, RepeatMemory
from switchhook.errors import JournalError
from switchhook.journal import JournalReader

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("switchhook")


def remember_asked(journal: Path, first_seq: int, *, mono_ms: int, wall_ms: int) -> RepeatMemory:
    """The questions of the last ten minutes, from the journal.

    The monotonic clock starts anew with the machine: what was asked before this boot (its first
    record is `first_seq`) is placed by the wall clock, or by what was asked last where that is
    behind.
    """
    memory = RepeatMemory()
    reader = JournalReader(journal)
    try:
        since = reader.seek_mono(mono_ms - 2 * WINDOW_MS, first_seq)
        # What came before this boot is of no use either where some of this one is too old.
        asked = reader.load_asked(MOST_REMEMBERED, since_seq=since if since > first_seq else 0)
    except JournalError as error:
        # A full disk has no room for what reading needs: still no reason not to answer.
        log.error("%s: what repeats the last ten minutes is decided anew", error)  # noqa: TRY400
        return memory
    finally:
        reader.close()
    before = bisect_left(asked.seq, first_seq)
    ended_ms = max(wall_ms, asked.at[before - 1]) if before else wall_ms
    mono = array(
        "q",
        (
            mono_ms - max(0, ended_ms - at) if seq < first_seq or mono > mono_ms else mono
            for seq, mono, at in zip(asked.seq, asked.mono, asked.at, strict=True)
        ),
    )
    start = next((at for at, ms in enumerate(mono) if mono_ms - ms < WINDOW_MS), len(mono))
    columns = asked.asked, asked.seq, asked.at, mono
    # In place, for a copy of half a million takes 20 MB.
    for column in (*columns, asked.option):
        del column[:start]
    memory.load((*columns, array("i", asked.option)))
    return memory
