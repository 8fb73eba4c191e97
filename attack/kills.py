"""Part: processes killed and stopped at any moment, while callers wait."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeVar

from attack.report import Check, check
from attack.wire import MARKER
from attack.world import SECRET, Attack, World, ask
from program import Program, http

T = TypeVar("T")

EVENTS = 40
_CALLERS = 4
_PATIENCE_S = 15.0
"""The longest deadline is 10 s: whoever has waited longer was let down."""
_LONGEST_DEADLINE_S = 10.0
_CONSOLE_S = 60.0
"""Nobody waits for the console: it may be away for a minute."""
_NOT_OURS = ("supervisor killed", "console killed", "console stopped")
"""After the first a service manager starts us again; callers don't notice the others."""
_STOPPED_S = 1.0  # how long a supervisor stands still before it goes on


@dataclass
class Heard:
    """What callers heard: `answered` are (marker, status), `failed` what came instead and when."""

    answered: list[tuple[bytes, int]] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)
    longest_s: float = 0.0
    last: float = 0.0


class Callers:
    """Some who call without pause; `program` may be exchanged while they do."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.heard = Heard()
        self._serials = itertools.count(1)
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(_CALLERS)]

    def __enter__(self) -> Callers:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for each in self._threads:
            each.join(_PATIENCE_S)

    def _call(self) -> None:
        while not self._enough.wait(0.005):
            marker = f"{next(self._serials):08d}"
            began = time.monotonic()
            try:
                status = ask(self.program, marker).status
            except OSError as error:
                self.heard.failed.append((began, type(error).__name__))
                self._enough.wait(0.05)
                continue
            now = time.monotonic()
            self.heard.answered.append((marker.encode(), status))
            self.heard.longest_s = max(self.heard.longest_s, now - began)
            self.heard.last = now

    def next_answer(self, since: float, side: str) -> float:
        """Seconds from a moment until who asked a side after it was answered."""
        target = b"/healthz" if side == "console" else f"/passthru/sales/{SECRET}?fz=x".encode()
        side = "console" if side == "console" else "answer"
        address = self.program.address(side)
        end = since + _PATIENCE_S * 2
        while time.monotonic() < end:
            try:
                if http(address, target).status:
                    return time.monotonic() - since
            except OSError:
                time.sleep(0.02)
        return time.monotonic() - since


def attack(given: Attack) -> list[Check]:
    """Strike, wait until it answers again, strike; then hold the callers' list to the journal."""
    world = World(given.work)
    count = given.many(EVENTS)
    strikes = [
        (side, number)
        for number in (signal.SIGKILL, signal.SIGSTOP)
        for side in ("answer", "console", "answer", "supervisor")
    ]
    recovered: dict[str, list[float]] = {}
    with ExitStack() as stack:
        program = stack.enter_context(world.running())
        with Callers(program) as callers:
            for number, strike in enumerate(itertools.cycle(strikes)):
                if number == count or given.late:
                    count = number
                    break
                time.sleep(given.chance.uniform(0.1, 0.6))
                began = time.monotonic()
                program = _strike(world, stack, program, *strike)
                callers.program = program
                _until(partial(_has_both, program), "both sides")
                name = f"{strike[0]} {'killed' if strike[1] == signal.SIGKILL else 'stopped'}"
                recovered.setdefault(name, []).append(callers.next_answer(began, strike[0]))
            time.sleep(0.5)
        ended = program.stop()
    return _judge(world, callers.heard, recovered, count, ended)


def _strike(world: World, stack: ExitStack, program: Program, side: str, number: int) -> Program:
    """Send a signal; gives the program that runs afterwards."""
    if side != "supervisor":
        # A console that has just been struck may not be there yet.
        pid = _until(lambda: program.children().get(side), side)
        os.kill(pid, number)
        return program
    children = program.children()
    os.kill(program.process.pid, number)
    if number == signal.SIGSTOP:
        time.sleep(_STOPPED_S)
        os.kill(program.process.pid, signal.SIGCONT)
        return program
    program.process.wait(_PATIENCE_S)
    # Who has lost the supervisor ends by itself; a service manager would start it again then.
    for pid in children.values():
        _until(partial(_gone, pid), f"the end of {pid}")
    return stack.enter_context(world.running())


def _has_both(program: Program) -> bool:
    return len(program.children()) == 2


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _until(condition: Callable[[], T | None], what: str) -> T:
    end = time.monotonic() + 2 * _PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.02)
    return found


def _judge(
    world: World, heard: Heard, recovered: dict[str, list[float]], count: int, ended: int
) -> list[Check]:
    receipts = world.receipts()
    kept = Counter(found[1] for each in receipts if (found := MARKER.search(each.raw)))
    by_status = {
        found[1]: each.http_status for each in receipts if (found := MARKER.search(each.raw))
    }
    answered = f"{len(heard.answered):,} answers"
    lost = [marker.decode() for marker, _ in heard.answered if marker not in kept]
    other = [
        f"{marker.decode()}: {status}, kept as {by_status[marker]}"
        for marker, status in heard.answered
        if marker in kept and by_status[marker] != status
    ]
    slow = {
        name: f"{max(took):.1f} s after {name}"
        for name, took in recovered.items()
        if max(took) > _LONGEST_DEADLINE_S and name not in _NOT_OURS
    }
    times = ", ".join(
        f"{name} {median(took):.1f} s (at most {max(took):.1f})" for name, took in recovered.items()
    )
    reasons = Counter(why for _, why in heard.failed)
    unanswered = ", ".join(f"{number} {why}" for why, number in reasons.most_common())
    return [
        check("no receipt whose answer was sent is lost", answered, lost),
        check("what was kept is what was answered", answered, other),
        check(
            "every caller is told what was decided: 200",
            answered,
            [f"{marker.decode()}: {status}" for marker, status in heard.answered if status != 200],
            f"{len(heard.failed)} more found nobody: {unanswered or 'none'}"
            f"; the longest wait for an answer was {heard.longest_s:.1f} s",
        ),
        check(
            "callers are answered again within the longest deadline, 10 s",
            f"{count} kills and stops",
            list(slow.values()),
            times,
        ),
        check(
            "the console comes back, within a minute",
            f"{count} kills and stops",
            [name for name, took in recovered.items() if max(took) > _CONSOLE_S],
        ),
        check("it ends by itself when asked to, afterwards", "1", [ended] if ended else [], "yes"),
    ]
