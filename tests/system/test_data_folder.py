"""The data folder: who holds it, who it is, and what it refuses."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from patience import PATIENCE_S
from switchhook.errors import DataFolderError
from switchhook.system import data_folder, folder_lock
from switchhook.system.data_folder import DataFolder, atomic_write, first_seq_of_boot, read_identity
from switchhook.system.folder_lock import holder_pid, is_free

LOCAL = "/dev/sda / ext4 rw 0 0\n"
AT = datetime(2025, 3, 1, 10, 0, tzinfo=UTC)


def open_folder(path: Path, holder: str = "answer", **more: object) -> DataFolder:
    settings = {"now": lambda: AT, "draw": lambda size: b"\x07" * size, "mounts": LOCAL} | more
    return DataFolder.open(path, holder, **settings)  # type: ignore[arg-type]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_open_makes_a_private_folder_with_an_identity(tmp_path: Path) -> None:
    """A new folder is 0700, its files 0600, and its identity comes from the chance it was given."""
    with open_folder(tmp_path / "data") as folder:
        assert mode(folder.path) == 0o700
        assert mode(folder.folder("kept")) == 0o700
        assert {mode(file) for file in folder.path.iterdir() if file.is_file()} == {0o600}
        assert folder.identity.node == 0x07070707
        assert folder.identity.key == b"\x07" * 32
        assert (folder.node, folder.key) == (folder.identity.node, folder.identity.key)
        assert folder.identity == read_identity(folder.path)
        assert folder.still_there()


def test_identity_is_written_once(tmp_path: Path) -> None:
    """Who opens the folder later finds the first identity, whatever chance says then."""
    with open_folder(tmp_path / "data") as folder:
        first = folder.identity
    with open_folder(tmp_path / "data", "console", draw=os.urandom) as folder:
        assert folder.identity == first


def test_identity_never_shows_its_key(tmp_path: Path) -> None:
    """The key is for fingerprints, and a repr may end in a log."""
    with open_folder(tmp_path / "data") as folder:
        assert "07" * 4 not in repr(folder.identity)
        assert "\\x07" not in repr(folder.identity)


def test_second_holder_is_named_to_the_first(tmp_path: Path) -> None:
    """The lock names program, process, host and time; the other kind of holder is let in."""
    with open_folder(tmp_path / "data"):
        with pytest.raises(DataFolderError, match="held by switchhook answer") as caught:
            open_folder(tmp_path / "data")
        assert f"process {os.getpid()} on" in str(caught.value)
        assert "2025-03-01T10:00:00" in str(caught.value)
        with open_folder(tmp_path / "data", "console"):
            pass
    with open_folder(tmp_path / "data") as folder:
        assert folder.still_there()


def test_it_is_known_whether_nobody_holds_it(tmp_path: Path) -> None:
    """Whoever looks holds up nobody; of another machine's lock nothing is known."""
    path = tmp_path / "data"
    assert not is_free(path, "answer")
    with open_folder(path):
        assert not is_free(path, "answer")
    assert is_free(path, "answer")
    note = {"pid": 2**22 + 1, "program": "x", "since": "x"}
    (path / "answer.lock").write_text(json.dumps({**note, "host": socket.gethostname()}))
    assert is_free(path, "answer")
    open_folder(path).close()
    (path / "answer.lock").write_text(json.dumps({**note, "host": "another"}))
    assert not is_free(path, "answer")


def test_a_number_that_is_another_process_by_now_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with open_folder(path):
        assert holder_pid(path, "answer") == os.getpid()
    note = {"pid": os.getpid(), "host": socket.gethostname(), "program": "x", "since": "x"}
    (path / "answer.lock").write_text(json.dumps(note))
    assert holder_pid(path, "answer") is None


def test_who_starts_while_somebody_looks_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_folder(tmp_path / "data").close()
    looks = os.open(tmp_path / "data/answer.lock", os.O_RDONLY)
    fcntl.flock(looks, fcntl.LOCK_SH)
    monkeypatch.setattr(folder_lock.time, "sleep", lambda _seconds: os.close(looks))
    with open_folder(tmp_path / "data") as folder:
        assert folder.still_there()


