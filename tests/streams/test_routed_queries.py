"""The list of what was asked before streams: by kind and endpoint, page by page."""

from __future__ import annotations

import pytest

from kept_receipts import Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    Keep,
    OneCopy,
    RecordKind,
    encode,
)
from switchhook.store import SqliteStore
from switchhook.streams import routed_queries as module
from switchhook.streams.queries import StreamQueries
from switchhook.web.parameters import RefusedParameter

SAID = [("admit", "gate"), ("voicebot", "in"), ("voicebot", "other"), ("voicebot", "in")]


@pytest.fixture
def queries(tmp_path):
    kept = Kept(tmp_path / "journal")
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    base = {name: getattr(receipt(), name) for name in receipt().__struct_fields__}
    for number, (kind, endpoint) in enumerate(SAID):
        what = AdmissionGiven if kind == "admit" else AddressGiven
        raw = query(f"c{number}", None, None)
        kept.record(module.KINDS[kind], encode(what(**base | {"endpoint": endpoint, "raw": raw})))
    kept.keep(receipt(query("c9")))
    kept.record(RecordKind.VOICEBOT, b"\xc1")
    assert kept.writer.flush(PATIENCE_S)
    fold(store, kept.reader)
    yield StreamQueries(kept.reader, store)
    store.close()
    kept.close()


def test_before_a_stream_too_a_receipt_says_how_many_copies_there_were(tmp_path):
    kept = Kept(tmp_path / "journal")
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    twice = receipt(query("c1", None, None), keep=Keep.TWO_COPIES)
    base = {name: getattr(twice, name) for name in twice.__struct_fields__}
    for _ in range(2):
        kept.record(RecordKind.VOICEBOT, encode(AddressGiven(**base)))
    kept.record(RecordKind.ONE_COPY, encode(OneCopy(1)))
    assert kept.writer.flush(PATIENCE_S)
    fold(store, kept.reader)
    queries = StreamQueries(kept.reader, store)
    found = queries.receipts({"kind": "voicebot"})["receipts"]
    assert [each["copies"] for each in found] == [2, 1]
    assert [queries.receipt(each["id"])["copies"] for each in found] == [2, 1]
    store.close()
    kept.close()


def calls(found):
    return [each["call_sid"] for each in found["receipts"]]


@pytest.mark.parametrize(
    "asked, expected",
    [
        ({"kind": "voicebot"}, ["c3", "c2", "c1"]),
        ({"kind": "voicebot", "endpoint": "in"}, ["c3", "c1"]),
        ({"kind": "voicebot", "call_sid": "c2"}, ["c2"]),
        ({"kind": "voicebot", "option": "B"}, []),
        ({"kind": "admit"}, ["c0"]),
        ({"kind": "passthru"}, ["c9"]),
        ({}, ["c9"]),
    ],
)
def test_each_kind_is_a_list_of_its_own(queries, asked, expected):
    found = queries.receipts(asked)
    assert calls(found) == expected
    assert found["next"] is None


def test_pages_follow_each_other_and_lead_to_the_end(queries):
    seen, values = [], {"kind": "voicebot", "endpoint": "in", "limit": 1}
    while True:
        page = queries.receipts(values)
        seen += calls(page)
        if page["next"] is None:
            break
        values = values | {"cursor": int(page["next"], 16)}
    assert seen == ["c3", "c1"]


def test_a_page_that_would_take_too_long_is_given_up_and_says_where_to_go_on(queries, monkeypatch):
    monkeypatch.setattr(module, "_MOST_READ", 2)
    page = queries.receipts({"kind": "voicebot", "endpoint": "other"})
    assert calls(page) == []
    more = {"kind": "voicebot", "endpoint": "other", "cursor": int(page["next"], 16)}
    assert calls(queries.receipts(more)) == ["c2"]


@pytest.mark.parametrize("name", ["status", "cause", "stream_sid"])
def test_what_is_known_of_streams_only_is_refused(queries, name):
    with pytest.raises(RefusedParameter, match="before a stream"):
        queries.receipts({"kind": "admit", name: "failed"})
