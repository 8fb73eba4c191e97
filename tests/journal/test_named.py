"""Ids of receipts lead to their records, whichever node kept them."""

from __future__ import annotations

from contextlib import closing

import pytest

from handed_over import Shared, now_ms, record
from kept_receipts import START_MS, Kept
from patience import PATIENCE_S
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.journal.named import records_named, seq_of_own
from switchhook.journal.receipt import id_of, receipt_id
from switchhook.journal.source import Origin, moment_of, own_number

KIND = 4000


@pytest.fixture
def merged(postgresql_schema):
    """Two nodes' records; both have the numbers 1 to 3."""
    with (
        closing(Shared(postgresql_schema)) as shared,
        closing(MergedJournal(shared.url)) as journal,
    ):
        start = now_ms() - 60_000
        for node in (7, 8):
            shared.hand_over(node, [record(seq, start + seq) for seq in (1, 2, 3)])
        shared.place()
        yield journal


def test_each_record_is_found_by_its_own_id(merged):
    records = merged.read(0, 10)
    names = [id_of(each, 0) for each in records]
    assert len(set(names)) == 6
    assert records_named(merged, names, {KIND}) == dict(zip(names, records, strict=True))
    assert records_named(merged, names, {1}) == {}


def test_an_id_of_another_time_or_node_names_nothing(merged):
    (first, *_) = merged.read(0, 1)
    wrong = receipt_id(first.at + 1, first.origin.node, first.origin.seq)
    stranger = receipt_id(first.at, 9, first.origin.seq)
    assert records_named(merged, [wrong, stranger, "no id"], {KIND}) == {}


def test_a_number_that_a_record_says_is_of_its_own_node(merged):
    for each in merged.read(0, 10):
        assert own_number(each) == each.origin
        assert moment_of(each) == each.steady
        assert seq_of_own(merged, each, each.origin.seq) == each.seq
        assert seq_of_own(merged, each, 99) is None


def test_in_a_nodes_own_journal_an_id_of_another_node_names_nothing(tmp_path):
    with closing(Kept(tmp_path / "journal", node=7)) as kept:
        kept.record(KIND, b"a body")
        assert kept.writer.flush(PATIENCE_S)
        (record,) = kept.reader.read(0, 10)
        name = id_of(record, 7)
        assert records_named(kept.reader, [name], {KIND}) == {name: record}
        other = receipt_id(record.at, 8, record.seq)
        assert records_named(kept.reader, [other], {KIND}) == {}
        assert seq_of_own(kept.reader, record, 41) == 41
        assert own_number(record) == Origin(0, record.seq)
        assert moment_of(record) == record.at > START_MS
