"""An Exotel, a process that dials and `kill -9`, in virtual time, over a real ledger.

Time jumps where nobody has anything to do. What would run in a thread runs at once, yet in a step
of its own; the process can be killed before any such step, and between a step and what follows it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from itertools import pairwise

import msgspec

from callbacks.promised import IST, NOON, promise_of
from switchhook.access.audit import Deed
from switchhook.callbacks.account import CallbackAccount
from switchhook.callbacks.connect_request import connect_request
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.promise import AttemptState
from switchhook.callbacks.promises_worker import PromisesWorker
from switchhook.callbacks.settings import CallbackSettings
from switchhook.emulator.clock import VirtualLoop
from switchhook.exotel.answers import Listed, NumberTold, Outcome, Whitelisted
from switchhook.exotel.client import Detailed
from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome
from switchhook.exotel.rate_limit import full_bucket, put_back, rate_of, take
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.number_metadata import Dnd, NumberMetadata
from switchhook.exotel.wire.whitelist import WhitelistEntry, WhitelistStatus

SETTINGS = CallbackSettings(
    exophone="+918045678900",
    flow="123",
    delay_s=10,
    within_s=3600,
    gap_s=120,
    declined_gap_s=180,
    ring_s=20,
    longest_s=60,
    a_day=1_000,
    calls_an_hour=100_000,
    spend_an_hour=1e9,
    spend_a_number=1e9,
    reserve=0,
)
SETTLED_MS = 120_000
NEUTRAL = WhitelistStatus.NEUTRAL
DEED = Deed(who="boss", what="allowed dialling")


class Killed(KeyboardInterrupt):
    """The process is gone; a loop keeps this kind alone from nobody."""


class Fate(Enum):
    """What becomes of a request for a call."""

    PLACED = "placed"
    DROPPED_BEFORE = "no answer, nothing placed"
    DROPPED_AFTER = "no answer, placed"
    LATE = "answered after 34 s, placed"
    FAILS_AFTER = "500, placed"
    LIMITED = "429"
    REFUSED = "refused number"
    REFUSED_UNKNOWN = "refused, nobody knows why"
    NO_MONEY = "402"


class Went(Enum):
    """How a call goes: how long it rings, how long they talk."""

    TALKED = (5, 30)
    NO_ANSWER = (20, 0)
    BUSY = (1, 0)
    LONGEST = (20, 60)
    PERSON = (5, 19)
    """To a person, for less than a bot would have to."""


class PlacedCall(msgspec.Struct):
    """One telephone that rings; times in Unix ms."""

    sid: str
    number: str
    custom_field: str
    at_ms: int
    went: Went
    hidden: bool

    @property
    def ends_ms(self) -> int:
        return self.at_ms + sum(self.went.value) * 1000


class Exotel:
    """One account; outlives the processes that ask it. `hides` says which calls no list has."""

    def __init__(self, fates=(), went=(), hides=(), per_minute=200):
        self.fates, self.went, self.hides = deque(fates), deque(went), deque(hides)
        self.calls: list[PlacedCall] = []
        self.requests: list[tuple[int, str]] = []
        self.asked_ms: list[int] = []
        self.bucket = full_bucket(rate_of(per_minute), 0)
        self.list_fails = 0
        self.called_in: dict[str, str] = {}
        self.way = "inbound"
        self.whitelist: dict[str, WhitelistStatus] = {}
        self.registered: set[str] = set()
        self.checked: list[str] = []

    def place(self, request, at_ms):
        went = self.went.popleft() if self.went else Went.TALKED
        hidden = self.hides.popleft() if self.hides else False
        call = PlacedCall(
            f"sid{len(self.calls)}", request.from_, request.custom_field, at_ms, went, hidden
        )
        self.calls.append(call)
        return call

    def record(self, call, now_ms):
        """What the API tells of a call: how it went two minutes after its end."""
        over = now_ms >= call.ends_ms
        settled = now_ms >= call.ends_ms + SETTLED_MS
        status = {Went.NO_ANSWER: "no-answer", Went.BUSY: "busy"}.get(call.went, "completed")
        talked = settled and call.went is Went.PERSON
        return CallRecord(
            sid=call.sid,
            account_sid="acme",
            from_=call.number,
            to=None,
            phone_number_sid=SETTINGS.exophone,
            status=status if over else "in-progress",
            direction="outbound-api",
            created=_ist(call.at_ms),
            updated=None,
            ended=_ist(call.ends_ms) if settled else None,
            duration_s=call.went.value[1] if settled else None,
            price="1.5" if settled else None,
            talk_s=call.went.value[1] if talked else None,
            leg2_status="completed" if talked else None,
        )


def _ist(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(IST).replace(tzinfo=None)


class Loop(VirtualLoop):
    """An event loop whose threads take no time, and which dies when told."""

    steps = 0
    kill_at: int | None = None
    at_step: tuple[int, Callable[[], object]] | None = None

    def run_in_executor(self, executor, func, *args):  # type: ignore[override]
        future = self.create_future()

        def work():
            self.step()
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - handed on, as an executor does
                future.set_exception(error)
                return
            self.step()
            if not future.cancelled():
                future.set_result(result)

        self.call_soon(work)
        return future

    def step(self):
        """A moment at which the process may be killed."""
        self.steps += 1
        if self.steps == self.kill_at:
            raise Killed
        if self.at_step is not None and self.steps == self.at_step[0]:
            self.at_step[1]()


class Api:
    """What a process has of Exotel: its connections, and its own share of the budget."""

    def __init__(self, exotel, clock, loop):
        self.exotel, self.clock, self.loop = exotel, clock, loop

    def give_back_turn(self):
        self.exotel.bucket = put_back(self.exotel.bucket, self.clock.mono_ms())
        self.exotel.asked_ms.pop()

    async def turn(self, *, reserve=4):
        while True:
            self.exotel.bucket, wait_ms = take(
                self.exotel.bucket, self.clock.mono_ms(), reserve=reserve
            )
            if not wait_ms:
                self.exotel.asked_ms.append(self.clock.wall_ms())
                return
            await asyncio.sleep(wait_ms / 1000)

    async def connect(self, request):
        exotel = self.exotel
        self.loop.step()
        fate = exotel.fates.popleft() if exotel.fates else Fate.PLACED
        exotel.requests.append((self.clock.wall_ms(), request.custom_field))
        await asyncio.sleep(0.3)
        if fate in (Fate.PLACED, Fate.LATE, Fate.DROPPED_AFTER, Fate.FAILS_AFTER):
            call = exotel.place(request, self.clock.wall_ms())
        self.loop.step()
        wait_s = {Fate.LATE: 34, Fate.DROPPED_AFTER: 34.7, Fate.DROPPED_BEFORE: 34.7}
        await asyncio.sleep(wait_s.get(fate, 0.4))
        self.loop.step()
        match fate:
            case Fate.PLACED | Fate.LATE:
                return ConnectAnswer(ConnectOutcome.PLACED, call.sid)
            case Fate.LIMITED:
                return ConnectAnswer(ConnectOutcome.POSTPONED, problem="429", retry_after_s=7.0)
            case Fate.REFUSED:
                return ConnectAnswer(ConnectOutcome.REFUSED_NUMBER, problem="DND")
            case Fate.REFUSED_UNKNOWN:
                return ConnectAnswer(ConnectOutcome.REFUSED_NUMBER, problem="403", unknown=True)
            case Fate.NO_MONEY:
                return ConnectAnswer(ConnectOutcome.STOP_ACCOUNT, problem="the balance is used up")
        return ConnectAnswer(ConnectOutcome.AMBIGUOUS, problem="no answer")

    async def whitelist(self, number):
        await self.turn(reserve=3)
        self.exotel.checked.append(number)
        return Whitelisted(Outcome.READ, WhitelistEntry(self.exotel.whitelist.get(number, NEUTRAL)))

    async def number_metadata(self, number):
        await self.turn(reserve=3)
        dnd = Dnd.YES if number in self.exotel.registered else Dnd.NO
        return NumberTold(Outcome.READ, NumberMetadata(dnd=dnd))

    async def list_calls(self, wanted):
        await self.turn(reserve=3)
        await asyncio.sleep(0.2)
        if self.exotel.list_fails:
            self.exotel.list_fails -= 1
            return Listed(Outcome.FAILING, problem="500")
        now_ms = self.clock.wall_ms()
        found = tuple(
            self.exotel.record(each, now_ms)
            for each in self.exotel.calls
            # Neither what still goes on nor what has just ended.
            if each.number == wanted.from_ and not each.hidden and now_ms >= each.ends_ms + 40_000
        )
        return Listed(Outcome.READ, found)

    async def call_details(self, call_sid):
        await self.turn(reserve=3)
        await asyncio.sleep(0.2)
        for each in self.exotel.calls:
            if each.sid == call_sid:
                return Detailed(Outcome.READ, self.exotel.record(each, self.clock.wall_ms()))
        if call_sid in self.exotel.called_in:
            return Detailed(Outcome.READ, self._called_in(call_sid))
        return Detailed(Outcome.REFUSED, problem="404", missing=True)

    def _called_in(self, call_sid):
        """The call of somebody who called half a minute ago, and hung up."""
        return CallRecord(
            sid=call_sid,
            account_sid="acme",
            from_=self.exotel.called_in[call_sid],
            to=SETTINGS.exophone,
            phone_number_sid=SETTINGS.exophone,
            status="completed",
            direction=self.exotel.way,
            created=_ist(NOON - 30_000),
            updated=None,
            started=_ist(NOON - 30_000),
            ended=_ist(NOON + 1_000),
        )


class Clock:
    """A loop's time, as Unix ms."""

    def __init__(self, loop, since_ms):
        self.loop, self.since_ms = loop, since_ms

    def wall_ms(self):
        return self.since_ms + round(self.loop.time() * 1000)

    mono_ms = wall_ms

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


