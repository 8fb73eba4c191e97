"""A flipped byte of a segment is noticed or changes nothing; old segments are read."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.errors import JournalError
from switchhook.journal import JournalReader, SealedSegments
from switchhook.journal.segment import APPLICATION_ID, checksum, fits, list_segments

INT64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.tuples(
    INT64, INT64, INT64, st.none() | INT64, st.none() | INT64, st.none() | INT64, st.binary()
)


@given(ROWS, st.data())
def test_any_other_row_has_another_checksum(row, data):
    assert fits((*row, checksum(*row)))
    place = data.draw(st.integers(0, 6))
    other = list(row)
    if place == 6:
        if not row[6]:
            return
        at, bit = data.draw(st.integers(0, len(row[6]) - 1)), data.draw(st.integers(0, 7))
        body = bytearray(row[6])
        body[at] ^= 1 << bit
        other[6] = bytes(body)
    elif row[place] is None:
        other[place] = 0
    else:
        other[place] = row[place] ^ 1
    assert not fits((*other, checksum(*row)))


@pytest.mark.parametrize("place", range(7))
def test_a_value_of_another_type_does_not_fit(place):
    row: list[Any] = [1, 2, 3, 4, 5, 6, b"7"]
    crc = checksum(*row)
    row[place] = "text"
    assert not fits((*row, crc))


def body_of(number):
    return f"CallSid=c{number}&Stream[StreamSID]=s{number}&".encode() * 4


def filled(open_journal, loop, count=200, **settings):
    done = []
    writer = open_journal(**settings)
    for number in range(1, count + 1):
        writer.append(1 + number % 3, number, body_of(number), asked=number, done=done.append)
    loop.run_until(lambda: len(done) == count)
    return writer


def all_of(reader):
    found, seq = [], 0
    while records := reader.read(seq, 50):
        found += records
        seq = records[-1].seq
    return found


def sealed_and_open(open_journal, loop, folder):
    """A journal of two segments, closed; the first has 200 records."""
    filled(open_journal, loop).close()
    filled(open_journal, loop, 20, segment_bytes=20_000).close()
    return list_segments(folder)


def damage(path):
    """Change a byte of record 17."""
    content = Path(path).read_bytes()
    at = content.index(b"c17&")
    Path(path).write_bytes(content[:at] + b"x" + content[at + 1 :])


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, -1])
def test_a_flipped_byte_is_noticed_or_changes_nothing(open_journal, loop, folder, which):
    """Anywhere in a sealed segment, and in the newest one."""
    files = sealed_and_open(open_journal, loop, folder)
    assert len(files) > 1
    path = Path(files[which].path)
    reader = JournalReader(folder)
    whole = all_of(reader)
    reader.close()
    content = path.read_bytes()
    chance = random.Random(which)
    noticed = 0
    for at in {*range(0, 200, 7), *chance.sample(range(len(content)), 250)}:
        flipped = bytearray(content)
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        reader = JournalReader(folder)
        try:
            found = all_of(reader)
        except JournalError as error:
            noticed += files[which].name in str(error)
        else:
            assert found == whole or reader.damage, f"byte {at} changed what is read: silently"
            noticed += bool(reader.damage)
            sound = [record for record in found if not record.damage]
            assert all(record in whole for record in sound)
            assert all(files[which].name in said for said in reader.damage.values())
        reader.close()
    assert noticed > 50


def test_a_damaged_record_is_read_by_no_other_way(open_journal, loop, folder):
    files = sealed_and_open(open_journal, loop, folder)
    damage(files[0].path)
    reader = JournalReader(folder)
    assert reader.get(17) is None
    assert reader.get_many([16, 17, 18]).keys() == {16, 18}
    (back,) = [record for record in reader.read_back(20, 10) if record.damage]
    assert back.seq == 17
    assert "its checksum does not fit" in reader.damage[17]


def test_masking_makes_new_checksums_and_hides_no_damage(open_journal, loop, folder):
    files = sealed_and_open(open_journal, loop, folder)
    damage(files[0].path)
    sealed = SealedSegments(folder)

    def mask(body):
        return body.replace(b"CallSid", b"xxxxxxx"), body.count(b"CallSid")

    assert sealed.mask(files[0].name, [16, 17, 18], mask) == 12
    sealed.rewrite(files[0].name)
    reader = JournalReader(folder)
    found = {record.seq: record for record in reader.read(15, 3)}
    assert found[16].body == mask(body_of(16))[0]
    assert found[16].damage == found[18].damage == ""
    assert found[17].damage
    assert b"CallSid" not in found[17].body


OLD = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE record (
  seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL,
  mono INTEGER, asked INTEGER, option INTEGER, body BLOB NOT NULL
) STRICT;
CREATE INDEX record_asked ON record (seq, asked, option, mono, at) WHERE asked IS NOT NULL;
INSERT INTO meta VALUES ('application', 'switchhook journal'), ('format', 1), ('node', 1),
  ('uuid', 'old'), ('created', 1), ('sealed', 0), ('first_seq', 1);
"""


