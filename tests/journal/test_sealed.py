"""What the console does with segments that nobody writes any more."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

import switchhook
from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader, SealedSegments, segment, upkeep
from switchhook.journal.closed import SegmentState
from switchhook.journal.masking import ERASED_ASKED

from .conftest import Loop
from .forgetful_vfs import forgetful_disk
from .test_disk_trouble import failing_once

SECRET = b"9876543210"
GONE = b"erasedxxxx"


def mask(body):
    return body.replace(SECRET, GONE), body.count(SECRET)


def count(body):
    return body.count(SECRET)


def body_of(seq):
    """Every seventh record holds the number, some in a body that takes several pages."""
    text = SECRET if seq % 7 == 0 else b"0000000000"
    return b"From=" + text + b"&n=%d&" % seq + bytes(9000 if seq % 5 == 0 else 600)


def fill(writer, first, last):
    for seq in range(first, last + 1):
        assert writer.append(1, seq * 10, body_of(seq), asked=seq, option=1, mono=seq) == seq
        if seq % 10 == 0:
            assert writer.flush(PATIENCE_S)
    assert writer.flush(PATIENCE_S)


@pytest.fixture(autouse=True)
def _the_writer_looks_often(monkeypatch):
    """For what it is asked."""
    monkeypatch.setattr(upkeep, "LOOK_S", 0.005)


@pytest.fixture
def filled(open_journal, loop):
    """200 records in several segments, all but the last sealed."""
    writer = open_journal(segment_bytes=60_000, synchronous="OFF")
    fill(writer, 1, 200)
    until_sealed(loop, writer)
    return writer


def until_sealed(loop, writer):
    """Wait until all segments but the open one are sealed."""
    loop.run_pending()
    loop.run_until(lambda: len(loop.seen("sealed")) == len(loop.seen("rolled")) - 1)


def bytes_of(folder: Path) -> bytes:
    """All that is in the journal's files."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def hits(sealed, name, **more):
    return sealed.scan(name, count, **more).hits


def erase(sealed, names):
    """Mask the number in whole segments; gives the records that held it."""
    found = []
    for name in names:
        seqs = [seq for seq, _ in hits(sealed, name, max_bytes=1 << 30)]
        sealed.mask(name, seqs, mask)
        found += seqs
    return found


def test_lists_what_is_there(filled, folder):
    sealed = SealedSegments(folder)
    found = sealed.segments()
    assert len(found) >= 4
    assert [each.state for each in found] == [SegmentState.SEALED] * (len(found) - 1) + [
        SegmentState.OPEN
    ]
    assert (found[0].first_seq, found[-1].last_seq) == (1, 200)
    assert all(one.last_seq + 1 == two.first_seq for one, two in pairwise(found))
    assert all(
        (each.first_at, each.last_at) == (each.first_seq * 10, each.last_seq * 10) for each in found
    )
    assert sealed.segments() == found
    assert SealedSegments(folder / "none").segments() == ()


def test_deletes_a_whole_segment_under_open_readers(filled, folder):
    """Readers go on with what is left, and the writer and the next start notice nothing."""
    reader, sealed = JournalReader(folder), SealedSegments(folder)
    assert len(reader.read(0, 500)) == 200
    first, second = sealed.segments()[:2]
    freed = sealed.delete(first)
    assert freed >= first.bytes > 0
    assert not list(folder.glob(f"{first.name}*"))
    assert reader.last_seq() == 200
    assert reader.first_seq() == second.first_seq
    assert [record.seq for record in reader.read(0, 500)] == list(range(second.first_seq, 201))
    assert reader.get(1) is None
    assert reader.seek(0) == second.first_seq
    assert list(reader.load_asked().seq) == list(range(second.first_seq, 201))
    assert sealed.segments()[0] == second
    with pytest.raises(JournalError, match="is gone"):
        sealed.delete(first)


def test_a_journal_with_one_segment_left_goes_on(filled, folder, open_journal):
    """Its number, its time and its questions are known from what is left."""
    sealed = SealedSegments(folder)
    for each in sealed.segments()[:-1]:
        sealed.delete(each)
    assert filled.close()
    writer = open_journal(segment_bytes=60_000)
    assert writer.next_seq == 201
    fill(writer, 201, 230)
    assert JournalReader(folder).last_seq() == 230


def test_the_newest_segment_is_never_touched(filled, folder):
    """Nor one of which it is not sure yet that the writer has left it."""
    sealed = SealedSegments(folder)
    newest = sealed.segments()[-1]
    for act in (lambda: sealed.delete(newest), lambda: sealed.mask(newest.name, [200], mask)):
        with pytest.raises(JournalError, match="is not sealed: the answer side writes it"):
            act()
    assert JournalReader(folder).get(200).body == body_of(200)


