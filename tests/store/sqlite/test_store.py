"""The store on SQLite: lists, quarantine, rebuilding, and what it refuses to open."""

import sqlite3
import stat
from contextlib import closing

import msgspec
import pytest

from kept_receipts import Kept, fold, query, receipt
from patience import PATIENCE_S
from store.receipts import mixed
from switchhook.errors import DataFolderError
from switchhook.journal.receipt import Counters, Late, RecordKind, encode
from switchhook.store import SqliteStore, buckets, rebuild, taking
from switchhook.store import digest as digests
from switchhook.store.sqlite import files
from switchhook.streams.store import Marks, StreamFilter


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(folder, kept):
    store = SqliteStore(folder, kept.reader)
    store.open()
    yield store
    store.close()


def file_of(folder):
    return max(folder.glob("store-*.sqlite"))


def content(folder):
    """Everything in a store, with facets by their words."""
    database = sqlite3.connect(file_of(folder))
    words = "endpoint, status, cause, option, kind, host, exophone"
    tables = [
        f"SELECT seq, {words} FROM receipt JOIN facet ON facet.id = facet ORDER BY seq",
        f"SELECT seq, at, {words}, story FROM stream JOIN facet ON facet.id = facet ORDER BY seq",
        f"SELECT {words}, streams FROM facet WHERE streams ORDER BY 1, 2, 3, 4, 5, 6, 7",
        f"SELECT at, {words}, minute.streams FROM minute JOIN facet ON facet.id = facet"
        " ORDER BY 1, 2, 3, 4, 5, 6, 7, 8",
        f"SELECT at, {words}, hour.streams FROM hour JOIN facet ON facet.id = facet"
        " ORDER BY 1, 2, 3, 4, 5, 6, 7, 8",
        "SELECT * FROM form ORDER BY 1, 2, 3, 4",
        "SELECT * FROM count ORDER BY 1, 2",
        "SELECT * FROM caller ORDER BY 1, 2, 3",
        "SELECT * FROM mention ORDER BY 1, 2, 3",
        "SELECT * FROM stream_key ORDER BY 1, 2, 3",
        "SELECT * FROM late ORDER BY 1",
        "SELECT * FROM one_copy ORDER BY 1",
        "SELECT * FROM event ORDER BY 1, 2",
        "SELECT * FROM counter ORDER BY 1",
        "SELECT * FROM quarantine ORDER BY 1",
        "SELECT node, seq, at FROM progress",
    ]
    found = [database.execute(sql).fetchall() for sql in tables]
    database.close()
    return found


def test_batches_make_no_difference(kept, tmp_path):
    """The same records, folded one by one, by three and at once, make the same store."""
    kept.keep(*mixed(), *mixed())
    kept.record(RecordKind.LATE, encode(Late(3, 40)))
    kept.record(RecordKind.COUNTERS, encode(Counters({"wrong secret": 2})))
    kept.record(RecordKind.COUNTERS, encode(Counters({"wrong secret": 3})))
    kept.record(99, b"from a later release")
    assert kept.writer.flush(PATIENCE_S)
    contents = []
    for batch in (1, 3, 1000):
        store = SqliteStore(tmp_path / f"store{batch}", kept.reader)
        store.open()
        fold(store, kept.reader, batch)
        assert store.marks([1, 3]) == {3: Marks(40)}
        assert store.counters() == {"wrong secret": 5}
        assert store.events(99, 10) == [26]
        store.close()
        contents.append(content(tmp_path / f"store{batch}"))
    assert contents[0] == contents[1] == contents[2]


def test_rebuild_makes_the_same_store_under_the_feet_of_the_one_that_runs(kept, store, folder):
    kept.keep(*mixed())
    fold(store, kept.reader)
    kept.keep(receipt(query("c9", "s9")))
    told = []
    path = rebuild(folder, kept.reader, lambda seq, last: told.append((seq, last)))
    assert told == [(12, 12)]
    assert path == file_of(folder)
    fold(store, kept.reader)
    assert store.receipts(StreamFilter(call_sid="c9")) == [12]
    kept.keep(receipt(query("c1", "s2", "failed")))
    fold(store, kept.reader)
    store.close()
    running = content(folder)
    rebuild(folder, kept.reader)
    assert content(folder) == running
    assert len(list(folder.glob("store-*.sqlite"))) == 2  # the old one goes when it is next opened
    store.open()
    assert list(folder.glob("store-*.sqlite")) == [file_of(folder)]


