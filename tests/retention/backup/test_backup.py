"""One file while it runs, and back again: every receipt, or a refusal that names what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import shutil
import stat
import tarfile
import threading
import zlib
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbacks.some_promises import T, deed, number, promise
from patience import PATIENCE_S
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.checked_json import with_checksum
from switchhook.cli import run
from switchhook.errors import BackupError, DataFolderError
from switchhook.journal import JournalReader, JournalWriter, SealedSegments
from switchhook.ledger.belonging import read_backup
from switchhook.retention.backup import (
    MANIFEST,
    Manifest,
    Saved,
    archive,
    back_up,
    check,
    encryption,
    restore,
    restoring,
    saving,
)
from switchhook.server.own_files import OwnFiles
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder


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
                assert writer.flush(PATIENCE_S)
        assert writer.close()
        kept = folder.folder("kept")
        (kept / "config.json").write_text('{"secret": "kept"}')
        (kept / "rules-default.json").write_text("{}")
        (kept / ".lock").write_text("")
        (folder.folder("journal") / "refused").mkdir()
        (folder.folder("journal") / "refused" / "7.bin").write_bytes(b"refused")
        folder.folder("store")
        ledger = open_ledger(folder.folder("ledger"))
        with ledger.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO saved_views VALUES (1, 'mine', 'cause:x', 'asha', 0)"
            )
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
    ledger = open_ledger(there / "ledger")
    with ledger.reading() as connection:
        assert connection.exec_driver_sql("SELECT query FROM saved_views").scalar() == "cause:x"
    ledger.close()
    with DataFolder.open(there, "answer") as again:
        assert again.identity == data.identity
        writer = open_writer(again)
        assert writer.next_seq == 201
        writer.append(1, 1000, b"on it goes")
        assert writer.flush(PATIENCE_S)
        assert writer.close()


def test_while_receipts_are_written(data, tmp_path):
    """Each that was durable when the backup began is in it, and what came later without a gap."""
    writer = open_writer(data, checkpoint_bytes=20_000, segment_bytes=200_000)
    stop = threading.Event()
    durable = 200

    def write():
        nonlocal durable
        seq = 201
        while not stop.is_set():
            writer.append(1, seq, f"receipt {seq} ".encode() * 60)
            seq += 1
            if seq % 20 == 0:
                if writer.flush(PATIENCE_S):
                    durable = seq - 1
                stop.wait(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            while durable < 250 * (number + 1):
                stop.wait(0.001)
            least = durable
            target, there = tmp_path / f"{number}.tar.gz", tmp_path / f"{number}"
            assert back_up(data.path, target).damaged == ()
            restore(target, there)
            kept = receipts(there)
            assert list(kept) == list(range(1, len(kept) + 1))
            assert len(kept) >= least
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
    assert back_up(data.path, tmp_path / "b.tar.gz", progress=take_away).damaged == ()
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


def segments(data):
    return sorted((data.path / "journal").glob("0*.sqlite"))


def flip(path, text):
    """One bit in the middle of the first place that has a text."""
    content = bytearray(path.read_bytes())
    content[content.index(text) + len(text) // 2] ^= 1
    path.write_bytes(content)


def cut_header(path):
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def spoil_pages(path):
    """What can't be read at all, in the middle of a file."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)


def lose_rows(path):
    connection = apsw.Connection(str(path))
    last = connection.execute("SELECT max(seq) FROM record").get
    connection.execute("DELETE FROM record WHERE seq > ?", (last - 3,))
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: flip(path, b"receipt 9 receipt"), "record 9: its checksum does not fit"),
        (cut_header, "is damaged: file is not a database"),
        (spoil_pages, "can't be read"),
        (lose_rows, "3 records before record"),
    ],
)
def test_what_was_damaged_before_is_saved_and_named(data, tmp_path, spoil, said):
    """A backup of all others is better than none, and says that it is no whole one."""
    target, there = tmp_path / "b.tar.gz", tmp_path / "new"
    first, *_ = segments(data)
    whole = receipts(data.path)
    spoil(first)
    manifest = back_up(data.path, target)
    (damaged,) = manifest.damaged
    assert damaged.name == f"journal/{first.name}"
    assert said in str(damaged)
    assert check(target) == manifest
    assert restore(target, there) == manifest
    assert (there / "journal" / first.name).read_bytes() == first.read_bytes()
    later = int(segments(data)[1].stem)
    after = {seq: body for seq, body in whole.items() if seq >= later}
    assert {record.seq: record.body for record in read_from(there, later)} == after


