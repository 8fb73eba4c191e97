"""Which runs count: answers equal receipts, and none overran its deadline."""

import math
import sqlite3
import time
from contextlib import closing

import msgspec
import pytest

from benchmarks.accounts import Kept, last_seq, read_journal, read_rows, refusal
from benchmarks.journals import make_journal
from benchmarks.load import Outcome
from switchhook.journal import JournalWriter
from switchhook.journal.receipt import Counters, Late, RecordKind, encode
from switchhook.system.data_folder import JOURNAL, DataFolder

GOOD = Outcome(
    sent=100,
    statuses={"200": 75, "302": 25},
    unanswered=0,
    broken=0,
    measured=90,
    seconds=1.0,
    p50=1.0,
    p90=2.0,
    p99=3.0,
    p999=4.0,
    longest=5.0,
    client_busy=0.5,
)


def test_a_run_whose_answers_equal_receipts_counts():
    """Also where nothing is kept, as the bare app has nothing to keep."""
    assert refusal(GOOD, Kept(100), 1000) is None
    assert refusal(GOOD, None, math.inf) is None


@pytest.mark.parametrize(
    ("change", "kept", "why"),
    [
        ({}, Kept(99), "100 answers, but 99 receipts"),
        ({}, Kept(101), "100 answers, but 101 receipts"),
        ({}, Kept(100, late=1), "1 receipts late"),
        ({}, Kept(100, lost=2), "2 gaps"),
        ({}, Kept(100, overran=3), "3 deadlines overrun"),
        ({"longest": 1000.1}, Kept(100), "the deadline is 1000"),
        ({"statuses": {"200": 99, "500": 1}}, Kept(100), "{'500': 1}"),
        ({"unanswered": 1}, Kept(100), "1 requests unanswered"),
        ({"broken": 1}, Kept(100), "1 connections broken"),
        ({"measured": 0}, Kept(100), "nothing was measured"),
    ],
)
def test_a_run_that_does_not_add_up_is_refused(change, kept, why):
    """Each of the ways in which a figure could be too good to be true."""
    problem = refusal(msgspec.structs.replace(GOOD, **change), kept, 1000)
    assert problem is not None
    assert why in problem


def test_journal_is_counted_by_kind_after_the_run_began(tmp_path):
    """Receipts of a journal from before don't count; what tells of lateness does."""
    data = tmp_path / "data"
    make_journal(data, 2500)
    journal = data / JOURNAL
    before = last_seq(journal)
    assert before == 2500
    with DataFolder.open(data, "answer") as folder:
        calls = []
        writer = JournalWriter(
            journal, node=folder.node, notify=calls.append, observe=lambda event: None
        )
        at = time.time_ns() // 1_000_000
        for _ in range(3):
            writer.append(RecordKind.PASSTHRU, at, b"\x80")
        writer.append(RecordKind.LATE, at, encode(Late(before + 1, 7)))
        writer.append(
            RecordKind.COUNTERS, at, encode(Counters({"deadline before disk": 4, "x": 1}))
        )
        writer.append(RecordKind.COUNTERS, at, encode(Counters({"answered": 3})))
        assert writer.close(10)
    assert read_journal(journal, before) == Kept(receipts=3, late=1, lost=0, overran=4)
    assert read_journal(journal, 0).receipts == 2503


def test_journal_made_for_a_bench_reads_as_real_receipts(tmp_path):
    """They decode, they are in order, and they end now, so that repeats are to be remembered."""
    make_journal(tmp_path / "data", 300)
    from switchhook.journal import JournalReader
    from switchhook.journal.receipt import decode_receipt

    with closing(JournalReader(tmp_path / "data" / JOURNAL)) as reader:
        records = reader.read(0, 1000)
        asked = reader.load_asked(1000)
    receipts = [decode_receipt(record.body) for record in records]
    assert [record.seq for record in records] == list(range(1, 301))
    assert all(receipt.raw.startswith(b"CallSid=") for receipt in receipts)
    assert {receipt.http_status for receipt in receipts} == {200, 302}
    assert len(set(asked.asked)) == 300


def test_rows_are_counted(tmp_path):
    """By SQL, whatever the server said."""
    database = tmp_path / "rows.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE stream_events (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO stream_events VALUES (?)", [(n,) for n in range(7)])
    assert read_rows(database) == Kept(7)
