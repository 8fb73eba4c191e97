"""Reading a journal of many segments while it grows."""

from __future__ import annotations

import random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader, Record
from switchhook.journal.checking import UNREADABLE

from .conftest import Loop


@pytest.fixture
def filled(open_journal, folder):
    """A journal of 200 records in several segments; every third is no question."""
    writer = open_journal(segment_bytes=60_000)
    for number in range(1, 201):
        asked = None if number % 3 == 0 else number * 7 - 1000
        option = [None, 0, 1][number % 3]
        mono = None if number % 5 == 0 else number
        writer.append(1, number * 10, bytes(1000), mono=mono, asked=asked, option=option)
        if number % 10 == 0:
            assert writer.flush(PATIENCE_S)
    assert len(list(folder.glob("0*.sqlite"))) >= 3
    return writer


def test_a_journal_that_nobody_began_is_empty(folder):
    reader = JournalReader(folder)
    assert reader.read(0, 10) == []
    assert reader.read_back(None, 10) == []
    assert reader.get(1) is None
    assert (reader.last_seq(), reader.first_seq(), reader.node, reader.size_bytes()) == (
        0,
        0,
        None,
        0,
    )
    assert reader.seek(0) == 1
    assert len(reader.load_asked().seq) == 0


def test_reads_in_both_directions_across_segments(filled, folder):
    reader = JournalReader(folder, open_segments=2)
    seqs = [record.seq for record in reader.read(20, 150)]
    assert seqs == list(range(21, 171))
    assert [record.seq for record in reader.read_back(170, 150)] == list(range(169, 19, -1))
    assert [record.seq for record in reader.read_back(None, 2)] == [200, 199]
    assert reader.read(200, 10) == []
    assert reader.read_back(1, 10) == []
    assert len(reader._open.connections) <= 2
    assert (reader.first_seq(), reader.last_seq(), reader.node) == (1, 200, 1)
    assert reader.size_bytes() > 200_000


def test_reads_no_more_bytes_than_wanted_but_always_one_record(filled, folder):
    reader = JournalReader(folder)
    assert [record.seq for record in reader.read(0, 100, max_bytes=2500)] == [1, 2, 3]
    assert [record.seq for record in reader.read_back(None, 100, max_bytes=1)] == [200]


def test_gets_single_records(filled, folder):
    reader = JournalReader(folder)
    assert reader.get(77).at == 770
    assert reader.get(201) is None
    assert sorted(reader.get_many([200, 1, 100, 999, 0])) == [1, 100, 200]
    assert reader.get_many([]) == {}


def test_seeks_by_time(filled, folder):
    """The first record that is not before the moment, or one past the end."""
    reader = JournalReader(folder)
    assert [reader.seek(at) for at in (0, 10, 11, 995, 1000, 2000, 2001)] == [
        1,
        1,
        2,
        100,
        100,
        200,
        201,
    ]


def test_loads_the_newest_questions(filled, folder):
    """Only records with a fingerprint, the newest of them, in the order of the journal."""
    asked = JournalReader(folder).load_asked(50)
    expected = [number for number in range(1, 201) if number % 3][-50:]
    assert list(asked.seq) == expected
    assert list(asked.asked) == [number * 7 - 1000 for number in expected]
    assert list(asked.option) == [[-1, 0, 1][number % 3] for number in expected]
    assert list(asked.mono) == [-1 if number % 5 == 0 else number for number in expected]
    assert list(asked.at) == [number * 10 for number in expected]


def test_loads_the_questions_since_a_record(filled, folder):
    asked = JournalReader(folder).load_asked(1000, since_seq=150)
    assert list(asked.seq) == [number for number in range(150, 201) if number % 3]
    assert len(JournalReader(folder).load_asked().seq) == 134


def test_sees_what_is_written_after_it_opened(open_journal, folder):
    """New records and new segments, with no call to refresh."""
    writer = open_journal(segment_bytes=30_000)
    reader = JournalReader(folder)
    seen = 0
    for number in range(1, 121):
        writer.append(1, number, bytes(1000))
        assert writer.flush(PATIENCE_S)
        records = reader.read(seen, 10)
        assert [record.seq for record in records] == [number]
        seen = records[-1].seq
    assert len(list(folder.glob("0*.sqlite"))) >= 3


def test_old_segments_may_be_taken_away(filled, folder):
    """What the console removed is not there any more, and nothing else changes."""
    reader = JournalReader(folder)
    reader.read(0, 500)
    first, second = sorted(folder.glob("0*.sqlite"))[:2]
    first.unlink()
    assert reader.last_seq() == 200  # looks at the folder, however lately it changed before
    start = int(second.stem)
    assert [record.seq for record in reader.read(0, 500)] == list(range(start, 201))
    assert reader.get(1) is None
    assert reader.first_seq() == start
    assert reader.read_back(start, 10) == []


