"""Who runs: each is a server process on the server's core, and says what it kept."""

from __future__ import annotations

import http.client
import json
import math
import secrets
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from threading import Thread

from benchmarks.accounts import Kept, last_seq, read_journal, read_rows
from benchmarks.by_link import cookie, let_in
from benchmarks.children import START_S, Child
from benchmarks.machine import PYTHON, Cores
from switchhook.capacity.facts_file import FactsFile
from switchhook.rules.routing import AdmissionBudget, MemberFacts
from switchhook.system.data_folder import JOURNAL, boot_id, read_identity

FOLD_S = 300.0
TEN_RULES = Path(__file__).with_name("ten-rules.toml")


class Contestant(ABC):
    """A server that can be started again and again; `path` is what the client asks for."""

    name: str
    path = "/passthru"
    deadline_ms = math.inf
    before_stream = False
    body_bytes = 0

    def __init__(self, work: Path, cores: Cores, *, name: str | None = None) -> None:
        self.name = name or self.name
        self.work, self.cores = work, cores
        self.log = work / f"{self.name}.log"
        self.port = 0

    @abstractmethod
    def start(self) -> Child:
        """Start it and wait until it answers; sets `port`."""

    @abstractmethod
    def kept(self) -> Kept | None:
        """What it kept of its last run, once it has ended."""


class Uvicorn(Contestant):
    """An ASGI app under uvicorn as it is run for speed: uvloop, httptools, no access log."""

    app: str
    environ: dict[str, str]

    def start(self) -> Child:
        self.port = _free_port()
        words = [PYTHON, "-m", "uvicorn", self.app, "--port", str(self.port)]
        words += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        words += ["--log-level", "warning"]
        child = Child(words, self.log, [self.cores.server], environ=self.environ)
        try:
            _wait_for(child, self.port)
        except BaseException:
            child.stop()
            raise
        return child


class Bare(Uvicorn):
    """The limit for this stack."""

    name, app = "bare", "benchmarks.rivals.bare:app"
    environ: dict[str, str] = {}  # noqa: RUF012 - never changed

    def kept(self) -> Kept | None:
        return None


class Synced(Uvicorn):
    """The limit for what is on the disk before it is answered."""

    name, app = "synced", "benchmarks.rivals.synced:app"

    def start(self) -> Child:
        self.environ = {"BENCH_FILE": str(self.work / f"{self.name}.bin")}
        return super().start()

    def kept(self) -> Kept | None:
        return None


class ByHand(Uvicorn):
    """What a user would write; every run has a new database."""

    name, app, wal = "by-hand", "benchmarks.rivals.by_hand:app", ""

    def start(self) -> Child:
        self.database = self.work / f"{self.name}.sqlite"
        for file in self.work.glob(f"{self.name}.sqlite*"):
            file.unlink()
        self.environ = {"BENCH_DATABASE": str(self.database), "BENCH_WAL": self.wal}
        return super().start()

    def kept(self) -> Kept | None:
        return read_rows(self.database)


class ByHandWal(ByHand):
    """The same with one line more."""

    name, wal = "by-hand-wal", "1"


class Ours(Contestant):
    """The answer process, everything on: secret, parse, repeats, receipts synced before answers."""

    name = "ours"
    deadline_ms = 1000.0  # the configuration's default
    rules: Path | None = None
    root, more = "passthru", ""

    def __init__(
        self, work: Path, cores: Cores, *, name: str | None = None, data: Path | None = None
    ) -> None:
        super().__init__(work, cores, name=name)
        self.data = data or work / f"{self.name}-data"
        secret = secrets.token_urlsafe(32)
        self.path = f"/{self.root}/bench/{secret}"
        self.config = work / f"{self.name}.toml"
        rules = f'rules = "{self.rules}"\n' if self.rules else ""
        self.config.write_text(f'[endpoints.bench]\nsecrets = ["{secret}"]\n{rules}{self.more}')
        self.ready_ms = 0.0

    def start(self) -> Child:
        self._before = last_seq(self.data / JOURNAL) if self.data.exists() else 0
        child = Child(
            [*self._words("answer"), "--answer", "127.0.0.1:0"], self.log, [self.cores.server]
        )
        try:
            self.port = _port_of(child.read_line(), "answer")
        except BaseException:
            child.stop()
            raise
        self.ready_ms = 1000 * (time.perf_counter() - child.began)
        return child

    def start_console(self, *, everywhere: bool = False, folded: bool = False) -> Child:
        """The console beside it, on the same core: the worst place that it can have.

        `everywhere` lets it have any, as it would without the bench; `folded` waits until it has
        caught up with the journal.
        """
        words = [*self._words("console"), "--console", "127.0.0.1:0"]
        places = [self.cores.server, *(self.cores.client if everywhere else ())]
        child = Child(words, self.work / "console.log", places)
        try:
            self.console_port = _port_of(child.read_line(), "console")
            let_in(self.data)
            if folded:
                _wait_until_folded(self.console_port)
        except BaseException:
            child.stop()
            raise
        return child

    def kept(self) -> Kept | None:
        return read_journal(self.data / JOURNAL, self._before)

    def _words(self, program: str) -> list[str]:
        words = [PYTHON, "-m", "switchhook", program]
        return [*words, "--config", str(self.config), "--data", str(self.data)]


