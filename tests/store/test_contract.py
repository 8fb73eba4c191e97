"""What every store promises, whatever it is kept in: `streams.store.Store`.

A second one passes by its name in `STORES` of conftest.py. What only SQLite does, or is asked of
it through its own tables, stands in the other modules.
"""

import pytest

from kept_receipts import START_MS, fold, parsed, query, receipt
from store.receipts import ALL, inbound, mixed
from switchhook.exotel.cause import Cause
from switchhook.journal.receipt import (
    Counters,
    Late,
    OneCopy,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.rules.decide import Decision, Option
from switchhook.streams.facet import Count, Facet, Form, RuleHits
from switchhook.streams.names import Names
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.store import Marks, StreamFilter


def test_receipts_are_found_by_every_filter(kept, store):
    kept.keep(*mixed())
    fold(store, kept.reader)
    assert store.receipts(StreamFilter()) == list(range(11, 0, -1))
    assert store.receipts(StreamFilter(oldest_first=True, limit=2)) == [1, 2]
    assert store.receipts(StreamFilter(call_sid="c1")) == [10, 3, 2, 1]
    assert store.receipts(StreamFilter(stream_sid="s2")) == [10, 2]
    assert store.receipts(StreamFilter(stream_sid="s1", call_sid="c1", endpoint="sales")) == [3]
    assert store.receipts(StreamFilter(stream_sid="s1", call_sid="c2")) == []
    assert store.receipts(StreamFilter(status="completed")) == [10, 9, 3, 2]
    assert store.receipts(StreamFilter(status="parked")) == [8, 6]
    assert store.receipts(StreamFilter(status="parked", call_sid="c4")) == [6]
    assert store.receipts(StreamFilter(cause=Cause.THROTTLED)) == [5]
    assert store.receipts(StreamFilter(option="B")) == [5]
    assert store.receipts(StreamFilter(cause=Cause.BOT_DONE, option="B")) == []
    assert store.receipts(StreamFilter(endpoint="nobody")) == []
    assert store.receipts(StreamFilter(from_seq=3, before_seq=6)) == [5, 4, 3]
    assert store.receipts(StreamFilter(status="completed", before_seq=9, oldest_first=True)) == [
        2,
        3,
    ]


def test_streams_are_found_by_how_they_stand_now(kept, store):
    kept.keep(*mixed())
    fold(store, kept.reader, batch=1)
    found = dict(store.streams(StreamFilter()))
    assert list(found) == [7, 6, 5, 4, 2, 1]
    assert found[1].stream.status == "completed"
    assert found[2] is None
    assert [seq for seq, _ in store.streams(StreamFilter(status="completed"))] == [2, 1]
    assert [seq for seq, _ in store.streams(StreamFilter(status="in-progress"))] == []
    assert [seq for seq, _ in store.streams(StreamFilter(status="parked"))] == [7, 6]
    assert [seq for seq, _ in store.streams(StreamFilter(cause=Cause.CALLER_LEFT))] == [1]
    assert [seq for seq, _ in store.streams(StreamFilter(call_sid="c1"))] == [2, 1]
    assert [seq for seq, _ in store.streams(StreamFilter(stream_sid="s1"))] == [1]


def test_what_can_not_be_read_is_set_aside_alone(kept, store):
    kept.keep(receipt(query("c1", "s1")))
    kept.record(RecordKind.PASSTHRU, b"\xc1 not msgpack")
    kept.record(RecordKind.LATE, encode(Late(2**63, 1)))
    kept.keep(receipt(query("c2", "s2")))
    fold(store, kept.reader)
    assert store.receipts(StreamFilter()) == [4, 1]
    count, found = store.quarantined(10)
    assert count == 2
    assert [each.seq for each in found] == [3, 2]
    assert store.position() == 4


def test_folding_from_another_position_does_nothing(kept, store):
    kept.keep(receipt())
    store.fold(5, parsed(*kept.reader.read(0, 10)))
    assert store.position() == 0


def test_a_facet_is_made_of_seven_words(kept, store):
    kept.keep(
        receipt(
            inbound(
                query(
                    "c1",
                    "s1",
                    "failed",
                    StreamUrl="wss://u:p@A.Example:8080/x?y=z",
                    Error="3009 dial tcp: lookup x: no such host",
                )
            )
        )
    )
    fold(store, kept.reader)
    facet = Facet("default", "failed", "connect_failed", "B", "dns", "a.example", "+918047112233")
    assert [(each.facet, each.streams) for each in store.tallies(0, ALL)] == [(facet, 1)]
    minute = store.tallies(0, ALL)[0].at_ms
    assert minute % 60_000 == 0
    assert store.tallies(minute + 1, ALL) == []
    assert store.tallies(0, minute) == []


def test_an_outbound_call_counts_for_the_number_it_comes_from(kept, store):
    tail = b"&CallFrom=08047112233&CallTo=09876543210&Direction=outbound-dial"
    kept.keep(receipt(query() + tail))
    fold(store, kept.reader)
    assert {use.facet.exophone for use in store.uses()} == {"+918047112233"}


def test_counters_are_kept_by_the_minute_and_peaks_as_the_greatest(kept, store):
    at = START_MS - START_MS % 60_000
    for later, counts, peaks in ((0, {"answered": 2}, {"waiting": 5}), (59_999, {"answered": 3},
                                 {"waiting": 4}), (60_000, {"answered": 1}, {})):  # fmt: skip
        kept.record(RecordKind.COUNTERS, encode(Counters(counts, peaks)), at=at + later)
    kept.keep()
    fold(store, kept.reader, 1)
    assert store.counts(0, ALL) == [
        Count(at, "answered", 5),
        Count(at, "waiting", 5),
        Count(at + 60_000, "answered", 1),
    ]
    assert store.counters() == {"answered": 6}


def test_what_was_answered_with_one_copy_is_told(kept, store):
    """Also where its mark was written down twice, and after all else of the receipt was erased."""
    kept.keep(receipt(query("c1", "s1")), receipt(query("c2", "s2")), receipt(query("c3", "s3")))
    for seq in (2, 3, 2):
        kept.record(RecordKind.ONE_COPY, encode(OneCopy(seq)))
    kept.keep()
    fold(store, kept.reader, 1)
    assert store.marks([1, 2]) == {2: Marks(one_copy=True)}
    kept.record(RecordKind.LATE, encode(Late(3, 40)))
    kept.keep()
    fold(store, kept.reader)
    assert store.marks(range(10)) == {2: Marks(one_copy=True), 3: Marks(40, one_copy=True)}
    found = store.search(Query((Condition("is", ("one_copy",)),)), Names()).rows
    assert [(row.seq, row.one_copy) for row in found] == [(3, True), (2, True)]


def test_hits_of_rules_are_counted_by_the_hour_release_and_option(kept, store):
    def by(rule, release="a" * 64, option=Option.A, **more):
        decision = Decision(option, rule, release, "as it was decided")
        return receipt(query(**more), decision=decision)

    hour = START_MS - START_MS % 3_600_000
    kept.keep(
        by("sales", call="c1"),
        by("sales", call="c2"),
        by("sales", "b" * 64, call="c3"),
        by("safe option", option=Option.B, call="c4"),
        by("repeat", call="c4"),
    )
    late = encode(by("sales", call="c5"))
    kept.record(RecordKind.PASSTHRU, late, at=hour + 3_700_000)
    kept.keep()
    fold(store, kept.reader, 2)
    a, b = "a" * 64, "b" * 64
    at = [START_MS + 1000 * (1 + n) for n in range(5)]
    assert store.rule_hits(0, hour + 3_600_000) == [
        RuleHits("default", a, "repeat", "A", 1, at[4], 5),
        RuleHits("default", a, "safe option", "B", 1, at[3], 4),
        RuleHits("default", a, "sales", "A", 2, hour + 3_700_000, 6),
        RuleHits("default", b, "sales", "A", 1, at[2], 3),
    ]
    assert {each.hits for each in store.rule_hits(0, hour)} == {0}
    store.remove(hour + 3_600_000, 1000)
    left = store.rule_hits(0, ALL)
    assert [(each.rule, each.release, each.hits) for each in left] == [("sales", a, 1)]


def test_forms_of_requests_are_counted_by_the_hour(kept, store):
    kept.keep(
        receipt(query("c1", "s1", "Parked", Duration="soon") + b"&NewKey12=1&NewKey13=2"),
        receipt(query("c2", "s2", "Moved", Duration="later") + b"&NewKey99=1"),
        receipt(query("c3"), endpoint="sales"),
    )
    fold(store, kept.reader, 1)
    hour = START_MS - START_MS % 3_600_000
    forms = store.forms(0, ALL)
    assert Form(hour, "default", "dialect", "flat", 2) in forms
    assert Form(hour, "sales", "dialect", "flat", 1) in forms
    assert Form(hour, "default", "key", "NewKeyN", 2) in forms
    assert Form(hour, "default", "defect", "stream.status: unknown status", 2) in forms
    assert Form(hour, "default", "defect", "stream.duration: not a number of seconds", 2) in forms
    assert store.forms(hour + 1, ALL) == []


def test_status_callbacks_are_found_by_their_call(kept, store):
    def callback(call, number=b""):
        raw = b"CallSid=%b&Status=completed&From=%b" % (call, number)
        body = StatusReceived(1, "main", raw, "application/x-www-form-urlencoded", None)
        return kept.record(RecordKind.STATUS, encode(body))

    first, _, third = callback(b"c1"), callback(b"c2"), callback(b"c1", b"09876543210")
    kept.record(RecordKind.STATUS, encode(StatusReceived(1, "main", b"\xff\x00nonsense")))
    kept.keep(receipt(query("c1")))
    fold(store, kept.reader, 2)
    assert store.notes("c1") == [first, third]
    assert store.notes("c9") == []
    assert store.quarantined(1)[0] == 0
    assert len(store.events(RecordKind.STATUS, 10)) == 4


def test_the_oldest_stream_is_told(kept, store):
    assert store.oldest_ms() is None
    kept.keep(receipt(), receipt(query("c2", "s2")))
    fold(store, kept.reader)
    assert store.oldest_ms() == START_MS + 1000


def test_batches_and_repeats_make_no_difference(kept, open_store):
    """The same records, folded one by one, by three and at once, are told alike."""
    kept.keep(*mixed())
    told = []
    for batch in (1, 3, 100):
        store = open_store()
        fold(store, kept.reader, batch)
        store.fold(0, parsed(*kept.reader.read(0, 5)))  # late: it is further already
        told.append(
            (
                store.position(),
                store.receipts(StreamFilter()),
                store.streams(StreamFilter()),
                sorted(store.tallies(0, ALL), key=str),
                sorted(store.uses(), key=str),
                sorted(store.forms(0, ALL), key=str),
                store.quarantined(10),
            )
        )
    assert told[0] == told[1] == told[2]
    assert told[0][0] == 11


def test_what_is_not_there_is_not_told(store):
    assert (store.position(), store.oldest_ms(), store.axis()) == (0, None, None)
    assert store.receipts(StreamFilter()) == store.streams(StreamFilter()) == []
    assert (
        store.tallies(0, ALL) == store.uses() == store.forms(0, ALL) == store.counts(0, ALL) == []
    )
    assert (store.counters(), store.quarantined(5), store.marks([1])) == ({}, (0, []), {})


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["stream first", "callback first"])
def test_a_stream_whose_call_has_ended_does_not_run(kept, store, batch, order):
    """Whichever came first, and a later passthru that says less changes nothing."""

    def callback():
        raw = b"CallSid=c1&Status=completed"
        body = StatusReceived(1, "main", raw, "application/x-www-form-urlencoded", None)
        kept.record(RecordKind.STATUS, encode(body))

    tell = [lambda: kept.keep(receipt(query("c1", "s1", "in-progress"))), callback]
    for at in order:
        tell[at]()
    kept.keep(receipt(query("c2", "s2", "in-progress")), receipt(query("c1", "s1", None)))
    fold(store, kept.reader, batch)
    assert {use.facet.cause: use.streams for use in store.uses()} == {"unknown": 1, "running": 1}
    assert [tally.streams for tally in store.tallies(0, ALL)] == [1, 1]
    running = store.streams(StreamFilter(cause=Cause.RUNNING))
    [(_, over)] = store.streams(StreamFilter(cause=Cause.UNKNOWN))
    assert len(running) == 1
    assert (over.call_sid, over.call_over) == ("c1", True)


def test_a_passthru_that_says_its_call_has_ended_ends_the_streams_of_the_call(kept, store):
    kept.keep(receipt(query("c1", "s1", "in-progress")), receipt(b"CallSid=c1&CallStatus=busy"))
    fold(store, kept.reader, 1)
    assert {use.facet.cause: use.streams for use in store.uses()} == {"unknown": 1}


def test_a_stream_that_was_ended_by_its_call_takes_its_own_end_when_that_is_told(kept, store):
    kept.keep(
        receipt(query("c1", "s1", "in-progress")), receipt(b"CallSid=c1&CallStatus=completed")
    )
    kept.keep(receipt(query("c1", "s1", "completed", DisconnectedBy="bot")))
    fold(store, kept.reader, 1)
    assert {use.facet.cause: use.streams for use in store.uses()} == {"bot_done": 1}
