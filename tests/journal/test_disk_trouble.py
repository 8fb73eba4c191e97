"""A disk that is full, read-only, or fails to sync: nothing is lost, and it is said."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from patience import PATIENCE_S
from switchhook.journal import JournalReader

from .conftest import Loop


def bodies(folder):
    return [record.body for record in JournalReader(folder).read(0, 10_000)]


def failing_once(operation, suffix, code):
    """Fail the first such operation on a file whose name ends so."""
    left = [code]

    def fault(what, path):
        return left.pop() if left and what == operation and path.endswith(suffix) else None

    return fault


@pytest.mark.parametrize(
    "operation, code",
    [
        ("write", apsw.SQLITE_FULL),
        ("write", apsw.SQLITE_IOERR_WRITE),
        ("write", apsw.SQLITE_READONLY),
    ],
)
def test_records_wait_until_the_disk_takes_them(open_journal, loop, folder, disk, operation, code):
    """They are tried again until they are kept, in order, and callers don't wait meanwhile."""
    done = []
    writer = open_journal(vfs=disk.name)
    writer.append(1, 1, b"0", done=done.append)
    loop.run_until(lambda: len(done) == 1)
    disk.fault = lambda what, path: code if what == operation else None
    for number in range(1, 50):
        writer.append(1, 1, str(number).encode(), done=done.append)
    loop.run_until(lambda: bool(loop.seen("failing")))
    assert not writer.healthy
    assert writer.last_error
    assert len(done) == 1
    disk.fault = lambda what, path: None
    loop.run_until(lambda: len(done) == 50)
    assert all(done)
    assert bodies(folder) == [str(number).encode() for number in range(50)]
    assert len(loop.seen("failing")) == 1
    loop.run_until(lambda: bool(loop.seen("recovered")))
    writer.flush(PATIENCE_S)
    assert not loop.seen("abandoned")


@pytest.mark.parametrize("operation", ["open", "write"])
def test_a_journal_can_begin_on_a_full_disk(open_journal, loop, folder, disk, operation):
    """Callers are served from the start; the first segment is made when there is room."""
    done = []
    disk.fault = lambda what, path: apsw.SQLITE_CANTOPEN if what == operation else None
    writer = open_journal(vfs=disk.name)
    assert writer.append(1, 1, b"x", done=done.append) == 1
    loop.run_until(lambda: bool(loop.seen("failing")))
    assert list(folder.iterdir()) == []
    disk.fault = lambda what, path: None
    loop.run_until(lambda: done == [True])
    assert bodies(folder) == [b"x"]


def test_a_journal_goes_on_when_it_cannot_be_opened_for_writing(open_journal, loop, folder, disk):
    """A restart on a full disk knows the numbers, and goes on in a new segment."""
    writer = open_journal()
    writer.append(1, 500, b"before")
    assert writer.close()
    disk.fault = lambda what, path: apsw.SQLITE_CANTOPEN if what == "open" else None
    writer = open_journal(vfs=disk.name)
    assert writer.next_seq == 2
    writer.append(1, 501, b"after")
    disk.fault = lambda what, path: None
    assert writer.flush(PATIENCE_S)
    assert bodies(folder) == [b"before", b"after"]


@pytest.mark.parametrize("records", [0, 7])
def test_failed_sync_of_the_log_abandons_the_segment(open_journal, loop, folder, disk, records):
    """Its group is written again in a new one, and readers see each record once."""
    done = []
    writer = open_journal(vfs=disk.name)
    for number in range(records):
        writer.append(1, 1, str(number).encode(), done=done.append)
    loop.run_until(lambda: len(done) == records)
    disk.fault = failing_once("sync", "-wal", apsw.SQLITE_IOERR_FSYNC)
    for number in range(records, records + 5):
        writer.append(1, 1, str(number).encode(), done=done.append)
    loop.run_until(lambda: len(done) == records + 5)
    expected = [str(number).encode() for number in range(records + 5)]
    assert len(loop.seen("abandoned")) == 1
    assert len(list(folder.glob("0*.sqlite"))) == 2
    assert bodies(folder) == expected
    assert writer.close()
    # Now the log of the abandoned segment is read anew, with what was never acknowledged in it.
    assert bodies(folder) == expected
    assert [record.body for record in JournalReader(folder).read_back(None, 100)] == expected[::-1]
    writer = open_journal()
    assert writer.append(1, 1, b"more") == records + 6
    assert writer.flush(PATIENCE_S)
    assert bodies(folder) == [*expected, b"more"]
    assert not loop.seen("upkeep_failed")


