"""A store that fails is said, tried again, and made again where the journal can do that."""

from __future__ import annotations

import gc
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from journal.forgetful_vfs import forgetful_disk
from kept_receipts import Kept, parsed, query, receipt
from kept_receipts import fold as fold_all
from program import until
from switchhook.errors import DataFolderError
from switchhook.sqlite_file import BUSY_MS, make_private
from switchhook.store import SqliteStore
from switchhook.store.sqlite import files
from switchhook.store.sqlite.healing import BEGIN_AGAIN_S, Remedy, explain, remedy
from switchhook.streams.fold import Folder
from switchhook.streams.store import StreamFilter


@pytest.fixture
def kept(tmp_path):
    journal = Kept(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


class Steady:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def steady():
    return Steady()


@pytest.fixture
def store(folder, kept, steady):
    store = SqliteStore(folder, kept.reader, steady=steady)
    store.open()
    yield store
    store.close()


def fold(store, kept):
    """As the fold's own thread does, which leaves no connection of the test's."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(fold_all, store, kept.reader, 100).result()


def calls(count):
    return [receipt(query(f"c{each}", f"s{each}")) for each in range(count)]


def healed(store, kept, most=12):
    """Go on as the fold does, until everything is in; what was said meanwhile."""
    said = []
    for _ in range(most):
        try:
            store.mend()
            fold(store, kept)
        except DataFolderError as error:
            said.append(str(error))
            continue
        if store.position() == kept.reader.last_seq() and store.problem is None:
            return said
        said.append(str(store.problem))
    raise AssertionError(f"it stays as it is: {said}")


@pytest.mark.parametrize(
    ("error", "times", "begun_s", "what"),
    [
        (apsw.CorruptError("x"), 1, None, Remedy.WAIT),  # it may be the connection
        (apsw.CorruptError("x"), 2, None, Remedy.BEGIN),
        (apsw.NotADBError("x"), 2, BEGIN_AGAIN_S - 1, Remedy.WAIT),  # the disk damages them all
        (apsw.NotADBError("x"), 2, BEGIN_AGAIN_S, Remedy.BEGIN),
        (apsw.IOError("x"), 3, None, Remedy.WAIT),
        (apsw.IOError("x"), 4, None, Remedy.BEGIN),
        (apsw.FullError("x"), 1000, None, Remedy.WAIT),
        (apsw.ReadOnlyError("x"), 1000, None, Remedy.WAIT),
        (apsw.CantOpenError("x"), 1000, None, Remedy.WAIT),
        (apsw.BusyError("x"), 1000, None, Remedy.WAIT),
        (apsw.NoMemError("x"), 1000, None, Remedy.WAIT),
        (PermissionError(13, "Permission denied"), 1000, None, Remedy.WAIT),
    ],
)
def test_what_is_done_about_a_failure(error, times, begun_s, what):
    assert remedy(error, times, begun_s) is what


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (apsw.FullError("database or disk is full"), "is full (make room on its disk"),
        (apsw.IOError("disk I/O error"), "look at its disk"),
        (apsw.ReadOnlyError("attempt to write"), "(let the user that runs switchhook own it"),
        (PermissionError(13, "Permission denied"), "permission denied (let the user"),
        (apsw.CorruptError("malformed"), "s.sqlite is damaged: malformed (the console makes it"),
        (apsw.NoMemError("out of memory"), "out of memory (it is tried again"),
    ],
)
def test_what_is_said_of_a_failure(error, said):
    assert said in str(explain(error, Path("data"), "s.sqlite"))


LOOK = "import sys, apsw; apsw.Connection(sys.argv[1]).execute('SELECT count(*) FROM stream').get"


@pytest.mark.process
def test_a_store_that_lost_its_locks_heals(kept, store, folder):
    """What a plain `open` of a live file does: the next look from outside takes the log away."""
    kept.keep(*calls(3))
    fold(store, kept)
    (path,) = folder.glob("store-*.sqlite")
    for file in folder.glob(f"{path.name}*"):
        file.open("rb").close()
    subprocess.run([sys.executable, "-c", LOOK, str(path)], check=True)
    kept.keep(*calls(3))
    healed(store, kept)
    assert len(store.receipts(StreamFilter())) == 6


@pytest.mark.parametrize("emptied", [False, True])
def test_a_store_that_is_removed_is_made_again(kept, store, folder, emptied):
    """The folder, or what is in it; logs of the old file are never taken for the new one's."""
    kept.keep(*calls(3))
    fold(store, kept)
    if emptied:
        for path in folder.glob("store-*.sqlite"):
            path.unlink()
    else:
        shutil.rmtree(folder)
    kept.keep(*calls(2))
    said = healed(store, kept)
    assert all("was gone and is made again" in each for each in said if "no store" not in each)
    assert len(store.receipts(StreamFilter())) == 5
    assert emptied is (len(list(folder.glob("store-*2.sqlite"))) == 1)


def test_a_store_in_whose_place_another_file_comes_is_made_again(kept, store, folder):
    kept.keep(*calls(3))
    fold(store, kept)
    path = files.current_file(folder)
    other = folder / "other"
    other.write_bytes(b"no database" * 1000)
    other.replace(path)
    kept.keep(*calls(2))
    healed(store, kept)
    assert len(store.receipts(StreamFilter())) == 5


def test_a_store_whose_folder_is_taken_away_says_so_and_comes_back(kept, store, folder):
    kept.keep(*calls(3))
    fold(store, kept)
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()
    with pytest.raises(DataFolderError, match="can't be used: not a directory"):
        store.mend()
    with pytest.raises(DataFolderError, match="can't be used: not a directory"):
        store.receipts(StreamFilter())
    assert "not a directory" in str(store.problem)
    folder.unlink()
    away.rename(folder)
    kept.keep(*calls(2))
    healed(store, kept)
    assert len(store.receipts(StreamFilter())) == 5


def overwrite(path, page_from):
    """Garble a database's pages from one on, in place."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(page_from * 4096)
        file.write(b"\xa5" * (size - page_from * 4096))


def test_damage_that_a_reader_finds_is_mended_by_the_fold(kept, store, folder):
    kept.keep(*calls(300))
    fold(store, kept)
    store.close()
    overwrite(files.current_file(folder), 2)
    store.open()
    assert store.problem is None
    for _ in range(2):
        with pytest.raises(DataFolderError, match="is damaged"):
            store.receipts(StreamFilter())
    healed(store, kept)
    assert len(store.receipts(StreamFilter(limit=1000))) == 300


def test_a_disk_that_damages_every_store_is_not_worn_out(kept, store, folder, steady):
    """The second store within a minute is not begun; it is said, and begun after that."""
    kept.keep(*calls(300))
    fold(store, kept)
    store.close()
    overwrite(files.current_file(folder), 0)
    store.open()
    fold(store, kept)
    store.close()
    overwrite(files.current_file(folder), 0)
    with pytest.raises(DataFolderError):
        store.open()
    assert "is damaged" in str(store.problem)
    steady.now += BEGIN_AGAIN_S
    healed(store, kept)


@pytest.fixture
def disk(monkeypatch):
    """A file system whose faults a test decides, under the store."""
    with forgetful_disk("failing-store") as vfs:

        def connect(path, *, create=False):
            if create:
                make_private(path)
            connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE, vfs=vfs.name)
            connection.set_busy_timeout(BUSY_MS)
            return connection

        monkeypatch.setattr(files, "connect", connect)
        yield vfs
        gc.collect()  # this thread's connection for reading, while the file system is there


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (apsw.SQLITE_FULL, "make room on its disk"),
        (apsw.SQLITE_IOERR_WRITE, "look at its disk"),
        (apsw.SQLITE_READONLY, "(let the user"),
    ],
)
def test_a_disk_that_refuses_is_named_and_the_store_goes_on_after_it(
    disk, kept, folder, steady, code, said
):
    """The first error is what is said, not one of the ROLLBACK that SQLite has done before."""
    store = SqliteStore(folder, kept.reader, steady=steady)
    store.open()
    kept.keep(*calls(3))
    fold(store, kept)
    kept.keep(*calls(40))
    records = parsed(*kept.reader.read(store.position(), 100))
    disk.fault = lambda what, path: code if what == "write" and "store-" in path else None
    with pytest.raises(DataFolderError) as caught:
        store.fold(store.position(), records)
    assert said in str(caught.value)
    assert said in str(store.problem)
    disk.fault = lambda what, path: None
    healed(store, kept)
    assert len(store.receipts(StreamFilter(limit=1000))) == 43
    store.close()


def test_a_store_made_again_tells_observers_nothing_twice(kept, store, folder):
    fold_thread = Folder(kept.reader, store)
    told = []
    fold_thread.observe(lambda folded: told.extend(each.record.seq for each in folded.records))
    fold_thread.start()
    kept.keep(*calls(3))
    until(lambda: len(told) == 3, "the first three")
    shutil.rmtree(folder)
    kept.keep(*calls(2))
    until(lambda: len(told) == 5, "the others")
    fold_thread.stop()
    assert told == [1, 2, 3, 4, 5]
    assert len(store.receipts(StreamFilter())) == 5


@pytest.mark.slow
def test_a_flipped_bit_anywhere_in_a_store_is_noticed_or_harmless(kept, store, folder):
    """In header, tree, free page or text: what is read is what was written, or begun anew."""
    kept.keep(*calls(60))
    fold(store, kept)
    expected = (
        list(store.receipts(StreamFilter(limit=1000))),
        list(store.streams(StreamFilter(limit=1000))),
    )
    store.close()
    file = files.current_file(folder)
    content = file.read_bytes()
    chance = random.Random(13)
    noticed = 0
    for place in [*range(0, 100, 3), *(chance.randrange(len(content)) for _ in range(60))]:
        shutil.rmtree(folder)
        folder.mkdir()
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        other = SqliteStore(folder, kept.reader)
        try:
            other.open()
            found = (
                list(other.receipts(StreamFilter(limit=1000))),
                list(other.streams(StreamFilter(limit=1000))),
            )
        except DataFolderError:
            noticed += 1
        else:
            noticed += other.position() != kept.reader.last_seq()
            assert found == expected or other.position() == 0, place
        other.close()
    assert noticed > 40