def read_from(folder, seq):
    reader = JournalReader(folder / "journal")
    try:
        return reader.read(seq - 1, 100_000)
    finally:
        reader.close()


def test_damage_is_found_in_the_segment_that_is_being_written(data, tmp_path):
    writer = open_writer(data)
    newest = segments(data)[-1]
    held = int(newest.stem)
    flip(newest, f"receipt {held + 1} receipt".encode())
    writer.append(1, 1, b"one more")
    assert writer.flush(PATIENCE_S)
    manifest = back_up(data.path, tmp_path / "b.tar.gz")
    writer.close()
    assert [str(each) for each in manifest.damaged] == [
        f"journal/{newest.name} is damaged: record {held + 1}: its checksum does not fit"
    ]


def test_a_whole_backup_names_nothing_and_one_of_before_says_that_nobody_looked(data, tmp_path):
    (segments(data)[0].parent / "00000000000000000001.sqlite-wal").touch()
    assert back_up(data.path, tmp_path / "b.tar.gz").damaged == ()
    stored = {"format": 1, "node": 7, "made": "2026-11-29T10:00:00+00:00", "files": []}
    assert msgspec.convert(stored, Manifest).damaged is None


def test_a_refused_record_is_no_damage(data, tmp_path):
    first = segments(data)[0]
    connection = apsw.Connection(str(first))
    connection.execute("DELETE FROM record WHERE seq = 7")  # which stands in refused/7.bin
    connection.close()
    assert back_up(data.path, tmp_path / "b.tar.gz").damaged == ()


@pytest.mark.parametrize("spoil", [cut_header, spoil_pages])
def test_a_damaged_ledger_is_saved_and_not_restored(data, tmp_path, capsys, spoil):
    """Nothing starts on one; it comes back from an older backup."""
    older, newer, there = (tmp_path / name for name in ("1.tar.gz", "2.tar.gz", "new"))
    (data.path / "kept" / "config.json").unlink()  # which says nothing here
    assert run(["backup", str(older), "--data", str(data.path)]) == 0
    ledger = data.path / "ledger" / "ledger.sqlite"
    spoil(ledger)
    assert run(["backup", str(newer), "--data", str(data.path)]) == 1
    assert "ledger/ledger.sqlite is damaged" in capsys.readouterr().err
    assert read_backup(data.path).file == str(older)
    assert run(["restore", str(newer), "--check"]) == 1
    assert run(["restore", str(newer), "--data", str(there)]) == 1
    assert "a restore leaves it out" in capsys.readouterr().err
    assert receipts(there) == receipts(data.path)
    assert run(["restore", str(newer), "--ledger-only", "--data", str(there)]) == 2
    assert run(["restore", str(older), "--ledger-only", "--data", str(there)]) == 0
    kept = open_ledger(there / "ledger")
    with kept.reading() as connection:
        assert connection.exec_driver_sql("SELECT query FROM saved_views").scalar() == "cause:x"
    kept.close()


def test_what_a_backup_found_is_said_until_one_finds_nothing(data, tmp_path, capsys):
    """The console reads of it, also where nothing else looks into the old segment."""
    command = ["--data", str(data.path)]
    (data.path / "kept" / "config.json").unlink()  # which says nothing here
    kept = data.path / "kept" / "rules-default.json"
    kept.write_bytes(with_checksum(b'{"a":1}').replace(b"1", b"2", 1))
    first = segments(data)[0]
    whole = first.read_bytes()
    flip(first, b"receipt 9 receipt")
    assert run(["backup", str(tmp_path / "1.tar.gz"), "--json", *command]) == 1
    told = capsys.readouterr()
    names = ["kept/rules-default.json", f"journal/{first.name}"]
    assert [each["name"] for each in msgspec.json.decode(told.out)["damaged"]] == names
    assert f"journal/{first.name} is damaged: record 9: its checksum" in told.err
    files = OwnFiles(data)
    files.look()
    assert [each.problem.split()[5] for each in files.damage] == names
    first.write_bytes(whole)
    kept.unlink()
    assert run(["backup", str(tmp_path / "2.tar.gz"), *command]) == 0
    files.look()
    assert files.damage == ()


