"""Node hosts: a real `switchhook serve` each, with its own disk, joined by the database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from lab.exotel import CONFIG, WAY
from lab.exotel import SECRETS as SECRETS_OF_EXOTEL
from lab.hosts import OUTSIDE, Host, descendants, signal_all
from lab.patience import PATIENCE_S, until
from program import Reply, read_reply, request
from switchhook.cluster.hand_over_state import read_state
from switchhook.journal import JournalReader
from switchhook.system.data_folder import JOURNAL, read_identity

ANSWER, CONSOLE = 8080, 8081
SIDES = ("answer", "console", "shipper")
SECRETS = {
    "sales": "PCntvkl7vg4qRbyxkDcM3TyJy6jLd5Ia",
    "plain": "QDoudwlm8wh5rScZylEdN4UzKz7kMe6Jb",
}
"""Of the endpoints: `sales` keeps its receipts twice before it answers, `plain` on its own disk."""
OPS = "LAB_OPS"
ALERTS = f"""
[[alerts.rule]]
name = "rules-refused"
for_s = 0
[alerts.send.ops]
url_env = "{OPS}"
"""
"""What its file has of whom to tell: a webhook outside."""
PATHS = {name: f"/passthru/{name}/{secret}" for name, secret in SECRETS.items()}
DEADLINE_MS = 1000.0
"""Of both endpoints: the default."""


_ASK_HEALTH = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
"""


class Setup(NamedTuple):
    """What a node is started by."""

    config: str
    environ: Mapping[str, str]
    release: Path | None
    ways: tuple[tuple[int, str, int, float], ...]


