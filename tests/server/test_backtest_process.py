"""A back-test over the journal of all nodes, in processes of its own."""

from __future__ import annotations

from contextlib import closing

import pytest

from handed_over import Shared, now_ms, record
from kept_receipts import query, receipt
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.journal.receipt import RecordKind, encode, parse_receipt_id
from switchhook.releases.backtest import BackTest
from switchhook.releases.backtest_engine import Work
from switchhook.releases.backtest_worker import carry_out
from switchhook.releases.spans import Span
from switchhook.server.backtest_process import PROGRAM

pytestmark = pytest.mark.process

TEXT = """
[[rule]]
name = "all"
when = 'stream.status != "none"'
option = "B"

[default]
option = "A"
"""


def test_receipts_of_all_nodes_are_counted_and_named_by_their_own_ids(postgresql_schema):
    with (
        closing(Shared(postgresql_schema)) as shared,
        closing(MergedJournal(shared.url)) as journal,
    ):
        start = now_ms() - 60_000
        for node in (7, 8):
            kept = [
                record(
                    seq,
                    start + seq,
                    encode(receipt(query(f"c{node}-{seq}"), received_us=(start + seq) * 1000)),
                    RecordKind.PASSTHRU,
                )
                for seq in range(11, 41)
            ]
            shared.hand_over(node, kept)
        shared.place()
        work = Work(
            journal=shared.url,
            program=PROGRAM,
            subject="rules/default",
            release="a" * 64,
            text=TEXT,
            behind=False,
        )
        whole = Span(1, journal.last_seq())
        found = BackTest(subject="rules/default", release="a" * 64, whole=whole)
        assert carry_out(found, work, cores=2, keep=lambda _: None)
    assert (found.tally.decided, found.tally.different) == (60, 60)
    (change,) = found.tally.changes
    names = [parse_receipt_id(each.receipt(None)) for each in change.examples]
    assert len(names) == 50
    assert {node for _, node, _ in names} == {7, 8}
    assert all(at == start + seq for at, _, seq in names)
