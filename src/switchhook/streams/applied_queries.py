"""When configuration and rules changed, as the journal tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import ConfigApplied, RecordKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store

MOST_APPLIED = 100
"""Records of files taken over that are looked at, the newest."""
RULES = "rules/"
"""Begins the name of an endpoint's rules."""

_decode = msgspec.msgpack.Decoder(ConfigApplied).decode


def applied_changes(journal: JournalSource, store: Store) -> Iterator[tuple[int, ConfigApplied]]:
    """What was taken over and was another than before, with its time in ms, oldest first.

    A start takes all files over anew, which changes none.
    """
    seqs = store.events(RecordKind.TAKEOVER, MOST_APPLIED)
    placed, records = store.placed(seqs), journal.get_many(seqs)
    hashes: dict[str, str] = {}
    for seq in sorted(records):
        try:
            applied = _decode(records[seq].body)
        except ValueError:
            continue  # the store has quarantined it, and says so
        before = hashes.get(applied.name, applied.hash)
        hashes[applied.name] = applied.hash
        if applied.hash != before:
            yield placed.get(seq, records[seq].at), applied