def test_a_backup_that_is_there_is_not_overwritten(data, tmp_path):
    target = tmp_path / "b.tar.gz"
    target.write_bytes(b"precious")
    with pytest.raises(BackupError, match="is there already"):
        back_up(data.path, target)
    assert target.read_bytes() == b"precious"


def test_a_failed_backup_leaves_nothing(data, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(saving._Saving, "_database", fail)
    with pytest.raises(OSError, match="no space"):
        back_up(data.path, tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_without_identity_is_refused(tmp_path):
    (tmp_path / "journal").mkdir()
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
    assert "which is no plain file" in refused(saved, tmp_path)


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
    unpack = restoring._unpack

    def fail_at_the_third(path, name, content):
        if len(written) == 2:
            raise OSError(28, "no space left on device")
        written.append(path)
        return unpack(path, name, content)

    monkeypatch.setattr(restoring, "_unpack", fail_at_the_third)
    with pytest.raises(OSError, match="no space"):
        restore(saved, there)
    assert not (there / "identity.json").exists()
    assert list(there.rglob("*"))


# What somebody made to harm.


def packed(target, *blocks):
    """An archive of raw blocks, whatever they say."""
    target.write_bytes(gzip.compress(b"".join(blocks), 9, mtime=0))
    return target


def header(name="kept/config.json", size=0, **more):
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in more.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


TYPES = {
    "a hard link": tarfile.LNKTYPE,
    "a symbolic link": tarfile.SYMTYPE,
    "a character device": tarfile.CHRTYPE,
    "a block device": tarfile.BLKTYPE,
    "a folder": tarfile.DIRTYPE,
    "a pipe": tarfile.FIFOTYPE,
    "a contiguous file": tarfile.CONTTYPE,
    "a sparse file": tarfile.GNUTYPE_SPARSE,
    "a long name to come": tarfile.GNUTYPE_LONGNAME,
    "a long link to come": tarfile.GNUTYPE_LONGLINK,
    "attributes to come": tarfile.XHDTYPE,
    "attributes for all": tarfile.XGLTYPE,
    "attributes of Solaris": tarfile.SOLARIS_XHDTYPE,
    "an unknown kind": b"Z",
}


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
def test_only_plain_files_are_read(tmp_path, type):
    """Also where the header says that gigabytes of it follow, which nobody waits for."""
    source = packed(tmp_path / "b.tar.gz", header(type=type, size=8 << 30, linkname="/etc/passwd"))
    assert "which is no plain file" in refused(source, tmp_path)


def test_a_sparse_file_in_attributes_is_refused(saved, tmp_path):
    info = tarfile.TarInfo("kept/config.json")
    info.pax_headers = {"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,1"}
    source = packed(tmp_path / "b.tar.gz", info.tobuf(tarfile.PAX_FORMAT))
    assert "which is no plain file" in refused(source, tmp_path)


def test_a_name_twice_is_refused(saved, tmp_path):
    parts = parts_of(saved)
    write(saved, [parts[0], *parts])
    assert f"holds {parts[0][0]!r}, which is none of ours" in refused(saved, tmp_path)


def test_more_files_than_any_backup_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_FILES", 50)
    blocks = [header(f"journal/refused/{n}.bin") for n in range(60)]
    source = packed(tmp_path / "b.tar.gz", *blocks)
    assert "holds more than 50 files" in refused(source, tmp_path)


@pytest.mark.parametrize("name", ["identity.json", MANIFEST, "kept/x", "journal/refused/1.bin"])
def test_a_small_file_that_is_large_is_refused(tmp_path, name):
    """Before a byte of it is read."""
    source = packed(tmp_path / "b.tar.gz", header(name, 1 << 40))
    assert "which is too many" in refused(source, tmp_path)


@pytest.mark.slow
def test_a_bomb_is_refused_long_before_its_end(tmp_path):
    """A thousand bytes for each that is read; reading stops at a few."""
    target = tmp_path / "b.tar.gz"
    with gzip.open(target, "wb", 9) as out:
        out.write(header("ledger/ledger.sqlite", 1 << 40))
        for _ in range(300):
            out.write(bytes(1 << 20))
    assert target.stat().st_size < 400_000
    assert "unpacks to more than 200 times its size" in refused(target, tmp_path)


@pytest.mark.parametrize("tail", [bytes(3 << 20), b"more" * 200])
def test_what_follows_the_end_is_refused(saved, tmp_path, tail):
    saved.write_bytes(gzip.compress(gzip.decompress(saved.read_bytes()) + tail))
    assert "goes on after its end" in refused(saved, tmp_path)


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_written(
    saved, tmp_path, monkeypatch
):
    class Full:
        free = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Full)
    assert "0 MB are free" in refused(saved, tmp_path)


MANIFESTS = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'"' + b"x" * 100,
    b"[" * 100_000,
    b'{"x":' * 100_000,
    b'{"format":1,"node":1,"made":"2030-01-01T00:00:00+00:00"}',
    b'{"format":-1,"node":1,"made":"2030-01-01T00:00:00+00:00","files":[]}',
    b'{"format":1,"node":-1,"made":"2030-01-01T00:00:00+00:00","files":[]}',
    b'{"format":1,"node":99999999999,"made":"2030-01-01T00:00:00+00:00","files":[]}',
    b'{"format":1,"node":1,"made":"yesterday","files":[]}',
    b'{"format":1,"node":1,"made":"2030-01-01T00:00:00","files":[]}',
    b'{"format":1,"node":1,"made":"2030-01-01T00:00:00+00:00","files":[{"name":"a"}]}',
    b'{"format":1,"node":1,"made":"2030-01-01T00:00:00+00:00","files":[{"name":"a","size":-5,'
    b'"sha256":"' + b"0" * 64 + b'"}]}',
    b'{"format":1,"node":1,"made":"2030-01-01T00:00:00+00:00","files":[{"name":"a","size":5,'
    b'"sha256":"\x1b[2J"}]}',
]


