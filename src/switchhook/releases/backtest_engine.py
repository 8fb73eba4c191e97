"""Back-tests on all cores: processes that count parts of the journal, and who hands them out.

Each process is started anew with what it needs, and is given one part after the other, so that it
shares nothing with the others; it is the last to get a core. `python -m` this module is such a one.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from switchhook.errors import ReleaseError, SwitchhookError
from switchhook.journal import JournalReader
from switchhook.journal.receipt import id_of
from switchhook.journal.source import moment_of
from switchhook.releases.backtest import Counting, Tally
from switchhook.releases.pools_then import PoolsThen
from switchhook.releases.spans import Span
from switchhook.releases.trial import Trial
from switchhook.rules.bot_pool import Pool
from switchhook.rules.flags import Flag, SettingsThen
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import RulesetError, load_rules
from switchhook.streams.decided_again import PoolsTried
from switchhook.streams.names import Names
from switchhook.system.priority import lower_priority, yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.rules.decide import Ruleset

_BATCH = 1000
_LENGTH = 4  # bytes that say how long what follows is
_LOOK_S = 0.2


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """All that a process needs to try a candidate: no file but the journal.

    `journal` is its folder, or what else the module `program` opens it by, which the process runs.
    `text` are the rules, empty for `pools`, whose own are `now`; `then` are those that run, which
    count where `ran` is None, or doesn't say which ran when a call was drawn. `flags` are those
    that are declared, `set` what they were set to when. `behind` is whether others use this
    machine, so that a core is left to them.
    """

    journal: str
    program: str = "switchhook.releases.backtest_engine"
    subject: str
    release: str
    text: str = ""
    kind: EndpointKind = EndpointKind.PASSTHRU
    now: tuple[Pool, ...] = ()
    then: tuple[Pool, ...] = ()
    ran: PoolsThen | None = None
    flags: tuple[Flag, ...] = ()
    set: SettingsThen = SettingsThen()
    names: Names = Names()
    behind: bool = True

    def trial(self) -> Trial:
        """The candidate, ready to be tried. Raises RulesetError."""
        if not self.text:
            pools = PoolsTried(
                {each.name: each for each in self.now}, {each.name: each for each in self.then}
            )
            return Trial(self.subject, self.release, None, pools, self.names, then=self.ran)
        ruleset = self._ruleset()
        return Trial(self.subject, self.release, ruleset, None, self.names, flags=self.set.at)

    def _ruleset(self) -> Ruleset:
        """The rules; of a release whose flags are declared no more, by what receipts kept."""
        try:
            found = load_rules(self.text, file="", kind=self.kind, flags=self.flags)
        except RulesetError:
            found = load_rules(self.text, file="", kind=self.kind)
        return found.judged_by_cel()


def count_span(trial: Trial, journal: JournalSource, span: Span) -> Tally:
    """Try a candidate on a part of the journal. Raises JournalError."""
    counting, seq = Counting(), span.first - 1
    while seq < span.last and (records := journal.read(seq, min(_BATCH, span.last - seq))):
        for record in records:
            seq = record.seq
            if seq > span.last:
                break
            tried = trial.try_on(record)
            if tried is not None:
                id = "" if record.origin is None else id_of(record, record.origin.node)
                counting.count(tried, moment_of(record), seq, id)
    return counting.tally()


def cores_there() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Counters:
    """Processes that count; used within `with`, which ends them. Raises ReleaseError."""

    def __init__(self, work: Work, cores: int) -> None:
        self._work, self._cores = msgspec.msgpack.encode(work), cores
        self._program = work.program
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", self._program]
        for _ in range(self._cores):
            # In a session of its own, so that Ctrl-C is the business of whoever started it.
            self.processes.append(
                subprocess.Popen(  # noqa: S603 - our own program, and no text from outside
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                )
            )
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.processes:
            each.kill()
        for each in self.processes:
            each.wait()
            for pipe in (each.stdin, each.stdout):
                with contextlib.suppress(OSError):
                    _pipe(pipe).close()

    def count(
        self, parts: Sequence[Span], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Span, Tally]]:
        """Count all parts, each as it is done; `stop` is asked now and then."""
        waiting, at_work = list(parts), dict[int, Span]()
        with selectors.DefaultSelector() as selector:
            for each in self.processes:
                selector.register(_pipe(each.stdout), selectors.EVENT_READ, each)
                self._send(each, self._work)
                self._next(each, waiting, at_work)
            while at_work and not stop():
                for key, _ in selector.select(_LOOK_S):
                    process: subprocess.Popen[bytes] = key.data
                    body = _receive(_pipe(process.stdout))
                    if body is None:
                        raise _ended(process)
                    yield at_work.pop(process.pid), msgspec.msgpack.decode(body, type=Tally)
                    self._next(process, waiting, at_work)
                    if process.pid not in at_work:
                        selector.unregister(key.fileobj)

    def _next(
        self, process: subprocess.Popen[bytes], waiting: list[Span], at_work: dict[int, Span]
    ) -> None:
        if waiting:
            at_work[process.pid] = waiting.pop(0)
            self._send(process, msgspec.msgpack.encode(at_work[process.pid]))

    def _send(self, process: subprocess.Popen[bytes], body: bytes) -> None:
        try:
            _write(_pipe(process.stdin), body)
        except OSError:
            raise _ended(process) from None


def _ended(process: subprocess.Popen[bytes]) -> ReleaseError:
    code = process.wait()
    said = f"by signal {-code}" if code < 0 else f"with code {code}"
    hint = "what it said stands above; try fewer cores with --cores if memory was short"
    return ReleaseError(f"a process of the back-test ended {said}", hint)


def _pipe(pipe: object) -> BinaryIO:
    assert pipe is not None, "all have pipes"
    return pipe  # type: ignore[return-value]


def _write(pipe: BinaryIO, body: bytes) -> None:
    pipe.write(len(body).to_bytes(_LENGTH, "big") + body)
    pipe.flush()


def _receive(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    length = int.from_bytes(head, "big")
    body = pipe.read(length)
    return body if len(body) == length else None


def run_process(
    asked: BinaryIO,
    told: BinaryIO,
    prepare: Callable[[bool], None],
    open_journal: Callable[[str], JournalSource],
) -> None:
    """Count what is asked for until nothing is; `prepare` is told whether others come first."""
    first = _receive(asked)
    if first is None:
        return
    work = msgspec.msgpack.decode(first, type=Work)
    prepare(work.behind)
    trial, journal = work.trial(), open_journal(work.journal)
    while (body := _receive(asked)) is not None:
        span = msgspec.msgpack.decode(body, type=Span)
        _write(told, msgspec.msgpack.encode(count_span(trial, journal, span)))
        gc.collect()


def open_folder(place: str) -> JournalSource:
    """The journal in a folder."""
    return JournalReader(Path(place), yield_cpu=yield_cpu)


def _prepare(behind: bool) -> None:
    # What is counted makes no circles: looking for them costs a tenth of the time.
    gc.freeze()
    gc.disable()
    if behind:
        lower_priority()
    else:
        os.nice(19)


def main(open_journal: Callable[[str], JournalSource] = open_folder) -> None:
    """One of the processes."""
    try:
        run_process(sys.stdin.buffer, sys.stdout.buffer, _prepare, open_journal)
    except SwitchhookError as error:
        sys.exit(f"switchhook: {error}")


if __name__ == "__main__":
    main()
