"""A node's closed segments are deleted once the database has had them for long, and only then."""

from __future__ import annotations

from contextlib import closing

import pytest

from node_journal import CLUSTER, NODE, NodeJournal, make_cluster, node_journal
from program import until
from switchhook.cluster.hand_over_state import HandOverState
from switchhook.cluster.local_segments import LocalLimits, Waiting
from switchhook.cluster.segments_worker import SegmentsWorker
from switchhook.cluster.shipping import Shipping
from switchhook.errors import ClusterError
from switchhook.journal import SealedSegments
from switchhook.journal.closed import SegmentState
from switchhook.postgresql_server import connect

LIMITS = LocalLimits(window_h=168, raw_days=400, ceiling_bytes=1 << 40)


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        make_cluster(connection)
        yield connection


@pytest.fixture
def journal(tmp_path):
    """A journal of several small segments."""
    with node_journal(tmp_path / "journal", segment_bytes=3000) as journal:
        for number in range(12):
            journal.write([b"%d" % number * 1000])
        sealed = SealedSegments(journal.folder)
        until(
            lambda: all(each.state is SegmentState.SEALED for each in sealed.segments()[:-1]),
            "the segments to be sealed",
        )
        yield journal


def segments(journal: NodeJournal) -> list[int]:
    """Where those begin that are still there."""
    return [each.first_seq for each in SealedSegments(journal.folder).segments()]


def worker(url: str, journal: NodeJournal, limits: LocalLimits = LIMITS, **more) -> SegmentsWorker:
    sealed = SealedSegments(journal.folder)
    return SegmentsWorker(url, NODE, sealed, journal.reader, limits, **more)


def hand_over(url: str, journal: NodeJournal, database) -> None:
    last = journal.reader.last_seq()
    shipping = Shipping(url, journal.reader, NODE, CLUSTER, kept=lambda _: None)
    shipping.start()
    until(lambda: shipping.state.kept_twice == last, "the hand-over")
    shipping.stop()
    database.execute("UPDATE cluster_handed SET confirmed = seq")  # as the next one would


def age(database, hours: int) -> None:
    database.execute(
        "UPDATE cluster_segment SET confirmed_at = confirmed_at - make_interval(hours => %s)",
        [hours],
    )


def test_it_goes_a_window_after_it_was_handed_over(journal, database, postgresql_schema):
    looks = worker(postgresql_schema, journal)
    before = segments(journal)
    assert len(before) > 3
    looks.look()
    assert looks.waiting().segments == len(before) - 1
    hand_over(postgresql_schema, journal, database)
    looks.look()
    assert looks.waiting() == Waiting()
    age(database, 167)
    looks.look()
    assert segments(journal) == before
    age(database, 1)
    looks.look()
    assert segments(journal) == before[-1:]
    looks.look()
    assert database.execute("SELECT count(*) FROM cluster_segment").fetchone() == (0,)


def test_what_was_handed_over_with_a_warning_stays(journal, database, postgresql_schema):
    hand_over(postgresql_schema, journal, database)
    before = segments(journal)
    database.execute("UPDATE cluster_handed SET confirmed = %s", [before[1] - 1])
    looks = worker(postgresql_schema, journal, LocalLimits(0, 1, 1))
    looks.look()
    assert segments(journal) == before[1:]


def test_a_restored_backup_keeps_what_it_has_forgotten(journal, database, postgresql_schema):
    hand_over(postgresql_schema, journal, database)
    looks = worker(postgresql_schema, journal)
    looks.look()
    age(database, 1000)
    before = segments(journal)
    since = before[2]  # what came later is in no backup
    for table, column in (("cluster_receipt", "seq"), ("cluster_segment", "last_seq")):
        database.execute(f"DELETE FROM {table} WHERE {column} >= {since}".encode())
    database.execute("UPDATE cluster_handed SET seq = %s, confirmed = %s", [since - 1] * 2)
    looks.look()
    assert segments(journal) == before[2:]


def test_what_another_has_handed_over_under_our_number_is_not_ours(
    journal, database, postgresql_schema
):
    hand_over(postgresql_schema, journal, database)
    database.execute("UPDATE cluster_receipt SET hash = 1")
    before = segments(journal)
    worker(postgresql_schema, journal, LocalLimits(0, 1, 1)).look()
    assert segments(journal) == before


def test_with_the_database_away_nothing_goes_and_what_waits_is_known(
    journal, database, postgresql_schema
):
    hand_over(postgresql_schema, journal, database)
    before = segments(journal)
    state = HandOverState("the disk of its server is full", 1, 1, before[2] - 1)
    away = worker("postgresql://127.0.0.1:1/x?connect_timeout=1", journal, state=lambda: state)
    with pytest.raises(ClusterError):
        away.look()
    assert segments(journal) == before
    assert away.waiting().segments == len(before) - 3
    assert away.problems() == ["the journal is not handed over: the disk of its server is full"]


def test_it_works_by_itself_from_start_to_stop(journal, database, postgresql_schema):
    hand_over(postgresql_schema, journal, database)
    works = worker(postgresql_schema, journal, LocalLimits(0, 0, 1 << 40), look_s=0.05)
    works.start()
    until(lambda: len(segments(journal)) == 1, "all but the newest to go")
    works.stop()
    assert works.problems() == []
