"""`python -m benchmarks.calling_back [--quick]`: ten thousand unanswered requests, and a storm.

Two runs, of the real parts that call back (`callbacks/`, the Exotel client, a ledger) against the
emulator's API. *Ambiguous*: no request for a call is answered; whether Exotel calls all the same is
drawn, no webhook comes, lists tell of calls late, twice or not before their end, and some callees
don't answer, are busy, decline or have a voicemail. Counted is who was called twice. *Storm*: 5,000
callers are throttled within a minute on an account of 50 streams, and called back as places allow.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import msgspec

from benchmarks.calling_back_world import (
    ACCOUNT,
    InstantLoop,
    LoopClock,
    World,
    calling_back,
    plan_of,
    promise_to,
)
from benchmarks.children import ROOT
from benchmarks.report import put_between_marks
from switchhook.callbacks.promise import FINAL, PromiseState
from switchhook.callbacks.settings import CallbackSettings, CallingHours
from switchhook.emulator.plan.plan import Caller, Fault
from switchhook.routes.admission_worker import AdmissionWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.callbacks.promise import Promise
    from switchhook.capacity.facts_document import Node
    from switchhook.rules.routing import AdmissionBudget

RESULT = ROOT / "benchmarks" / "results" / "calling-back.json"
PLOT = ROOT / "docs" / "images" / "storm.svg"
PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- simulated callbacks stand from here -->"
END = "<!-- simulated callbacks stand until here -->"
ALWAYS = CallingHours(0, 24 * 60)
AMBIGUOUS = CallbackSettings(
    exophone="+918047112200",
    flow="callback",
    hours=ALWAYS,
    delay_s=0,
    within_s=5 * 86_400,
    attempts=4,
    gap_s=600,
    declined_gap_s=1_800,
    a_day=10,
    ring_s=20,
    longest_s=60,
    reserve=0,
    calls_an_hour=10**6,
    spend_an_hour=1e9,
    spend_a_number=1e9,
)
FAULTS = (
    Fault(what="connect-before", seconds=40, probability=0.35),
    Fault(what="connect-after", seconds=40, probability=0.5),
    Fault(what="connect-5xx-after", code=504, probability=0.5),
    Fault(what="connect-refused", code=500, probability=0.5),
    Fault(what="connect-late", seconds=40),
    Fault(what="lists-repeat", probability=0.05),
)
"""Of those that strike at one place the first wins: in the end no request is answered well."""
MET = ("yes", "yes", "yes", "no-answer", "busy", "declined", "voicemail")
BEHAVIOUR = {"lists_lag_s": 40.0, "lists_ongoing": False}
A_RUN = 220
STORM, STREAMS, TALK_S, RINGS_S = 5_000, 50, 30.0, 4.0
STORMY = msgspec.structs.replace(AMBIGUOUS, delay_s=10, reserve=2, ring_s=30, longest_s=120)


class Ambiguous(msgspec.Struct, frozen=True):
    """What became of the promises whose requests nobody answered."""

    promises: int
    doubts: int
    placed: int
    doubles: int
    ended: dict[str, int]


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """How a storm was called back; times in seconds from its begin.

    `minutes` has, for each minute, how many had been called back, and how often Exotel was asked.
    """

    callers: int
    streams: int
    kept: int
    most_active: int
    most_asked: int
    median_s: float
    p90_s: float
    last_s: float
    least_s: float
    minutes: list[tuple[int, int]]


class Result(msgspec.Struct, frozen=True):
    """Both runs."""

    at: str
    seconds: int
    ambiguous: Ambiguous
    storm: Storm


class AnyPlace:
    """Leases of an account with room for everybody."""

    def take(self, account: str, name: str, class_: str, reserve: int) -> str:
        return ""

    def hold(self, account: str, name: str, class_: str) -> None: ...

    def name(self, name: str, call: str) -> None: ...

    def release(self, name: str) -> None: ...


def _folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where that can be: nothing is measured that a disk does."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def _number(at: int) -> str:
    return f"+9198765{at:05d}"


# Nobody knows.


def ambiguous(seed: int, count: int = A_RUN) -> Ambiguous:
    """Some promises, none of whose requests is answered well, until each has ended."""
    with (
        _folder() as folder,
        asyncio.Runner(loop_factory=InstantLoop) as runner,
    ):
        return runner.run(_ambiguous(Path(folder), random.Random(seed), count))


async def _ambiguous(folder: Path, chance: random.Random, count: int) -> Ambiguous:
    callers = {
        f"c{at}": Caller(number=_number(at), answers=chance.choice(MET), rings_s=8.0)  # type: ignore[arg-type]
        for at in range(count)
    }
    plan = plan_of(callers, FAULTS, 20.0, BEHAVIOUR)
    async with calling_back(folder, plan, AMBIGUOUS, AnyPlace(), chance, webhooks=False) as world:
        for at in range(count):
            made = promise_to(_number(at), f"t{at}", world.clock.wall_ms(), AMBIGUOUS)
            world.promises.make(made)
        found = await _until_over(world, count)
    doubles = world.seen.doubles
    ended = Counter(_how(each) for each in found)
    return Ambiguous(
        promises=count,
        doubts=sum(each.doubts for each in found),
        placed=doubles.placed,
        doubles=doubles.same_field + doubles.after_talk + doubles.at_once,
        ended=dict(ended),
    )


def _how(promise: Promise) -> str:
    event = "" if promise.state is PromiseState.KEPT else f": {promise.event}"
    return f"{promise.state}{event}"


async def _until_over(world: World, count: int) -> list[Promise]:
    """Look every five minutes until all have ended."""
    while True:
        await asyncio.sleep(300)
        found = [world.promises.get(id) for id in range(1, count + 1)]
        ended = [each for each in found if each is not None and each.state in FINAL]
        if len(ended) == count:
            return ended


# A storm.


class Untold:
    """Where answer processes would look; there is none."""

    def nodes(self) -> None:
        """One machine alone."""

    def before(self) -> dict[int, Node]:
        return {}

    def tell_budgets(
        self, node: int, budgets: Mapping[str, AdmissionBudget], now_ms: int, mono_ms: int
    ) -> None: ...


class Streams(AdmissionWorker):
    """The account's places, as the console reckons them from polls every three seconds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__(Untold(), node=1, now_ms=now_ms, mono_ms=now_ms)
        self.use({}, callbacks={ACCOUNT: STORMY.ring_s * 1000})

    async def follow(self, world: World) -> None:
        """Poll what the emulator says, and look each second, for ever."""
        at = 0
        while True:
            if at % 3 == 0:
                self.polled(ACCOUNT, world.clock.wall_ms(), world.seen.active, STREAMS)
            self.tell()
            at += 1
            await asyncio.sleep(1)