class Node:
    """One of them; `url` is the database's, empty where it is alone.

    `entry` is the port at which callers reach all of them, `exotel` that of the account's API,
    `told` that of whoever is told of alerts.
    """

    def __init__(
        self,
        name: str,
        number: int,
        folder: Path,
        url: str,
        *,
        entry: int = 0,
        exotel: int = 0,
        told: int = 0,
    ) -> None:
        self.name = name
        self.host = Host(name, number, folder / name)
        self.data = self.host.folder / "data"
        self.token = ""
        """Opens its console to programs."""
        self.environ: Mapping[str, str] = {}
        """What the next start has beside this process's own."""
        self.release: Path | None = None
        """The folder of the release that it runs; None is the one that is tested."""
        self.config = self.host.folder / "switchhook.toml"
        self._entry, self._exotel, self._told = entry, exotel, told
        self.ways: list[tuple[int, str, int, float]] = []
        """Ports of its loopback that lead elsewhere, and how much later things are there, in s."""
        if exotel:
            self.ways.append((WAY, OUTSIDE, exotel, 0.0))
        self.configure(url)
        self._made = self._setup

    @property
    def _setup(self) -> Setup:
        return Setup(self.config.read_text(), self.environ, self.release, tuple(self.ways))

    def heal(self) -> None:
        """Have it run as it was made, whatever a test that failed has left."""
        self.host.mend()
        if self.host.runs:
            self.signal(signal.SIGCONT)
            if self._setup == self._made:
                return
        self.host.kill()
        text, self.environ, self.release, ways = self._made
        self.config.write_text(text)
        self.ways = list(ways)
        self.start()

    def configure(self, url: str, more: str = "", *, cluster: str = "") -> None:
        """Write the file that the next start reads; without a URL it is a machine alone.

        `more` are tables that it has beside, `cluster` what that table has.
        """
        member = f'[cluster]\ndatabase = "{url}"\nname = "{self.name}"\n{cluster}'
        member += f'address = "http://{self.host.address}:{CONSOLE}"\n'
        keeps = ("two-copies", "local") if url else ("local", "local")
        endpoints = "".join(
            f'[endpoints.{name}]\nsecrets = ["{secret}"]\nkeep = "{keep}"\n'
            for (name, secret), keep in zip(SECRETS.items(), keeps, strict=True)
        )
        here = f'url = "http://{OUTSIDE}:{self._entry}"\n' if self._entry else ""
        self.config.write_text(
            f'[answer]\nlisten = "0.0.0.0:{ANSWER}"\ntrusted_proxies = ["{OUTSIDE}"]\n'
            f"{here}"
            f'[console]\nlisten = "0.0.0.0:{CONSOLE}"\nusers = true\n'
            f"{member if url else ''}{CONFIG if self._exotel else ''}{endpoints}"
            f'[flags.lab]\nkind = "number"\ndefault = 0\n{ALERTS if self._told else ""}{more}'
        )

    def start(self) -> None:
        self.host.forget_ways()
        for way in self.ways:
            self.host.lead(*way)
        words = ["-m", "switchhook", "serve", "--config", str(self.config)]
        words += ["--data", str(self.data)]
        told = {OPS: f"json://{OUTSIDE}:{self._told}/"}
        environ = {**SECRETS_OF_EXOTEL, **told, **self.environ, **self._of_its_release}
        self.host.start(sys.executable, *words, log="serve.log", environ=environ)

    @property
    def _of_its_release(self) -> Mapping[str, str]:
        return {} if self.release is None else {"PYTHONPATH": str(self.release)}

    def restart(self) -> None:
        """End it as an upgrade does, and start it with what was changed since."""
        self.stop()
        self.start()
        until(self.answers, f"{self.name} answers again")

    def stop(self) -> None:
        """As an upgrade does: it ends by itself."""
        (process,) = self.host.processes
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        self.host.processes.clear()

    def vanish(self) -> int:
        """Machine and disk are gone, from one moment to the next; gives the number it had."""
        self.host.cut()
        self.host.kill()
        number = self.number
        shutil.rmtree(self.data)
        return number

    def processes(self) -> dict[str, int]:
        """The numbers of its programs, by name: answer, console, shipper."""
        (process,) = self.host.processes
        found = {}
        for pid in descendants(process.pid):
            _, _, module, first, *_ = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            side = (first if module == b"switchhook" else module.rpartition(b".")[2]).decode()
            if side in SIDES:
                found[side] = pid
        return found

    def signal(self, number: int, *sides: str) -> None:
        """Signal some of its programs; without a name all of it."""
        (process,) = self.host.processes
        known = self.processes()
        pids = [known[side] for side in sides] or [process.pid, *descendants(process.pid)]
        signal_all(pids, number)

    def answers(self) -> bool:
        """Whether its answer side is there."""
        try:
            return self.ask(ANSWER, "/healthz").status == 200
        except OSError:
            return False

    def shows_pages(self) -> bool:
        try:
            return self.ask(CONSOLE, "/login").status == 200
        except OSError:
            return False

    def problems(self) -> str:
        """What its answer side says is amiss, asked on the machine itself: it tells no other."""
        words = ["-c", _ASK_HEALTH, f"http://127.0.0.1:{ANSWER}/healthz"]
        asked = [*self.host.inside, sys.executable, *words]
        return subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def api(self, path: str) -> Any:
        """What its console says; None while it can say nothing."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with suppress(OSError):
            reply = self.ask(CONSOLE, f"/api/v1/{path}", headers)
            if reply.status == 200:
                return json.loads(reply.body)
        return None

    def health(self) -> list[str]:
        """What its console says is amiss."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with suppress(OSError):
            said: dict[str, Any] = json.loads(self.ask(CONSOLE, "/healthz", headers).body)
            return list(said.get("problems", ()))
        return []

    def post(self, path: str, said: Mapping[str, object], method: str = "POST") -> Reply:
        """Have its console do something."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = json.dumps(said).encode()
        return self.ask(CONSOLE, f"/api/v1/{path}", headers, method, body, PATIENCE_S)

    def ask(
        self,
        port: int,
        target: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
        patience_s: float = 5.0,
    ) -> Reply:
        """A request from outside. Raises OSError."""
        address = (self.host.address, port)
        host = f"{address[0]}:{port}"
        with socket.create_connection(address, patience_s) as sock:
            sock.sendall(request(target.encode(), host, method, headers, body))
            return read_reply(sock)

    def command(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """What a command of ours prints that is run on the machine."""
        done = subprocess.run(
            [*self.host.inside, sys.executable, "-m", "switchhook", *words, "--data", self.data],
            env={**os.environ, **self._of_its_release},
            cwd=self.host.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode in codes, (words, done.stdout, done.stderr)
        return done.stdout

    def handed_all(self, seq: int) -> bool:
        """Whether its journal ends where it is handed over up to, or may not be handed over."""
        with closing(JournalReader(self.data / JOURNAL)) as journal:
            return journal.last_seq() <= seq or self.conflicts

    @property
    def conflicts(self) -> bool:
        """Whether the database has another machine's records by its number."""
        state = read_state(self.data)
        return state is not None and state.conflict

    def bodies(self, after: int) -> list[bytes]:
        """The bodies of the records that are on its disk, after one of them."""
        with closing(JournalReader(self.data / JOURNAL)) as journal:
            return [each.body for each in journal.read(after, journal.last_seq())]

    def oldest(self) -> int:
        """The number of the first record that is on its disk."""
        with closing(JournalReader(self.data / JOURNAL)) as journal:
            return journal.first_seq()

    @property
    def number(self) -> int:
        """Who it is in the receipts' ids."""
        return read_identity(self.data).node

    def said(self) -> str:
        return (self.host.folder / "serve.log").read_text()