@pytest.mark.parametrize("content", MANIFESTS, ids=range(len(MANIFESTS)))
def test_a_bad_manifest_is_one_line(saved, tmp_path, content, capsys):
    write(saved, [*parts_of(saved)[:-1], (MANIFEST, content)])
    assert f"its {MANIFEST} can't be read" in refused(saved, tmp_path)
    assert run(["restore", str(saved), "--check"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_manifest_that_lists_a_file_twice_is_refused(saved, tmp_path):
    *parts, (_, content) = parts_of(saved)
    manifest = msgspec.json.decode(content, type=Manifest)
    doubled = msgspec.structs.replace(manifest, files=(*manifest.files, manifest.files[0]))
    write(saved, [*parts, (MANIFEST, msgspec.json.encode(doubled))])
    assert f"its {MANIFEST} can't be read" in refused(saved, tmp_path)


def with_identity(saved, content, node=None):
    """The same backup with another identity, and a manifest that fits."""
    *parts, (_, said) = parts_of(saved)
    manifest = msgspec.json.decode(said, type=Manifest)
    files = tuple(
        Saved("identity.json", len(content), hashlib.sha256(content).hexdigest())
        if each.name == "identity.json"
        else each
        for each in manifest.files
    )
    changed = msgspec.structs.replace(manifest, files=files, node=node or manifest.node)
    parts = [(name, content if name == "identity.json" else old) for name, old in parts]
    write(saved, [*parts, (MANIFEST, msgspec.json.encode(changed))])


def test_an_identity_that_nothing_could_start_with_is_refused(saved, tmp_path):
    with_identity(saved, b"{}")
    assert "its identity.json is damaged" in refused(saved, tmp_path)


def test_an_identity_of_another_node_is_refused(saved, tmp_path):
    identity = dict(parts_of(saved))["identity.json"]
    with_identity(saved, identity, node=7)
    assert "its identity.json is that of another node" in refused(saved, tmp_path)


@pytest.mark.parametrize("change", ["bytes", "size", "name", "missing", "cut"])
def test_what_changes_between_check_and_unpacking_never_starts(
    saved, tmp_path, monkeypatch, change
):
    """The second reading is compared with the first, whoever writes the file meanwhile."""
    parts = parts_of(saved)
    at = next(at for at, part in enumerate(parts) if part[0] == "kept/config.json")
    evil = {
        "bytes": [
            (name, b"{'secret': 'ours'}" if n == at else c) for n, (name, c) in enumerate(parts)
        ],
        "size": [(name, c + b"!" if n == at else c) for n, (name, c) in enumerate(parts)],
        "name": [("kept/evil.json" if n == at else name, c) for n, (name, c) in enumerate(parts)],
        "missing": parts[:at] + parts[at + 1 :],
        "cut": parts[:-1],
    }[change]
    other = tmp_path / "other"
    write(other, evil)
    content = other.read_bytes()[: -200 if change == "cut" else None]
    there = tmp_path / "new"
    room = restoring._check_room

    def meanwhile(*rest):
        with saved.open("r+b") as file:  # the same file, not another one of its name
            file.truncate(0)
            file.write(content)
        room(*rest)

    monkeypatch.setattr(restoring, "_check_room", meanwhile)
    with pytest.raises(BackupError, match="changed after it was checked"):
        restore(saved, there)
    assert not (there / "identity.json").exists()
    assert not (there / "kept/evil.json").exists()


def test_another_file_of_the_name_is_not_read(saved, tmp_path, monkeypatch):
    """What was checked is what is unpacked: it is opened once."""
    room = restoring._check_room

    def meanwhile(*rest):
        saved.rename(tmp_path / "aside")
        saved.write_bytes(b"another")
        room(*rest)

    monkeypatch.setattr(restoring, "_check_room", meanwhile)
    restore(saved, tmp_path / "new")
    assert (tmp_path / "new/identity.json").exists()


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_garbled_archives_restore_whole_or_are_refused(saved, tmp_path, data):
    """Bits flipped, blocks moved, cut and doubled beneath the packing, checksums made to fit."""
    content = bytearray(gzip.decompress(saved.read_bytes()))
    for _ in range(data.draw(st.integers(1, 4))):
        block = 512 * data.draw(st.integers(0, len(content) // 512 - 1))
        match data.draw(st.sampled_from(["byte", "header", "cut", "double", "zero"])):
            case "byte":
                content[block + data.draw(st.integers(0, 511))] ^= data.draw(st.integers(1, 255))
            case "header":
                heads = [
                    at
                    for at in range(0, len(content), 512)
                    if content[at + 257 : at + 262] == b"ustar"
                ]
                if heads:
                    at = data.draw(st.sampled_from(heads))
                    place = data.draw(st.integers(0, 160))
                    content[at + place] = data.draw(st.integers(0, 255))
                    content[at + 148 : at + 156] = b" " * 8
                    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
            case "cut":
                del content[block:]
                content += bytes(512)
            case "double":
                content[block:block] = content[block : block + 512]
            case "zero":
                content[block : block + 512] = bytes(512)
    source, there = tmp_path / "garbled.tar.gz", tmp_path / "garbled"
    shutil.rmtree(there, ignore_errors=True)
    source.write_bytes(gzip.compress(bytes(content), 1))
    try:
        restore(source, there)
    except BackupError as error:
        said = str(error)
        assert "\n" not in said
        assert not there.exists()
    else:
        assert receipts(there) == receipts(tmp_path / "data")
    assert {path.name for path in tmp_path.iterdir()} <= {
        "data",
        "b.tar.gz",
        "garbled.tar.gz",
        "garbled",
    }


# Encrypted.


@pytest.fixture
def key(tmp_path):
    """An identity as age-keygen writes it, and its recipient."""
    made = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# created: 2030-01-01\n# public key: {made.to_public()}\n{made}\n")
    return file, str(made.to_public())


def test_an_encrypted_backup_is_read_with_its_key(data, tmp_path, key):
    file, recipient = key
    target = tmp_path / "b.age"
    made = back_up(data.path, target, encrypt_to=[recipient])
    content = target.read_bytes()
    assert content.startswith(b"age-encryption.org/v1\n")
    assert b"secret" not in content
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert check(target, file) == made
    assert restore(target, tmp_path / "new", identities=file) == made
    assert receipts(tmp_path / "new") == receipts(data.path)


def test_every_recipient_reads_it_and_nobody_else(data, tmp_path, key):
    other = pyrage.x25519.Identity.generate()
    target, theirs = tmp_path / "b.age", tmp_path / "theirs"
    theirs.write_text(str(other))
    back_up(data.path, target, encrypt_to=[key[1], str(other.to_public())])
    assert check(target, key[0]) == check(target, theirs)
    theirs.write_text(str(pyrage.x25519.Identity.generate()))
    for identities, said in ((theirs, "with this key"), (None, "is encrypted")):
        with pytest.raises(BackupError, match=said):
            restore(target, tmp_path / "new", identities=identities)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5, 0.9, 0.9999])
def test_an_encrypted_backup_cut_short_is_refused(data, tmp_path, key, share):
    target = tmp_path / "b.age"
    back_up(data.path, target, encrypt_to=[key[1]])
    content = target.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BackupError, match="is cut short or altered"):
        restore(target, tmp_path / "new", identities=key[0])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("seed", range(8))
def test_an_encrypted_backup_with_a_changed_bit_is_refused(data, tmp_path, key, seed):
    chance = random.Random(seed)
    target = tmp_path / "b.age"
    back_up(data.path, target, encrypt_to=[key[1]])
    content = bytearray(target.read_bytes())
    content[chance.randrange(30, len(content))] ^= 1 << chance.randrange(8)
    target.write_bytes(content)
    with pytest.raises(BackupError):
        restore(target, tmp_path / "new", identities=key[0])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("recipient", ["", "age1", "asha", "AGE-SECRET-KEY-1QQ", "ssh-rsa AAAA"])
def test_who_is_no_recipient_is_refused_and_nothing_is_left(data, tmp_path, recipient):
    with pytest.raises(BackupError, match="is no recipient"):
        back_up(data.path, tmp_path / "b.age", encrypt_to=[recipient])
    assert not (tmp_path / "b.age").exists()
    assert not list(tmp_path.glob(".b.age*"))


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"age1zzz", b"\xff", b"-----BEGIN X"])
def test_a_file_without_a_key_is_refused(data, tmp_path, key, content):
    back_up(data.path, tmp_path / "b.age", encrypt_to=[key[1]])
    key[0].write_bytes(content)
    with pytest.raises(BackupError, match="holds no key"):
        check(tmp_path / "b.age", key[0])


