"""`python -m benchmarks.share_to_zero [TIMES]`: how soon a canary that harms callers is over.

From the moment at which the deciding call is folded until the real answer program, asked again and
again by a caller of the canary, decides by what ran before. The console's parts run here: the fold,
the evidence, the ledger, the facts file. Beside them other callers ask, about fifty a second.
"""

from __future__ import annotations

import http.client
import itertools
import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.children import Child
from benchmarks.machine import PYTHON, share_cores
from switchhook.access.audit import Deed
from switchhook.capacity.facts_file import FactsFile
from switchhook.config import load_config
from switchhook.journal import JournalReader
from switchhook.releases.acts import ActWanted
from switchhook.releases.candidates_watch import Terms
from switchhook.releases.release import ReleaseAct
from switchhook.releases.settings import RolloutSettings
from switchhook.releases.worker import ReleasesWorker
from switchhook.rules.rollout import Rollout, seen_by
from switchhook.server.places import running_of
from switchhook.server.releasing import releasing_of
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE, boot_id
from switchhook.system.priority import lower_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.config import Config
    from switchhook.releases.release import Standing
    from switchhook.releases.releasing import Releasing
    from switchhook.releases.stages import Volume

CONFIG = '[endpoints.default]\nauth = "open"\nrules = "default.toml"\n'
RULES = '[default]\noption = "B"\n'
CANDIDATE = '# try {}\n[default]\noption = "A"\n'
SUBJECT, NODE, SHARE = "rules/default", 1, 5_000
A, B = 200, 302
_OTHERS_PAUSE_S = 0.02
_PATIENCE_S = 30.0


class Subjects:
    """What the worker asks of what runs."""

    def __init__(self, config: Config, releasing: Releasing) -> None:
        self._config, self._releasing = config, releasing

    def terms(self, candidates: Sequence[Standing]) -> Terms:
        return Terms(
            settings=RolloutSettings(),
            kinds={each.name: each.kind for each in self._config.endpoints},
            runs={each.subject: each.hash for each in self._releasing.texts()},
            loaded={},
        )

    def endpoints(self, subject: str) -> tuple[str, ...]:
        return ("default",)

    def volume(self, subject: str) -> Volume | None:
        return None

    def foretold(self, number: int) -> Mapping[str, float]:
        return {}


class Callers:
    """Who asks the answer program, over one connection."""

    def __init__(self, port: int) -> None:
        self._port, self._calls = port, itertools.count()
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)

    def ask(self, number: str, call: str = "", stream: Mapping[str, str] | None = None) -> int:
        said = {"CallSid": call or f"{id(self)}-{next(self._calls)}", "CallFrom": number}
        said |= {f"Stream[{key}]": text for key, text in (stream or {}).items()}
        query = "&".join(f"{quote(key)}={quote(text)}" for key, text in said.items())
        self._line.request("GET", f"/passthru/default?{query}")
        reply = self._line.getresponse()
        reply.read()
        return reply.status

    def fails_next(self, number: str) -> None:
        """A call whose second stream fails, after its first one was answered."""
        call = f"call-{id(self)}-{next(self._calls)}"
        self.ask(number, call, {"StreamSID": f"{call}-1", "Status": "completed"})
        failed = {"Status": "failed", "Error": "3009 failed to establish ws conn"}
        self.ask(number, call, {"StreamSID": f"{call}-2", **failed})


class Console:
    """The parts of the console that take a canary back."""

    def __init__(self, data: Path, config: Config, held: ExitStack) -> None:
        self.ledger = open_ledger(data / LEDGER)
        held.callback(self.ledger.close)
        self.journal = held.enter_context(closing(JournalReader(data / JOURNAL)))
        store = SqliteStore(data / STORE, self.journal)
        store.open()
        held.callback(store.close)
        self.folder = Folder(self.journal, store)
        self.releasing = releasing_of(self.ledger, running_of(data, lambda: config), _now_ms)
        self.worker = ReleasesWorker(
            self.releasing,
            FactsFile(data, boot_id()),
            self.journal,
            Subjects(config, self.releasing),
            node=NODE,
            now_ms=_now_ms,
        )
        self.worker.begin()
        self.folded: list[tuple[int, float]] = []
        self.folder.observe(
            lambda each: self.folded.append((each.records[-1].record.seq, time.perf_counter()))
        )
        self.folder.observe(self.worker.folded)
        self.folder.start()
        held.callback(self.folder.stop)
        self.worker.start()
        held.callback(self.worker.stop)

    def propose(self, text: str) -> Standing:
        """A canary of a text."""
        made, _ = self.releasing.add(SUBJECT, text, "bench", "try it", _note)
        wanted = ActWanted(act=ReleaseAct.CANARY, by="bench", share=SHARE)
        self.releasing.act(made.release.number, wanted, _note)
        return made

    def folded_at(self, seq: int) -> float:
        """When a record was folded."""
        assert self.folder.reach(seq, _PATIENCE_S)
        _until(lambda: bool(self.folded) and self.folded[-1][0] >= seq)
        return next(at for last, at in self.folded if last >= seq)


