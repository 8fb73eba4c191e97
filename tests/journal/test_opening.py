"""A journal that can't be continued is recognised, named, and left as it is."""

from __future__ import annotations

import shutil

import apsw
import pytest

from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader, JournalWriter


@pytest.fixture
def newest(open_journal, folder):
    """The one segment of a closed journal of three records."""
    writer = open_journal()
    for _ in range(3):
        writer.append(1, 1, bytes(1000))
    assert writer.close()
    return folder / f"{1:020d}.sqlite"


def pragma(path, text):
    connection = apsw.Connection(str(path))
    connection.execute(text)
    connection.close()


def newer_format(path):
    pragma(path, "PRAGMA user_version = 3")


def foreign(path):
    pragma(path, "PRAGMA application_id = 7")


def overwritten(path):
    path.write_bytes(b"not a database at all" * 400)


def torn(path):
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def without_schema(path):
    pragma(path, "DROP TABLE meta")


def of_another_node(path):
    pragma(path, "UPDATE meta SET value = 9 WHERE key = 'node'")


def renamed(path):
    pragma(path, "UPDATE meta SET value = 5 WHERE key = 'first_seq'")


@pytest.mark.parametrize(
    "harm, problem",
    [
        (newer_format, "has format 3, this release reads format 2 (run the release that wrote it"),
        (foreign, "is not a journal segment (application id 7)"),
        (overwritten, "is damaged"),
        (torn, "is damaged"),
        (emptied, "is not a journal segment (application id 0)"),
        (without_schema, "is damaged"),
        (of_another_node, "belongs to node 9, this is node 1"),
        (renamed, "begins at seq 5, which is not what its name says"),
    ],
)
def test_unusable_newest_segment(newest, open_journal, harm, problem):
    harm(newest)
    before = newest.read_bytes()
    with pytest.raises(JournalError) as caught:
        open_journal()
    assert str(caught.value).startswith(f"journal segment {newest.name}: {problem}")
    assert newest.read_bytes() == before


@pytest.mark.parametrize("harm", [newer_format, foreign, overwritten, emptied])
def test_reader_names_what_it_cannot_read(newest, folder, harm):
    harm(newest)
    with pytest.raises(JournalError, match=newest.name):
        JournalReader(folder).read(0, 10)


def test_a_missing_parent_is_named(tmp_path, loop):
    with pytest.raises(JournalError, match=r"can't be opened: .*No such file"):
        loop.open(tmp_path / "gone" / "journal")


def test_crash_in_the_making_of_a_segment_leaves_no_trace(folder, open_journal):
    """Unfinished segments never were part of the journal: they are cleared away."""
    folder.mkdir()
    (folder / ".new-0123.sqlite").write_bytes(b"half")
    (folder / ".new-0123.sqlite-journal").write_bytes(b"half")
    writer = open_journal()
    assert writer.next_seq == 1
    assert list(folder.iterdir()) == []


def test_crash_before_the_first_record_of_a_segment(newest, folder, open_journal, disk):
    """A whole but empty newest segment is gone on with."""
    writer = open_journal(segment_bytes=1, vfs=disk.name)
    disk.fault = lambda what, path: apsw.SQLITE_FULL if path.endswith("-wal") else None
    writer.append(1, 77, b"x")
    writer.close(0)
    assert sorted(path.name for path in folder.glob("0*.sqlite"))[-1] == f"{4:020d}.sqlite"
    writer = open_journal()
    assert writer.next_seq == 4
    writer.append(1, 78, b"y")
    assert writer.flush(PATIENCE_S)
    assert [record.seq for record in JournalReader(folder).read(0, 10)] == [1, 2, 3, 4]


def test_a_leftover_log_is_not_taken_for_that_of_a_new_segment(newest, folder, open_journal, loop):
    """Where somebody moved a segment but not its log, the new one gets a name of its own."""
    (folder / f"{4:020d}.sqlite-wal").write_bytes(b"left behind")
    writer = open_journal(segment_bytes=1)
    writer.append(1, 1, b"x")
    assert writer.flush(PATIENCE_S)
    assert (folder / f"{4:020d}-1.sqlite").exists()
    assert JournalReader(folder).last_seq() == 4


def test_segments_left_open_by_a_crash_are_sealed(newest, folder, open_journal, loop):
    """Those before the newest, at the next start."""
    writer = open_journal(segment_bytes=1)
    writer.append(1, 1, b"x")
    assert writer.close()
    pragma(newest, "UPDATE meta SET value = 0 WHERE key = 'sealed'")
    loop.events.clear()
    open_journal()
    loop.run_until(lambda: bool(loop.seen("sealed")))
    assert [event.segment for event in loop.seen("sealed")] == [newest.name]


def test_a_log_that_is_damaged_in_its_middle_is_said_and_left(open_journal, loop, folder, tmp_path):
    """What was acknowledged behind the damage can't be read; it must not go in silence."""
    writer, told = open_journal(), []
    for number in range(30):
        writer.append(1, number, bytes(3000))
        loop.settle(writer)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert writer.close()
    log = next(copy.glob("*-wal"))
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    log.write_bytes(damaged)
    again = JournalWriter(copy, node=1, notify=lambda call: call(), observe=told.append)
    (event,) = [each for each in told if each.name == "cut_short"]
    assert event.count > 5
    assert event.trouble
    assert "restore that segment" in str(event)
    again.append(1, 1, b"after it")
    assert again.close()
    records = JournalReader(copy).read(0, 100)
    assert [each.seq for each in records] == list(range(1, len(records) + 1))
    assert records[-1].body == b"after it"


def test_a_log_whose_last_write_was_cut_off_is_well(open_journal, loop, folder, tmp_path):
    """Nobody was told of that one."""
    writer, told = open_journal(), []
    for number in range(5):
        writer.append(1, number, bytes(3000))
        loop.settle(writer)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert writer.close()
    log = next(copy.glob("*-wal"))
    torn = bytearray(log.read_bytes())
    torn[-2000:] = bytes(2000)
    log.write_bytes(torn)
    JournalWriter(copy, node=1, notify=lambda call: call(), observe=told.append).close()
    assert [each.name for each in told if each.name == "cut_short"] == []
