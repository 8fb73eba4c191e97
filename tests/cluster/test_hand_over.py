"""Each record of a node's journal is handed over exactly once, whatever comes between."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from typing import Any

import psycopg
import pytest

from node_journal import CLUSTER, NODE, NodeJournal, make_cluster, node_journal
from program import until
from switchhook.cluster.content import content_hash
from switchhook.cluster.days import day_of, table_of
from switchhook.cluster.hand_over import HandOver, MovedError
from switchhook.errors import ClusterError, DivergedError
from switchhook.exotel.times import DAY_MS
from switchhook.journal import SealedSegments
from switchhook.journal.checking import UNREADABLE
from switchhook.journal.receipt import RecordKind
from switchhook.postgresql_server import connect


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        make_cluster(connection)
        yield connection


@pytest.fixture
def journal(tmp_path):
    with node_journal(tmp_path / "journal") as journal:
        yield journal


@pytest.fixture
def begun(database, postgresql_schema):
    """Makes a hand-over of a journal that has begun; each has a connection of its own."""
    opened = []

    def begin(journal: NodeJournal) -> HandOver:
        opened.append(connect(postgresql_schema))
        hand_over = HandOver(
            opened[-1],
            journal.reader,
            journal.node,
            CLUSTER,
            now_ms=lambda: time.time_ns() // 1_000_000,
            mono_ms=lambda: time.monotonic_ns() // 1_000_000,
        )
        hand_over.begin()
        return hand_over

    yield begin
    for connection in opened:
        connection.close()


def all_of(hand_over: HandOver) -> None:
    while records := hand_over.following():
        assert hand_over.hand_over(records)


def rows(database: psycopg.Connection, columns: str = "seq, body") -> list[tuple[Any, ...]]:
    """What is there, in the order of the journal."""
    found = database.execute(
        f"SELECT seq, {columns} FROM cluster_receipt UNION ALL"
        f" SELECT seq, {columns} FROM cluster_receipt_undated ORDER BY 1".encode()
    )
    return [row[1:] for row in found]


def handed(database: psycopg.Connection, what: str = "seq") -> int:
    row = database.execute(f"SELECT {what} FROM cluster_handed".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_there_is_what_the_journal_holds(journal, database, begun):
    journal.write([b"one", b"two \x00", b""])
    all_of(begun(journal))
    found = database.execute(
        "SELECT node, seq, at, segment, kind, mono, asked, option, body, damage, hash"
        " FROM cluster_receipt ORDER BY seq"
    ).fetchall()
    segment, _ = journal.reader.segment_of(1)
    assert found == [
        (
            *(NODE, each.seq, each.at, segment, each.kind, each.mono, each.asked, each.option),
            *(each.body, "", content_hash(each)),
        )
        for each in journal.reader.read(0, 10)
    ]
    assert len(segment) == 32
    assert handed(database) == 3


def test_the_same_again_is_no_op(journal, database, begun):
    journal.write([b"one", b"two"])
    one, other = begun(journal), begun(journal)
    records = one.following()
    assert one.hand_over(records)
    with pytest.raises(MovedError):
        other.hand_over(records)
    assert rows(database) == [(1, b"one"), (2, b"two")]
    other.begin()
    assert other.following() == []
    assert other.hand_over([])
    assert len(rows(database)) == 2


def test_it_goes_on_where_the_database_is_and_not_where_it_thinks(journal, database, begun):
    """A backup that was restored, or a fail-over that lost something."""
    journal.write([b"%d" % number for number in range(10)])
    hand_over = begun(journal)
    all_of(hand_over)
    four = journal.reader.get(4)
    database.execute("DELETE FROM cluster_receipt WHERE seq > 4")
    database.execute("UPDATE cluster_handed SET seq = 4, hash = %s", [content_hash(four)])
    journal.write([b"new"])
    with pytest.raises(MovedError):
        hand_over.hand_over(hand_over.following())
    hand_over.begin()
    all_of(hand_over)
    assert rows(database, "seq") == [(seq,) for seq in range(1, 12)]


def test_what_is_there_beyond_what_it_says_is_compared(journal, database, begun):
    journal.write([b"%d" % number for number in range(10)])
    all_of(begun(journal))
    database.execute("UPDATE cluster_handed SET seq = 0, hash = 0")
    database.execute("DELETE FROM cluster_receipt WHERE seq IN (2, 9)")
    all_of(begun(journal))
    assert rows(database, "seq") == [(seq,) for seq in range(1, 11)]
    database.execute("UPDATE cluster_handed SET seq = 0, hash = 0")
    database.execute("UPDATE cluster_receipt SET hash = 1 WHERE seq = 3")
    with pytest.raises(DivergedError, match=r"copy of node 7's, .*: record 3 here is another one"):
        all_of(begun(journal))
    assert database.execute("SELECT node, seq FROM cluster_conflict").fetchall() == [(NODE, 3)]


def test_a_clone_stops_and_says_so(journal, database, begun, tmp_path):
    journal.write([b"before"])
    journal.close()
    shutil.copytree(journal.folder, tmp_path / "clone")
    with node_journal(journal.folder) as one, node_journal(tmp_path / "clone") as clone:
        one.write([b"mine"])
        all_of(begun(one))
        clone.write([b"yours", b"and more"])
        with pytest.raises(
            DivergedError, match=r"copy of node 7's, .*: record 2 here is another one"
        ):
            begun(clone)
        one.write([b"mine, too"])
        all_of(begun(one))
    assert rows(database) == [(1, b"before"), (2, b"mine"), (3, b"mine, too")]
    noted = database.execute("SELECT node, seq, segment <> '' FROM cluster_conflict").fetchall()
    assert noted == [(NODE, 2, True)]


def test_a_journal_that_was_set_back_stops_and_says_so(journal, database, begun, tmp_path):
    journal.write([b"before"])
    journal.close()
    shutil.copytree(journal.folder, tmp_path / "backup")
    with node_journal(journal.folder) as now:
        now.write([b"since", b"then"])
        all_of(begun(now))
    with (
        node_journal(tmp_path / "backup") as back,
        pytest.raises(
            DivergedError,
            match=r"older copy .* up to record 3, and the journal here ends at record 1",
        ),
    ):
        begun(back)
    assert rows(database, "seq") == [(1,), (2,), (3,)]


@pytest.mark.parametrize("asked", [5, None])
def test_what_was_masked_since_is_no_clone(journal, database, begun, asked):
    journal.write([b"From=0987"], asked=asked)
    all_of(begun(journal))
    sealed = SealedSegments(journal.folder)
    sealed.ask_roll(1)
    journal.write([], asked=asked)
    until(lambda: sealed.segments()[0].state == "sealed", "the segment to be sealed")
    sealed.mask(sealed.segments()[0].name, [1], lambda body: (b"x" * len(body), 1))
    hand_over = begun(journal)
    journal.write([b"next"])
    all_of(hand_over)
    assert rows(database) == [(1, b"From=0987"), (2, b"next")]


@pytest.mark.parametrize(
    "days", [-day_of(time.time_ns() // 1_000_000), 60, 100_000, -2000], ids=str
)
def test_records_of_a_clock_that_is_far_off_are_put_aside(journal, database, begun, days):
    now = time.time_ns() // 1_000_000
    journal.write([b"now"], at=now)
    journal.write([b"off"], at=now + days * DAY_MS)
    journal.write([b"again"], at=now)
    all_of(begun(journal))
    assert rows(database) == [(1, b"now"), (2, b"off"), (3, b"again")]
    assert database.execute("SELECT seq FROM cluster_receipt_undated").fetchall() == [(2,)]


@pytest.mark.parametrize("days", [1, 8, -1, -400])
def test_records_of_a_day_ahead_or_of_long_ago_have_their_day(journal, database, begun, days):
    at = time.time_ns() // 1_000_000 + days * DAY_MS
    journal.write([b"there"], at=at)
    all_of(begun(journal))
    found = database.execute(f"SELECT body FROM {table_of(day_of(at))}".encode()).fetchall()
    assert found == [(b"there",)]


def test_a_day_that_was_removed_meanwhile_is_made_again(journal, database, begun):
    at = time.time_ns() // 1_000_000 - 3 * DAY_MS
    journal.write([b"one"], at=at)
    hand_over = begun(journal)
    all_of(hand_over)
    table = table_of(day_of(at))
    database.execute(f"ALTER TABLE cluster_receipt DETACH PARTITION {table}".encode())
    database.execute(f"DROP TABLE {table}".encode())
    journal.write([b"late"], at=at)
    with pytest.raises(MovedError):
        all_of(hand_over)
    hand_over.begin()
    all_of(hand_over)
    assert rows(database) == [(2, b"late")]


def test_what_neither_side_has_any_more_is_said(tmp_path, database, begun):
    with node_journal(tmp_path / "journal", segment_bytes=2000) as journal:
        for number in range(6):
            journal.write([b"%d" % number * 1500])
        hand_over = begun(journal)
        assert hand_over.hand_over(hand_over.following()[:1])
        sealed = SealedSegments(journal.folder)
        while sealed.segments()[0].first_seq < 4:
            sealed.delete(sealed.segments()[0])
        begins = sealed.segments()[0].first_seq
        journal.reader.close()
        all_of(begun(journal))
    found = rows(database, "seq, kind, damage")
    lost = f"records 2 to {begins - 1} are missing: neither the database that the nodes share nor"
    assert found[1] == (begins - 1, UNREADABLE, f"{lost} this node's journal has them any more")
    assert [seq for seq, *_ in found] == [1, *range(begins - 1, 7)]


def test_a_damaged_record_travels_with_its_reason(journal, database, begun):
    import apsw

    journal.write([b"one", b"two", b"three"])
    (segment,) = journal.folder.glob("*.sqlite")
    with closing(apsw.Connection(str(segment))) as connection:
        connection.execute("UPDATE record SET body = x'00' WHERE seq = 2")
        connection.execute("DELETE FROM record WHERE seq = 1")
    journal.write([b"four"])
    all_of(begun(journal))
    found = {row[0]: row[1] for row in rows(database, "seq, damage")}
    assert "checksum does not fit" in found[2]
    assert "missing" in found[1]
    assert found[3] == found[4] == ""
    begun(journal)  # and the last one is found again


def test_an_option_of_any_size_is_handed_over(journal, database, begun):
    """Of a voicebot the option is a member's mark, of 32 bits; the journal takes 64."""
    options = [0, 2_097_349_474, 2**63 - 1, -(2**63), None]
    for option in options:
        journal.write([b"one"], option=option)
    all_of(begun(journal))
    assert [found for (found,) in rows(database, "option")] == options


