"""Three database hosts: etcd, Patroni and PostgreSQL, with strict quorum commit."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from lab.hosts import Host, descendants, is_there, signal_all
from lab.patience import until

POSTGRES = pwd.getpwnam("postgres").pw_uid
ETCD, PATRONI, PORT = 2379, 8008, 5432
PASSWORD = "lab"
_DISK_BYTES = 2_000_000_000
TTL_S, LOOP_WAIT_S, RETRY_S = 20, 5, 5
"""Of Patroni: the shortest that its own rules allow."""


class Databases:
    """The three of them; `url` is what a node's configuration has."""

    def __init__(self, folder: Path) -> None:
        for n in (1, 2, 3):
            _mount_disk(folder / f"db{n}")
        self.archive, self._backup = folder / "archive", folder / "backup"
        for each in (self.archive, self._backup):
            each.mkdir(0o700)
            os.chown(each, POSTGRES, POSTGRES)
        self.hosts = [Host(f"db{n}", 10 + n, folder / f"db{n}", POSTGRES) for n in (1, 2, 3)]
        addresses = ",".join(each.address for each in self.hosts)
        self.url = f"postgresql://switchhook:{PASSWORD}@{addresses}/switchhook"
        self._programs = Path(sys.executable).parent

    def start(self) -> None:
        """Bring all three up, and make the database and its owner."""
        for host in self.hosts:
            self._start_etcd(host)
        for host in self.hosts:
            self._configure(host)
            self.start_patroni(host)
        self.until_whole()
        with closing(self.admin()) as connection:
            connection.execute(f"CREATE ROLE switchhook LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE switchhook OWNER switchhook")

    def heal(self) -> None:
        """Have all of it run, whatever a test that failed has left."""
        self.empty()
        for host in self.hosts:
            host.mend()
            etcd, *patroni = host.processes
            if etcd.poll() is not None:
                self._start_etcd(host)
                host.processes[:] = [host.processes.pop(), *patroni]
            if not any(each.poll() is None for each in patroni):
                host.processes[1:] = []
                self._configure(host)
                self.start_patroni(host)
        self.until_whole()

    def start_patroni(self, host: Host) -> None:
        host.start(self._programs / "patroni", host.folder / "patroni.yaml", log="patroni.log")

    def _configure(self, host: Host, **bootstrap: Any) -> None:
        """Write what Patroni on it starts with; `bootstrap` is how a first server is made."""
        said = self._configuration(host)
        said["bootstrap"] |= bootstrap
        (host.folder / "patroni.yaml").write_text(yaml.safe_dump(said))

    def primary(self) -> Host | None:
        """Who takes writes by its own word, where exactly one says so."""
        found = [each for each in self.hosts if _role(each) == "primary"]
        return found[0] if len(found) == 1 else None

    def standbys(self) -> list[Host]:
        return [each for each in self.hosts if _role(each) == "replica"]

    @contextmanager
    def of_another_name(self, name: str) -> Iterator[str]:
        """The URL of an empty database beside the nodes' own."""
        with closing(self.admin()) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER switchhook")
        yield f"{self.url.rpartition('/')[0]}/{name}"
        with closing(self.admin()) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def dump(self, file: Path) -> None:
        """The database as it is at this moment."""
        self._client("pg_dump", "--format=custom", f"--file={file}", "--dbname=switchhook")

    def restore(self, file: Path) -> None:
        """Put what was dumped in the place of what there is now: beside it first, then by name."""
        with closing(self.admin()) as connection:
            connection.execute("CREATE DATABASE restored OWNER switchhook")
            self._client("pg_restore", "--exit-on-error", "--dbname=restored", file)
            connection.execute("ALTER DATABASE switchhook ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'switchhook'"
            )
            connection.execute("ALTER DATABASE switchhook RENAME TO before")
            connection.execute("ALTER DATABASE restored RENAME TO switchhook")
            connection.execute("DROP DATABASE before WITH (FORCE)")

    def back_up(self) -> None:
        """A base backup of the servers, in the place of the one before."""
        for each in self._backup.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        primary = self.primary()
        words = [f"--host={primary.address}", "--username=replicator", "--checkpoint=fast"]
        subprocess.run(
            [*primary.inside, binaries() / "pg_basebackup", *words, f"--pgdata={self._backup}"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            check=True,
            capture_output=True,
        )

    def recover(self, moment: str) -> None:
        """Lose all servers, and have them as they were: the way of docs/deploy/patroni.md."""
        with closing(self.admin()) as connection:
            written = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()[0]
        until((self.archive / written).exists, "the log is archived")
        leader = self.primary().name
        for host in self.hosts:
            self.kill_postgresql(host)
            shutil.rmtree(host.folder / "data")
        self._forget(leader)
        first, *others = self.hosts
        made = {
            "command": f"cp -a {self._backup}/. {first.folder}/data",
            "no_params": True,
            "recovery_conf": {
                "recovery_target_time": moment,
                "recovery_target_action": "promote",
                "restore_command": f"cp {self.archive}/%f %p",
            },
        }
        self._configure(first, method="backup", backup=made)
        self.start_patroni(first)
        until(lambda: self.primary() is first, "it is restored, and takes writes")
        self._configure(first)
        for host in others:
            self.start_patroni(host)

    def _forget(self, leader: str) -> None:
        """Have etcd know nothing of the servers that were: they alone could lead."""
        config = self.hosts[0].folder / "patroni.yaml"
        subprocess.run(
            [self._programs / "patronictl", "-c", config, "remove", "lab"],
            input=f"lab\nYes I am aware\n{leader}\n",
            text=True,
            check=True,
            capture_output=True,
        )

    def _client(self, *words: str | Path) -> None:
        subprocess.run(
            [binaries() / words[0], "--username=postgres", *words[1:]],
            env={**os.environ, "PGHOST": self.primary().address, "PGPASSWORD": PASSWORD},
            check=True,
            capture_output=True,
        )

    def fill(self) -> None:
        """Leave no room on any of their disks."""
        for host in self.hosts:
            free = os.statvfs(host.folder)
            room = free.f_bavail * free.f_frsize
            with (host.folder / "ballast").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(room - 65_536, 1))

    def empty(self) -> None:
        """Give back what `fill` took."""
        for host in self.hosts:
            (host.folder / "ballast").unlink(missing_ok=True)

    def until_whole(self) -> None:
        """Wait until a primary has two standbys, either of which may take over."""
        until(lambda: self._quorum() == 2, "a primary and two standbys")

    def _quorum(self) -> int:
        found = self.primary()
        members = _ask(found, "cluster").get("members", []) if found else []
        return [each["role"] for each in members].count("quorum_standby")

    def admin(self, database: str = "postgres", host: Host | None = None) -> Any:
        """A connection of the superuser, to the primary unless a host is named."""
        addresses = host.address if host else ",".join(each.address for each in self.hosts)
        return psycopg.connect(
            host=addresses,
            user="postgres",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
            connect_timeout=2,
            target_session_attrs="any" if host else "read-write",
        )

    def kill_postgresql(self, host: Host) -> None:
        """Patroni and PostgreSQL on it end at once, as if the power went; etcd stays."""
        etcd, *others = host.processes
        host.processes[:] = others
        server = server_of(host)  # it outlives Patroni, whose child it is not
        host.kill()
        host.processes[:] = [etcd]
        signal_all(server, signal.SIGKILL)
        until(lambda: not any(map(is_there, server)), "PostgreSQL ended")

    def _start_etcd(self, host: Host) -> None:
        peers = ",".join(f"{each.name}=http://{each.address}:2380" for each in self.hosts)
        here = f"http://{host.address}"
        options = {
            "name": host.name,
            "data-dir": host.folder / "etcd",
            "listen-peer-urls": f"{here}:2380",
            "listen-client-urls": f"{here}:{ETCD}",
            "advertise-client-urls": f"{here}:{ETCD}",
            "initial-advertise-peer-urls": f"{here}:2380",
            "initial-cluster": peers,
            "initial-cluster-state": "new",
            "heartbeat-interval": 300,
            "election-timeout": 3000,  # machines as busy as these hesitate
        }
        host.start(
            "etcd", *(f"--{name}={value}" for name, value in options.items()), log="etcd.log"
        )

    def _configuration(self, host: Host) -> dict[str, Any]:
        everybody = [f"{each.address}:{ETCD}" for each in self.hosts]
        users = {"username": "postgres", "password": PASSWORD}
        return {
            "scope": "lab",
            "name": host.name,
            "restapi": {
                "listen": f"{host.address}:{PATRONI}",
                "connect_address": f"{host.address}:{PATRONI}",
            },
            "etcd3": {"hosts": everybody},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": LOOP_WAIT_S,
                    "retry_timeout": RETRY_S,
                    "synchronous_mode": "quorum",
                    "synchronous_mode_strict": True,
                    "synchronous_node_count": 1,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {
                            **_PARAMETERS,
                            "archive_mode": "on",
                            "archive_command": f"cp %p {self.archive}/%f.new"
                            f" && mv {self.archive}/%f.new {self.archive}/%f",
                        },
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"{host.address}:{PORT}",
                "connect_address": f"{host.address}:{PORT}",
                "data_dir": str(host.folder / "data"),
                "bin_dir": str(binaries()),
                "pgpass": str(host.folder / "pgpass"),
                "authentication": {
                    "superuser": users,
                    "replication": {"username": "replicator", "password": PASSWORD},
                },
                "parameters": {"unix_socket_directories": str(host.folder)},
                "pg_hba": [
                    "local all all trust",
                    "host replication replicator 10.77.0.0/24 scram-sha-256",
                    "host all all 10.77.0.0/24 scram-sha-256",
                ],
            },
        }


_PARAMETERS = {
    "max_connections": 200,
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "password_encryption": "scram-sha-256",
    "wal_log_hints": "on",
}


def _mount_disk(folder: Path) -> None:
    """A small disk of its own, which can be full; it goes with the lab's mounts."""
    image = folder.with_suffix(".disk")
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True, capture_output=True)


def binaries() -> Path:
    """Where the newest of the system's PostgreSQL servers has its programs."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]


def _role(host: Host) -> str:
    """What Patroni says of its own host: `primary`, `replica`, or empty where it says nothing."""
    found = _ask(host, "patroni")
    return str(found["role"]) if found.get("state") == "running" else ""


def _ask(host: Host, path: str) -> dict[str, Any]:
    """What Patroni on it answers; empty where it doesn't."""
    try:
        with urllib.request.urlopen(f"http://{host.address}:{PATRONI}/{path}", timeout=1) as said:
            found: dict[str, Any] = json.load(said)
            return found
    except (OSError, ValueError):
        return {}


def server_of(host: Host) -> list[int]:
    """PostgreSQL's processes on it, the first one first."""
    file = host.folder / "data" / "postmaster.pid"
    if not file.exists():
        return []
    pid = int(file.read_text().split()[0])
    return [pid, *descendants(pid)]
