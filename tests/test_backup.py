"""One file while it runs, and back again: every receipt, or a refusal that names what is wrong."""

from __future__ import annotations

import gzip
import io
import random
import stat
import tarfile
import threading
import zlib
from pathlib import Path

import apsw
import msgspec
import pytest

from switchhook import backup
from switchhook.backup import MANIFEST, Manifest, back_up, check, restore
from switchhook.data_folder import DataFolder
from switchhook.errors import BackupError, DataFolderError
from switchhook.journal import JournalReader, JournalWriter, SealedSegments
from switchhook.ledger import Ledger


def open_writer(folder, **settings):
    return JournalWriter(
        folder.folder("journal"),
        node=folder.node,
        notify=lambda call: call(),
        observe=lambda event: None,
        synchronous="OFF",
        **{"segment_bytes": 60_000, **settings},
    )


@pytest.fixture
def data(tmp_path):
    """A data folder as it stands after some work: several segments, a ledger, kept files."""
    with DataFolder.open(tmp_path / "data", "answer") as folder:
        writer = open_writer(folder)
        for seq in range(1, 201):
            writer.append(1, seq, f"receipt {seq} ".encode() * 60)
            if seq % 10 == 0:
                assert writer.flush(10)
        assert writer.close()
        kept = folder.folder("kept")
        (kept / "config.json").write_text('{"secret": "kept"}')
        (kept / "rules-default.json").write_text("{}")
        (kept / ".lock").write_text("")
        (folder.folder("journal") / "refused").mkdir()
        (folder.folder("journal") / "refused" / "7.bin").write_bytes(b"refused")
        folder.folder("store")
        ledger = Ledger(folder.folder("ledger"))
        with ledger.writing() as connection:
            connection.execute("INSERT INTO saved_views VALUES (1, 'mine', 'cause:x', 'asha', 0)")
        ledger.close()
        yield folder


def receipts(folder):
    reader = JournalReader(folder / "journal")
    try:
        return {record.seq: record.body for record in reader.read(0, 100_000)}
    finally:
        reader.close()