def test_lock_without_a_note_still_holds(tmp_path: Path) -> None:
    """Between taking the lock and writing the note there is nothing to read."""
    with open_folder(tmp_path / "data") as folder:
        (folder.path / "answer.lock").write_text("{")
        with pytest.raises(DataFolderError, match="held by another process"):
            open_folder(tmp_path / "data")


def test_open_waits_for_the_lock(tmp_path: Path) -> None:
    """A new process may wait until the old one has let go."""
    first = open_folder(tmp_path / "data")
    release = threading.Timer(0.1, first.close)
    release.start()
    try:
        with open_folder(tmp_path / "data", wait_s=10) as second:
            assert second.identity == first.identity
    finally:
        release.join()


def _hold(path: Path, ready: object, stay: object) -> None:
    with open_folder(path):
        ready.set()  # type: ignore[attr-defined]
        stay.wait(PATIENCE_S)  # type: ignore[attr-defined]


@pytest.mark.process
def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """kill -9 leaves no lock behind."""
    context = multiprocessing.get_context("fork")
    ready, stay = context.Event(), context.Event()
    child = context.Process(target=_hold, args=(tmp_path / "data", ready, stay))
    child.start()
    try:
        assert ready.wait(PATIENCE_S)
        with pytest.raises(DataFolderError, match=f"process {child.pid} "):
            open_folder(tmp_path / "data")
    finally:
        child.kill()
        child.join(PATIENCE_S)
    with open_folder(tmp_path / "data") as folder:
        assert folder.still_there()


def test_two_who_make_the_folder_at_once_agree(tmp_path: Path) -> None:
    """Of two identities drawn at the same moment one wins, for both."""
    seen: list[object] = []
    barrier = threading.Barrier(2)

    def draw(size: int) -> bytes:
        if size == 4:
            barrier.wait(PATIENCE_S)  # both have found no identity
        return os.urandom(size)

    def start(holder: str) -> None:
        with open_folder(tmp_path / "data", holder, draw=draw) as folder:
            seen.append(folder.identity)

    (tmp_path / "data").mkdir(mode=0o700)
    threads = [threading.Thread(target=start, args=(h,)) for h in ("answer", "console")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(seen) == 2
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged"),
        (b'{"format": 1, "node"', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[1]", "damaged"),
        (b'{"format": "new"}', "damaged"),
        (b'{"format": 1, "node": -1, "key": "' + b"00" * 32 + b'", "created": ""}', "damaged"),
        (b'{"format": 1, "node": 1, "key": "00", "created": ""}', "damaged"),
        (b'{"format": 2, "node": {"new": "shape"}}', "newer version"),
    ],
)
def test_bad_identity_is_refused_and_kept(tmp_path: Path, content: bytes, words: str) -> None:
    """A damaged or newer identity is named with what to do, and nothing is written over it."""
    folder = tmp_path / "data"
    open_folder(folder).close()
    (folder / "identity.json").write_bytes(content)
    with pytest.raises(DataFolderError, match=words):
        open_folder(folder)
    assert (folder / "identity.json").read_bytes() == content
    (folder / "identity.json").unlink()
    open_folder(folder).close()  # the failed opening let go of the lock


def test_journal_without_identity_is_refused(tmp_path: Path) -> None:
    """A new identity would make an old journal somebody else's."""
    with open_folder(tmp_path / "data") as folder:
        (folder.folder("journal") / "00000000000000000001.sqlite").touch()
        (folder.path / "identity.json").unlink()
        with pytest.raises(DataFolderError, match="has a journal, but no identity"):
            open_folder(folder.path, "console")
        assert not (folder.path / "identity.json").exists()