@pytest.fixture
def old(folder):
    """A journal as the release before checksums left it, still open."""
    folder.mkdir(mode=0o700)
    path = folder / f"{1:020d}.sqlite"
    database = sqlite3.connect(path)
    database.executescript(OLD)
    rows = [(seq, 1, seq, None, seq, 1, body_of(seq)) for seq in range(1, 11)]
    database.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("PRAGMA journal_mode = wal")
    database.commit()
    database.close()
    return path


def test_an_old_journal_is_read_and_goes_on_in_a_new_segment(old, open_journal, loop, folder):
    reader = JournalReader(folder)
    assert [record.body for record in reader.read(0, 100)] == [body_of(n) for n in range(1, 11)]
    assert len(reader.load_asked().seq) == 10
    done = []
    writer = open_journal()
    assert writer.next_seq == 11
    writer.append(1, 11, body_of(11), done=done.append)
    loop.run_until(lambda: done == [True])
    loop.run_until(lambda: bool(loop.seen("sealed")))
    writer.close()
    assert [file.first_seq for file in list_segments(folder)] == [1, 11]
    assert [record.body for record in reader.read(0, 100)] == [body_of(n) for n in range(1, 12)]
    assert not reader.damage
    sealed = SealedSegments(folder)
    assert sealed.mask(old.name, [3], lambda body: (b"gone", 1)) == 1
    assert reader.get(3).body == b"gone"


def test_an_old_segment_that_is_made_whole_gets_checksums(old, folder, open_journal, loop):
    """Where it had to be abandoned."""
    done = []
    writer = open_journal()
    writer.append(1, 11, body_of(11), done=done.append)
    loop.run_until(lambda: bool(loop.seen("sealed")) and done == [True])
    writer.close()
    files = list_segments(folder)
    for path, sql in (
        (files[0].path, "UPDATE meta SET value = 0 WHERE key = 'sealed'"),
        (files[1].path, "INSERT OR REPLACE INTO meta VALUES ('previous_abandoned', 1)"),
    ):
        connection = apsw.Connection(path)
        connection.execute(sql)
        connection.close()
    sealed = SealedSegments(folder)
    adopted = sealed.adopt(sealed.segments()[0])
    connection = apsw.Connection(str(folder / adopted))
    assert connection.pragma("user_version") == 2
    connection.close()
    reader = JournalReader(folder)
    assert [record.body for record in reader.read(0, 100)] == [body_of(n) for n in range(1, 12)]
    assert not reader.damage


@pytest.mark.parametrize(
    ("place", "column"),
    [
        ("record", "option"),
        ("record", "asked"),
        ("record", "at"),
        ("record", "mono"),
        ("index", ""),
    ],
)
def test_what_repeats_are_answered_from_fits_its_checksum(
    open_journal, loop, folder, place, column
):
    """A changed value in the record leaves that question out; one in the index changes nothing."""
    done = []
    writer = open_journal()
    for number in range(1, 21):
        writer.append(
            1, number, body_of(number), asked=number, option=1, mono=number, done=done.append
        )
    loop.run_until(lambda: len(done) == 20)
    writer.close()
    (segment,) = list_segments(folder)
    if place == "record":
        database = sqlite3.connect(segment.path)
        database.execute(f"UPDATE record SET {column} = 0 WHERE seq = 7")
        database.commit()
        database.close()
    else:
        forge_index(segment.path)
    asked = JournalReader(folder).load_asked()
    left = [number for number in range(1, 21) if place == "index" or number != 7]
    assert list(asked.seq) == left
    assert list(asked.asked) == left
    assert set(asked.option) == {1}
    assert list(asked.mono) == list(asked.at) == left


def forge_index(path):
    """Make each Option A of the index an Option B: the last values of its cells."""
    database = sqlite3.connect(path)
    named = "SELECT rootpage FROM sqlite_master WHERE name = 'record_asked'"
    (page,) = database.execute(named).fetchone()
    size = database.execute("PRAGMA page_size").fetchone()[0]
    database.close()
    content = bytearray(Path(path).read_bytes())
    start = (page - 1) * size
    count = int.from_bytes(content[start + 3 : start + 5])
    for cell in range(count):
        at = start + int.from_bytes(content[start + 8 + 2 * cell :][:2])
        # payload size, header size, then a type a column: seq, asked, option, mono, at.
        assert content[at + 4] == 9, "option is the constant 1"
        content[at + 4] = 8
    Path(path).write_bytes(content)
    database = sqlite3.connect(path)
    found = database.execute(
        "SELECT DISTINCT option FROM record INDEXED BY record_asked WHERE asked IS NOT NULL"
    ).fetchall()
    assert found == [(0,)]
    database.close()


def test_of_some_records_those_that_can_be_read_are_given(open_journal, loop, folder):
    """A call's page shows what is left of it."""
    first, _ = sealed_and_open(open_journal, loop, folder)
    path = Path(first.path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    reader = JournalReader(folder)
    found = reader.get_many(range(1, 221))
    assert 150 < len(found) < 220
    assert set(found) | set(reader.damage) == set(range(1, 221))
    assert reader.get(1) is not None
    path.write_bytes(b"\0" * 100 + bytes(content[100:]))
    assert JournalReader(folder).get_many([1, 7, 201]).keys() == {201}
