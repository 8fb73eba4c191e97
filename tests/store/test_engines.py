"""Both engines, of the same journal, give the same answers to every question."""

import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kept_receipts import START_MS, Kept, fold, query, receipt
from patience import PATIENCE_S
from store.kinds import Stores
from store.masked_journal import Journal
from switchhook.exotel.cause import Cause
from switchhook.journal.receipt import (
    ClockStep,
    Counters,
    Late,
    OneCopy,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.streams.names import Names
from switchhook.streams.search.syntax import parse_query
from switchhook.streams.store import StreamFilter

FORM = "application/x-www-form-urlencoded"
calls = st.sampled_from(["c1", "c2", "c3"])
numbers = st.sampled_from(["09876543210", "08047112233", "%2B14155550123", "anonymous", "1860"])

passthru = st.builds(
    lambda call, sid, status, more, caller, called, endpoint: receipt(
        query(call, sid, status, **more)
        + f"&CallFrom={caller}&CallTo={called}&Direction=incoming&CustomField=Lead-1".encode(),
        endpoint=endpoint,
    ),
    calls,
    st.sampled_from(["s1", "s2", None]),
    st.sampled_from(["in-progress", "completed", "failed", "Parked", "a\x00b", None]),
    st.fixed_dictionaries(
        {},
        optional={
            "StreamUrl": st.sampled_from(["wss://a.example/x", "wss://b.example/\x1a\x00"]),
            "Error": st.just("3009 dial tcp 10.0.0.1:50: connect: connection refused"),
            "DisconnectedBy": st.sampled_from(["bot", "user"]),
            "Odd\x00": st.just("1"),
        },
    ),
    numbers,
    numbers,
    st.sampled_from(["default", "sales"]),
)
callback = st.builds(
    lambda call, status, number: StatusReceived(
        1, "main", f"CallSid={call}&Status={status}&From={number}".encode(), FORM
    ),
    calls,
    st.sampled_from(["completed", "ringing"]),
    numbers,
)
record = st.one_of(
    passthru,
    passthru,
    passthru,
    callback,
    st.builds(Late, st.integers(1, 12), st.integers(1, 900)),
    st.builds(OneCopy, st.integers(1, 12)),
    st.builds(Counters, st.just({"answered": 2}), st.just({"waiting": 3})),
    st.just(b"\xc1 not msgpack"),
)
KINDS: dict[object, RecordKind] = {
    StatusReceived: RecordKind.STATUS,
    Late: RecordKind.LATE,
    OneCopy: RecordKind.ONE_COPY,
    Counters: RecordKind.COUNTERS,
    ClockStep: RecordKind.CLOCK,
}
moment = st.tuples(st.integers(0, 400_000), st.sampled_from([0, 0, 0, 9 * 3_600_000, -86_400_000]))

SEARCHES = (
    "", "call:c1", "sid:s2,c3", "from:98765", "number:415,2233", "to:*2233", "is:late", "is:failed",
    "is:one_copy", "status:parked", "custom_field:lead-1", "rule:default", "option:B",
    "host:a.example", "!host:*", "endpoint:sales cause:connect_failed",
)  # fmt: skip


def write(kept, records):
    mono = 0
    for what, (later, off) in records:
        mono += later
        at = START_MS + mono + off
        kind = KINDS.get(type(what), RecordKind.PASSTHRU)
        body = what if isinstance(what, bytes) else encode(what)
        assert kept.writer.append(kind, at, body, mono=mono) is not None
    assert kept.writer.flush(PATIENCE_S)


def answers(store):
    """Everything that can be asked, in an order of its own."""
    until, filters = 2**60, (
        StreamFilter(),
        StreamFilter(call_sid="c1", oldest_first=True),
        StreamFilter(stream_sid="s1", call_sid="c2"),
        StreamFilter(status="parked"),
        StreamFilter(status="completed", endpoint="sales", limit=2),
        StreamFilter(cause=Cause.CONNECT_FAILED, from_seq=2, before_seq=9),
        StreamFilter(option="B"),
    )  # fmt: skip
    found = {
        "position": store.position(),
        "axis": store.axis(),
        "placed": store.placed(range(40)),
        "receipts": [store.receipts(each) for each in filters],
        "streams": [store.streams(each) for each in filters],
        "marks": store.marks(range(40)),
        "minutes": sorted(store.tallies(0, until), key=str),
        "hours": sorted(store.tallies(0, until, hours=True), key=str),
        "uses": sorted(store.uses(), key=str),
        "counts": store.counts(0, until),
        "counters": store.counters(),
        "forms": store.forms(0, until),
        "rules": store.rule_hits(0, START_MS + 200_000),
        "notes": [store.notes(call) for call in ("c1", "c2", "c3")],
        "oldest": store.oldest_ms(),
        "events": [store.events(kind, 5) for kind in RecordKind],
        "quarantined": [each.seq for each in store.quarantined(40)[1]],
    }
    for text in SEARCHES:
        for time in ("", f" since:{_clock(60)}", f" until:{_clock(120)}"):
            asked = parse_query(text + time, START_MS)
            assert not asked.problems, text + time
            page = store.search(asked, Names(), limit=3, counted=True)
            found[text + time] = page.rows, page.count
    return found


def _clock(second):
    return f"2026-11-18T11:{6 + (40 + second) // 60:02d}:{(40 + second) % 60:02d}Z"


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(record, moment), min_size=1, max_size=16), st.data())
def test_both_engines_answer_alike(tmp_path, postgresql, records, data):
    kept = Kept(tmp_path / secrets.token_hex(8))
    write(kept, records)
    journal = Journal(kept.reader)
    folder = tmp_path / secrets.token_hex(8)
    folder.mkdir()
    engines = [Stores(folder, each) for each in (None, postgresql)]
    told = []
    batches = [data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))]
    erased = data.draw(st.booleans())
    before_ms = data.draw(st.sampled_from([0, START_MS + 100_000, 2**60]))
    for stores, batch in zip(engines, batches, strict=True):
        store = stores.new(journal)
        fold(store, journal, batch)
        told.append([answers(store)])
        if erased:
            told[-1].append(store.erase_number("+919876543210", []))
            told[-1].append(answers(store))
        told[-1].append(store.keep_stories(0, 5, limit=100))
        told[-1].append([store.remove(before_ms, 3) for _ in range(4)])
        told[-1].append(answers(store))
        stores.close()
    kept.close()
    for one, other in zip(*told, strict=True):
        assert one == other
