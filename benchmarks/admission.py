"""Admission, simulated on a virtual clock: which throttles are avoided, and who is refused for it.

Calls come in bursts of several times the account's limit. What decides are the real parts: the
console's leases and the estimate of what is not ours (`routes/`), and the answer process's count of
its own admissions against its budget (`rules/admission.py`). Simulated are the callers, Exotel's
account, and how late each of the parts learns of what.

Every method meets the same calls: when they come, whether and when their stream starts, how long
it lasts, and whether its passthru is lost are drawn beforehand.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from switchhook.answer.places import PlacesGiven
from switchhook.routes.admission import AccountAdmission, budget_of
from switchhook.rules.admission import AdmissionSeen, ask_for_room
from switchhook.rules.decide import Decision, Option
from switchhook.rules.routing import AdmissionBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_S = 3_600.0
START_MS = 1_790_000_000_000
_TICK_S, _LOOKS_A_SECOND = 0.1, 10
_OWNER = ("main",)
_ASKED = Decision(Option.A, "default", "", "")


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What calls come, and how late who learns of it; times in seconds, rates in calls a second."""

    limit: int = 100
    hours: float = 3.0
    burst_rate: float = 5.0
    base_rate: float = 1.0
    burst_s: float = 120.0
    period_s: float = 300.0
    mean_s: float = 60.0
    lognormal: bool = False
    foreign: float = 0.0
    lost: float = 0.01
    never: float = 0.05
    start_s: tuple[float, float] = (2.0, 8.0)
    signals: bool = True
    poll_s: float = 3.0
    stale_s: float = 1.0
    end_seen_s: float = 1.0


class Call(NamedTuple):
    """One caller: when they ask, and what would become of them."""

    name: str
    at: float
    ours: bool
    starts: bool
    start_after: float
    lasts: float
    lost: bool


class Outcome(msgspec.Struct):
    """What became of all callers."""

    ours: int = 0
    served: int = 0
    throttled: int = 0
    refused: int = 0
    foreign: int = 0
    foreign_throttled: int = 0


def calls_of(traffic: Traffic, seed: int) -> list[Call]:
    """All calls of some hours, the same for the same seed."""
    chance = random.Random(seed)
    calls = list[Call]()
    at = 0.0
    while True:
        # Thinning, so that a burst begins on the moment.
        at += chance.expovariate(traffic.burst_rate)
        if at >= traffic.hours * 3600:
            return calls
        rate = traffic.burst_rate if at % traffic.period_s < traffic.burst_s else traffic.base_rate
        if chance.random() >= rate / traffic.burst_rate:
            continue
        lasts = (
            chance.lognormvariate(_mu(traffic.mean_s), 1.0)
            if traffic.lognormal
            else chance.expovariate(1 / traffic.mean_s)
        )
        calls.append(
            Call(
                name=f"call{len(calls)}",
                at=at,
                ours=chance.random() >= traffic.foreign,
                starts=chance.random() >= traffic.never,
                start_after=chance.uniform(*traffic.start_s),
                lasts=min(lasts, LONGEST_S),
                lost=chance.random() < traffic.lost,
            )
        )


def _mu(mean_s: float) -> float:
    """Of a lognormal length whose logarithm has a standard deviation of 1."""
    return math.log(mean_s) - 0.5


class Account:
    """What truly runs, and what ran a moment ago."""

    def __init__(self, limit: int) -> None:
        self.limit, self.active, self.pending = limit, 0, 0
        self._history: deque[tuple[float, int]] = deque([(0.0, 0)])

    def change(self, by: int, now: float) -> None:
        self.active += by
        self._history.append((now, self.active))

    def active_at(self, at: float) -> int:
        """For moments that never go back."""
        while len(self._history) > 1 and self._history[1][0] <= at:
            self._history.popleft()
        return self._history[0][1]


class Method(Protocol):
    """Who decides. All moments are seconds of the virtual clock."""

    def admits(self, call: Call, now: float, account: Account) -> bool: ...

    def started(self, call: Call, now: float) -> None: ...

    def ended(self, call: Call, ended: float, now: float, throttled: bool) -> None: ...

    def polled(self, active: int, limit: int, now: float) -> None: ...

    def tick(self, now: float) -> None: ...


class Plain:
    """A method that needs no more than the account or its last figure."""

    def __init__(self, admits: Callable[[int, int, Account], bool]) -> None:
        self._admits = admits
        self._figure = 0, 1

    def admits(self, call: Call, now: float, account: Account) -> bool:
        return self._admits(*self._figure, account)

    def started(self, call: Call, now: float) -> None:
        pass

    def ended(self, call: Call, ended: float, now: float, throttled: bool) -> None:
        pass

    def polled(self, active: int, limit: int, now: float) -> None:
        self._figure = active, limit

    def tick(self, now: float) -> None:
        pass


