"""Calls that only status callbacks told of: nobody answered, it was busy, it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.number_keys import number_matches
from switchhook.journal.receipt import RecordKind
from switchhook.streams.callback_story import callback_story
from switchhook.streams.parsed_record import CallbackRecord, parse_record
from switchhook.streams.store import StreamFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store
    from switchhook.streams.story import CallStory

_READ_AT_ONCE = 200
_MOST_READ = 5_000
LAST_SEQ = 2**63 - 1


class CallbackCall(msgspec.Struct, frozen=True):
    """One such call: its story, the account whose callback it was, and where its newest stands."""

    story: CallStory
    account: str
    seq: int


class CallbackCalls(msgspec.Struct, frozen=True):
    """Some of them, newest first; `next` is the seq before which to go on, None at the end."""

    calls: tuple[CallbackCall, ...]
    next: int | None


def callback_calls(
    journal: JournalSource,
    store: Store,
    *,
    number: str | None = None,
    before_seq: int = LAST_SEQ,
    limit: int = 100,
) -> CallbackCalls:
    """Calls that no passthru named, by what was told of them last, newest first.

    `number` is what the call comes from or goes to, as `asked_number` has it. A page is given up
    after so many callbacks as are read in a second or so, and says where to go on.
    """
    found: list[CallbackCall] = []
    for read, (seq, record) in enumerate(_callbacks(journal, store, before_seq), 1):
        call = None if record is None else _call(journal, store, seq, record)
        if call is not None and (number is None or is_of(call.story, number)):
            found.append(call)
        if len(found) == limit or read >= _MOST_READ:
            return CallbackCalls(tuple(found), seq)
    return CallbackCalls(tuple(found), None)


def _callbacks(
    journal: JournalSource, store: Store, before_seq: int
) -> Iterator[tuple[int, CallbackRecord | None]]:
    """Callbacks, newest first; None for one that can't be read or names no call."""
    while seqs := store.events(RecordKind.STATUS, _READ_AT_ONCE, before_seq):
        records = journal.get_many(seqs)
        for seq in seqs:
            parsed = parse_record(records[seq]) if seq in records else None
            yield seq, parsed if isinstance(parsed, CallbackRecord) else None
        before_seq = seqs[-1]


def _call(
    journal: JournalSource, store: Store, seq: int, record: CallbackRecord
) -> CallbackCall | None:
    """The call that a callback is the newest of; None where a passthru named it."""
    call_sid = None if record.callback is None else record.callback.call_sid
    if call_sid is None or store.receipts(StreamFilter(call_sid=call_sid, limit=1)):
        return None
    records = journal.get_many(store.notes(call_sid))
    parsed = [parse_record(records[each]) for each in sorted(records)]
    callbacks = [each.record.seq for each in parsed if isinstance(each, CallbackRecord)]
    if callbacks[-1:] != [seq]:
        return None
    story = callback_story(call_sid, parsed, journal.node or 0)
    return None if story is None else CallbackCall(story, record.received.account, seq)


def is_of(story: CallStory, number: str) -> bool:
    """Whether a call comes from a number or goes to it; as `asked_number` has it."""
    return any(number_matches(number, story.text(name)) for name in ("from_", "to"))
