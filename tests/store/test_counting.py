"""What the store counts: always equal to its streams, whatever order and batches they come in."""

import secrets
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kept_receipts import START_MS, Kept, fold, parsed, query, receipt
from store.receipts import ALL, inbound
from switchhook.journal.receipt import RecordKind, encode
from switchhook.journal.segment import Record
from switchhook.metrics import OTHER
from switchhook.store import forms
from switchhook.streams.names import Names
from switchhook.streams.search.query import Query
from switchhook.streams.story import facet_of, stream_story

HOSTS = ("a.example", "b.example")


def recounted(store, width_ms):
    """The tallies as the streams themselves tell them."""
    rows = store.search(Query(), Names(), limit=10_000).rows
    return Counter((row.at_ms - row.at_ms % width_ms, row.facet) for row in rows)


def told(store, *, hours=False):
    return Counter(
        {(each.at_ms, each.facet): each.streams for each in store.tallies(0, ALL, hours=hours)}
    )


said = st.tuples(
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["s1", "s2", None]),
    st.sampled_from(["in-progress", "completed", "failed", "Parked", None]),
    st.fixed_dictionaries(
        {},
        optional={
            "StreamUrl": st.sampled_from([f"wss://{host}/x" for host in HOSTS]),
            "Error": st.just("3009 dial tcp 10.0.0.1:50: connect: connection refused"),
            "DisconnectedBy": st.sampled_from(["bot", "user"]),
        },
    ),
    st.sampled_from(["", "&CallFrom=09876543210", "&CallTo=08047112233&Direction=incoming"]),
    st.sampled_from(["default", "sales"]),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(said, min_size=1, max_size=12), st.data())
def test_tallies_equal_the_streams_in_any_order_and_batches(tmp_path, stores, requests, data):
    """Law 4, for what is counted: order, repeats and batches don't matter."""
    order = data.draw(st.permutations(requests))
    again = data.draw(st.lists(st.sampled_from(requests), max_size=3))
    kept = Kept(tmp_path / secrets.token_hex(8))
    for call, sid, status, more, tail, endpoint in [*order, *again]:
        raw = query(call, sid, status, **more) + tail.encode()
        kept.keep(receipt(raw, endpoint=endpoint))
    counted = []
    for size in (1, data.draw(st.integers(2, 6)), 1000):
        store = stores.new(kept.reader)
        fold(store, kept.reader, size)
        assert told(store) == recounted(store, 60_000)
        assert told(store, hours=True) == recounted(store, 3_600_000)
        uses = {use.facet: use for use in store.uses()}
        for facet, use in uses.items():
            at = _times(store, facet)
            assert (use.streams, use.first_ms, use.last_ms) == (len(at), min(at), max(at))
        assert sum(use.streams for use in uses.values()) == sum(told(store).values())
        counted.append((told(store), uses))
    stores.close()
    assert counted[0] == counted[1] == counted[2]
    kept.close()


def _times(store, facet):
    rows = store.search(Query(), Names(), limit=10_000).rows
    return [row.at_ms for row in rows if row.facet == facet]


@given(said)
def test_a_receipts_facet_is_that_of_the_story_it_tells(request):
    call, sid, status, more, tail, endpoint = request
    raw = query(call, sid, status, **more) + tail.encode()
    kept = receipt(raw, endpoint=endpoint)

    (found,) = parsed(Record(1, RecordKind.PASSTHRU, START_MS, None, None, None, encode(kept)))
    story = stream_story(found.parsed(7))
    if story is not None:
        assert facet_of(story) == found.facet


def test_hosts_beyond_the_ceiling_are_counted_together(kept, store, monkeypatch):
    monkeypatch.setattr(store._folding._facets, "_most", 3)
    kept.keep(
        *(
            receipt(inbound(query(f"c{n}", f"s{n}", StreamUrl=f"wss://h{n}.example/x")))
            for n in range(10)
        )
    )
    fold(store, kept.reader, 4)
    uses = {use.facet.host: use.streams for use in store.uses()}
    assert uses == {"h0.example": 1, "h1.example": 1, "h2.example": 1, OTHER: 7}
    assert {use.facet.exophone for use in store.uses()} == {"+918047112233", OTHER}
    found = store.search(Query(), Names()).rows
    assert found[0].facet.host == "h9.example"


def test_what_a_batch_has_counts_once_however_many_places_it_has(kept, store, monkeypatch):
    """A memory that is cleared amid a batch would forget names that aren't in the table yet."""
    monkeypatch.setattr(forms, "MOST_VALUES", 2)
    monkeypatch.setattr(forms, "_MOST_PLACES", 1)
    for number in range(6):
        for point in ("default", "sales", "support"):
            raw = query(f"c{point}{number}") + f"&New{chr(97 + number) * 3}=1".encode()
            kept.keep(receipt(raw, endpoint=point))
    fold(store, kept.reader, 9)
    keys = [form for form in store.forms(0, ALL) if form.aspect == "key"]
    assert Counter(each.endpoint for each in keys) == dict.fromkeys(
        ("default", "sales", "support"), 3
    )
    assert sum(form.count for form in keys) == 18


def test_forms_have_a_ceiling_and_hold_nothing_that_acts(kept, store, monkeypatch):
    monkeypatch.setattr(forms, "MOST_VALUES", 5)
    for number in range(20):
        name = "x" * number + "%ED%A0%80%00%0A" + "y" * 70_000
        kept.keep(receipt(query() + f"&{name}=1".encode()))
    fold(store, kept.reader, 7)
    keys = [form for form in store.forms(0, ALL) if form.aspect == "key"]
    assert len(keys) == 6
    assert sum(form.count for form in keys) == 20
    assert any(form.value == OTHER for form in keys)
    assert all(len(form.value) <= 130 for form in keys)


def test_a_store_made_anew_counts_the_same(kept, store, open_store):
    kept.keep(*(receipt(query(f"c{n % 3}", f"s{n % 3}", "in-progress")) for n in range(5)))
    fold(store, kept.reader, 2)
    kept.keep(*(receipt(query(f"c{n}", f"s{n}", "completed")) for n in range(3)))
    fold(store, kept.reader, 2)
    before = told(store), sorted(store.uses(), key=str), store.forms(0, ALL)
    store = open_store()
    fold(store, kept.reader)
    assert (told(store), sorted(store.uses(), key=str), store.forms(0, ALL)) == before