def test_masked_bytes_are_in_no_file(filled, folder):
    """Records keep their place, kind and length; nothing else in the journal changes."""
    reader, sealed = JournalReader(folder), SealedSegments(folder)
    before = reader.read(0, 500)
    done = erase(sealed, [each.name for each in sealed.segments()[:-1]])
    open_from = sealed.segments()[-1].first_seq
    assert done == list(range(7, open_from, 7))
    after = reader.read(0, 500)
    for old, new in zip(before, after, strict=True):
        if old.seq in done:
            assert new.body == old.body.replace(SECRET, GONE)
            assert new.asked == ERASED_ASKED
            assert (new.kind, new.at, new.option, new.mono) == (
                old.kind, old.at, old.option, old.mono,
            )  # fmt: skip
        else:
            assert new == old
    filled.close()
    for path in folder.glob("0*"):
        if int(path.name[:20]) < open_from:
            assert SECRET not in path.read_bytes(), path.name
            assert not path.name.endswith("-wal") or path.stat().st_size == 0


def test_a_segment_is_looked_through_in_parts(filled, folder):
    sealed = SealedSegments(folder)
    first = sealed.segments()[0]
    found, after, parts, records = [], 0, 0, 0
    while after is not None:
        part = sealed.scan(first.name, count, after_seq=after, max_bytes=5000)
        found += part.hits
        records += part.records
        after = part.last_seq
        parts += 1
    assert parts > 3
    assert records == first.last_seq
    assert found == [(seq, 1) for seq in range(7, first.last_seq + 1, 7)]
    assert hits(sealed, first.name, until_seq=7) == [(7, 1)]
    assert list(sealed.bodies(first.name, [7, 14, 10_000])) == [(7, body_of(7)), (14, body_of(14))]


def test_masking_again_changes_nothing(filled, folder):
    sealed = SealedSegments(folder)
    name = sealed.segments()[0].name
    assert sealed.mask(name, [7, 14], mask) == 2
    after = JournalReader(folder).read(0, 500)
    assert sealed.mask(name, [7, 14, 10_000], mask) == 0
    assert JournalReader(folder).read(0, 500) == after


def test_what_sqlite_left_lying_about_is_found_and_goes(filled, folder):
    """A journal of another make may hold copies of records in pages that are free."""
    sealed = SealedSegments(folder)
    first = sealed.segments()[0]
    connection = apsw.Connection(str(folder / first.name))
    connection.pragma("secure_delete", 0)
    connection.execute(
        "INSERT INTO record VALUES (999, 1, 1, NULL, NULL, NULL, ?, 0)", (SECRET * 50,)
    )
    connection.execute("DELETE FROM record WHERE seq = 999")
    connection.close()
    before = JournalReader(folder).read(0, 500)
    assert erase(sealed, [first.name]) == list(range(7, first.last_seq + 1, 7))
    assert sealed.leftovers(first.name, count) > 0
    sealed.rewrite(first.name)
    assert sealed.leftovers(first.name, count) == 0
    assert SECRET not in (folder / first.name).read_bytes()
    assert [each.seq for each in JournalReader(folder).read(0, 500)] == [r.seq for r in before]


def test_a_reader_in_the_middle_of_a_segment_holds_the_log_only_for_a_while(filled, folder):
    """Masking waits until the reader has let go, and then nothing is left in the log."""
    sealed = SealedSegments(folder)
    first = sealed.segments()[0]
    reader = apsw.Connection(str(folder / first.name), flags=apsw.SQLITE_OPEN_READWRITE)
    cursor = reader.execute("SELECT body FROM record")
    cursor.fetchone()
    timer = threading.Timer(0.3, cursor.close)
    timer.start()
    erase(sealed, [first.name])
    timer.join()
    reader.close()
    assert SECRET not in (folder / first.name).read_bytes()
    assert not Path(f"{folder / first.name}-wal").exists()


def test_logs_without_a_segment_are_cleared_away(filled, folder):
    stray = folder / f"{77:020d}.sqlite-wal"
    stray.write_bytes(b"")
    (folder / "refused").mkdir()
    for seq in (3, 150):
        (folder / "refused" / f"{seq}.bin").write_bytes(b"x")
    sealed = SealedSegments(folder)
    sealed.clear_strays()
    assert not stray.exists()
    assert sealed.refused.names() == ["150.bin", "3.bin"]
    for each in sealed.segments()[:2]:
        sealed.delete(each)
    sealed.clear_strays()
    assert sealed.refused.names() == ["150.bin"]


