"""The store in PostgreSQL when something fails: nothing is written twice, nothing by the wrong."""

import threading

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from kept_receipts import Kept, fold, parsed, query, receipt
from store.receipts import mixed
from switchhook.errors import ClusterError, NotLeaderError
from switchhook.postgresql_server import Fence
from switchhook.store import PostgresqlStore, folding
from switchhook.store.postgresql import rows, schema
from switchhook.store.postgresql.statements import PREFIX
from switchhook.store.stories import Stories
from switchhook.streams.store import StreamFilter


@pytest.fixture
def open_here(url, kept):
    """Makes stores over the same tables, as several nodes have them."""
    made = []

    def make(fence=None):
        store = PostgresqlStore(url, kept.reader, fence=fence)
        made.append(store)
        store.open()
        return store

    yield make
    for store in made:
        store.close()


def content(beside):
    """Every row of every table, but for what is another one each time."""
    found = {}
    for name in schema.names():
        text = f"SELECT to_jsonb(t) - 'made' - 'used_at' FROM {name} t"
        found[name] = sorted(str(row) for row in beside.execute(text.encode()))
    return found


def pid_of(store):
    return store._connection.info.backend_pid


def test_a_store_is_there_once_somebody_opened_it(url, kept, open_here):
    reader = PostgresqlStore(url, kept.reader)
    with pytest.raises(ClusterError, match="there is no store of this release yet"):
        reader.position()
    open_here()
    assert reader.position() == 0
    reader.close()


def test_several_open_it_at_once(url, kept, beside):
    stores = [PostgresqlStore(url, kept.reader) for _ in range(4)]
    together = threading.Barrier(len(stores))

    def begin(store):
        together.wait()
        store.open()

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.problem for store in stores] == [None] * 4
    assert [store.position() for store in stores] == [0] * 4
    for store in stores:
        store.close()


def test_nothing_is_computed_while_rows_are_locked(kept, open_here, monkeypatch):
    """On a busy machine that takes long; a server ends who idles within a transaction."""
    store, seen = open_here(), []
    kept.keep(*mixed())

    def look(*_):
        seen.append(store._connection.info.transaction_status)

    monkeypatch.setattr(folding, "yield_cpu", look)
    for name in ("digests_of", "Taking"):
        monkeypatch.setattr(folding, name, watched(getattr(folding, name), look))
    monkeypatch.setattr(Stories, "told", watched(Stories.told, look))
    fold(store, kept.reader, 100)
    assert len(seen) > len(mixed())
    assert set(seen) == {TransactionStatus.IDLE}


def watched(work, look):
    def wrapped(*given, **named):
        look()
        return work(*given, **named)

    return wrapped


def test_who_does_not_lead_writes_nothing(kept, open_here, lead, beside):
    lead(3)
    store = open_here(Fence(3))
    kept.keep(*mixed())
    fold(store, kept.reader, 4)
    before = content(beside)
    lead(4)
    kept.keep(*mixed())
    records = parsed(*kept.reader.read(11, 100))
    with pytest.raises(NotLeaderError):
        store.fold(11, records)
    for write in (
        lambda: store.erase_number("+919876543210", [1]),
        lambda: store.remove(2**60, 100),
        lambda: store.keep_stories(0, 100),
    ):
        with pytest.raises(NotLeaderError):
            write()
    assert isinstance(store.problem, NotLeaderError)
    assert content(beside) == before
    assert store.position() == 11, "it may still be asked"


def test_a_lease_that_ran_out_writes_nothing(kept, open_here, lead, beside):
    lead(3)
    store = open_here(Fence(3))
    kept.keep(receipt())
    beside.execute("UPDATE cluster_lease SET expires_at = clock_timestamp()")
    with pytest.raises(NotLeaderError):
        fold(store, kept.reader)
    assert store.position() == 0


def test_who_takes_over_waits_for_the_fold_at_hand(kept, open_here, lead, beside, monkeypatch):
    """The lease's row changes hands between two transactions, never within one."""
    lead(3)
    store = open_here(Fence(3))
    kept.keep(*mixed())
    real = rows.Writing.write
    beside.execute("SET lock_timeout = '50ms'")

    def write(self, batch):
        with pytest.raises(psycopg.errors.LockNotAvailable):
            beside.execute("UPDATE cluster_lease SET epoch = 4")
        real(self, batch)

    monkeypatch.setattr(rows.Writing, "write", write)
    fold(store, kept.reader)
    assert store.position() == 11
    beside.execute("UPDATE cluster_lease SET epoch = 4")


