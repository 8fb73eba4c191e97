"""SQLite's files are opened by SQLite alone; what failed first is what is said."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import beside_sqlite
from switchhook.sqlite_file import CHUNK, RawFile, file_id, make_private, transaction

SOURCE = Path(__file__).parent.parent / "src/switchhook"
ROOMS = ("retention/backup/", "journal/", "store/", "ledger/")
"""Where paths lead to databases, mostly; and so they may in every module that names one."""

MAY_OPEN = {
    # pipes, the archive, and files of keys
    "retention/backup/encryption.py": {
        "_through",
        "decrypt",
        "decrypting",
        "read_identities",
        "run",
    },
    # the archive, files that are just made, and folders
    "retention/backup/restoring.py": {"_new_file", "check", "restore", "sync"},
    "retention/backup/saving.py": {
        "back_up",  # the archive that is made
        "_file",  # what lies beside the databases
    },
    "sqlite_file.py": {"make_private"},  # a file that is just made
    "server/release.py": {"build_of"},  # what the build noted
    "journal/segment.py": {
        "write_private_file",  # requests to roll, bytes of refused records
        "asked_roll",
    },
    "journal/refused.py": {"read"},
    "ledger/belonging.py": {"_write", "read_backup", "read_note"},  # notes beside the ledger
    "store/postgresql/rows.py": {"_copy"},  # COPY of PostgreSQL, which is no file
    "store/sqlite/rebuild.py": {"_alone"},  # the lock of rebuilds
}
"""The functions that open a file beside SQLite, and what file that is."""

OPENING = {"open", "fdopen", "mmap", "VFSFile", "copy", "copyfile", "copy2", "copytree", "sendfile"}
OPENING |= {f"{verb}_{what}" for verb in ("read", "write") for what in ("bytes", "text")}
OF_MODULES = {"os", "io", "mmap", "shutil", "Path"}


def openings(module: Path) -> dict[str, list[int]]:
    """The lines of a module that open a file, by their function."""
    found: dict[str, list[int]] = {}
    for function in ast.walk(ast.parse(module.read_text())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _opens(node.func):
                    found.setdefault(function.name, []).append(node.lineno)
    return found


def _opens(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in OPENING
    if not isinstance(called, ast.Attribute) or called.attr not in OPENING:
        return False
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    # `store.open()` and the like are methods of ours
    return called.attr != "open" or owner not in ("store", "self", "DataFolder", "tarfile", "gzip")


def databases_in(module: Path) -> bool:
    name, text = str(module.relative_to(SOURCE)), module.read_text()
    return name.startswith(ROOMS) or ".sqlite" in text or "apsw" in text


def test_only_one_module_reads_the_bytes_of_databases():
    modules = filter(databases_in, SOURCE.rglob("*.py"))
    found = {str(each.relative_to(SOURCE)): set(openings(each)) for each in modules}
    assert "__init__" in found["sqlite_file.py"], "RawFile reads through SQLite"
    found["sqlite_file.py"].remove("__init__")
    assert {name: functions for name, functions in found.items() if functions} == MAY_OPEN


@pytest.mark.parametrize(
    ("path", "flags", "bad"),
    [
        ("/d/store-000001.sqlite", os.O_RDONLY, True),
        ("/d/store-000001.sqlite-shm", os.O_RDONLY, True),
        ("/d/l.sqlite-wal", os.O_RDWR | os.O_CREAT, True),
        ("/d/l.sqlite", os.O_RDWR | os.O_CREAT | os.O_EXCL, False),
        ("/d/l.sqlite.gz", os.O_RDONLY, False),
        ("/d/facts.json", os.O_RDONLY, False),
    ],
)
def test_the_watch_over_all_tests_knows_what_it_looks_for(path, flags, bad):
    assert beside_sqlite.offends("open", (path, "r", flags)) is bad


def test_the_watch_is_on(tmp_path):
    """A module of ours that opens a database plainly would be noticed."""
    code = compile(f"open({str(tmp_path / 'x.sqlite')!r}, 'w').close()", f"{SOURCE}/x.py", "exec")
    before = len(beside_sqlite.opened)
    exec(code)
    assert "x.sqlite" in beside_sqlite.opened.pop()
    assert len(beside_sqlite.opened) == before


LOCKED = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(0)
try:
    connection.execute("BEGIN IMMEDIATE")
except apsw.BusyError:
    print("locked")
else:
    print("free")
"""


@pytest.mark.process
def test_reading_raw_bytes_keeps_the_locks(tmp_path):
    """As a plain `open` and `close` would not."""
    path = tmp_path / "a.sqlite"
    make_private(path)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN IMMEDIATE")

    def seen_from_outside() -> str:
        words = [sys.executable, "-c", LOCKED, str(path)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    assert seen_from_outside() == "locked"
    with RawFile(path) as raw:
        assert b"CREATE TABLE t" in raw.read()
    assert seen_from_outside() == "locked"
    path.open("rb").close()
    assert seen_from_outside() == "free"


def test_all_bytes_are_read_with_what_follows_each_part(tmp_path):
    path = tmp_path / "a.sqlite"
    content = os.urandom(2 * CHUNK + 5)
    path.write_bytes(content)
    with RawFile(path) as raw:
        parts = list(raw.chunks(3))
        assert raw.read(4) == content[:4]
        assert raw.read() == content[4:]
        assert raw.read() == b""
    assert [part[:CHUNK] for part in parts] == [
        content[at : at + CHUNK] for at in range(0, len(content), CHUNK)
    ]
    assert parts[0][CHUNK:] == content[CHUNK : CHUNK + 3]


def test_a_file_is_told_from_another_under_its_name(tmp_path):
    path = tmp_path / "a"
    assert file_id(path) is None
    path.touch()
    first = file_id(path)
    other = tmp_path / "b"
    other.touch()
    other.replace(path)
    assert first is not None
    assert file_id(path) != first
    assert file_id(path / "below") is None


def full_after(pages: int) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.pragma("max_page_count", pages)
    return connection


def test_what_fails_first_is_what_is_raised():
    """A full disk makes SQLite undo the transaction itself, and a ROLLBACK then fails."""
    connection = full_after(3)

    def fill() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO t VALUES (1)")
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")

    with pytest.raises(apsw.FullError):
        fill()
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM t").get == 0


def test_a_commit_that_fails_leaves_no_transaction_behind(tmp_path):
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE a (x PRIMARY KEY)")
    connection.execute("CREATE TABLE b (x REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    connection.pragma("foreign_keys", 1)
    with pytest.raises(apsw.ConstraintError), transaction(connection):
        connection.execute("INSERT INTO b VALUES (1)")
    with transaction(connection):
        connection.execute("INSERT INTO a VALUES (1)")
    assert connection.execute("SELECT count(*) FROM b").get == 0


def test_an_error_of_undoing_hides_nothing():
    connection = full_after(100)

    def close_within() -> None:
        with transaction(connection):
            connection.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        close_within()