def test_a_backup_that_cannot_be_written_encrypted_says_so(key):
    """The disk is full: it is the disk's error, not that of a pipe, and nothing is left."""

    class Full:
        def write(self, content):
            raise OSError(28, "no space left on device")

        def flush(self):
            pass

    disk: Any = Full()

    def write():
        with encryption.encrypting(disk, [key[1]]) as out:
            for _ in range(50):
                out.write(bytes(1 << 20))

    with pytest.raises(OSError, match="no space"):
        write()


@pytest.mark.parametrize("only", [(), ("--ledger-only",)])
def test_promises_come_back_whole_and_nobody_is_called_by_itself(data, tmp_path, capsys, only):
    """Who was called since the backup, its ledger doesn't know."""
    (data.path / "kept" / "config.json").unlink()  # which says nothing here
    ledger = open_ledger(data.path / "ledger")
    promises, dialling = LedgerPromises(ledger), LedgerDialling(ledger)
    for account in ("main", "other", "off"):
        dialling.allow(account, deed(), T)
    dialling.stop(["off"], "no money", deed(), T)
    made = promises.make(promise())
    claimed = promises.claim(made.id, 1, "+918045601234", T, lambda _: None, price=1)
    never = LedgerDoNotCall(ledger)
    never.add(number(9), "asked for it", deed(), T)
    ledger.close()
    target, there = tmp_path / "b.tar.gz", data.path if only else tmp_path / "new"
    assert run(["backup", str(target), "--data", str(data.path)]) == 0
    assert run(["restore", str(target), *only, "--data", str(there)]) == 0
    assert "dialling is stopped for main, other" in capsys.readouterr().err
    ledger = open_ledger(there / "ledger")
    promises, dialling = LedgerPromises(ledger), LedgerDialling(ledger)
    assert promises.get(made.id) == claimed.promise
    assert promises.by_custom_field(claimed.attempt.custom_field)[1] == claimed.attempt
    assert LedgerDoNotCall(ledger).has(number(9))
    switches = dialling.all()
    assert not any(each.allowed for each in switches.values())
    assert "a backup was restored" in switches["main"].stopped
    assert switches["off"].stopped == "no money"
    whats = [each.what for each in LedgerAudit(ledger).entries(AuditFilter(), 10)]
    assert "stopped dialling" in whats
    ledger.close()
