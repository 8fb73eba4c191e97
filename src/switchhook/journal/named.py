"""Records by the ids of receipts, in a journal of one node or of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.journal.receipt import parse_receipt_id
from switchhook.journal.source import Origin

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from switchhook.journal.source import JournalRecord, JournalSource


def records_named(
    journal: JournalSource, names: Iterable[str], kinds: Container[int]
) -> dict[str, JournalRecord]:
    """Those of the records that are there, whole, and of one of `kinds`, by id.

    Raises JournalError.
    """
    seqs, times = dict[str, int](), dict[str, int]()
    for name in names:
        if (parsed := parse_receipt_id(name)) is None:
            continue
        times[name], node, number = parsed
        if (seq := journal.seq_of(Origin(node, number))) is not None:
            seqs[name] = seq
    records = journal.get_many(seqs.values())
    found = {name: record for name, seq in seqs.items() if (record := records.get(seq))}
    return {
        name: record
        for name, record in found.items()
        if record.kind in kinds and record.at == times[name]
    }


def seq_of_own(journal: JournalSource, record: JournalRecord, number: int) -> int | None:
    """The seq in `journal` of what a record means by a number of its own node's journal.

    None where it is not there. Raises JournalError.
    """
    if record.origin is None:
        return number
    return journal.seq_of(Origin(record.origin.node, number))