def no_admission() -> Method:
    """Everybody is let in."""
    return Plain(lambda _active, _allowed, _account: True)


def exact_count() -> Method:
    """Somebody who knows at every moment what runs and who is on the way."""
    return Plain(
        lambda _active, _allowed, account: account.active + account.pending < account.limit
    )


def below(share: float) -> Method:
    """A rule on the last figure: `account.active < share * account.allowed`."""
    return Plain(lambda active, allowed, _account: active < share * allowed)


class Leased:
    """Switchhook: the console's leases, and the answer process's count against its budget."""

    def __init__(self, *, signals: bool) -> None:
        self._signals = signals
        self.console = AccountAdmission()
        self._published: AdmissionBudget | None = None
        self._known: AdmissionBudget | None = None
        self._places = PlacesGiven()
        self._seq = 0
        self._ticks = 0

    def admits(self, call: Call, now: float, account: Account) -> bool:
        self._seq += 1
        if self._known is None:
            return False
        used = self._places.since(_OWNER, self._known.through_seq)
        assert used is not None
        seen = AdmissionSeen(account="main", budget=self._known, used=used)
        if ask_for_room(_ASKED, seen).option is not Option.A:
            return False
        self._places.add(_OWNER, call.name, self._seq)
        self.console.leases.admitted(call.name, _ms(now), endpoint="gate")
        return True

    def started(self, call: Call, now: float) -> None:
        if self._signals:
            self.console.leases.started(call.name, _ms(now))

    def ended(self, call: Call, ended: float, now: float, throttled: bool) -> None:
        # CurrentTime has whole seconds; it is read as their middle.
        said = _ms(ended) // 1000 * 1000 + 500
        self.console.leases.ended(call.name, said, told_ms=_ms(now), ran=True)
        if throttled:
            self.console.throttled(_ms(now))

    def polled(self, active: int, limit: int, now: float) -> None:
        self.console.polled(_ms(now), active, limit)

    def tick(self, now: float) -> None:
        """The answer process looks, then the console publishes, ten times a second."""
        self._known = self._published
        self._ticks += 1
        if self._ticks % _LOOKS_A_SECOND == 0:
            self.console.look(_ms(now))
        self._published = budget_of(self.console.estimate(_ms(now)), self._seq, {})


def _ms(at: float) -> int:
    return START_MS + int(at * 1000)


class _Run:
    """One method against one sequence of calls."""

    def __init__(self, traffic: Traffic, method: Method, seed: int) -> None:
        self.traffic, self.method = traffic, method
        self.account, self.out = Account(traffic.limit), Outcome()
        self.chance = random.Random(seed + 1)
        self.heap: list[tuple[float, int, Callable[[float], None]]] = []
        self.count = 0

    def later(self, at: float, what: Callable[[float], None]) -> None:
        self.count += 1
        heapq.heappush(self.heap, (at, self.count, what))

    def run(self, calls: Sequence[Call]) -> Outcome:
        end = self.traffic.hours * 3600
        for each in calls:
            self.later(each.at, partial(self.arrive, each))
        self.later(0.0, self.poll)
        self.later(0.05, self.tick)
        while self.heap and self.heap[0][0] < end:
            now, _, what = heapq.heappop(self.heap)
            what(now)
        return self.out

    def poll(self, now: float) -> None:
        active = self.account.active_at(max(0.0, now - self.traffic.stale_s))
        self.method.polled(active, self.account.limit, now)
        self.later(now + self.traffic.poll_s, self.poll)

    def tick(self, now: float) -> None:
        self.method.tick(now)
        self.later(now + _TICK_S, self.tick)

    def arrive(self, call: Call, now: float) -> None:
        if not call.ours:
            self.out.foreign += 1
            self.later(now + call.start_after, lambda now: self.start(call, now))
            return
        self.out.ours += 1
        if not self.method.admits(call, now, self.account):
            self.out.refused += 1
            return
        self.account.pending += 1
        self.later(now + call.start_after, lambda now: self.start(call, now))

    def start(self, call: Call, now: float) -> None:
        if call.ours:
            self.account.pending -= 1
        if not call.starts:
            return
        if call.ours:
            self.method.started(call, now)
        full = self.account.active >= self.account.limit
        if not full:
            self.account.change(1, now)
            self.later(now + call.lasts, lambda now: self.end(call, now))
        if call.ours:
            self.out.throttled += full
            self.out.served += not full
            if full:
                self.tell(call, now, throttled=True)
        else:
            self.out.foreign_throttled += full

    def end(self, call: Call, now: float) -> None:
        self.account.change(-1, now)
        if call.ours:
            self.tell(call, now, throttled=False)

    def tell(self, call: Call, ended: float, *, throttled: bool) -> None:
        if not call.lost:
            seen = ended + self.traffic.end_seen_s * self.chance.uniform(0.5, 1.5)
            self.later(seen, lambda now: self.method.ended(call, ended, now, throttled))


