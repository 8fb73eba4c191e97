"""A PostgreSQL of the bench's own, which keeps what it says it keeps, and a standby of it.

Both on this machine's loopback, on free ports, with fsync: what a network adds is not in it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.children import START_S, STOP_S, ends_with_us

_LOGS = "postgresql.log"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}


def binaries() -> Path | None:
    """Where the newest server of this machine is; None where there is none."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    newest = max(found, key=lambda path: int(path.parts[4]), default=None)
    on_path = shutil.which("initdb")
    if newest is not None:
        return newest.parent
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def server(work: Path, *, standby: bool = False) -> Iterator[str]:
    """The URL of an empty database; with `standby` each commit waits until one has it on its disk.

    RuntimeError where there is no PostgreSQL.
    """
    folder = binaries()
    if folder is None:
        raise RuntimeError("there is no PostgreSQL on this machine: install its server")
    with ExitStack() as held:
        place = work / "postgresql"
        place.mkdir()
        user = _as_another(work, place)
        primary, port = place / "primary", _free_port()
        words = ["-D", str(primary), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        _run([folder / "initdb", *words, "--locale=C.UTF-8"], place, user)
        held.enter_context(_running(folder, primary, port, place, user))
        if standby:
            copy, copy_port = place / "standby", _free_port()
            words = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-D", str(copy)]
            _run([folder / "pg_basebackup", *words, "-R", "-X", "stream"], place, user)
            held.enter_context(_running(folder, copy, copy_port, place, user))
            _wait_for_standby(port)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _wait_for_standby(port: int) -> None:
    import psycopg

    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
        connection.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + START_S
        asked = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
        while connection.execute(asked).fetchone() != (1,):
            if time.monotonic() > end:
                raise RuntimeError("the standby did not begin to follow")
            time.sleep(0.05)


@contextmanager
def _running(
    folder: Path, data: Path, port: int, place: Path, user: dict[str, Any]
) -> Iterator[None]:
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    with (place / _LOGS).open("ab") as log:
        process = subprocess.Popen(
            [str(folder / "postgres"), "-D", str(data), "-p", str(port), *settings],
            stdout=log,
            stderr=log,
            cwd=place,
            preexec_fn=ends_with_us,
            **user,
        )
    try:
        _wait_for(process, port, place)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # its fast end
        process.wait(STOP_S)


def _wait_for(process: subprocess.Popen[bytes], port: int, place: Path) -> None:
    import psycopg

    end = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > end:
                said = (place / _LOGS).read_text()[-500:]
                raise RuntimeError(f"PostgreSQL did not start: {said}") from error
            time.sleep(0.05)
        else:
            return


def _run(words: Sequence[Path | str], place: Path, user: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(each) for each in words], cwd=place, capture_output=True, check=False, **user
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-500:]
        raise RuntimeError(f"{Path(words[0]).name} failed: {said}")


def _as_another(work: Path, place: Path) -> dict[str, Any]:
    """It refuses to run as root; who else runs it has to get at its folder."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(place, user.pw_uid, user.pw_gid)
    for above in (work, work.parent):
        above.chmod(above.stat().st_mode | 0o011)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