def test_what_another_leader_folded_is_not_folded_again(kept, open_here, beside):
    """The one that was frozen wakes up: its batch is in already, and its memory is old."""
    frozen, leads = open_here(), open_here()
    kept.keep(*mixed())
    fold(frozen, kept.reader, 3)
    kept.keep(*mixed())
    fold(leads, kept.reader, 3)
    before = content(beside)
    frozen.fold(11, parsed(*kept.reader.read(11, 5)))
    assert content(beside) == before
    assert frozen.problem is None
    kept.keep(*mixed())
    fold(frozen, kept.reader, 3)
    alone = open_here()
    alone.begin_again()
    before = content(beside)
    fold(alone, kept.reader)
    folded_once = content(beside)
    assert before != folded_once
    assert streams(frozen) == streams(alone)


def streams(store):
    return [
        store.streams(StreamFilter()),
        store.receipts(StreamFilter()),
        store.tallies(0, 2**60),
        store.rule_hits(0, 2**60),
    ]


@pytest.mark.parametrize("statement", range(1, 14, 3))
def test_a_connection_that_ends_amid_a_fold_leaves_nothing_of_it(
    kept, open_here, beside, monkeypatch, statement
):
    """It is said, and the next fold does it all, once."""
    store = open_here()
    kept.keep(*mixed())
    fold(store, kept.reader)
    kept.keep(*mixed())
    before, real, left = content(beside), rows.Writing.many, [statement]

    def many(self, *asked):
        left[0] -= 1
        if not left[0]:
            beside.execute("SELECT pg_terminate_backend(%s, 5000)", (pid_of(store),))
        real(self, *asked)

    monkeypatch.setattr(rows.Writing, "many", many)
    with pytest.raises(ClusterError):
        fold(store, kept.reader)
    assert store.problem is not None
    monkeypatch.undo()
    assert content(beside) == before
    store.mend()
    assert store.problem is None
    fold(store, kept.reader)
    found = streams(store)
    store.begin_again()
    fold(store, kept.reader)
    assert streams(store) == found


def test_a_commit_of_which_no_answer_came_is_not_done_again(kept, open_here, beside, monkeypatch):
    """The server has it, and the connection is gone before that was heard."""
    store = open_here()
    kept.keep(*mixed())
    real = psycopg.Transaction.__exit__
    asked = f"SELECT seq FROM {PREFIX}progress".encode()

    def ends(self, *error):
        found = real(self, *error)
        if error[0] is None and beside.execute(asked).fetchone() == (11,):
            self.connection.close()
            raise psycopg.OperationalError("the connection is lost")
        return found

    monkeypatch.setattr(psycopg.Transaction, "__exit__", ends)
    records = parsed(*kept.reader.read(0, 100))
    with pytest.raises(ClusterError, match="the connection is lost"):
        store.fold(0, records)
    monkeypatch.undo()
    before = content(beside)
    assert store.position() == 11
    store.mend()
    store.fold(0, records)
    assert content(beside) == before


def test_a_reader_outlives_the_end_of_its_connections(kept, open_here, beside):
    """A server that was started anew has said good-bye to them: that is seen before they are used."""  # noqa: E501
    store = open_here()
    kept.keep(*mixed())
    fold(store, kept.reader)
    assert store.position() == 11
    ended = beside.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'switchhook pages'"
    ).fetchall()
    assert ended
    assert store.position() == 11


def test_a_number_that_stands_in_deleted_rows_is_taken_out_of_the_files(kept, open_here, beside):
    store = open_here()
    kept.keep(*(receipt(query(f"c{n}", f"s{n}") + b"&From=09876543210") for n in range(20)))
    fold(store, kept.reader)
    store.erase_number("+919876543210", [])
    beside.execute("SELECT pg_stat_force_next_flush()")
    counted = beside.execute(
        "SELECT pg_stat_get_vacuum_count(%s::regclass)", (f"{PREFIX}caller",)
    ).fetchone()
    assert counted == (1,)


def test_tables_that_are_of_another_journal_are_refused(url, kept, open_here, tmp_path):
    store = open_here()
    kept.keep(receipt())
    fold(store, kept.reader)
    other = Kept(tmp_path / "other", node=8)
    other.keep(receipt())
    wrong = PostgresqlStore(url, other.reader)
    with pytest.raises(
        ClusterError, match="folded from the journal of node 7, this is that of node 8"
    ):
        wrong.open()
    wrong.begin_again()
    fold(wrong, other.reader)
    assert wrong.position() == 1
    wrong.close()
    other.close()