def test_leaves_no_litter_beside_sealed_segments(filled, folder):
    """Reading makes a log and its index beside a segment; they go when the reader does."""
    filled.close()
    before = sorted(path.name for path in folder.iterdir())
    reader = JournalReader(folder)
    assert len(reader.read(0, 500)) == 200
    reader.close()
    assert sorted(path.name for path in folder.iterdir()) == before


def test_never_writes(filled, folder):
    reader = JournalReader(folder)
    reader.read(0, 1)
    ((connection, _),) = reader._open.connections.values()
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM record")
    assert not connection.in_transaction


def test_what_cant_be_read_is_named_and_the_rest_is_read(filled, folder):
    """Of a segment that is not the newest: one damaged record stands for each hole."""
    filled.close()
    whole = JournalReader(folder).read(0, 10_000)
    first = min(folder.glob("0*.sqlite"))
    content = bytearray(first.read_bytes())
    content[4096 * 4 : 4096 * 8] = random.Random(1).randbytes(4096 * 4)
    first.write_bytes(content)
    reader, found, seq = JournalReader(folder), [], 0
    while records := reader.read(seq, 100):
        found += records
        seq = records[-1].seq
    holes = [record for record in found if record.damage]
    assert holes
    assert all(f"journal/{first.name} is damaged" in record.damage for record in holes)
    assert list(reader.damage) == [record.seq for record in holes]
    assert seq == whole[-1].seq
    rest = [record for record in found if not record.damage]
    assert {record.seq for record in rest} < {record.seq for record in whole}
    assert all(record in whole for record in rest)
    assert len(rest) > len(whole) // 2


def test_the_newest_segment_is_never_skipped_past(filled, folder):
    """Its writer leaves it for another one, or somebody restores it."""
    filled.close()
    newest = max(folder.glob("0*.sqlite"))
    newest.write_bytes(b"no database" * 1000)
    with pytest.raises(JournalError, match=f"segment {newest.name}: is damaged") as caught:
        JournalReader(folder).read(0, 10_000)
    assert "restore the file from a backup" in str(caught.value)


@pytest.mark.slow
def test_works_with_many_segments(folder, open_journal):
    """The truth of a seq is found among hundreds of segments with a few of them open."""
    writer = open_journal()
    writer.append(1, 1, b"x")
    assert writer.close()
    template = (folder / f"{1:020d}.sqlite").read_bytes()
    for number in range(2, 301):
        (folder / f"{number * 10:020d}.sqlite").write_bytes(template)
        connection = apsw.Connection(str(folder / f"{number * 10:020d}.sqlite"))
        connection.pragma("synchronous", "off")
        connection.execute("UPDATE record SET seq = ?, at = ?", (number * 10 + 3, number))
        connection.close()
    reader = JournalReader(folder, open_segments=3)
    expected = [1, *(number * 10 + 3 for number in range(2, 301))]
    found = [record for record in reader.read(0, 1000) if record.kind != UNREADABLE]  # the gaps
    assert [record.seq for record in found] == expected
    assert reader.seek(250) == 2503
    assert reader.last_seq() == 3003
    assert [record.seq for record in reader.read_back(None, 3)] == [3003, 2993, 2983]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 40), st.integers(0, 3000)),
        st.tuples(st.just("reopen"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 30), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(steps=_steps, segment_bytes=st.integers(20_000, 200_000))
def test_read_gives_what_was_appended(tmp_path_factory, steps, segment_bytes):
    """Over any mixture of appends, roll-overs and restarts."""
    folder = tmp_path_factory.mktemp("mixture") / "journal"
    loop = Loop()
    writer = loop.open(folder, segment_bytes=segment_bytes)
    reader = JournalReader(folder)
    appended: list[Record] = []
    tail: list[Record] = []
    try:
        for step, number, size in steps:
            if step == "append":
                for index in range(number):
                    seq = writer.append(index, len(appended), bytes(size), option=index % 2)
                    appended.append(
                        Record(seq, index, len(appended), None, None, index % 2, bytes(size))
                    )
                assert writer.flush(PATIENCE_S)
            elif step == "reopen":
                assert writer.close()
                writer = loop.open(folder, segment_bytes=segment_bytes * number)
            else:
                tail += reader.read(tail[-1].seq if tail else 0, number)
                assert tail == appended[: len(tail)]
        assert reader.read(0, 10_000) == appended
        assert reader.read_back(None, 10_000) == appended[::-1]
        assert [record.seq for record in appended] == list(range(1, len(appended) + 1))
        assert reader.last_seq() == len(appended)
    finally:
        writer.close()
        reader.close()
