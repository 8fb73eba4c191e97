"""Part: the system's clock set forth and back, at eight moments of a program's life."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from attack.report import NO_TIME, Check, check, not_tried
from attack.world import CONFIG, SECRET, Attack, World, ask, sign_in
from faketime import FakeTime
from patience import PATIENCE_S
from program import Program, http
from switchhook.emulator.testing import Exotel

_HOUR, _DAY = 3600, 86_400
_STEPS = {"9 h on": 9 * _HOUR, "500 days on": 500 * _DAY, "2 days back": -2 * _DAY}
_BURST = 60
_KEEP = "\n[keep]\nraw_days = 30\nstories_days = 30\n"
_NUMBER = "+919869812345"


@dataclass
class Day:
    """What a moment needs: the clock, the program, and who has called until now."""

    clock: FakeTime
    world: World
    program: Program
    headers: dict[str, str]
    cookie: dict[str, str]
    broken: list[str]
    asked: dict[str, int] = field(default_factory=dict)
    serials: Iterator[int] = field(default_factory=lambda: count(1))

    def call(self, times: int, due: int) -> None:
        """Callers, each of whom is due a status."""
        for _ in range(times):
            marker = f"{next(self.serials):08d}"
            self.asked[marker] = ask(self.program, marker).status
            if self.asked[marker] != due:
                self.broken.append(f"a caller got {self.asked[marker]}, not {due}")

    def api(self, path: str) -> object:
        """What the console's API says; None where it says nothing in time."""
        with contextlib.suppress(OSError, ValueError):
            reply = http(self.program.address("console"), path.encode(), headers=self.headers)
            if reply.status == 200:
                return json.loads(reply.body)
        return None

    def want(self, look: Callable[[], object], what: str) -> None:
        """Wait for something; in vain it is broken."""
        end = time.monotonic() + PATIENCE_S
        while not look():
            if time.monotonic() > end:
                self.broken.append(f"in vain: {what}")
                return
            time.sleep(0.1)

    def told(self) -> bool:
        """Whether the page's verdict tells of the clock."""
        return "clock" in json.dumps(self.api("/api/v1/verdict"))

    def all_there(self) -> bool:
        """Whether as many receipts are shown as callers were answered; at most 1,000."""
        found = self.api("/api/v1/receipts?limit=1000")
        return isinstance(found, dict) and len(found["receipts"]) >= len(self.asked)


def attack(given: Attack) -> list[Check]:
    """Eight moments; what is true before a step has to be true after it."""
    clock = FakeTime(given.work)
    with ExitStack() as stack:
        exotel = stack.enter_context(Exotel())
        world = _world(given, exotel)
        stack.enter_context(_environ({**clock.environ, "ATTACK_KEY": exotel.account.key,
                                      "ATTACK_TOKEN": exotel.account.token}))  # fmt: skip
        found = []
        for moment, steps in _MOMENTS:
            broken = []
            assert moment.__doc__ is not None
            if given.late:
                found.append(not_tried(f"clock steps: {moment.__doc__}", NO_TIME))
                continue
            for name in steps:
                given.say(f"clocks: {moment.__name__.strip('_')}, {name}")
                broken += [f"{name}: {each}" for each in _try(world, clock, moment, _STEPS[name])]
            found.append(check(f"clock steps: {moment.__doc__}", ", ".join(steps), broken))
    return found


def _world(given: Attack, exotel: Exotel) -> World:
    """Rules that go by the hour, a short retention, and an account."""
    hour = (datetime.now(UTC) + timedelta(hours=5.5 + 9)).hour
    later = f"local.hour == {hour} || local.hour == {(hour + 1) % 24}"
    (given.work / "rules.toml").write_text(
        f'[[rule]]\nname = "later"\nwhen = "{later}"\noption = "B"\n[default]\noption = "A"\n'
    )
    config = CONFIG.replace("[endpoints.sales]\n", '[endpoints.sales]\nrules = "rules.toml"\n')
    account = (
        f'\n[accounts.main]\nsid = "{exotel.account.sid}"\nurl = "{exotel.url}"\n'
        'key_env = "ATTACK_KEY"\ntoken_env = "ATTACK_TOKEN"\nquiet_s = 1\nbusy_s = 1\n'
    )
    return World(given.work, _KEEP + account, config)