class OursTenRules(Ours):
    """The same with ten CEL rules in the place of the built-in ones."""

    name, rules = "ours-ten-rules", TEN_RULES


class OursManyEndpoints(Ours):
    """The same with 200 endpoints, each with its own secret and its own file of rules."""

    name, count = "ours-many-endpoints", 200

    def __init__(self, work: Path, cores: Cores) -> None:
        super().__init__(work, cores)
        text = TEN_RULES.read_text()
        sections = []
        for number in range(1, self.count):
            rules = work / f"{self.name}-{number}.toml"
            rules.write_text(f"# Endpoint {number}\n{text}")
            secret = secrets.token_urlsafe(32)
            sections.append(
                f'[endpoints.bench-{number}]\nsecrets = ["{secret}"]\nrules = "{rules}"\n'
            )
        self.config.write_text(self.config.read_text() + "".join(sections))


class OursManyRules(Ours):
    """The same with 200 rules in one file: 190 of numbers that nobody calls, then the ten."""

    name, count = "ours-many-rules", 200

    def __init__(self, work: Path, cores: Cores) -> None:
        ten = TEN_RULES.read_text()
        self.rules = work / f"{self.name}-rules.toml"
        self.rules.write_text(
            "".join(
                f'[[rule]]\nname = "line {number}"\n'
                f"when = 'call.to == \"+9180999{number:05d}\" && stream.duration > {number}'\n"
                'option = "B"\n\n'
                for number in range(self.count - ten.count("[[rule]]"))
            )
            + ten
        )
        super().__init__(work, cores)


class OursLargeBodies(Ours):
    """The same asked by POST, with 60 KB of the flow's own."""

    name, body_bytes = "ours-large-bodies", 60_000


class OursVoicebot(Ours):
    """The same asked for an address: a pool of four, health told each second."""

    name, root, before_stream = "ours-voicebot", "voicebot", True
    more = 'kind = "voicebot"\npool = "bench"\n' + "".join(
        f'[bots.bench.members.vendor-{each}]\nurl = "wss://{each}.example/stream"\n'
        for each in "abcd"
    )

    def start(self) -> Child:
        child = super().start()
        Thread(target=self._tell, args=(child,), daemon=True).start()
        return child

    def _tell(self, child: Child) -> None:
        """What a console would tell, each second, as long as it runs."""
        node = read_identity(self.data).node
        facts = FactsFile(self.data, boot_id())
        while child.process.poll() is None:
            now_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
            through = last_seq(self.data / JOURNAL)
            budget = AdmissionBudget(1_000_000, through_seq=through)
            facts.tell_budgets(node, {"bench": budget}, now_ms, mono_ms)
            members = {f"vendor-{each}": MemberFacts() for each in "abcd"}
            facts.tell_members(node, {"bench": members}, now_ms, mono_ms)
            time.sleep(1.0)


class OursAdmit(OursVoicebot):
    """The same asked for room, of which there always is some."""

    name, root = "ours-admit", "passthru"
    more = (
        'kind = "admit"\naccount = "bench"\n'
        '[accounts.bench]\nsid = "bench1"\nregion = "mumbai"\npoll = false\n'
    )


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for(child: Child, port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if child.process.poll() is not None:
            raise RuntimeError(f"ended with {child.process.returncode}: {child.said}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"did not listen within {START_S} s: {child.said}")


def _port_of(line: str, program: str) -> int:
    name, _, url = line.partition(" ")
    if name != program:
        raise RuntimeError(f"{program} printed {line!r} in place of its address")
    return int(url.rpartition(":")[2])


def _wait_until_folded(port: int) -> None:
    until = time.monotonic() + FOLD_S
    lag = None
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=FOLD_S)
        connection.request("GET", "/healthz", headers=cookie())
        lag = json.loads(connection.getresponse().read())["fold_lag"]
        connection.close()
        if lag == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the console was {lag} records behind after {FOLD_S} s")
