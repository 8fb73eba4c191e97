"""The emulator inside a test: an `Exotel` that places calls on the code under test.

It runs in a thread of its own, on a clock that stands still while the test thinks and jumps while
it waits, so a talk of half a minute takes milliseconds. Apps are called in this process, without
a port; URLs of real servers work too, at the world's pace. Any thread may use it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urljoin

import msgspec

from switchhook.emulator.bot import make_bot
from switchhook.emulator.call.narration import tell_all
from switchhook.emulator.chance import Chance
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.flow import Connect, Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import (
    Account,
    Act,
    Caller,
    Fault,
    Number,
    Plan,
    with_keys,
)
from switchhook.emulator.testing.account import TestAccount, TestClock
from switchhook.emulator.testing.api import ServedApi, TestExchange
from switchhook.emulator.testing.app_under_test import NEWEST, UnderTest, is_asgi
from switchhook.emulator.testing.errors import NotAimedError, UnknownScenarioError
from switchhook.emulator.testing.placed_call import PlacedCall
from switchhook.emulator.testing.thread import LoopThread
from switchhook.errors import ConfigError
from switchhook.exotel.fields import Unusable, e164

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from types import TracebackType

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.emulator.plan.flow import Applet
    from switchhook.emulator.plan.plan import FaultKind
    from switchhook.emulator.runs.scenarios.definition import Option

_T = TypeVar("_T")

ACCOUNT, EXOPHONE, AGENT = "exotelt", "+918047112233", "+919111100001"
BOT, PASSTHRU = "bot.example.com", "passthru.example.com"
"""The hosts at which apps of this process are called."""
PATIENCE_S = 60.0
"""Real seconds that anything may take, so that a test that hangs says so."""

_FLOW = "flow"


class Exotel:
    """An account, a number, a flow (Voicebot, Passthru, A to the end, B to a person), and a bot.

    `allow` names hosts beside loopback that may be dialled, `patience_s` is how many real seconds
    anything may take before it raises HangsError. What callers say is speech-like sound, the same
    everywhere, or is spoken by espeak-ng in `voice`, `en-in` for example.
    """

    def __init__(
        self,
        *,
        real_time: bool = False,
        seed: int = 1,
        allow: Iterable[str] = (),
        patience_s: float = PATIENCE_S,
        voice: str = "",
    ) -> None:
        self._voice = voice
        self.number = EXOPHONE
        """The ExoPhone that is called."""
        self._seed, self._allow, self._patience_s = seed, list(allow), patience_s
        self._thread = LoopThread(real_time=real_time, patience_s=patience_s)
        self._api = ServedApi(self._thread)
        self._app = UnderTest(self._thread.outside)
        self._apps: dict[str, ASGIApp] = {BOT: make_bot()}
        self._bot = f"wss://{BOT}/bot?say=1"
        self._passthru: str | None = None
        self._own_flow = True
        self._url: str | None = None
        self._open = AsyncExitStack()
        with ExitStack() as undo:
            undo.callback(self._thread.end)
            self.exchange = self.run(self._build(Plan()))
            undo.pop_all()
        self.clock = TestClock(self._thread)
        self.account = TestAccount(self._thread, self._line)

    async def _build(self, plan: Plan) -> TestExchange:
        chance = Chance(self._seed if plan.seed is None else plan.seed)
        plan = msgspec.structs.replace(
            plan,
            account=plan.account or {ACCOUNT: Account()},
            voice=self._voice if plan.voice is None else plan.voice,
        )
        allow_list = AddressAllowList([*self._allow, *plan.allow])
        exchange = TestExchange(
            with_keys(plan, chance),
            clock=self._thread.clock,
            chance=chance,
            web=Web(allow_list, apps=self._apps, outside=self._thread.outside),
            dial=dialler(allow_list, apps=self._apps, outside=self._thread.outside),
        )
        if self._url is not None:
            exchange.recordings_url = f"{self._url}/exotelrecordings"
        self._api.of(exchange)
        return exchange

    def _line(self) -> AccountLine:
        at = self.exchange.plan.number.get(self.number)
        lines = self.exchange.lines
        return lines[at.account] if at else next(iter(lines.values()))

    # Aiming.

    def passthru(self, target: object, path: str = "/passthru") -> str:
        """Ask this passthru: a URL, or an app of ours (Flask or other WSGI, or ASGI) at `path`.

        Gives its URL, for flows of one's own.
        """
        url = self._aimed(target, PASSTHRU, f"https://{PASSTHRU}{path}")
        self._passthru = url
        self.do(self._use_own_flow)
        return url

    def bot(self, target: object, path: str = "/") -> str:
        """Talk to this bot: a ws or wss URL, or an ASGI app at `path`. Gives its URL."""
        self._bot = self._aimed(target, BOT, f"wss://{BOT}{path}")
        self.do(self._use_own_flow)
        return self._bot

    def _aimed(self, target: object, host: str, url: str) -> str:
        if isinstance(target, str):
            return target
        if not callable(target):
            raise TypeError(f"a URL or an app is wanted, not {target!r}")
        self._apps[host] = self._app.asgi(target) if is_asgi(target) else self._app.wsgi(target)
        return url

    def _use_own_flow(self) -> None:
        """Aim the flow that is there without a word; flows of one's own name their URLs."""
        if self._passthru is None or not self._own_flow:
            return
        applets: dict[str, Applet] = {
            "bot": Voicebot(url=self._bot, record=True, next="passthru"),
            "passthru": Passthru(url=self._passthru, a="end", b="people"),
            "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
            "end": Hangup(),
        }
        self._use_flow(Flow(first="bot", applet=applets))

    def _use_flow(self, flow: Flow) -> None:
        plan = self.exchange.plan
        at = plan.number.get(self.number)
        number = Number(account=at.account if at else next(iter(plan.account)), flow=_FLOW)
        self.exchange.plan = msgspec.structs.replace(
            plan, number=plan.number | {self.number: number}, flow=plan.flow | {_FLOW: flow}
        )

    def flow(self, flow: Flow | Plan | str) -> None:
        """Walk this flow instead, or the first number's of a plan, as a value or as TOML text.

        A plan begins anew: calls in progress end, and what was set before is forgotten, all but
        the apps aimed at. One without an account or a number has ours, and its first flow is
        walked. Raises ConfigError for a text that is no plan, and for a plan without a flow.
        """
        if isinstance(flow, Flow):
            self._own_flow = False
            self.do(self._use_flow, flow)
            return
        plan = read_plan(flow) if isinstance(flow, str) else flow
        if not plan.flow:
            raise ConfigError("there is no flow in the plan", key="flow", hint="write [flow.NAME]")
        self.run(self._begin_anew(plan))
        self._own_flow = False

    async def _begin_anew(self, plan: Plan) -> None:
        await self.exchange.stop()
        await self.exchange.web.close()
        self.exchange = await self._build(plan)
        self.number = next(iter(plan.number), EXOPHONE)
        if not plan.number:
            account, first = next(iter(self.exchange.plan.account)), next(iter(plan.flow))
            number = {EXOPHONE: Number(account=account, flow=first)}
            self.exchange.plan = msgspec.structs.replace(self.exchange.plan, number=number)

    # Acting.

    def call(
        self,
        *,
        hangs_up_after: float | None = None,
        says: str = "",
        presses: str = "",
        from_: str | None = None,
        caller: Caller | str | None = None,
    ) -> PlacedCall:
        """Somebody calls: anybody, a `Caller`, or one of the plan's by name.

        They speak half a second after they were answered, press keys after one, and hang up after
        `hangs_up_after` seconds. Raises NotAimedError where the flow leads nowhere yet.
        """
        plan = self.exchange.plan
        if not plan.number:
            raise NotAimedError
        if isinstance(caller, str):
            if caller not in plan.caller:
                listed = ", ".join(sorted(plan.caller)) or "none"
                raise ConfigError(f"there is no caller {caller!r}", hint=f"there are: {listed}")
            caller = plan.caller[caller]
        does = [
            *([Act(after_s=0.5, says=says)] if says else []),
            *([Act(after_s=1.0, presses=presses)] if presses else []),
            *([Act(after_s=hangs_up_after, hangs_up=True)] if hangs_up_after is not None else []),
        ]
        if does or from_ is not None:
            caller = caller or Caller()
            number = caller.number if from_ is None else _number(from_)
            caller = msgspec.structs.replace(caller, number=number, does=(*caller.does, *does))
        return self._placed(self.act(self.exchange.ring, self.number, caller))

    @property
    def calls(self) -> list[PlacedCall]:
        """All calls so far, also those that were asked for over the API."""
        return [self._placed(call) for call in self.do(self._calls)]

    def _placed(self, call: Call) -> PlacedCall:
        return PlacedCall(self._thread, self.exchange, call)

    def _calls(self) -> list[Call]:
        return list(self.exchange.calls.values())

    def fault(self, what: FaultKind, **where_and_how: Any) -> int:
        """Make something go wrong from now on, or `count` times; the number takes it back.

        Raises msgspec.ValidationError for a fault that is none.
        """
        fault = msgspec.convert({"what": what, **where_and_how}, Fault)
        return self.do(self.exchange.faults.add, fault)

    def mend(self, fault: int) -> None:
        """Take a fault back."""
        self.do(self.exchange.faults.remove, fault)

    def behave(self, **fields: Any) -> None:
        """Change how this Exotel behaves: `behave(dialect="json")`.

        Raises msgspec.ValidationError for a behaviour that is none.
        """

        def change() -> None:
            for line in self.exchange.lines.values():
                line.behaviour = line.behaviour.changed(fields)

        self.do(change)

    def scenario(
        self,
        name: str,
        *,
        expect: Option | None = None,
        select: str | None = None,
        voicebot: str = "",
    ) -> None:
        """Play one of Exotel's bad days against the passthru; AssertionError tells the story.

        `expect` is the option that is right for your flow, `select` the keyword that your server
        selects in the SwitchCase scenario, `voicebot` its dynamic URL for scenarios of a pool, or a
        path beside the passthru's. Raises UnknownScenarioError, and ConfigError for one that needs
        more than is said.
        """
        if self._passthru is None:
            raise NotAimedError
        from switchhook.emulator.runs.route_setup import Beside
        from switchhook.emulator.runs.scenario import perform
        from switchhook.emulator.runs.scenarios import SCENARIOS

        if name not in SCENARIOS:
            raise UnknownScenarioError(name, SCENARIOS)
        peers = {host: app for host, app in self._apps.items() if host == PASSTHRU}
        result = self.run(
            perform(
                SCENARIOS[name],
                self._passthru,
                allow=self._allow,
                peers=peers,
                expect=expect,
                select=select,
                beside=Beside(voicebot=urljoin(self._passthru, voicebot) if voicebot else ""),
            )
        )
        if not result.passed:
            story = [line for call in result.calls for line in tell_all(call.trace.entries)]
            raise AssertionError("\n".join([*result.failures, *story, *self._app.crashes()]))

    def stories(self) -> str:
        """What the newest calls met and what the app raised, for whoever reads a failure."""
        calls = self.calls[-NEWEST:]
        stories = [f"call {call.sid}\n{call.story()}" for call in calls]
        return "\n\n".join([*stories, *self._app.crashes()])

    # The API.

    @property
    def url(self) -> str:
        """Where Exotel's API and recordings are, on a port that is opened when first asked for.

        A request lets as much time pass as it takes. `account.key` and `account.token` let in.
        """
        return self._url or self.run(self._serve())

    async def _serve(self) -> str:
        if self._url is None:
            served = await self._open.enter_async_context(serving(self._api))
            self._url = served.url
            self.exchange.recordings_url = f"{served.url}/exotelrecordings"
        return self._url

    # The thread.

    def do(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """Call something in the emulator's thread, without letting time pass."""
        return self._thread.do(what, *arguments)

    def act(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """The same, and let happen what follows from it at once, in this process."""
        return self._thread.act(what, *arguments)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let time pass until this is done. Raises HangsError when that takes too long."""
        return self._thread.run(work)

    def close(self) -> None:
        """End every call, and what was opened. Raises HangsError where the app doesn't return."""
        if self._thread.closed:
            return
        with ExitStack() as stack:
            stack.callback(self._app.close, self._patience_s)
            stack.callback(self._thread.end)
            self.run(self._stop())

    async def _stop(self) -> None:
        await self.exchange.stop()
        await self._open.aclose()
        await self.exchange.web.close()
        await self._thread.wind_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _number(text: str) -> str:
    """A caller's number in E.164, Indian where it doesn't say."""
    number = e164(text, "IN")
    if number is None or isinstance(number, Unusable):
        raise ConfigError(f"{text!r} is no phone number", key="from_", hint='write "+919811100001"')
    return number