def test_the_open_segment_is_sealed_when_asked(open_journal, loop, folder):
    """Without a record to come; and what is written then goes into the next one."""
    writer = open_journal()
    fill(writer, 1, 20)
    sealed = SealedSegments(folder)
    sealed.ask_roll(20)
    loop.run_until(lambda: bool(loop.seen("sealed")))
    first, second = sealed.segments()
    assert (first.state, first.last_seq, second.first_seq) == (SegmentState.SEALED, 20, 21)
    fill(writer, 21, 30)
    assert erase(sealed, [first.name]) == [7, 14]
    assert writer.close()
    assert not (folder / "roll").exists()
    writer = open_journal()
    assert writer.next_seq == 31


@pytest.mark.parametrize("seq", [5, 10**9])
def test_sealing_is_asked_for_once(open_journal, loop, folder, seq):
    """Whatever the number that was asked for, the request is cleared away and not repeated."""
    writer = open_journal()
    fill(writer, 1, 20)
    SealedSegments(folder).ask_roll(seq)
    loop.run_until(lambda: bool(loop.seen("sealed")))
    fill(writer, 21, 40)
    assert not (folder / "roll").exists()
    assert writer.close()
    assert len(list(folder.glob("0*.sqlite"))) == 2


@pytest.mark.parametrize("content", [b"", b"x", b"0"])
def test_a_request_that_names_nothing_is_cleared_away(open_journal, folder, content, loop):
    writer = open_journal()
    fill(writer, 1, 20)
    (folder / "roll").write_bytes(content)
    while (folder / "roll").exists():
        loop.run_pending()
    assert len(list(folder.glob("0*.sqlite"))) == 1
    assert writer.close()


def test_refused_bytes_are_masked_whole(folder):
    sealed = SealedSegments(folder)
    assert sealed.refused.names() == []
    (folder / "refused").mkdir(parents=True)
    for number in (3, 12):
        (folder / "refused" / f"{number}.bin").write_bytes(body_of(7 * number))
    names = sealed.refused.names()
    assert len(names) == 2
    assert [sealed.refused.mask(name, mask) for name in names] == [1, 1]
    assert SECRET not in bytes_of(folder)
    assert [sealed.refused.mask(name, mask) for name in names] == [0, 0]
    assert all(GONE in sealed.refused.read(name) for name in names)


@pytest.fixture
def abandoned(open_journal, loop, disk):
    """A journal whose first segment was abandoned, with what nobody acknowledged in its log."""
    writer = open_journal(vfs=disk.name)
    fill(writer, 1, 80)
    disk.fault = failing_once("sync", "-wal", apsw.SQLITE_IOERR_FSYNC)
    fill(writer, 81, 120)
    loop.run_until(lambda: len(loop.seen("abandoned")) == 1)
    assert writer.close()
    return writer


def test_an_abandoned_segment_is_made_whole_to_be_masked(abandoned, folder, open_journal):
    """What readers see stays the same; what they don't see, in its log, goes with it."""
    reader, sealed = JournalReader(folder), SealedSegments(folder)
    before = reader.read(0, 500)
    (broken,) = [each for each in sealed.segments() if each.state is SegmentState.ABANDONED]
    with pytest.raises(JournalError, match="is not sealed"):
        sealed.mask(broken.name, [7], mask)
    name = sealed.adopt(broken)
    assert reader.read(0, 500) == before
    assert sealed.adopt(broken) == name if name == broken.name else True
    states = {each.name: each.state for each in sealed.segments()}
    assert broken.name not in states
    assert states[name] is SegmentState.SEALED
    erase(sealed, [name])
    assert reader.read(0, 500) != before
    for path in folder.glob("0*.sqlite*"):
        if path.name.startswith(name):
            assert SECRET not in path.read_bytes()
    writer = open_journal()
    assert writer.next_seq == 121
    fill(writer, 121, 130)
    assert [record.seq for record in reader.read(0, 500)] == list(range(1, 131))


def test_a_name_is_not_used_again_before_one_that_is_left(abandoned, folder, loop):
    """Of several that begin at the same seq the last counts: a new one must be the last."""
    created = segment.create_segment(folder, node=1, vfs=None)
    later = folder / f"{500:020d}-3.sqlite"
    later.write_bytes(b"")
    assert segment.place_segment(created, folder, 500).name == f"{500:020d}-4.sqlite"


PROGRAM = """
import sys
from pathlib import Path
from switchhook.journal import SealedSegments

folder, act = Path(sys.argv[1]), sys.argv[2]
sealed = SealedSegments(folder)
mask = lambda body: (body.replace(b"9876543210", b"erasedxxxx"), body.count(b"9876543210"))
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
for each in sealed.segments()[:-1]:
    if act == "delete":
        sealed.delete(each)
    else:
        found = sealed.scan(each.name, lambda body: body.count(b"9876543210"), max_bytes=1 << 30)
        sealed.mask(each.name, [seq for seq, _ in found.hits], mask)
sys.stdout.write("done\\n")
"""