def test_read_identity_of_a_folder_without(tmp_path: Path) -> None:
    """Who only reads makes nothing; where nothing ran, no backup is looked for."""
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataFolderError, match="nothing has run on it yet"):
            read_identity(folder)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "journal").mkdir()
    with pytest.raises(DataFolderError, match=r"has no identity\.json"):
        read_identity(tmp_path)


def test_wide_folder_is_tightened_if_it_is_ours(tmp_path: Path) -> None:
    """An empty folder, a fresh volume and an older data folder become 0700."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "lost+found").mkdir()
    open_folder(folder).close()
    assert mode(folder) == 0o700
    folder.chmod(0o770)
    open_folder(folder).close()
    assert mode(folder) == 0o700


def test_wide_folder_with_what_was_kept_is_ours(tmp_path: Path) -> None:
    """The settings are read, and kept, before the folder is held for the first time."""
    (tmp_path / "data" / "kept").mkdir(parents=True)
    (tmp_path / "data").chmod(0o755)
    open_folder(tmp_path / "data").close()
    assert mode(tmp_path / "data") == 0o700


def test_boot_is_the_machine_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first record stays the same until the machine starts again."""
    name = iter(["first", "first", "second", "second", "", "second"])
    monkeypatch.setattr(data_folder, "boot_id", lambda: next(name))
    with open_folder(tmp_path / "data") as folder:
        assert folder.boot(1) == {"id": "first", "first_seq": 1}
    with open_folder(tmp_path / "data") as folder:
        assert folder.boot(50) == {"id": "first", "first_seq": 1}
        assert folder.boot(60) == {"id": "second", "first_seq": 60}
        (folder.path / "boot.json").write_text("{")
        assert folder.boot(70)["first_seq"] == 70
        assert folder.boot(80) == {"id": "", "first_seq": 80}
        assert folder.boot(90)["first_seq"] == 70


def test_boot_of_a_journal_that_begins_anew(tmp_path: Path) -> None:
    """A first record that the journal has not reached is another journal's."""
    with open_folder(tmp_path / "data") as folder:
        assert folder.boot(100)["first_seq"] == 100
        assert folder.boot(7)["first_seq"] == 7


def test_wide_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    """--data /tmp must not lock everybody out of /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "somebody's.txt").touch()
    with pytest.raises(DataFolderError, match="others may enter it"):
        open_folder(folder)
    assert mode(folder) == 0o777
    assert [file.name for file in folder.iterdir()] == ["somebody's.txt"]


def test_folder_that_can_not_be_tightened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that belongs to root is refused with what to do."""

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(DataFolderError, match="new folder inside it"):
        open_folder(folder)


def test_missing_parent_and_file_in_place(tmp_path: Path) -> None:
    """A disk that is not mounted, and a file where a folder should be, are named."""
    with pytest.raises(DataFolderError, match="is its disk mounted"):
        open_folder(tmp_path / "volume" / "data")
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="give --data a folder"):
        open_folder(tmp_path / "file")
    assert not (tmp_path / "volume").exists()


def test_still_there_notices_a_folder_that_went(tmp_path: Path) -> None:
    """A removed, replaced or unmounted folder is not the one that was opened."""
    with open_folder(tmp_path / "data") as folder:
        folder.path.rename(tmp_path / "elsewhere")
        assert not folder.still_there()
        open_folder(tmp_path / "data").close()
        assert not folder.still_there()
    with open_folder(tmp_path / "elsewhere") as folder:
        (folder.path / "answer.lock").unlink()
        assert not folder.still_there()


