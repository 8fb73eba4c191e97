"""Streams, calls and receipts of several nodes, as people see them."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest

import postgresql as servers
from handed_over import Shared, now_ms, record
from kept_receipts import fold, query, receipt
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.exotel.times import DAY_MS
from switchhook.journal.receipt import Late, RecordKind, encode, id_of, parse_receipt_id
from switchhook.store import PostgresqlStore
from switchhook.streams.queries import StreamQueries


class Nodes:
    """Three nodes' receipts in one database, and what is folded of them."""

    def __init__(self, url: str) -> None:
        self.shared = Shared(url)
        self.journal = MergedJournal(url)
        self.store = PostgresqlStore(url, self.journal)
        self.store.open()
        self.queries = StreamQueries(self.journal, self.store)

    def passthru(self, node, seq, at, raw, off=0, **more):
        body = encode(receipt(raw, received_us=at * 1000, **more))
        kept = record(seq, at + off, body, RecordKind.PASSTHRU)
        self.shared.hand_over(node, [kept], clock_ms=off)

    def fold(self):
        self.shared.place()
        fold(self.store, self.journal)

    def close(self):
        self.store.close()
        self.journal.close()
        self.shared.close()


@pytest.fixture
def nodes(postgresql_schema):
    with closing(Nodes(postgresql_schema)) as found:
        yield found


def told(nodes, start):
    """A call that three nodes heard of, in the order of time; the second one's clock is off."""
    nodes.passthru(1, 900, start, query(status="in-progress"))
    nodes.passthru(2, 5, start + 4_000, query(status="completed"), off=-40 * DAY_MS)
    nodes.passthru(3, 41, start + 6_000, query(status="failed"))


def test_each_receipt_is_shown_by_its_own_id_and_found_by_it(nodes):
    told(nodes, now_ms() - 60_000)
    nodes.fold()
    shown = nodes.queries.receipts({"limit": 10})["receipts"]
    assert {parse_receipt_id(each["id"])[1:] for each in shown} == {(1, 900), (2, 5), (3, 41)}
    for each in nodes.journal.read(0, 10):
        name = id_of(each, 0)
        assert nodes.queries.receipt(name)["id"] == name
        assert nodes.queries.call_named(name) == "c1"
        assert nodes.queries.stream_named(name) == "s1"
    other = shown[0]["id"][:-1] + ("0" if shown[0]["id"][-1] != "0" else "1")
    assert nodes.queries.receipt(other) is None
    assert nodes.queries.status()["node"] is None


def test_a_call_that_several_nodes_heard_of_is_one_story(nodes):
    start = now_ms() - 60_000
    told(nodes, start)
    nodes.fold()
    call = nodes.queries.call("c1")
    assert len(call["passthrus"]) == 3
    (stream,) = call["streams"]
    assert stream["status"] == "completed"  # the first of two final words, whatever the numbers
    whole = nodes.queries.stream("s1")
    assert len(whole["receipts"]) == 3
    assert parse_receipt_id(whole["settled_by"])[1:] == (2, 5)


def test_the_same_receipts_in_any_order_are_the_same_story(postgresql):
    start, stories = now_ms() - 600_000, []
    parts = [
        (1, 7, start, query(status="in-progress", Url="wss://a.example/x")),
        (2, 900, start + 3_000, query(status="completed", Duration="28")),
        (3, 5, start + 5_000, query(status="failed", Error="3009 refused")),
    ]
    for order in itertools.permutations(parts):
        with (
            servers.schema(postgresql) as url,
            closing(Nodes(servers.text_of(url))) as nodes,
        ):
            for part in order:
                nodes.passthru(*part)
                nodes.fold()
            story = nodes.queries.stream("s1")
            stories.append({**story, "receipts": sorted(story["receipts"])})
    assert all(story == stories[0] for story in stories)
    assert stories[0]["status"] == "completed"


def test_what_is_said_of_a_nodes_own_number_is_said_of_its_record(nodes):
    start = now_ms() - 60_000
    told(nodes, start)
    nodes.passthru(1, 901, start + 7_000, query(call="c2", sid="s2"))
    late = record(42, start + 8_000, encode(Late(41, 1_200)), RecordKind.LATE)
    nodes.shared.hand_over(3, [late])
    nodes.fold()
    marks = nodes.store.marks([each.seq for each in nodes.journal.read(0, 10)])
    told_late = {seq for seq, mark in marks.items() if mark.late_ms is not None}
    assert {nodes.journal.get(seq).origin for seq in told_late} == {(3, 41)}


def test_a_repeat_names_the_receipt_of_its_own_node(nodes):
    start = now_ms() - 60_000
    told(nodes, start)
    nodes.shared.place()
    (first,) = [each for each in nodes.journal.read(0, 10) if each.origin.node == 2]
    nodes.passthru(2, 6, start + 9_000, query(status="completed"), repeat_of=id_of(first, 0))
    nodes.fold()
    repeats = [
        each for each in nodes.queries.receipts({"limit": 10})["receipts"] if each.get("repeat_of")
    ]
    assert [each["repeat_of"] for each in repeats] == [id_of(first, 0)]


def test_a_node_whose_clock_is_off_stands_at_the_right_time(nodes):
    start = now_ms() - 60_000
    told(nodes, start)
    nodes.fold()
    assert {each.steady for each in nodes.journal.read(0, 10)} == {
        start,
        start + 4_000,
        start + 6_000,
    }
    low, high = nodes.store.seqs_between(start - 1, start + 60_000)
    assert low <= 1
    assert high is None or high > 3