def storm(seed: int, callers: int = STORM) -> Storm:
    """Throttle callers within a minute, and call them back."""
    with (
        _folder() as folder,
        asyncio.Runner(loop_factory=InstantLoop) as runner,
    ):
        return runner.run(_storm(Path(folder), random.Random(seed), callers))


async def _storm(folder: Path, chance: random.Random, callers: int) -> Storm:
    plan = plan_of({}, (), TALK_S, {"status_callback": "full"})
    loop, now = asyncio.get_running_loop(), LoopClock()
    leases = Streams(now.wall_ms)
    async with (
        calling_back(folder, plan, STORMY, leases, chance, (leases.folded,)) as world,
        asyncio.TaskGroup() as group,  # should following fail, that ends the run
    ):
        following = group.create_task(leases.follow(world))
        began = loop.time()
        for at in range(callers):
            await asyncio.sleep(60 / callers)
            world.promises.make(promise_to(_number(at), f"t{at}", world.clock.wall_ms(), STORMY))
        found = await _until_over(world, callers)
        following.cancel()
    kept = sorted(world.seen.talked.values())
    asked = sorted(each - began for each in world.asked)
    minutes = int(max(kept[-1], asked[-1]) // 60) + 1
    return Storm(
        callers=callers,
        streams=STREAMS,
        kept=sum(each.state is PromiseState.KEPT for each in found),
        most_active=world.seen.most_active,
        most_asked=_most_within(asked, 60.0),
        median_s=median(kept),
        p90_s=quantiles(kept, n=10)[8],
        last_s=kept[-1],
        least_s=callers * (TALK_S + RINGS_S) / (STREAMS - STORMY.reserve),
        minutes=[
            (
                sum(each < 60 * (at + 1) for each in kept),
                sum(60 * at <= each < 60 * (at + 1) for each in asked),
            )
            for at in range(minutes)
        ],
    )


def _most_within(times: Sequence[float], seconds: float) -> int:
    """The most that any stretch of so long has."""
    most = first = 0
    for at, each in enumerate(times):
        while times[first] <= each - seconds:
            first += 1
        most = max(most, at - first + 1)
    return most


# All of it.


def measure(runs: int, callers: int) -> Result:
    """With all cores."""
    began = time.perf_counter()
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        stormy = pool.submit(storm, 1, callers)
        found = list(pool.map(ambiguous, range(runs)))
        ended = sum((Counter(each.ended) for each in found), Counter[str]())
        return Result(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            ambiguous=Ambiguous(
                promises=sum(each.promises for each in found),
                doubts=sum(each.doubts for each in found),
                placed=sum(each.placed for each in found),
                doubles=sum(each.doubles for each in found),
                ended=dict(ended.most_common()),
            ),
            storm=stormy.result(),
            seconds=round(time.perf_counter() - began),
        )


def told(result: Result) -> str:
    """For the page."""
    doubt, storm = result.ambiguous, result.storm
    ends = ", ".join(f"{count:,} {how}" for how, count in doubt.ended.items())
    return "\n".join(
        (
            f"*Nobody knows*: {doubt.doubts:,} requests for a call without an answer that says"
            f" whether Exotel calls; it called {doubt.placed:,} times all the same."
            f" **{doubt.doubles:,} were called twice.** Of {doubt.promises:,} promises: {ends}.",
            "",
            f"*A storm*: {storm.callers:,} callers throttled within a minute, {storm.streams}"
            f" streams, {TALK_S:g} s of talk: {storm.kept:,} called back, half of them within"
            f" {storm.median_s / 60:.0f} minutes, nine of ten within {storm.p90_s / 60:.0f}, the"
            f" last after {storm.last_s / 60:.0f}; all places in use all the time would have taken"
            f" {storm.least_s / 60:.0f}. At most {storm.most_active} streams at once, and"
            f" {storm.most_asked} questions of the API in any minute, of 200 allowed.",
        )
    )


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" role="img"
 font-family="sans-serif" font-size="12">
<title>A storm is called back</title>
<rect width="720" height="300" fill="#fff"/>
{grid}
<path d="{ideal}" fill="none" stroke="#999" stroke-dasharray="4 4"/>
<path d="{kept}" fill="none" stroke="#1a6" stroke-width="2"/>
<text x="60" y="20">{callers:,} callers throttled within a minute; called back by the minute</text>
<text x="700" y="290" text-anchor="end" fill="#555">minutes</text>
<text x="700" y="20" text-anchor="end" fill="#777">dashed: all places in use all the time</text>
</svg>
"""


def plot(storm: Storm) -> str:
    """How many had been called back by when, beside what the places allow at most."""
    last = len(storm.minutes)

    def place(minute: float, kept: float) -> str:
        return f"{60 + 640 * minute / last:.1f} {270 - 230 * kept / storm.callers:.1f}"

    kept = " L".join(place(at + 1, each) for at, (each, _) in enumerate(storm.minutes))
    grid = "\n".join(
        f'<path d="M{place(0, part)} L{place(last, part)}" stroke="#eee"/>'
        f'<text x="52" y="{274 - 230 * part / storm.callers:.0f}" text-anchor="end" fill="#555">'
        f"{part:,.0f}</text>"
        for part in (storm.callers * step / 4 for step in range(5))
    ) + "".join(
        f'<text x="{60 + 640 * at / last:.0f}" y="288" text-anchor="middle" fill="#555">{at}</text>'
        for at in range(0, last, max(1, last // 8))
    )
    ideal = f"M{place(0, 0)} L{place(storm.least_s / 60, storm.callers)}"
    return _SVG.format(
        grid=grid, ideal=ideal, kept=f"M{place(0, 0)} L{kept}", callers=storm.callers
    )


def main() -> int:
    """Simulate, write the result, its words and its plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calling_back", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth, for a first look")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the figures go")
    options = parser.parse_args()
    result = measure(1, 500) if options.quick else measure(22, STORM)
    print(told(result))
    sys.stderr.write(f"{result.seconds} s\n")
    if not options.quick:
        text = msgspec.json.format(msgspec.json.encode(result), indent=1)
        options.out.write_bytes(text + b"\n")
        PLOT.write_text(plot(result.storm))
        PAGE.write_text(put_between_marks(PAGE.read_text(), told(result), (BEGIN, END)))
    return 0 if not result.ambiguous.doubles else 1


if __name__ == "__main__":
    sys.exit(main())