def test_a_record_that_the_database_refuses_holds_up_no_other(journal, database, begun, caplog):
    database.execute("ALTER TABLE cluster_receipt ALTER COLUMN option TYPE smallint")
    journal.write([b"one", b"two"])
    journal.write([b"three"], option=70_000)
    journal.write([b"four"])
    journal.write([b"five"], option=-70_000)
    journal.write([b"six"])
    all_of(begun(journal))
    refused = "the database refused record {}: smallint out of range"
    assert rows(database, "seq, body, damage") == [
        (1, b"one", ""),
        (2, b"two", ""),
        (3, b"", refused.format(3)),
        (4, b"four", ""),
        (5, b"", refused.format(5)),
        (6, b"six", ""),
    ]
    assert refused.format(3) in caplog.text
    begun(journal)  # and what is there is still this journal


def test_where_even_an_empty_record_is_refused_the_error_is_told(journal, database, begun):
    journal.write([b"one"])
    hand_over = begun(journal)
    database.execute("ALTER TABLE cluster_receipt ALTER COLUMN segment TYPE varchar(2)")
    with pytest.raises(psycopg.DataError, match="too long"):
        all_of(hand_over)
    assert handed(database) == 0


def test_the_clocks_difference_is_noted_with_each(journal, database, begun):
    journal.write([b"one"])
    all_of(begun(journal))
    assert abs(handed(database, "clock_ms")) < 2000


