"""Where records belong in time when the system's clock stepped: at their place in the journal."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from kept_receipts import START_MS, parsed, query, receipt
from kept_receipts import fold as fold_all
from patience import PATIENCE_S
from switchhook.journal.receipt import ClockStep, RecordKind, encode
from switchhook.journal.steady_time import BELIEVED_MS
from switchhook.streams.names import Names
from switchhook.streams.search.query import Moment, Query
from switchhook.streams.store import StreamFilter

S, H, DAY = 1000, 3_600_000, 86_400_000


def keep(kept, mono_ms, off_ms=0, **stream):
    """A stream told of at a monotonic time, by a clock that is off; gives its seq."""
    number = kept.writer.next_seq
    at = START_MS + mono_ms + off_ms
    one = receipt(query(call=f"c{number}", sid=f"s{number}", **stream), received_us=at * 1000)
    seq = kept.writer.append(RecordKind.PASSTHRU, at, encode(one), mono=mono_ms)
    assert seq is not None
    return seq


def boot(kept, mono_ms, at):
    kept.writer.append(RecordKind.CLOCK, at, encode(ClockStep(boot=True)), mono=mono_ms)


def fold(store, kept, batch=1000):
    assert kept.writer.flush(PATIENCE_S)
    fold_all(store, kept.reader, batch)


def times(store):
    return {row.seq: row.at_ms - START_MS for row in store.search(Query(), Names()).rows}


def found(store, since_ms, until_ms):
    since, until = Moment("", START_MS + since_ms), Moment("", START_MS + until_ms)
    rows = store.search(Query(since=since, until=until), Names()).rows
    return sorted(row.seq for row in rows)


GLITCHES = pytest.mark.parametrize("off_ms", [9 * H, 2 * DAY, 500 * DAY, -9 * H, -START_MS])


@GLITCHES
@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_a_record_of_a_glitch_counts_at_its_place_and_is_marked(store, kept, off_ms, batch):
    for mono in (0, 60 * S, 120 * S, 180 * S):
        keep(kept, mono, off_ms if mono == 120 * S else 0)
    fold(store, kept, batch)
    assert times(store) == {1: 0, 2: 60 * S, 3: 120 * S, 4: 180 * S}
    assert store.placed(range(9)) == {3: START_MS + 120 * S}
    tallied = Counter(each.at_ms for each in store.tallies(0, 2**60))
    minute = START_MS - START_MS % 60_000
    assert tallied == Counter(minute + each * 60_000 for each in range(4))
    assert kept.reader.get(3).at == START_MS + 120 * S + off_ms, "kept as the clock said it"


@GLITCHES
def test_a_search_by_time_finds_a_glitch_at_its_place(store, kept, off_ms):
    for second in range(0, 100, 10):
        keep(kept, second * S, off_ms if 30 <= second < 50 else 0)
    fold(store, kept)
    for since in range(0, 100, 10):
        for until in range(since + 1, 102, 10):
            expected = [1 + s // 10 for s in range(0, 100, 10) if since <= s < until]
            assert found(store, since * S, until * S) == expected
    low, high = store.seqs_between(START_MS + 40 * S, START_MS + 60 * S)
    assert store.receipts(StreamFilter(from_seq=low, before_seq=high)) == [6, 5]


def test_a_search_by_time_finds_everything_where_a_wrong_clock_was_believed(store, kept):
    """An hour ahead for longer than it takes, and back: steady time itself goes back then."""
    moments = [each * 60 * S for each in range(120)]
    for mono in moments:
        keep(kept, mono, H if 20 * 60 * S <= mono < 80 * 60 * S else 0)
    fold(store, kept, 7)
    placed = times(store)
    assert len(placed) <= 100
    everything = {}
    for start in range(0, 200, 5):
        for seq in found(store, start * 60 * S, (start + 5) * 60 * S):
            everything[seq] = start
    assert sorted(everything) == list(range(1, 121))
    settled = 1 + (20 * 60 * S + BELIEVED_MS) // (60 * S)
    assert everything[settled] == (settled - 1 + 60) // 5 * 5, "believed from here on"
    assert everything[settled - 1] == (settled - 2) // 5 * 5


def test_a_start_of_the_machine_begins_its_clock_anew(store, kept):
    keep(kept, 1000 * S)
    boot(kept, 5 * S, START_MS + 2000 * S)
    seq = kept.writer.append(
        RecordKind.PASSTHRU,
        START_MS + 2001 * S,
        encode(receipt(query(call="c2", sid="s2"))),
        mono=6 * S,
    )
    fold(store, kept)
    assert times(store) == {1: 1000 * S, seq: 2001 * S}
    assert store.placed([1, 2, 3]) == {}


def test_what_an_older_release_kept_has_its_own_time(store, kept):
    """Its records have no monotonic time but those of receipts, and times that ascend."""
    kept.keep(receipt(query(sid="s1")), receipt(query(sid="s2")))
    fold(store, kept)
    assert times(store) == {1: 1000, 2: 2000}
    assert store.axis() is None


def test_a_store_made_anew_places_everything_the_same(store, kept, open_store):
    for each in range(60):
        keep(kept, each * 30 * S, [0, 0, 9 * H, 0, -DAY, 500 * DAY][each % 6])
    fold(store, kept, 7)
    before = times(store), store.tallies(0, 2**60), store.axis(), store.placed(range(99))
    store = open_store()
    fold(store, kept)
    assert (times(store), store.tallies(0, 2**60), store.axis(), store.placed(range(99))) == before


def test_what_is_folded_anew_stays_at_its_place(store, kept):
    """After an erasure, too, a record of a glitch is where it was."""
    keep(kept, 0)
    keep(kept, 60 * S, 500 * DAY)
    keep(kept, 120 * S)
    fold(store, kept)
    before = times(store), store.tallies(0, 2**60)
    store.erase_number("+919876543210", [1, 2, 3])
    assert (times(store), store.tallies(0, 2**60)) == before


def test_a_batch_that_fails_moves_no_clock(store, kept, monkeypatch):
    keep(kept, 0)
    fold(store, kept)
    keep(kept, 60 * S, 9 * H)
    keep(kept, 90 * S)
    assert kept.writer.flush(PATIENCE_S)
    axis, records = store.axis(), parsed(*kept.reader.read(1, 10))
    folding = store._current()
    monkeypatch.setattr(folding, "_write_rows", _full)
    with pytest.raises(OSError, match="full"):
        folding._fold(records)
    assert (folding._placing.axis, store.axis()) == (axis, axis)
    monkeypatch.undo()
    fold(store, kept)
    assert times(store) == {1: 0, 2: 60 * S, 3: 90 * S}


def _full(*_):
    raise OSError("full")


def test_stories_of_a_wrong_clock_go_with_those_around_them(store, kept):
    """What was believed to be 500 days ahead doesn't hold the others back, nor goes early."""
    for minute in range(0, 60, 5):
        keep(kept, minute * 60 * S, 500 * DAY if 10 <= minute < 40 else 0)
    fold(store, kept)
    assert max(times(store).values()) > 499 * DAY
    assert store.remove(START_MS + 15 * 60 * S, 500) <= 3
    while store.remove(START_MS + 50 * 60 * S, 500):
        pass
    assert sorted(times(store)) == [*range(6, 13)], "no earlier than what came next"
    while store.remove(START_MS + 56 * 60 * S, 500):
        pass
    assert times(store) == {}


def test_msgpack_of_the_axis_has_no_empty_fields(store, kept):
    keep(kept, 0)
    fold(store, kept)
    assert len(msgspec.msgpack.encode(store.axis())) < 60