def test_everything_comes_back(data, tmp_path):
    target, there = tmp_path / "b.tar.gz", tmp_path / "new"
    manifest = back_up(data.path, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert manifest.node == data.node
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert check(target) == manifest
    assert restore(target, there) == manifest
    assert receipts(there) == receipts(data.path)
    assert (there / "kept/config.json").read_text() == '{"secret": "kept"}'
    assert (there / "journal/refused/7.bin").read_bytes() == b"refused"
    assert not (there / "store").exists()
    assert not (there / "kept/.lock").exists()
    for path in there.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    ledger = Ledger(there / "ledger")
    with ledger.reading() as connection:
        assert connection.execute("SELECT query FROM saved_views").get == "cause:x"
    ledger.close()
    with DataFolder.open(there, "answer") as again:
        assert again.identity == data.identity
        writer = open_writer(again)
        assert writer.next_seq == 201
        writer.append(1, 1000, b"on it goes")
        assert writer.flush(10)
        assert writer.close()


def test_while_receipts_are_written(data, tmp_path):
    """Each that was durable when the backup began is in it, and what came later without a gap."""
    writer = open_writer(data, checkpoint_bytes=20_000, segment_bytes=200_000)
    stop = threading.Event()

    def write():
        seq = 201
        while not stop.is_set():
            writer.append(1, seq, f"receipt {seq} ".encode() * 60)
            seq += 1
            if seq % 20 == 0:
                writer.flush(10)
                stop.wait(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            while writer.durable_seq < 250 * (number + 1):
                stop.wait(0.001)
            durable = writer.durable_seq
            target, there = tmp_path / f"{number}.tar.gz", tmp_path / f"{number}"
            back_up(data.path, target)
            restore(target, there)
            kept = receipts(there)
            assert list(kept) == list(range(1, len(kept) + 1))
            assert len(kept) >= durable
            for seq, body in kept.items():
                assert body == f"receipt {seq} ".encode() * 60
    finally:
        stop.set()
        thread.join()
        writer.close()


def test_while_retention_takes_segments_away(data, tmp_path, monkeypatch):
    """What goes meanwhile is left out; what stays is whole."""
    sealed = SealedSegments(data.path / "journal")
    first = sealed.segments()[0]

    def take_away(name):
        if name == f"journal/{first.name}":
            sealed.delete(sealed.segments()[1])

    before = receipts(data.path)
    back_up(data.path, tmp_path / "b.tar.gz", progress=take_away)
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    kept = receipts(tmp_path / "new")
    assert kept == {seq: body for seq, body in before.items() if seq in kept}
    assert 0 < len(kept) < len(before)


def test_an_abandoned_segment_is_saved_with_its_log(data, tmp_path):
    """The log is part of what was kept, though it is in a file of its own."""
    segments = sorted((data.path / "journal").glob("0*.sqlite"))
    connection = apsw.Connection(str(segments[0]))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.wal_autocheckpoint(0)
    connection.execute("UPDATE record SET body = x'01' WHERE seq = 3")
    connection.close()
    assert Path(f"{segments[0]}-wal").stat().st_size > 0
    back_up(data.path, tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert receipts(tmp_path / "new")[3] == b"\x01"
    assert receipts(tmp_path / "new") == receipts(data.path)


def test_a_backup_that_is_there_is_not_overwritten(data, tmp_path):
    target = tmp_path / "b.tar.gz"
    target.write_bytes(b"precious")
    with pytest.raises(BackupError, match="is there already"):
        back_up(data.path, target)
    assert target.read_bytes() == b"precious"


def test_a_failed_backup_leaves_nothing(data, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(backup._Saving, "_database", fail)
    with pytest.raises(OSError, match="no space"):
        back_up(data.path, tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_without_identity_is_refused(tmp_path):
    with pytest.raises(DataFolderError, match=r"it has no identity\.json"):
        back_up(tmp_path, tmp_path / "b.tar.gz")


@pytest.mark.parametrize("inside", ["identity.json", "anything", "journal/"])
def test_only_an_empty_folder_is_restored_into(data, tmp_path, inside):
    target, there = tmp_path / "b.tar.gz", tmp_path / "new"
    back_up(data.path, target)
    there.mkdir()
    (there / inside).mkdir() if inside.endswith("/") else (there / inside).write_text("x")
    with pytest.raises(DataFolderError, match="into an empty folder only"):
        restore(target, there)
    assert [path.name for path in there.iterdir()] == [inside.strip("/")]


def test_an_empty_folder_and_a_mount_point_will_do(data, tmp_path):
    back_up(data.path, tmp_path / "b.tar.gz")
    there = tmp_path / "new"
    (there / "lost+found").mkdir(parents=True)
    restore(tmp_path / "b.tar.gz", there)
    assert receipts(there) == receipts(data.path)


@pytest.fixture
def saved(data, tmp_path):
    target = tmp_path / "b.tar.gz"
    back_up(data.path, target)
    return target


def refused(source, tmp_path):
    """What restoring says, having written nothing."""
    there = tmp_path / "new"
    with pytest.raises(BackupError) as caught:
        restore(source, there)
    assert not there.exists()
    said = str(caught.value)
    assert said.startswith(f"backup {source}: ")
    assert said.endswith(")")
    return said


def members(source):
    with tarfile.open(source) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def write(target, parts):
    with tarfile.open(target, "w:gz") as tar:
        for name, content in parts:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def parts_of(source):
    return [(member.name, content) for member, content in members(source)]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(saved, tmp_path, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in refused(saved, tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_bit_is_refused(saved, tmp_path, seed):
    """Wherever it is; but for the few that packing doesn't use, which change nothing."""
    chance = random.Random(seed)
    before = saved.read_bytes()
    content = bytearray(before)
    content[chance.randrange(20, len(content))] ^= 1 << chance.randrange(8)
    saved.write_bytes(content)
    try:
        unchanged = gzip.decompress(content) == gzip.decompress(before)
    except (OSError, EOFError, zlib.error):
        unchanged = False
    if not unchanged:
        refused(saved, tmp_path)


def test_a_changed_file_is_named(saved, tmp_path):
    parts = parts_of(saved)
    changed = [
        (name, content[:-1] + b"!" if name == "ledger/ledger.sqlite" else content)
        for name, content in parts
    ]
    write(saved, changed)
    assert "ledger/ledger.sqlite is not as it was saved" in refused(saved, tmp_path)


def test_a_missing_file_is_named(saved, tmp_path):
    parts = parts_of(saved)
    gone = next(name for name, _ in parts if name.startswith("journal/0"))
    write(saved, [part for part in parts if part[0] != gone])
    assert f"{gone} is not as it was saved" in refused(saved, tmp_path)


def test_a_file_too_many_is_named(saved, tmp_path):
    parts = parts_of(saved)
    write(saved, [("journal/00000000000000099999.sqlite", b"x"), *parts])
    assert "journal/00000000000000099999.sqlite is not as it" in refused(saved, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "journal/../../evil",
        "kept/../x",
        "kept/a/b",
        "x\x1b[2J",
        "store/a",
    ],
)
def test_names_that_are_none_of_ours_are_refused(saved, tmp_path, name):
    write(saved, [(name, b"x"), *parts_of(saved)])
    assert "which is none of ours" in refused(saved, tmp_path)


def test_what_is_no_file_is_refused(saved, tmp_path):
    parts = parts_of(saved)
    with tarfile.open(saved, "w:gz") as tar:
        link = tarfile.TarInfo("kept/config.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name, content in parts:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert "which is no file" in refused(saved, tmp_path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "cut short"),
        (b"no archive at all", "cut short"),
        (gzip.compress(b"no archive at all" * 100, mtime=0), "cut short"),
    ],
)
def test_what_is_no_backup_is_refused(tmp_path, content, said):
    source = tmp_path / "b.tar.gz"
    source.write_bytes(content)
    assert said in refused(source, tmp_path)


def test_manifests_are_checked(saved, tmp_path):
    parts = parts_of(saved)[:-1]
    write(saved, parts)
    assert "it has no manifest" in refused(saved, tmp_path)
    write(saved, [*parts, (MANIFEST, b"{}")])
    assert f"{MANIFEST} can't be read" in refused(saved, tmp_path)
    newer = Manifest(99, 1, "2030-01-01T00:00:00+00:00", ())
    write(saved, [*parts, (MANIFEST, msgspec.json.encode(newer))])
    assert "has format 99, this release reads format 1" in refused(saved, tmp_path)
    empty = Manifest(1, 1, "2030-01-01T00:00:00+00:00", ())
    write(saved, [(MANIFEST, msgspec.json.encode(empty))])
    assert "lacks identity.json" in refused(saved, tmp_path)
    write(saved, [(MANIFEST, msgspec.json.encode(empty)), *parts])
    assert "goes on after its manifest" in refused(saved, tmp_path)


def test_a_restore_cut_short_leaves_what_nothing_starts_in(saved, tmp_path, monkeypatch):
    there = tmp_path / "new"
    written = []
    unpack = backup._unpack

    def fail_at_the_third(path, content):
        if len(written) == 2:
            raise OSError(28, "no space left on device")
        written.append(path)
        unpack(path, content)

    monkeypatch.setattr(backup, "_unpack", fail_at_the_third)
    with pytest.raises(OSError, match="no space"):
        restore(saved, there)
    assert not (there / "identity.json").exists()
    assert list(there.rglob("*"))