def test_failed_sync_of_a_checkpoint_abandons_the_segment(open_journal, loop, folder, disk):
    """What was copied may be gone from memory, so the log is left as it is and never reused."""
    done = []
    writer = open_journal(vfs=disk.name, checkpoint_bytes=50_000)
    writer.append(1, 1, b"0", done=done.append)
    loop.run_until(lambda: len(done) == 1)
    disk.fault = failing_once("sync", ".sqlite", apsw.SQLITE_IOERR_FSYNC)
    number = 0
    while not loop.seen("abandoned"):
        number += 1
        writer.append(1, 1, str(number).encode() + bytes(5000), done=done.append)
        loop.run_until(lambda n=number: len(done) > n)
    assert all(done)
    assert [int(body.rstrip(b"\0")) for body in bodies(folder)] == list(range(number + 1))
    log = min(folder.glob("0*.sqlite")).name + "-wal"
    assert writer.close()
    assert (folder / log).stat().st_size > 0
    assert open_journal().close()
    assert (folder / log).stat().st_size > 0
    assert [int(body.rstrip(b"\0")) for body in bodies(folder)] == list(range(number + 1))


def test_damage_noticed_while_writing_abandons_the_segment(open_journal, loop, folder, disk):
    done = []
    writer = open_journal(vfs=disk.name)
    writer.append(1, 1, b"0", done=done.append)
    loop.run_until(lambda: len(done) == 1)
    disk.fault = failing_once("write", "-wal", apsw.SQLITE_CORRUPT)
    writer.append(1, 1, b"1", done=done.append)
    loop.run_until(lambda: len(done) == 2)
    assert len(loop.seen("abandoned")) == 1
    assert bodies(folder) == [b"0", b"1"]


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of two megabytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting isn't permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=False)


def fill(ballast: Path) -> None:
    """Take all the room that is left on a file system."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.process
def test_full_file_system_then_room_again(small_disk: Path):
    """On a real full disk everything waits, and is kept in order when there is room."""
    loop, done, folder = Loop(), [], small_disk / "journal"
    ballast = small_disk / "ballast"
    writer = loop.open(folder, checkpoint_bytes=200_000)
    try:
        writer.append(1, 1, bytes(1000), done=done.append)
        loop.run_until(lambda: len(done) == 1)
        fill(ballast)
        for number in range(2, 301):
            assert writer.append(1, number, bytes(1000), done=done.append) == number
        loop.run_until(lambda: bool(loop.seen("failing")))
        assert not writer.healthy
        ballast.unlink()
        loop.run_until(lambda: len(done) == 300)
        assert all(done)
        assert [record.at for record in JournalReader(folder).read(0, 1000)] == list(range(1, 301))
    finally:
        writer.close()


@pytest.mark.process
def test_restart_on_a_full_file_system(small_disk: Path):
    """The journal opens, callers are answered, and what they said is kept later."""
    loop, folder = Loop(), small_disk / "journal"
    writer = loop.open(folder)
    writer.append(1, 1, bytes(1000))
    assert writer.close()
    ballast = small_disk / "ballast"
    fill(ballast)
    writer = loop.open(folder)
    try:
        assert writer.append(1, 2, bytes(50_000)) == 2
        loop.run_until(lambda: bool(loop.seen("failing")))
        ballast.unlink()
        assert writer.flush(PATIENCE_S)
        assert [record.at for record in JournalReader(folder).read(0, 1000)] == [1, 2]
    finally:
        writer.close()
