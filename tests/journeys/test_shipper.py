"""`serve` on a node of several: a third process hands over what the journal holds."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from patience import PATIENCE_S
from program import alive, running, until
from switchhook.checked_json import with_checksum
from switchhook.cluster.hand_over_state import read_state
from switchhook.cluster.joining import join_if_needed
from switchhook.cluster.settings import ClusterSettings
from switchhook.errors import DataFolderError
from switchhook.journal import JournalReader
from switchhook.postgresql_server import connect
from switchhook.server.kept_cluster import ShipperSettings, kept_settings
from switchhook.server.local_socket import listening_in, remove_socket
from switchhook.system.hand_over_socket import SOCKET_NAME, Seqs, address_in, pack

MOST_MB = 45


@pytest.fixture
def node(tmp_path, postgresql_schema):
    """A configuration and a data folder of a node that has joined, and a way to its database."""
    config = tmp_path / "switchhook.toml"
    config.write_text(f'[cluster]\ndatabase = "{postgresql_schema}"\n')
    data = tmp_path / "data"
    join_if_needed(ClusterSettings(database=postgresql_schema), data, "0")
    with closing(connect(postgresql_schema)) as database:
        yield config, data, database


def handed(database) -> list[int]:
    rows = database.execute(
        "SELECT seq FROM cluster_receipt UNION ALL SELECT seq FROM cluster_receipt_undated"
        " ORDER BY seq"
    )
    return [seq for (seq,) in rows]


def in_journal(data: Path) -> list[int]:
    with closing(JournalReader(data / "journal")) as journal:
        return [each.seq for each in journal.read(0, 100_000)]


def resident_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def told_by(data: Path, wanted: int) -> int:
    """What the shipper says is kept twice, once it says at least so much."""
    seqs = Seqs()
    with socket.socket(socket.AF_UNIX) as line, address_in(data) as address:
        line.settimeout(PATIENCE_S)
        line.connect(address)
        line.sendall(pack(wanted))
        while True:
            found = seqs.feed(line.recv(4096))
            if found is not None and found >= wanted:
                return found


def test_what_is_answered_is_handed_over_and_told_on_its_socket(node):
    config, data, database = node
    with running(data, "--config", str(config)) as program:
        for number in range(5):
            assert program.ask(f"CallSid=c{number}").status in (200, 302)
        last = until(lambda: in_journal(data)[-1], "the journal")
        assert told_by(data, last) >= last
        assert handed(database)[:last] == list(range(1, last + 1))
        path = data / SOCKET_NAME
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
        assert resident_mb(program.children()["shipper"]) < MOST_MB
        until(lambda: (read_state(data) or None) and read_state(data).kept_twice >= last, "it")
        assert program.stop() == 0
    assert not path.exists()


def test_killed_at_any_moment_nothing_is_lost_or_doubled(node):
    config, data, database = node
    with running(data, "--config", str(config)) as program:
        done = threading.Event()

        def call() -> None:
            number = 0
            while not done.is_set():
                program.ask(f"CallSid=k{number}")
                number += 1

        callers = [threading.Thread(target=call, daemon=True) for _ in range(2)]
        for caller in callers:
            caller.start()
        for _ in range(4):
            before = len(handed(database))
            until(lambda before=before: len(handed(database)) > before + 20, "more of it")  # type: ignore[misc]
            pid = program.children()["shipper"]
            os.kill(pid, signal.SIGKILL)
            until(
                lambda pid=pid: program.children().get("shipper") not in (None, pid),  # type: ignore[misc]
                "a new shipper",
            )
        done.set()
        for caller in callers:
            caller.join()
        assert program.stop(signal.SIGTERM) == 0
    seqs = in_journal(data)
    found = handed(database)
    assert found == seqs[: len(found)]
    with running(data, "--config", str(config)):
        until(lambda: handed(database)[: len(seqs)] == seqs, "what was left")
    assert database.execute("SELECT * FROM cluster_conflict").fetchall() == []


def test_an_upgrade_replaces_it_and_leaves_nothing_out(node):
    config, data, database = node
    with running(data, "--config", str(config)) as program:
        old = program.children()["shipper"]
        program.process.send_signal(signal.SIGHUP)
        until(lambda: program.children().get("shipper") not in (None, old), "a fresh process")
        until(lambda: not alive(old), "the old one to leave")
        assert program.ask("CallSid=after").status in (200, 302)
        last = until(lambda: in_journal(data)[-1], "the journal")
        assert told_by(data, last) >= last
        assert handed(database)[:last] == list(range(1, last + 1))


def test_it_runs_alone_on_a_configuration_that_ran(node):
    config, data, database = node
    with running(data, "--config", str(config), command="answer") as program:
        program.ask("CallSid=a1")
        words = ["shipper", "--config", str(config), "--data", str(data)]
        shipper = subprocess.Popen(
            [sys.executable, "-m", "switchhook", *words], stderr=subprocess.PIPE, text=True
        )
        try:
            last = in_journal(data)[-1]
            until(lambda: handed(database)[:last] == list(range(1, last + 1)), "the hand-over")
            assert resident_mb(shipper.pid) < MOST_MB
        finally:
            shipper.terminate()
            _, said = shipper.communicate(timeout=PATIENCE_S)
        assert shipper.returncode == 0, said
        assert not (data / SOCKET_NAME).exists()


def test_without_a_database_there_is_no_shipper(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "switchhook", "shipper", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "cluster.database: there is no database to hand the journal over to" in done.stderr
    with running(tmp_path / "data") as program:
        assert program.children().keys() == {"answer", "console"}
        assert not (tmp_path / "data" / SOCKET_NAME).exists()


def test_a_folder_that_has_not_joined_is_said(tmp_path, postgresql_schema):
    config, data = tmp_path / "switchhook.toml", tmp_path / "data"
    config.write_text(f'[cluster]\ndatabase = "{postgresql_schema}"\n')
    shipper = subprocess.Popen(
        [sys.executable, "-m", "switchhook", "shipper", "--config", str(config), "--data", data],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        state = until(lambda: read_state(data), "its state")
        assert (
            state.problem == "the data folder has not joined the cluster: switchhook cluster join"
        )
    finally:
        shipper.terminate()
        shipper.communicate(timeout=PATIENCE_S)


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path):
    folder = tmp_path / ("deep" * 40)  # longer than an address may be
    folder.mkdir()
    listening_in(folder).close()
    assert (folder / SOCKET_NAME).is_socket()
    with closing(listening_in(folder)):
        with pytest.raises(DataFolderError, match="another process listens on"):
            listening_in(folder, wait_s=0)
        remove_socket(folder)
        assert [each.name for each in folder.iterdir()] == [SOCKET_NAME]
    remove_socket(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("cluster", "database"),
    [
        ('database = "postgresql://a/x"', "postgresql://a/x"),
        ('database_env = "DB"', "postgresql://b/x"),
        ('database_file = "db.url"', "postgresql://c/x"),
        ('database_file = "/etc/db.url"', "postgresql://d/x"),
        ("recovery_window_h = 1", None),
    ],
)
def test_the_database_is_read_as_it_was_taken_over(tmp_path, cluster, database):
    import msgspec

    (tmp_path / "kept").mkdir()
    kept = {
        "file": "/etc/switchhook/switchhook.toml",
        "text": f'[log]\nformat = "json"\n[cluster]\nname = "mumbai-1"\n{cluster}\n',
        "files": {
            "/etc/switchhook/db.url": "# ours\npostgresql://c/x\n",
            "/etc/db.url": " postgresql://d/x",
        },
        "variables": {"DB": "postgresql://b/x\n"},
    }
    file = tmp_path / "kept" / "config.json"
    file.write_bytes(with_checksum(msgspec.json.encode(kept)))
    assert kept_settings(tmp_path) == ShipperSettings(database, "mumbai-1", json=True)
    assert "postgresql" not in repr(kept_settings(tmp_path))
    file.write_bytes(file.read_bytes().replace(b"ours", b"yours"))
    assert kept_settings(tmp_path) is None