def run_and_kill(folder: Path, act: str, after_s: float) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(switchhook.__file__).parent.parent)},
    )
    try:
        assert program.stdout.readline() == "ready\n"
        timer = threading.Timer(after_s, program.send_signal, [signal.SIGKILL])
        program.stdin.write("go\n")
        program.stdin.flush()
        timer.start()
        program.stdout.readlines()
        timer.join()
    finally:
        program.kill()
        program.wait(PATIENCE_S)
        program.stdin.close()
        program.stdout.close()


@pytest.mark.process
@pytest.mark.parametrize("seed", range(6))
def test_killed_while_masking(filled, folder, seed):
    """Each record is whole, as before or masked; the next run finishes, and nothing is left."""
    chance = random.Random(seed)
    reader = JournalReader(folder)
    run_and_kill(folder, "mask", chance.uniform(0.0, 0.05))
    kept = reader.read(0, 500)
    assert [record.seq for record in kept] == list(range(1, 201))
    for record in kept:
        assert record.body in (body_of(record.seq), body_of(record.seq).replace(SECRET, GONE))
    sealed = SealedSegments(folder)
    erase(sealed, [each.name for each in sealed.segments()[:-1]])
    last = sealed.segments()[-1].first_seq
    filled.close()
    left = [path for path in folder.glob("0*") if int(path.name[:20]) < last]
    assert left
    assert not [path.name for path in left if SECRET in path.read_bytes()]


@pytest.mark.process
@pytest.mark.parametrize("seed", range(4))
def test_killed_while_deleting(filled, folder, seed, open_journal):
    """What is left is a journal without its beginning; the writer goes on, and restarts."""
    chance = random.Random(seed)
    reader = JournalReader(folder)
    run_and_kill(folder, "delete", chance.uniform(0.0, 0.02))
    fill(filled, 201, 210)
    seqs = [record.seq for record in reader.read(0, 500)]
    assert seqs == list(range(seqs[0], 211))
    assert SealedSegments(folder).segments()[0].first_seq == seqs[0]
    assert filled.close()
    assert open_journal().next_seq == 211


@pytest.mark.parametrize("seed", range(8))
def test_power_fails_while_masking(tmp_path, monkeypatch, seed):
    """No record is lost or damaged, and masking can be finished afterwards."""
    chance = random.Random(seed)
    folder = tmp_path / "journal"
    loop = Loop()
    with forgetful_disk(f"mask-{seed}") as disk:
        monkeypatch.setattr(segment, "sync_folder", disk.folder_synced)
        writer = loop.open(folder, vfs=disk.name, segment_bytes=60_000)
        fill(writer, 1, 120)
        until_sealed(loop, writer)
        assert writer.close()
        disk.folder_synced(folder)
        sealed = SealedSegments(folder, vfs=disk.name)
        names = [each.name for each in sealed.segments()[:-1]]
        disk.power_fails_after = chance.randrange(1, 60)
        acknowledged = []
        try:
            for name in names:
                erase(sealed, [name])
                acknowledged.append(name)
        except (JournalError, apsw.Error):
            pass
        disk.lose_power(folder, chance if seed % 2 else None)
    monkeypatch.undo()
    kept = JournalReader(folder).read(0, 500)
    assert [record.seq for record in kept] == list(range(1, 121))
    for record in kept:
        assert record.body in (body_of(record.seq), body_of(record.seq).replace(SECRET, GONE))
    for name in acknowledged:
        assert SECRET not in (folder / name).read_bytes()
    sealed = SealedSegments(folder)
    erase(sealed, names)
    assert not [name for name in names if SECRET in (folder / name).read_bytes()]


def test_what_can_not_be_read_is_named_and_the_rest_looked_through(filled, folder):
    sealed = SealedSegments(folder)
    first, second, *_ = sealed.segments()
    path = folder / first.name
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)
    (folder / second.name).write_bytes(b"\0" * 100 + (folder / second.name).read_bytes()[100:])
    sealed = SealedSegments(folder)
    found = {each.name: each for each in sealed.segments()}
    assert found[second.name].state is SegmentState.DAMAGED
    assert (found[second.name].first_seq, found[second.name].last_seq) == (
        second.first_seq,
        second.last_seq,
    )
    scanned = sealed.scan(first.name, count, max_bytes=1 << 30)
    lost = {seq for start, end in scanned.damaged for seq in range(start, end + 1)}
    assert lost
    assert scanned.records == first.last_seq - len(lost)
    assert [seq for seq, _ in scanned.hits] == [
        seq for seq in range(7, first.last_seq + 1, 7) if seq not in lost
    ]
    parts, after = [], 0
    while after is not None:
        part = sealed.scan(first.name, count, after_seq=after, max_bytes=1)
        parts += part.damaged
        after = part.last_seq
    assert {seq for start, end in parts for seq in range(start, end + 1)} == lost
