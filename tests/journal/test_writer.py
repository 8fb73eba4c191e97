"""What is appended is kept, in order, whatever the disk does meanwhile."""

from __future__ import annotations

import os
import stat
import struct
import threading

import apsw
import msgspec
import pytest

from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind


def wal_of(folder):
    return next(iter(sorted(folder.glob("*.sqlite-wal"), reverse=True)))


def test_record_goes_round(open_journal, loop, folder):
    """Every column of a record comes back as it was given."""
    done = []
    writer = open_journal()
    assert writer.append(7, 1000, b"\x00body\xff", mono=5, asked=-(2**63), option=1) == 1
    assert writer.append(8, 1001, b"", done=done.append) == 2
    loop.run_until(lambda: done == [True])
    first, second = JournalReader(folder).read(0, 10)
    assert msgspec.structs.astuple(first)[:8] == (1, 7, 1000, 5, -(2**63), 1, b"\x00body\xff", "")
    assert msgspec.structs.astuple(second)[:8] == (2, 8, 1001, None, None, None, b"", "")
    assert writer.next_seq == 3
    assert [str(event) for event in loop.events] == [
        "a new segment was begun (segment 00000000000000000001.sqlite)"
    ]
    assert not loop.events[0].trouble
    assert writer.healthy


def test_done_runs_in_the_order_of_append(open_journal, loop, folder):
    """Groups larger than one statement, and those after them, keep their order."""
    order = []
    writer = open_journal()
    for number in range(1, 3001):
        assert writer.append(1, number, b"x", done=lambda kept, n=number: order.append((n, kept)))
    loop.run_until(lambda: len(order) == 3000)
    assert order == [(number, True) for number in range(1, 3001)]
    assert [record.at for record in JournalReader(folder).read(0, 5000)] == list(range(1, 3001))


def test_what_was_written_takes_no_memory_any_more(open_journal):
    """A statement that is kept for as many records keeps none of the long ones written last."""
    writer = open_journal(defer=lambda _hand_over: None)  # flush does
    body = bytes(200_000)
    for count in range(1, 21):
        for _ in range(count):
            assert writer.append(1, 1, body)
        assert writer.flush(PATIENCE_S)
        if count == 1:
            before = apsw.memory_used()
    assert apsw.memory_used() - before < 8_000_000  # the page cache; all but the last were 38 MB


def test_done_runs_after_the_record_is_durable(open_journal, loop, disk):
    """Between append and done the log was synced."""
    writer = open_journal(vfs=disk.name)
    writer.append(1, 1, b"opens the segment")
    assert writer.flush(PATIENCE_S)
    syncs, seen = disk.syncs, []
    writer.append(1, 2, b"x", done=lambda kept: seen.append(disk.syncs))
    loop.run_until(lambda: bool(seen))
    assert seen[0] > syncs


def test_a_failing_done_does_not_keep_others_from_theirs(open_journal, loop):
    """The first mistake is raised once everybody in the group was told."""
    told = []

    def fail(_kept):
        raise ZeroDivisionError

    writer = open_journal(pending_records=2)
    writer.append(1, 1, b"x", done=fail)
    writer.append(1, 1, b"x", done=told.append)
    with pytest.raises(ZeroDivisionError):
        loop.run_until(lambda: len(told) == 2)
    loop.run_until(lambda: told == [True])
    assert writer.append(1, 1, b"x") == 3, "there is room again"


def test_seqs_go_on_after_a_restart_and_times_are_kept_as_they_are(open_journal, folder):
    """A reopened journal continues the count; what the clock said is kept, though it went back."""
    writer = open_journal()
    writer.append(1, 5000, b"x")
    assert writer.close()
    writer = open_journal()
    assert writer.next_seq == 2
    assert writer.append(1, 4000, b"x") == 2
    assert writer.append(1, 9000, b"x") == 3
    assert writer.append(1, 5, b"x") == 4
    assert writer.flush(PATIENCE_S)
    read = JournalReader(folder).read(0, 9)
    assert [(each.seq, each.at) for each in read] == [(1, 5000), (2, 4000), (3, 9000), (4, 5)]
    with pytest.raises(JournalError, match="belongs to node 1, this is node 2"):
        open_journal(node=2)


def test_a_closed_journal_takes_nothing(open_journal):
    writer = open_journal()
    assert writer.close()
    assert not writer.healthy
    with pytest.raises(JournalError, match="is closed"):
        writer.append(1, 1, b"x")


