"""Whether a run counts: answers equal receipts, and no answer overran its deadline."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks.load import Outcome
from switchhook.journal import JournalReader
from switchhook.journal.receipt import Counters, RecordKind

_OVERRUN = "deadline before disk"
_BATCH = 5000
_RECEIPTS = (RecordKind.PASSTHRU, RecordKind.ADMISSION, RecordKind.VOICEBOT)
_decode_counters = msgspec.msgpack.Decoder(Counters).decode


class Kept(msgspec.Struct, frozen=True):
    """What a server kept of a run: `receipts`, and how many of them `late`, `lost`, `overran`.

    `one_copy` of them were answered with one copy, where two were asked for.
    """

    receipts: int
    late: int = 0
    lost: int = 0
    overran: int = 0
    one_copy: int = 0


def read_journal(folder: Path, after_seq: int) -> Kept:
    """What a journal keeps after a number; the answer process has ended, so nothing is on its way.

    Kinds are counted by reading every record, as the fold does.
    """
    kinds: Counter[int] = Counter()
    overran = 0
    with closing(JournalReader(folder)) as reader:
        while records := reader.read(after_seq, _BATCH):
            after_seq = records[-1].seq
            kinds.update(record.kind for record in records)
            overran += sum(
                _decode_counters(record.body).counts.get(_OVERRUN, 0)
                for record in records
                if record.kind == RecordKind.COUNTERS
            )
    receipts = sum(kinds[each] for each in _RECEIPTS)
    late, lost = kinds[RecordKind.LATE], kinds[RecordKind.LOST]
    return Kept(receipts, late, lost, overran, kinds[RecordKind.ONE_COPY])


def last_seq(folder: Path) -> int:
    """The number of a journal's newest record; 0 where there is none."""
    with closing(JournalReader(folder)) as reader:
        return reader.last_seq()


def read_rows(database: Path) -> Kept:
    """What the hand-written server kept."""
    with closing(sqlite3.connect(database)) as connection:
        return Kept(connection.execute("SELECT count(*) FROM stream_events").fetchone()[0])


def refusal(outcome: Outcome, kept: Kept | None, deadline_ms: float) -> str | None:
    """Why a run does not count; None where it does. `kept` is None where nothing is kept."""
    answers = sum(outcome.statuses.values())
    wrong = {text: n for text, n in outcome.statuses.items() if text not in ("200", "302")}
    if wrong:
        return f"answers other than 200 and 302: {wrong}"
    if outcome.unanswered or outcome.broken:
        return f"{outcome.unanswered} requests unanswered, {outcome.broken} connections broken"
    if not outcome.measured:
        return "nothing was measured"
    if kept is not None and answers != kept.receipts:
        return f"{answers} answers, but {kept.receipts} receipts"
    if kept is not None and (kept.late or kept.lost or kept.overran):
        return f"{kept.late} receipts late, {kept.lost} gaps, {kept.overran} deadlines overrun"
    if outcome.longest > deadline_ms:
        return (
            f"the longest answer took {outcome.longest:.0f} ms, the deadline is {deadline_ms:.0f}"
        )
    return None