def measure(data: Path, config: Config, port: int, times: int) -> list[tuple[float, float]]:
    """Seconds from the fold of the deciding call until what ran before decides; and the load."""
    found = []
    with ExitStack() as held:
        console, callers = Console(data, config, held), Callers(port)
        over = threading.Event()
        others = threading.Thread(target=_others, args=(port, over))
        others.start()
        held.callback(others.join)
        held.callback(over.set)
        for number in range(times):
            took_s = _one(console, callers, number)
            found.append((took_s, os.getloadavg()[0]))
            sys.stderr.write(f"{number + 1} of {times}: {1000 * took_s:.0f} ms\n")
    return found


def _one(console: Console, callers: Callers, number: int) -> float:
    release = console.propose(CANDIDATE.format(number)).release
    rollout = Rollout(subject=SUBJECT, number=release.number, hash=release.hash, share=SHARE)
    numbers = (f"+9198{number:03}{each:05}" for each in itertools.count())
    canary = (each for each in numbers if seen_by(rollout, each).canary)
    mine = next(canary)
    _until(lambda: callers.ask(mine) == A)
    while True:
        callers.fails_next(next(canary))
        folded_s = console.folded_at(console.journal.last_seq())
        if callers.ask(mine) == B or not _holds(console, release.number):
            break
    _until(lambda: callers.ask(mine) == B)
    took = time.perf_counter() - folded_s
    _until(lambda: console.releasing.releases.candidate(SUBJECT) is None)
    return took


def _holds(console: Console, number: int) -> bool:
    """Whether the evidence, once it has heard of everything, is none of harm."""
    under_way = console.worker._under_way
    end = console.journal.last_seq()
    _until(lambda: under_way._feed.through >= end or number in under_way.harmful)
    return number not in under_way.harmful


def _others(port: int, over: threading.Event) -> None:
    callers = Callers(port)
    for number in itertools.count():
        if over.wait(_OTHERS_PAUSE_S):
            return
        callers.ask(f"+9199{number % 5_000:08}", stream={"Status": "completed"})


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError("waited in vain")
        time.sleep(0.002)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _note(what: str, subject: str, details: dict[str, str]) -> Deed:
    return Deed(who="bench", what=what, subject=subject, details=details)


def main() -> None:
    """Measure, and print what came of it."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "default.toml").write_text(RULES)
        file = place / "switchhook.toml"
        file.write_text(CONFIG)
        config = load_config(CONFIG, file=str(file), environ={}, read_file=lambda _: b"")
        words = [PYTHON, "-m", "switchhook", "answer", "--config", str(file)]
        words += ["--data", str(place / "data"), "--answer", "127.0.0.1:0"]
        with Child(words, place / "log", [share_cores().server]) as answer:
            port = int(answer.read_line().rpartition(":")[2])
            lower_priority()
            measured = measure(place / "data", config, port, times)
    found, loads = sorted(took_s for took_s, _ in measured), [load for _, load in measured]
    cuts = quantiles(found, n=100)
    print(
        f"{len(found)} canaries: share 0 in force after {1000 * cuts[49]:.0f} ms (median),"
        f" {1000 * cuts[98]:.0f} ms (p99), {1000 * found[-1]:.0f} ms at most;"
        f" {os.cpu_count()} cores, load {min(loads):.1f} to {max(loads):.1f}"
    )


if __name__ == "__main__":
    main()
