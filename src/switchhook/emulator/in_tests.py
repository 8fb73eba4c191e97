"""The emulator inside a test: an `Exotel` that places calls on the code under test.

It runs in a thread of its own, on a clock that stands still while the test thinks and jumps while
it waits, so a talk of half a minute takes milliseconds. Apps are called in this process, without
a port; URLs of real servers work too, at the world's pace.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qsl

import msgspec

from switchhook.emulator import recording
from switchhook.emulator.addresses import Gate
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import IST, VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange import Exchange
from switchhook.emulator.flow import Connect, Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.in_process import wsgi
from switchhook.emulator.link import dialler
from switchhook.emulator.perform import perform
from switchhook.emulator.plan import Account, Act, Caller, Fault, Number, Plan, with_keys
from switchhook.emulator.scenarios import SCENARIOS
from switchhook.emulator.tale import tell_all
from switchhook.emulator.web import Web
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from types import TracebackType

    from switchhook.emulator.call import Call
    from switchhook.emulator.plan import FaultKind
    from switchhook.emulator.serving import ASGIApp
    from switchhook.emulator.trace import Entry

_T = TypeVar("_T")

ACCOUNT, EXOPHONE, AGENT = "exotelt", "+918047112233", "+919111100001"
BOT, PASSTHRU = "bot.example.com", "passthru.example.com"
PATIENCE_S = 60.0
"""Real seconds that anything may take, so that a test that hangs says so."""


_TOLD = 5


class NotAimedError(SwitchhookError):
    """A call was placed before it was said which passthru it asks."""

    def __init__(self) -> None:
        super().__init__("aim the flow first: exotel.passthru(app or URL)")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One passthru request and its answer; status None where none came."""

    applet: str
    query: str
    status: int | None
    body: str = ""
    seconds: float = 0.0
    problem: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def option(self) -> str:
        """A for 200, B for anything else and for no answer."""
        return "A" if self.status == 200 else "B"


class PlacedCall:
    """A call that was placed. Asking what became of it waits for its end."""

    def __init__(self, exotel: Exotel, call: Call) -> None:
        self._exotel, self._call = exotel, call

    def __repr__(self) -> str:
        return f"<call {self.sid}>"

    @property
    def sid(self) -> str:
        """Its CallSid."""
        return self._call.facts.sid

    def wait(self) -> Self:
        """Let time pass until the call has ended."""
        self._exotel.run(self._ended())
        return self

    async def _ended(self) -> None:
        await self._call.over.wait()

    def hang_up(self) -> None:
        """The caller hangs up now."""
        self._exotel.do(self._call.leave, "caller")

    def press(self, digits: str) -> None:
        """The caller presses keys now."""
        self._exotel.do(self._call.press, digits)

    def say(self, text: str) -> None:
        """The caller says something now."""
        self._exotel.do(self._call.hear, Act(says=text))

    @property
    def trace(self) -> list[Entry]:
        """Everything that happened so far."""
        return self._call.trace.entries

    def story(self) -> str:
        """The same in words, a line for each thing."""
        return "\n".join(tell_all(self.trace))

    @property
    def passthrus(self) -> list[Told]:
        """Every passthru of the call with its answer, in order."""
        self.wait()
        told: list[Told] = []
        open_: dict[str, str] = {}
        for entry in self.trace:
            if entry["what"] == "passthru":
                open_[entry["applet"]] = entry["query"]
            elif entry["what"] == "answer":
                told.append(
                    Told(
                        applet=entry["applet"],
                        query=open_[entry["applet"]],
                        status=entry["status"],
                        body=entry["body"],
                        seconds=entry["seconds"],
                    )
                )
            elif entry["what"] == "no_answer":
                problem = f"{entry['text']} {entry.get('detail', '')}".strip()
                query = open_[entry["applet"]]
                told.append(Told(applet=entry["applet"], query=query, status=None, problem=problem))
        return told

    @property
    def option(self) -> str | None:
        """The option that the last sync passthru led to, A or B."""
        self.wait()
        options = [entry["option"] for entry in self.trace if entry["what"] == "option"]
        return options[-1] if options else None

    @property
    def stream(self) -> dict[str, str]:
        """What the last passthru said of the stream, by Exotel's names."""
        self.wait()
        return self._call.told.fields() if self._call.told is not None else {}

    @property
    def applets(self) -> list[str]:
        """The names of the applets that the call went through."""
        self.wait()
        return [entry["name"] for entry in self.trace if entry["what"] == "applet"]

    def recording(self) -> bytes:
        """What caller and bot said, as a WAV file. Raises KeyError where nothing was recorded."""
        self.wait()
        session = self._exotel.exchange.streaming.recordings[self.stream["StreamSID"]]
        return recording.wav(session.recorded(), session.rate)


class TestClock:
    """The emulator's clock."""

    __test__ = False  # for pytest, which collects by name

    def __init__(self, exotel: Exotel) -> None:
        self._exotel = exotel

    def now(self) -> float:
        """Seconds since the emulator started."""
        return self._exotel.do(self._exotel.exchange.clock.now)

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything that is due in it happen."""
        self._exotel.run(asyncio.sleep(seconds))


class TestAccount:
    """The account's limit, and how much of it is used."""

    __test__ = False

    def __init__(self, exotel: Exotel) -> None:
        self._exotel = exotel

    @property
    def streams(self) -> int:
        """How many streams are allowed."""
        return self._exotel.exchange.lines[ACCOUNT].allowed

    @streams.setter
    def streams(self, allowed: int) -> None:
        self._exotel.exchange.lines[ACCOUNT].allowed = allowed

    @property
    def active(self) -> int:
        """How many are open."""
        return self._exotel.exchange.lines[ACCOUNT].active