def test_full_or_read_only_disk_still_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that was used before can be held on a disk that takes nothing any more."""
    open_folder(tmp_path / "data").close()
    really = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(30, "Read-only file system")
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    with open_folder(tmp_path / "data") as folder:
        assert folder.still_there()
        with pytest.raises(DataFolderError, match="held by"):
            open_folder(tmp_path / "data")
        with pytest.raises(DataFolderError, match="read-only file system"):
            open_folder(tmp_path / "new")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "afs"])
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    """Two machines could hold the folder at once there."""
    mounts = f"{LOCAL}server:/x {tmp_path} {kind} rw 0 0\n"
    with pytest.raises(DataFolderError, match=f"network file system \\({kind}\\)"):
        open_folder(tmp_path / "data", mounts=mounts)
    assert not (tmp_path / "data").exists()


def test_link_to_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """It counts where the folder is, not what it is called."""
    (tmp_path / "share").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "share")
    mounts = f"{LOCAL}server:/x {tmp_path}/share nfs4 rw 0 0\n"
    with pytest.raises(DataFolderError, match="nfs4"):
        open_folder(tmp_path / "data", mounts=mounts)


def test_the_system_s_own_mounts_are_read(tmp_path: Path) -> None:
    """Without the text of the mounts the system is asked."""
    with DataFolder.open(tmp_path / "data", "answer") as folder:
        assert len(folder.identity.key) == 32
        note = json.loads((folder.path / "answer.lock").read_bytes())
        assert note["pid"] == os.getpid()


def test_atomic_write_replaces_whole(tmp_path: Path) -> None:
    """The new content is there, private, with nothing beside it."""
    file = tmp_path / "facts.json"
    atomic_write(file, b"old")
    atomic_write(file, b"new")
    assert file.read_bytes() == b"new"
    assert mode(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_atomic_write_that_fails_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that gives up at the last moment costs nothing but the new content."""
    file = tmp_path / "facts.json"
    atomic_write(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.slow
def test_a_flipped_bit_of_the_identity_is_no_other_identity(tmp_path: Path) -> None:
    """It is the folder's own, or refused: never another node or key."""
    with open_folder(tmp_path / "data") as folder:
        own = folder.identity
    file = tmp_path / "data" / "identity.json"
    content = file.read_bytes()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        file.write_bytes(flipped)
        try:
            found = read_identity(tmp_path / "data")
        except DataFolderError:
            continue
        assert found == own


def test_an_older_release_s_identity_gets_a_checksum(tmp_path: Path) -> None:
    with open_folder(tmp_path / "data") as folder:
        own = folder.identity
    file = tmp_path / "data" / "identity.json"
    stored = json.loads(file.read_bytes())
    assert stored.pop("checksum")
    file.write_text(json.dumps(stored))
    with open_folder(tmp_path / "data") as folder:
        assert folder.identity == own
    assert "checksum" in json.loads(file.read_bytes())


def test_a_damaged_note_of_the_boot_is_none(tmp_path: Path) -> None:
    with open_folder(tmp_path / "data") as folder:
        assert folder.boot(5)["first_seq"] == 5
        file = folder.path / "boot.json"
        file.write_bytes(file.read_bytes().replace(b":5,", b":4,"))
        assert first_seq_of_boot(folder.path) is None
        assert folder.boot(9)["first_seq"] == 9


def test_an_identity_that_is_damaged_while_it_is_held_is_written_anew(tmp_path: Path) -> None:
    """Else backups and all commands fail, and the next start is refused; what it was stays."""
    with open_folder(tmp_path / "data") as folder:
        file = folder.path / "identity.json"
        whole = file.read_bytes()
        assert folder.keep_identity() is None
        for number in (1, 2):
            damaged = whole.replace(b'"node":', b'"nodf":')
            file.write_bytes(damaged)
            said = folder.keep_identity()
            assert said is not None
            assert "it is now in identity.json.damaged-" + str(number) in said.problem
            assert said.hint.endswith("then remove identity.json.damaged-*")
            assert file.with_name(f"identity.json.damaged-{number}").read_bytes() == damaged
            assert file.read_bytes() == whole
        for each in folder.path.glob("identity.json.damaged-*"):
            each.unlink()
        file.unlink()
        assert folder.keep_identity() is None
        assert file.read_bytes() == whole
        shutil.move(folder.path, tmp_path / "moved")
        folder.path.mkdir()
        assert folder.keep_identity() is None
        assert not file.exists()  # it may be another's folder by now