def test_what_is_confirmed_follows_with_the_next(journal, database, begun):
    journal.write([b"one"])
    hand_over = begun(journal)
    all_of(hand_over)
    assert handed(database, "confirmed") == 0
    assert hand_over.hand_over([])
    assert handed(database, "confirmed") == 1


def test_another_clusters_database_gets_nothing(journal, database, begun):
    journal.write([b"one"])
    database.execute("UPDATE cluster SET id = 'c2'")
    with pytest.raises(ClusterError, match="it is another cluster's"):
        begun(journal)
    assert rows(database) == []


@pytest.mark.parametrize(
    "missing",
    ["DELETE FROM cluster", "ALTER TABLE cluster_handed DROP CONSTRAINT cluster_handed_pkey"],
)
def test_a_database_that_is_being_restored_gets_nothing(journal, database, begun, missing):
    """Its keys come after its rows: what went in between would be there twice."""
    database.execute(missing.encode())
    with pytest.raises(ClusterError, match="it is not whole"):
        begun(journal)
    assert database.execute("SELECT * FROM cluster_handed").fetchall() == []


def test_answers_with_one_copy_are_counted_once(database, journal, begun):
    journal.write([b"a", b"b"])
    journal.write([b"1", b"2"], kind=RecordKind.ONE_COPY)
    all_of(begun(journal))
    journal.write([b"3"], kind=RecordKind.ONE_COPY)
    all_of(begun(journal))
    assert handed(database, "one_copy") == 3