def test_files_are_private_whatever_the_umask(open_journal, folder):
    """The folder is 0700, and every file 0600, also those that SQLite makes."""
    before = os.umask(0)
    try:
        writer = open_journal()
        writer.append(1, 1, b"x")
        assert writer.flush(PATIENCE_S)
    finally:
        os.umask(before)
    modes = {path.name[20:]: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {".sqlite": 0o600, ".sqlite-wal": 0o600, ".sqlite-shm": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_refused_record_fails_alone(open_journal, loop, folder):
    """What the database can't hold is set aside and counted; its group is kept."""
    outcome = {}
    writer = open_journal()
    records = [(b"a", 1), (b"b", 2**63), ("\ud800", 3), (b"d", None)]
    for body, asked in records:
        note = lambda kept, key=asked: outcome.update({key: kept})  # noqa: E731
        writer.append(1, 1, body, asked=asked, done=note)
    loop.run_until(lambda: len(outcome) == 4)
    assert outcome == {1: True, 2**63: False, 3: False, None: True}
    assert [record.body for record in JournalReader(folder).read(0, 10)] == [b"a", b"d"]
    assert (folder / "refused" / "2.bin").read_bytes() == b"b"
    assert b"ud800" in (folder / "refused" / "3.bin").read_bytes()
    assert stat.S_IMODE((folder / "refused" / "2.bin").stat().st_mode) == 0o600
    assert [event.count for event in loop.seen("refused")] == [2, 3]
    assert all(event.trouble for event in loop.seen("refused"))
    assert str(loop.seen("refused")[0]).startswith("a record was refused by the database")
    assert writer.healthy


def test_body_beyond_the_limit_of_the_database_fails_alone(open_journal, loop, folder):
    outcome = []
    writer = open_journal()
    writer.append(1, 1, b"x", done=outcome.append)
    loop.run_until(lambda: len(outcome) == 1)
    writer._chain._segment.connection.limit(apsw.SQLITE_LIMIT_LENGTH, 10_000)
    for size in (10, 20_000, 10):
        writer.append(1, 1, bytes(size), done=outcome.append)
    loop.run_until(lambda: len(outcome) == 4)
    assert outcome == [True, True, False, True]
    assert (folder / "refused" / "3.bin").read_bytes() == bytes(20_000)


def test_memory_is_bounded_and_the_loss_is_told(open_journal, loop, folder, disk):
    """Past the bound records are counted; a LOST record says how many once writing works."""
    writer = open_journal(vfs=disk.name, pending_records=5)
    writer.append(1, 1, b"x")
    loop.settle(writer)
    disk.fault = lambda operation, path: apsw.SQLITE_FULL if operation == "write" else None
    seqs = [writer.append(1, number, b"x") for number in range(10, 18)]
    assert seqs == [2, 3, 4, 5, 6, None, None, None]
    loop.run_until(lambda: bool(loop.seen("failing")))
    assert not writer.healthy
    disk.fault = lambda operation, path: None
    loop.settle(writer)  # which makes room to tell of the loss
    loop.settle(writer)
    last = JournalReader(folder).read(6, 10)
    assert [(record.seq, record.kind) for record in last] == [(7, RecordKind.LOST)]
    assert msgspec.json.decode(last[0].body) == {"count": 3, "first_at": 15, "last_at": 17}
    assert len(loop.seen("lost")) == 1


def test_record_larger_than_the_memory_is_told_at_once(open_journal, loop, folder):
    writer = open_journal(pending_bytes=1000)
    assert writer.append(1, 1, bytes(2000)) is None
    loop.settle(writer)
    assert [record.kind for record in JournalReader(folder).read(0, 10)] == [RecordKind.LOST]


def test_slow_until_a_write_of_its_own_succeeded(open_journal, loop, disk):
    """After a deadline passed nobody waits until the disk was tried, with no caller at stake."""
    gate, writing = threading.Event(), threading.Event()
    writer = open_journal(vfs=disk.name, trial_seconds=30.0)
    writer.append(1, 1, b"x")
    loop.settle(writer)

    def hold(operation, path):
        if operation == "sync":
            disk.lock.release()
            writing.set()
            gate.wait(PATIENCE_S)
            disk.lock.acquire()

    disk.fault = hold
    writer.mark_slow()
    assert writing.wait(PATIENCE_S)
    assert not writer.healthy
    gate.set()
    assert writer.flush(PATIENCE_S)
    assert writer.healthy
    assert writer.next_seq == 2


def test_segments_roll_under_load(open_journal, loop, folder):
    """Records go on without a break across segments; full ones are sealed and their log is gone."""
    done = []
    writer = open_journal(segment_bytes=200_000)
    for number in range(1, 1001):
        writer.append(1, number, bytes(1000), done=done.append)
        if number % 50 == 0:
            loop.run_until(lambda n=number: len(done) == n)
    segments = sorted(folder.glob("0*.sqlite"))
    loop.run_until(lambda: len(loop.seen("sealed")) == len(segments) - 1)
    assert len(segments) >= 4
    assert [record.at for record in JournalReader(folder).read(0, 2000)] == list(range(1, 1001))
    sealed = apsw.Connection(str(segments[0]))
    meta = dict(sealed.execute("SELECT * FROM meta"))
    sealed.close()
    assert (meta["sealed"], meta["first_seq"], meta["node"]) == (1, 1, 1)
    second = apsw.Connection(str(segments[1]))
    assert dict(second.execute("SELECT * FROM meta"))["previous"] == meta["uuid"]
    second.close()
    assert not list(folder.glob(segments[0].name + "-wal"))


def test_log_begins_anew_under_continuous_writing(open_journal, loop, folder):
    """Checkpoints catch up with a writer that never pauses, so the log doesn't grow without end."""
    done, written, rounds = [], 0, 0
    writer = open_journal(checkpoint_bytes=200_000)
    while rounds < 4 and written < 200 << 20:
        before = len(done)
        for _ in range(50):
            writer.append(1, 1, bytes(1000), done=done.append)
            written += 1000
        loop.run_until(lambda b=before: len(done) == b + 50)
        with wal_of(folder).open("rb") as log:
            rounds = struct.unpack(">I", log.read(16)[12:])[0]  # the log's count of its beginnings
    assert rounds >= 4
    assert wal_of(folder).stat().st_size < written


def test_ceiling_alarms_first_and_then_stops(open_journal, loop, folder):
    """At 80 % an alarm, once; at the ceiling records wait, and go on when room was made."""
    done = []
    writer = open_journal(ceiling_bytes=2_000_000, checkpoint_bytes=50_000, segment_bytes=300_000)
    number = 0
    while not loop.seen("at_ceiling"):
        number += 1
        writer.append(1, number, bytes(1000), done=done.append)
        if number % 20 == 0:
            loop.run_until(lambda n=number: len(done) == n or not writer.healthy)
    assert len(loop.seen("near_ceiling")) == 1
    assert loop.events.index(loop.seen("near_ceiling")[0]) < loop.events.index(
        loop.seen("at_ceiling")[0]
    )
    assert "ceiling of 2000000 bytes" in writer.last_error
    waiting = writer.append(1, number, b"waits", done=done.append)
    for path in sorted(folder.glob("0*.sqlite"))[:3]:
        path.unlink()
    loop.run_until(lambda: len(done) == waiting)
    assert all(done)
    assert JournalReader(folder).last_seq() == waiting
    assert len(loop.seen("at_ceiling")) == 1


def test_what_cannot_be_written_before_the_end_is_said(open_journal, loop, disk):
    """close() gives up in time and says how many records are lost with the memory."""
    writer = open_journal(vfs=disk.name)
    disk.fault = lambda operation, path: apsw.SQLITE_FULL if operation == "write" else None
    writer.append(1, 1, b"x")
    assert not writer.flush(0.01)
    assert not writer.close(0.01)
    loop.run_pending()
    assert [event.count for event in loop.seen("unwritten")] == [1]


def test_what_the_loop_queues_in_one_go_is_one_group(tmp_path):
    """Handed over when the loop has done what is at hand, not record by record."""
    deferred, told, reader = [], [], JournalReader(tmp_path / "journal")
    writer = JournalWriter(
        tmp_path / "journal",
        node=1,
        notify=lambda function: function(),
        observe=lambda _event: None,
        defer=deferred.append,
    )
    for number in range(10):
        writer.append(1, number, b"x", done=lambda _kept: told.append(reader.last_seq()))
    (hand_over,) = deferred
    assert reader.last_seq() == 0
    hand_over()
    assert writer.flush(PATIENCE_S)
    assert told == [10] * 10
    writer.append(1, 11, b"x")
    assert len(deferred) == 2
    assert writer.flush(PATIENCE_S)  # also hands over, for the end
    assert writer.close()
    assert reader.last_seq() == 11