class Exotel:
    """An account, a number, a flow (Voicebot, Passthru, A to the end, B to a person), and a bot."""

    def __init__(
        self, *, real_time: bool = False, seed: int = 1, allow: Iterable[str] = ()
    ) -> None:
        self._real = real_time
        self._loop = asyncio.new_event_loop() if real_time else VirtualLoop()
        if isinstance(self._loop, VirtualLoop):
            self._loop.frozen = True
        self._apps: dict[str, ASGIApp] = {BOT: make_bot()}
        self._bot = f"wss://{BOT}/bot?say=1"
        self._passthru: str | None = None
        self._flow: Flow | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="exotel", daemon=True)
        self._thread.start()
        self._allow = list(allow)
        self.exchange = self.run(self._build(seed))
        self.clock = TestClock(self)
        self.account = TestAccount(self)

    async def _build(self, seed: int) -> Exchange:
        start = datetime.now(IST) if self._real else VIRTUAL_START
        clock = Clock(self._loop, start)
        gate = Gate(self._allow)
        plan, chance = Plan(account={ACCOUNT: Account()}), Chance(seed)
        return Exchange(
            with_keys(plan, chance),
            clock=clock,
            chance=chance,
            web=Web(gate, apps=self._apps, outside=clock.outside),
            dial=dialler(gate, apps=self._apps, outside=clock.outside),
        )

    # Aiming.

    def passthru(self, target: object, path: str = "/passthru") -> None:
        """Ask this passthru: a URL, or an app of ours (Flask or other WSGI, or ASGI) at `path`."""
        self._passthru = self._aimed(target, PASSTHRU, f"https://{PASSTHRU}{path}")

    def bot(self, target: object, path: str = "/") -> None:
        """Talk to this bot: a ws or wss URL, or an ASGI app at `path`."""
        self._bot = self._aimed(target, BOT, f"wss://{BOT}{path}")

    def _aimed(self, target: object, host: str, url: str) -> str:
        if isinstance(target, str):
            return target
        assert callable(target), "a URL or an app is wanted"
        self._apps[host] = target if _is_asgi(target) else wsgi(target)
        return url

    def flow(self, flow: Flow) -> None:
        """Walk this flow instead."""
        self._flow = flow

    def _plan(self) -> Plan:
        if self._flow is None and self._passthru is None:
            raise NotAimedError
        flow = self._flow or Flow(
            first="bot",
            applet={
                "bot": Voicebot(url=self._bot, record=True, next="passthru"),
                "passthru": Passthru(url=self._passthru or "", a="end", b="people"),
                "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
                "end": Hangup(),
            },
        )
        return msgspec.structs.replace(
            self.exchange.plan,
            number={EXOPHONE: Number(account=ACCOUNT, flow="flow")},
            flow={"flow": flow},
        )

    # Acting.

    def call(
        self,
        *,
        hangs_up_after: float | None = None,
        says: str = "",
        presses: str = "",
        from_: str | None = None,
        caller: Caller | None = None,
    ) -> PlacedCall:
        """Somebody calls. What they do happens so many seconds after they were answered."""
        if caller is None:
            acts = []
            if says:
                acts.append(Act(after_s=0.5, says=says))
            if presses:
                acts.append(Act(after_s=1.0, presses=presses))
            if hangs_up_after is not None:
                acts.append(Act(after_s=hangs_up_after, hangs_up=True))
            caller = Caller(number=from_, does=tuple(acts))
        self.exchange.plan = self._plan()
        return PlacedCall(self, self.do(self.exchange.ring, EXOPHONE, caller))

    def fault(self, what: FaultKind, **where_and_how: Any) -> int:
        """Make something go wrong from now on, or `count` times; the number takes it back."""
        fault = msgspec.convert({"what": what, **where_and_how}, Fault)
        return self.exchange.faults.add(fault)

    def behave(self, **fields: Any) -> None:
        """Change how this Exotel behaves: `behave(dialect="json")`."""
        line = self.exchange.lines[ACCOUNT]
        line.behaviour = line.behaviour.changed(fields)

    def scenario(self, name: str) -> None:
        """Play one of Exotel's bad days against the passthru; fails with its story."""
        if self._passthru is None:
            raise NotAimedError
        peers = {host: app for host, app in self._apps.items() if host == PASSTHRU}
        result = self.run(perform(SCENARIOS[name], self._passthru, allow=self._allow, peers=peers))
        story = "\n".join(line for call in result.calls for line in tell_all(call.trace.entries))
        assert result.passed, "\n".join([*result.failures, story])

    def stories(self) -> str:
        """What happened in the newest calls, for whoever reads a failure."""
        newest = list(self.exchange.calls.values())[-_TOLD:]
        return "\n\n".join(
            "\n".join([f"call {call.facts.sid}", *tell_all(call.trace.entries)]) for call in newest
        )

    # The thread.

    def do(self, act: Callable[..., _T], *arguments: Any) -> _T:
        """Call something in the emulator's thread, without letting time pass."""

        async def done() -> _T:
            return act(*arguments)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE_S)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let time pass until this is done."""

        async def run() -> _T:
            self._freeze(False)
            try:
                return await work
            finally:
                self._freeze(True)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_S)

    def _freeze(self, frozen: bool) -> None:
        if isinstance(self._loop, VirtualLoop):
            self._loop.frozen = frozen

    def close(self) -> None:
        """End every call, and the thread."""
        if self._loop.is_closed():
            return
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _stop(self) -> None:
        await self.exchange.stop()
        await self.exchange.web.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _is_asgi(app: object) -> bool:
    """ASGI apps are coroutine functions, or have one as their `__call__`."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        getattr(app, "__call__", None)  # noqa: B004  its kind is asked, not whether there is one
    )