def test_a_store_is_its_owners_only(store, folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_what_a_bug_or_the_database_refuses_is_set_aside_alone(kept, store, monkeypatch):
    """A lone surrogate in a field of the index, and a fault in reading one receipt."""
    real = taking.digest

    def faulty(told):
        if told.record.seq == 2:
            raise RuntimeError("a bug, about 09876543210")
        found = real(told)
        if told.record.seq == 3:
            return msgspec.structs.replace(found, callers=["\ud800"])
        return found

    monkeypatch.setattr(taking, "digest", faulty)
    kept.keep(*(receipt(query(f"c{n}", "s1")) for n in range(5)))
    fold(store, kept.reader)
    assert store.receipts(StreamFilter()) == [5, 4, 1]
    _, found = store.quarantined(10)
    assert [(each.seq, each.reason.partition(":")[0]) for each in found] == [
        (3, "UnicodeEncodeError"),
        (2, "RuntimeError"),
    ]
    assert "09876543210" not in found[1].reason


def test_a_hash_that_two_streams_share_mixes_nothing(kept, store, monkeypatch):
    monkeypatch.setattr(digests, "hash_of", lambda kind, *texts: 5)
    kept.keep(receipt(query("c1", "s1")), receipt(query("c2", "s2")))
    fold(store, kept.reader)
    assert [(seq, story.sid) for seq, story in store.streams(StreamFilter())] == [(1, "s1")]
    assert store.quarantined(1)[0] == 1


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("PRAGMA user_version = 9", "has version 9, this release knows version 7"),
        ("DROP TABLE late", "does not have the tables of its version 7"),
        ("PRAGMA application_id = 3", "is not a store"),
        ("UPDATE progress SET seq = 99", "folded up to seq 99, but the journal ends at seq 1"),
        (
            "UPDATE progress SET node = 8",
            "folded from the journal of node 8, this is that of node 7",
        ),
        ("UPDATE progress SET at = 8", "folded from another journal: seq 1 differs"),
    ],
)
def test_a_store_that_does_not_fit_is_refused_and_stays(kept, store, folder, sql, problem):
    kept.keep(receipt())
    fold(store, kept.reader)
    store.close()
    with closing(files.connect(file_of(folder))) as database:
        database.execute(sql)
    before = file_of(folder).read_bytes()
    with pytest.raises(DataFolderError, match=problem):
        store.open()
    assert file_of(folder).read_bytes() == before


def test_a_damaged_store_is_begun_again_and_a_rebuild_mends_it_at_once(kept, store, folder):
    kept.keep(receipt())
    fold(store, kept.reader)
    store.close()
    file_of(folder).write_bytes(b"no database" * 1000)
    with pytest.raises(DataFolderError, match="switchhook rebuild"):
        SqliteStore(folder, kept.reader).receipts(StreamFilter())
    rebuild(folder, kept.reader)
    assert SqliteStore(folder, kept.reader).receipts(StreamFilter()) == [1]
    file_of(folder).write_bytes(b"no database" * 1000)
    store.open()
    assert "was damaged and is made again" in str(store.problem)
    fold(store, kept.reader)
    assert store.problem is None
    assert store.receipts(StreamFilter()) == [1]


def test_a_store_without_its_journal_is_refused(kept, store, tmp_path):
    kept.keep(receipt())
    fold(store, kept.reader)
    store.close()
    empty = Kept(tmp_path / "other").reader
    with pytest.raises(DataFolderError, match="there is no journal"):
        SqliteStore(store._folder, empty).open()


def test_a_store_that_was_open_at_a_power_cut_is_begun_again(kept, store, folder):
    """It never syncs, so pages of it may be missing without a trace."""
    kept.keep(*mixed())
    fold(store, kept.reader)
    store.close()
    with closing(files.connect(file_of(folder))) as database:
        database.execute("UPDATE progress SET closed = 0, boot = 'before the cut'")
    store.open()
    assert store.position() == 0
    fold(store, kept.reader)
    assert store.receipts(StreamFilter(call_sid="c4")) == [6]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_store_opened_again_knows_every_stream_at_once(kept, store, folder, monkeypatch, batch):
    """While what streams there are is still being read, a bucket with each batch, and later."""
    monkeypatch.setattr(buckets, "BITS", 1)
    kept.keep(*[receipt(query(f"c{each}", f"s{each}", "in-progress")) for each in range(20)])
    fold(store, kept.reader)
    store.close()
    store.open()
    kept.keep(*[receipt(query(f"c{each}", f"s{each}")) for each in (0, 19, 7, 21, 0, 3, 20, 21)])
    fold(store, kept.reader, batch)
    found = content(folder)
    assert len(found[1]) == 22
    rebuild(folder, kept.reader)
    assert content(folder) == found


def test_there_is_no_store_to_ask_before_one_is_begun(kept, folder):
    with pytest.raises(DataFolderError, match="there is no store yet"):
        SqliteStore(folder, kept.reader).receipts(StreamFilter())


def test_two_rebuilds_at_once_are_refused(kept, folder):
    kept.keep(receipt())

    def again(seq, last):
        with pytest.raises(DataFolderError, match="another rebuild is running"):
            rebuild(folder, kept.reader)

    assert rebuild(folder, kept.reader, again).exists()


def test_an_older_releases_store_is_begun_again(kept, store, folder):
    kept.keep(receipt())
    fold(store, kept.reader)
    store.close()
    file = max(folder.glob("store-*.sqlite"))
    with closing(files.connect(file)) as database:
        database.execute("DROP TABLE form")
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(Exception, match="is an older release's"):
        SqliteStore(folder, kept.reader).position()
    store.open()
    assert store.position() == 0
    fold(store, kept.reader)
    assert len(store.uses()) == 1