class Leases:
    """Places of streams, `free` of them at first."""

    def __init__(self, free=10**6):
        self.free, self.held, self.most = free, {}, 0

    def take(self, account, name, class_, reserve):
        if name not in self.held and self.free - len(self.held) <= reserve:
            return "no stream is free"
        self.hold(account, name, class_)
        return ""

    def hold(self, account, name, class_):
        self.held[name] = class_
        self.most = max(self.most, len(self.held))

    def name(self, name, call):
        pass

    def release(self, name):
        self.held.pop(name, None)


class World:
    """A ledger and an Exotel, and one process after the other."""

    def __init__(self, ledger, exotel, settings=SETTINGS, seed=1):
        self.ledger, self.exotel, self.settings = ledger, exotel, settings
        self.promises, self.dialling = LedgerPromises(ledger), LedgerDialling(ledger)
        self.lists = PromiseLists(ledger)
        self.now_ms, self.chance = NOON, random.Random(seed)
        self.leases = Leases()
        self.steps = 0
        self.dialling.allow("main", DEED, NOON)

    def make(self, count=1, **more):
        made = []
        for n in range(count):
            number = f"+9198111{len(made) + self.exotel_numbers:05d}"
            said = {
                "id": 0,
                "token": f"t{self.exotel_numbers + n}",
                "made_ms": self.now_ms,
                "due_ms": self.now_ms + self.settings.delay_s * 1000,
                "until_ms": self.now_ms + self.settings.within_s * 1000,
                "since_ms": self.now_ms,
            }
            made.append(self.promises.make(promise_of(number, **said | more)))
        self.exotel_numbers += count
        return made

    exotel_numbers = 0
    behind = ""

    def live(self, seconds, *, kill_at=None, at_step=None, doing=None):
        """A process runs for so long, or until it is killed; whether it was."""
        loop = Loop()
        loop.at_step = at_step
        loop.kill_at = kill_at
        loop.set_exception_handler(lambda *_: None)
        clock = Clock(loop, self.now_ms)
        self.leases.held.clear()
        api = Api(self.exotel, clock, loop)
        settings = self.settings

        def request(number, custom_field):
            return connect_request(settings, number, custom_field)

        async def life():
            worker = PromisesWorker(
                self.ledger, self.leases, clock, self.chance.random, behind=lambda: self.behind
            )
            await worker.use([CallbackAccount("main", settings, api, request)])
            if doing is not None:
                await doing(worker, clock)
            else:
                await asyncio.sleep(seconds)
            assert worker.complaints() == []
            await worker.stop()

        try:
            loop.run_until_complete(life())
        except Killed:
            return True
        finally:
            self.now_ms, self.steps = clock.wall_ms(), loop.steps
            if not loop.is_running():
                _abandon(loop)
        return False

    def states(self):
        return [self.promises.get(n + 1).state for n in range(self.exotel_numbers)]


def _abandon(loop):
    """Let a loop's tasks be gone without another step of theirs."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()
    loop.close()


def check_never_twice(world):
    """No request was sent twice, and nobody was called while another call may have been on.

    What no list ever shows can't be known: such a call is allowed to be followed by another, once.
    """
    fields = [field for _, field in world.exotel.requests]
    assert len(fields) == len(set(fields)), "a request was sent twice"
    by_number = {}
    for call in world.exotel.calls:
        by_number.setdefault(call.number, []).append(call)
    for id in range(1, world.exotel_numbers + 1):
        promise = world.promises.get(id)
        calls = by_number.get(promise.number, [])
        for before, after in pairwise(calls):
            if not before.hidden:
                assert after.at_ms >= before.ends_ms, "two calls at once"
                assert before.went in (Went.NO_ANSWER, Went.BUSY), "called again after a talk"
        placed = {call.custom_field for call in calls if not call.hidden}
        for attempt in world.lists.attempts(id):
            if attempt.custom_field in placed:
                assert attempt.state is not AttemptState.NOT_PLACED, "a call was taken for none"
        doubts = sum(call.hidden for call in calls)
        assert len(calls) <= world.settings.attempts + min(doubts, 2)