def simulate(traffic: Traffic, method: Method, seed: int) -> Outcome:
    """What becomes of the calls of a seed."""
    return _Run(traffic, method, seed).run(calls_of(traffic, seed))


# The table.

METHODS: dict[str, Callable[[], Method]] = {
    "no admission": no_admission,
    "exact count": exact_count,
    "`active < allowed`": lambda: below(1.0),
    "`active < 0.9 · allowed`": lambda: below(0.9),
    "Switchhook": lambda: Leased(signals=True),
    "Switchhook, no start signals": lambda: Leased(signals=False),
}
NOTHING, EXACT, OURS, SILENT = ("no admission", "exact count", *tuple(METHODS)[-2:])
LEAST_AVOIDED, MOST_FEWER = 0.95, 0.03
_SEED = 20_260
"""Nothing was tuned to these seeds, nor to this traffic: see docs/performance.md."""


class Cell(msgspec.Struct):
    """One traffic, and what became of its callers by each method, all seeds together."""

    traffic: Traffic
    outcomes: dict[str, Outcome]

    def avoided(self, method: str) -> float:
        """The share of our callers' throttles that did not happen."""
        return 1 - self.outcomes[method].throttled / self.outcomes[NOTHING].throttled

    def fewer(self, method: str) -> float:
        """How many fewer of our callers were served than by an exact count, of all of ours."""
        exact = self.outcomes[EXACT]
        return (exact.served - self.outcomes[method].served) / exact.ours

    def fewer_of_served(self, method: str) -> float:
        """The same, of those whom an exact count serves: a harder measure."""
        return 1 - self.outcomes[method].served / self.outcomes[EXACT].served

    def met(self, method: str) -> bool:
        return self.avoided(method) >= LEAST_AVOIDED and self.fewer(method) <= MOST_FEWER


def traffics(hours: float) -> list[Traffic]:
    """Every cell of the table."""
    return [
        Traffic(
            hours=hours,
            lognormal=lognormal,
            poll_s=poll_s,
            stale_s=stale_s,
            end_seen_s=end_seen_s,
            foreign=foreign,
        )
        for lognormal in (False, True)
        for poll_s, stale_s, end_seen_s in ((3.0, 1.0, 1.0), (10.0, 2.0, 3.0))
        for foreign in (0.0, 0.05, 0.2)
    ]


def _one(asked: tuple[Traffic, str, int]) -> Outcome:
    traffic, method, seed = asked
    return simulate(traffic, METHODS[method](), seed)


def measure(hours: float, seeds: int, say: Callable[[str], None], workers: int = 2) -> list[Cell]:
    """Simulate every cell by every method; whole hours take minutes."""
    wanted = traffics(hours)
    asked = [
        (traffic, method, _SEED + seed)
        for traffic in wanted
        for method in METHODS
        for seed in range(seeds)
    ]
    cells = [Cell(traffic, {name: Outcome() for name in METHODS}) for traffic in wanted]
    each_cell = len(METHODS) * seeds
    with ProcessPoolExecutor(workers) as pool:
        for number, ((_, method, _), outcome) in enumerate(
            zip(asked, pool.map(_one, asked), strict=True)
        ):
            at = number // each_cell
            cells[at].outcomes[method] = _sum(cells[at].outcomes[method], outcome)
            if number % each_cell == each_cell - 1:
                say(f"admission: {at + 1} of {len(cells)} cells")
    return cells


def _sum(one: Outcome, other: Outcome) -> Outcome:
    mine, theirs = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    return Outcome(**{name: mine[name] + theirs[name] for name in mine})


def table(cells: Sequence[Cell]) -> list[str]:
    """The cells as lines of a table; none where there are none."""
    if not cells:
        return []
    shown = [name for name in METHODS if name != NOTHING]
    lines = [
        f"| Admission: lengths, polls, not ours | Throttled without | {' | '.join(shown)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in shown)} |",
    ]
    for cell in cells:
        traffic = cell.traffic
        lengths = "lognormal" if traffic.lognormal else "exponential"
        words = f"{lengths}, {traffic.poll_s:.0f} s, {traffic.foreign:.0%}"
        figures = [
            f"{cell.avoided(name):.1%}"
            + ("" if name == EXACT else f", {cell.fewer(name):.1%}")
            + (f" ({cell.fewer_of_served(name):.1%})" if name in (OURS, SILENT) else "")
            + (", **missed**" if name == OURS and not cell.met(name) else "")
            for name in shown
        ]
        throttled = cell.outcomes[NOTHING].throttled
        lines.append(f"| {words} | {throttled:,} | {' | '.join(figures)} |")
    return lines