@contextmanager
def _environ(more: dict[str, str]) -> Iterator[None]:
    """Variables of the environment, for the programs that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _try(world: World, clock: FakeTime, moment: Callable[[Day, int], None], step: int) -> list[str]:
    """One moment with one step, on a folder of its own name."""
    world = World.at(world.data.parent, f"data-{moment.__name__}-{step}")
    if moment is _start:
        clock.step(step)
    broken: list[str] = []
    try:
        with world.running() as program:
            world.user("asha", "administrator")
            day = Day(clock, world, program, world.token(), sign_in(program, "asha"), broken)
            if moment is not _start:
                day.call(5, 200)
            moment(day, step)
            clock.step(0)
            day.call(3, 200)
            day.want(day.all_there, "every receipt, shown")
            if program.stop():
                broken.append("it did not end well")
    except (OSError, RuntimeError, AssertionError) as error:
        return [*broken, f"{type(error).__name__}: {error}"]
    finally:
        clock.step(0)
    kept = sum(each.raw.startswith(b"fz=") for each in world.receipts())
    if kept < len(day.asked):
        broken.append(f"{len(day.asked) - kept} of {len(day.asked)} receipts are gone")
    return broken


def _due(step: int) -> int:
    """What the rules say at that hour."""
    return 302 if step == 9 * _HOUR else 200


def _set(day: Day, step: int) -> None:
    day.clock.step(step)


def _start(day: Day, step: int) -> None:
    """from the start on, callers are decided by the hour that it says"""
    day.call(5, _due(step))


def _load(day: Day, step: int) -> None:
    """under load, the same; and the page tells of it"""
    for off in (step, 0, step):
        _set(day, off)
        day.call(_BURST, _due(off))
    day.want(day.told, "a word of it on the page")


def _fold(day: Day, step: int) -> None:
    """while the console folds, every stream is counted once, and now"""
    day.call(_BURST, 200)
    _set(day, step)
    day.call(_BURST, _due(step))
    _set(day, 0)
    expected = len(day.asked)

    def counted() -> bool:
        found = day.api("/api/v1/streams?since=1h&limit=1000")
        return isinstance(found, dict) and len(found["streams"]) == expected

    day.want(counted, f"{expected} streams of the last hour")


def _retention(day: Day, step: int) -> None:
    """retention of 30 days removes nothing"""
    _set(day, step)
    day.want(day.told, "a word of it on the page")
    day.call(5, _due(step))
    day.want(day.all_there, "every receipt, while it is off")


def _erasure(day: Day, step: int) -> None:
    """an erasure is complete, and takes nobody else's"""
    query = f"fz=99999999z&CallSid=cx&CallFrom=%2B{_NUMBER[1:]}"
    day.program.ask(query, f"/passthru/sales/{SECRET}")
    _set(day, step)
    day.world.of_data("forget", "-", "--yes", typed=f"{_NUMBER}\n")
    _set(day, 0)
    left = [each for each in day.world.receipts() if _NUMBER[3:].encode() in each.raw]
    if left:
        day.broken.append(f"{len(left)} receipts still hold the number")


def _backup(day: Day, step: int) -> None:
    """a backup that is made meanwhile is whole"""
    file = day.world.data.parent / f"backup-{step}.tar.gz"
    _set(day, step)
    day.world.of_data("backup", str(file))
    _set(day, 0)
    day.world.command("restore", str(file), "--check")


def _session(day: Day, step: int) -> None:
    """a session outlives it"""
    _set(day, step)
    http(day.program.address("console"), b"/streams", headers=day.cookie)
    _set(day, 0)
    status = http(day.program.address("console"), b"/streams", headers=day.cookie).status
    if status != 200:
        day.broken.append(f"whoever was signed in got {status}")


def _facts(day: Day, step: int) -> None:
    """rules know the account's streams while it is off, and after"""
    for off in (step, 0):
        _set(day, off)

        def known(off: int = off) -> bool:
            day.call(1, _due(off))
            return day.world.receipts()[-1].facts.active is not None

        day.want(known, "facts of the account")


_ON = "500 days on"
_BACK = "2 days back"
_MOMENTS = (
    (_start, ("9 h on", _BACK)),
    (_load, ("9 h on", _ON)),
    (_fold, (_ON,)),
    (_retention, (_ON,)),
    (_erasure, (_ON, _BACK)),
    (_backup, (_ON,)),
    (_session, (_ON,)),
    (_facts, (_ON, _BACK)),
)
"""Each with steps that it might mind; each goes on or back, and returns."""
