"""The emulator inside a test: an `Exotel` that places calls on the code under test.

It runs in a thread of its own, on a clock that stands still while the test thinks and jumps while
it waits, so a talk of half a minute takes milliseconds. Apps are called in this process, without
a port; URLs of real servers work too, at the world's pace. Any thread may use it.
"""

from __future__ import annotations

import asyncio
import difflib
import inspect
import io
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
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
from switchhook.emulator.plan_file import read_plan
from switchhook.emulator.scenarios import SCENARIOS
from switchhook.emulator.serving import serving
from switchhook.emulator.tale import tell_all
from switchhook.emulator.web import Web
from switchhook.errors import ConfigError, SwitchhookError
from switchhook.interpret import Unusable, e164

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from types import TracebackType

    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Line
    from switchhook.emulator.flow import Applet
    from switchhook.emulator.plan import FaultKind
    from switchhook.emulator.scenarios import Option
    from switchhook.emulator.serving import ASGIApp, Message, Receive, Scope, Send
    from switchhook.emulator.trace import Entry

    WSGIApp = Callable[..., Iterable[bytes]]

_T = TypeVar("_T")

ACCOUNT, EXOPHONE, AGENT = "exotelt", "+918047112233", "+919111100001"
BOT, PASSTHRU = "bot.example.com", "passthru.example.com"
"""The hosts at which apps of this process are called."""
PATIENCE_S = 60.0
"""Real seconds that anything may take, so that a test that hangs says so."""

_TOLD = 5
"""Calls and crashes that are told of a failed test, the newest."""
_INSTANT_S = 1e-7
"""Too short to be seen in a trace, and long enough for the clock to come to rest."""
_GRACE_S = 2.0
"""Real seconds for open WebSockets to close at the end; a link waits one for its bot."""
_THREADS = 32
_FLOW = "flow"


class NotAimedError(SwitchhookError):
    """A call was placed before it was said which passthru it asks."""

    def __init__(self) -> None:
        super().__init__("aim the flow first: exotel.passthru(app or URL)")


class UnknownScenarioError(SwitchhookError):
    """There is no bad day of that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        near = difflib.get_close_matches(name, SCENARIOS, 1)
        hint = f"did you mean {near[0]}?" if near else "switchhook emulate run --list names them"
        super().__init__(f"there is no scenario {name!r} ({hint})")


class HangsError(SwitchhookError):
    """Something took longer than anybody would wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"no end after {seconds:g} real seconds: does the code under test block?")


class ClosedError(SwitchhookError):
    """The test is over, and its Exotel with it."""

    def __init__(self) -> None:
        super().__init__("this Exotel is closed: its test is over")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One passthru request and its answer; status None where none came, `problem` says why."""

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
        if not self._call.over.is_set():
            self._exotel.run(self._ended())
        return self

    async def _ended(self) -> None:
        await self._call.over.wait()

    def hang_up(self) -> None:
        """The caller hangs up now."""
        self._exotel.act(self._call.leave, "caller")

    def press(self, digits: str) -> None:
        """The caller presses keys now."""
        self._exotel.act(self._call.press, digits)

    def say(self, text: str) -> None:
        """The caller says something now."""
        self._exotel.act(self._call.hear, Act(says=text))

    @property
    def trace(self) -> list[Entry]:
        """Everything that happened so far."""
        return self._exotel.do(self._call.trace.entries.copy)

    def story(self) -> str:
        """The same in words, a line for each thing."""
        return "\n".join(tell_all(self.trace))

    @property
    def passthrus(self) -> list[Told]:
        """Every passthru of the call with its answer, in order."""
        return told_in(self.wait().trace)

    @property
    def option(self) -> str | None:
        """The option that the last sync passthru led to, A or B."""
        options = [entry["option"] for entry in self.wait().trace if entry["what"] == "option"]
        return options[-1] if options else None

    @property
    def stream(self) -> dict[str, str]:
        """What became of its last stream, by Exotel's names; empty where there was none."""
        self.wait()
        return self._call.told.fields() if self._call.told is not None else {}

    @property
    def applets(self) -> list[str]:
        """The names of the applets that the call went through."""
        return [entry["name"] for entry in self.wait().trace if entry["what"] == "applet"]

    def recording(self) -> bytes:
        """What caller and bot said, as a WAV file. Raises KeyError where nothing was recorded."""
        sid = self.stream["StreamSID"]
        session = self._call.exchange.streaming.recordings[sid]
        return recording.wav(session.recorded(), session.rate)


def told_in(trace: Iterable[Entry]) -> list[Told]:
    """The passthrus of a trace, each with what came of it, in the order in which they ended."""
    told: list[Told] = []
    queries: dict[str, str] = {}
    for entry in trace:
        applet = entry.get("applet", "")
        match entry["what"]:
            case "passthru":
                queries[applet] = entry["query"]
            case "answer":
                told.append(
                    Told(
                        applet=applet,
                        query=queries[applet],
                        status=entry["status"],
                        body=entry["body"],
                        seconds=entry["seconds"],
                    )
                )
            # A bot may be refused too; that one is no passthru.
            case "no_answer" | "refused_to_dial" if applet in queries:
                told.append(
                    Told(
                        applet=applet,
                        query=queries[applet],
                        status=None,
                        seconds=entry.get("seconds", 0.0),
                        problem=f"{entry['text']} {entry.get('detail', '')}".strip(),
                    )
                )
            case _:
                pass
    return told


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
    """The account: its credentials, its limit, and how much of that is used."""

    __test__ = False

    def __init__(self, exotel: Exotel) -> None:
        self._exotel = exotel

    @property
    def _line(self) -> Line:
        exchange = self._exotel.exchange
        at = exchange.plan.number.get(self._exotel.number)
        return exchange.lines[at.account] if at else next(iter(exchange.lines.values()))

    @property
    def sid(self) -> str:
        """Its name."""
        return self._line.sid

    @property
    def key(self) -> str:
        """The user of its API."""
        return self._line.account.key

    @property
    def token(self) -> str:
        """The password of its API."""
        return self._line.account.token

    @property
    def streams(self) -> int:
        """How many streams are allowed."""
        return self._line.allowed

    @streams.setter
    def streams(self, allowed: int) -> None:
        self._exotel.do(setattr, self._line, "allowed", allowed)

    @property
    def active(self) -> int:
        """How many are open."""
        return self._line.active


class _TestExchange(Exchange):
    """An exchange whose recordings move to our own port once there is one."""

    recordings_url: str | None = None

    def recording_url(self, line: Line, sid: str) -> str:
        """Where the recording can be fetched; Exotel's host, where no port was asked for."""
        if self.recordings_url is None:
            return super().recording_url(line, sid)
        return f"{self.recordings_url}/{line.sid}/{sid}.mp3"


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
        self._app = _UnderTest(self._outside)
        self._apps: dict[str, ASGIApp] = {BOT: make_bot()}
        self._bot = f"wss://{BOT}/bot?say=1"
        self._passthru: str | None = None
        self._own_flow = True
        self._waiting = 0
        self._abroad = 0
        self._home = asyncio.Event()
        self._rest: ASGIApp | None = None
        self._url: str | None = None
        self._open = AsyncExitStack()
        self._loop = asyncio.SelectorEventLoop() if real_time else VirtualLoop()
        start = datetime.now(IST) if real_time else VIRTUAL_START
        self._clock = Clock(self._loop, start)
        self._freeze()
        self._thread = threading.Thread(target=self._loop.run_forever, name="exotel", daemon=True)
        self._thread.start()
        with ExitStack() as undo:
            undo.callback(self._end_thread)
            self.exchange = self.run(self._build(Plan()))
            undo.pop_all()
        self.clock = TestClock(self)
        self.account = TestAccount(self)

    async def _build(self, plan: Plan) -> _TestExchange:
        chance = Chance(self._seed if plan.seed is None else plan.seed)
        plan = msgspec.structs.replace(
            plan,
            account=plan.account or {ACCOUNT: Account()},
            voice=self._voice if plan.voice is None else plan.voice,
        )
        gate = Gate([*self._allow, *plan.allow])
        exchange = _TestExchange(
            with_keys(plan, chance),
            clock=self._clock,
            chance=chance,
            web=Web(gate, apps=self._apps, outside=self._outside),
            dial=dialler(gate, apps=self._apps, outside=self._outside),
        )
        if self._url is not None:
            exchange.recordings_url = f"{self._url}/exotelrecordings"
        return exchange

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
        self._apps[host] = self._app.asgi(target) if _is_asgi(target) else self._app.wsgi(target)
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
        self.exchange, self._rest = await self._build(plan), None
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
        return PlacedCall(self, self.act(self.exchange.ring, self.number, caller))

    @property
    def calls(self) -> list[PlacedCall]:
        """All calls so far, also those that were asked for over the API."""
        return [PlacedCall(self, call) for call in self.do(self._calls)]

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
        self, name: str, *, expect: Option | None = None, select: str | None = None
    ) -> None:
        """Play one of Exotel's bad days against the passthru; AssertionError tells the story.

        `expect` is the option that is right for your flow, `select` the keyword that your server
        selects in the SwitchCase scenario. Raises UnknownScenarioError.
        """
        if self._passthru is None:
            raise NotAimedError
        if name not in SCENARIOS:
            raise UnknownScenarioError(name)
        peers = {host: app for host, app in self._apps.items() if host == PASSTHRU}
        result = self.run(
            perform(
                SCENARIOS[name],
                self._passthru,
                allow=self._allow,
                peers=peers,
                expect=expect,
                select=select,
            )
        )
        if not result.passed:
            story = [line for call in result.calls for line in tell_all(call.trace.entries)]
            raise AssertionError("\n".join([*result.failures, *story, *self._app.crashes()]))

    def stories(self) -> str:
        """What the newest calls met and what the app raised, for whoever reads a failure."""
        calls = self.calls[-_TOLD:]
        told = [f"call {call.sid}\n{call.story()}" for call in calls]
        return "\n\n".join([*told, *self._app.crashes()])

    # The API.

    @property
    def url(self) -> str:
        """Where Exotel's API and recordings are, on a port that is opened when first asked for.

        A request lets as much time pass as it takes. `account.key` and `account.token` let in.
        """
        return self._url or self.run(self._serve())

    async def _serve(self) -> str:
        if self._url is None:
            served = await self._open.enter_async_context(serving(self._answer))
            self._url = served.url
            self.exchange.recordings_url = f"{served.url}/exotelrecordings"
        return self._url

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One API request: what is between us and the client goes at the world's pace."""
        from switchhook.emulator.rest import make_rest

        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        if self._rest is None:
            self._rest = make_rest(self.exchange)
        heard: list[Message] = []
        with self._clock.outside():
            heard.append(await receive())
            while heard[-1].get("more_body", False):
                heard.append(await receive())
        heard.reverse()

        async def hear() -> Message:
            return heard.pop() if heard else await receive()

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A kept connection would be closed by a timer, and ours jump.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            with self._clock.outside():
                await send(message)

        with self._passing():
            await self._rest(scope, hear, say)

    # The thread.

    def do(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """Call something in the emulator's thread, without letting time pass."""
        if self._loop.is_closed() or threading.current_thread() is self._thread:
            return what(*arguments)

        async def done() -> _T:
            return what(*arguments)

        return self._wait_for(done())

    def act(self, what: Callable[..., _T], *arguments: Any) -> _T:
        """The same, and let happen what follows from it at once, in this process."""
        if threading.current_thread() is self._thread:
            return what(*arguments)

        async def done() -> _T:
            result = what(*arguments)
            # A clock that jumps does so only when there is nothing left to do.
            await asyncio.sleep(_INSTANT_S)
            return result

        return self.run(done())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let time pass until this is done. Raises HangsError when that takes too long."""

        async def passing() -> _T:
            with self._passing():
                return await work

        if self._loop.is_closed():
            work.close()
            raise ClosedError
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("an app called in the emulator's thread can't wait for it")
        return self._wait_for(passing())

    def _wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        # Not the future's own timeout, which can't be told from a TimeoutError of the work.
        if not ended.wait(self._patience_s):
            future.cancel()
            raise HangsError(self._patience_s)
        return future.result()

    @contextmanager
    def _passing(self) -> Iterator[None]:
        """While entered, by any number at once, time passes."""
        self._waiting += 1
        self._freeze()
        try:
            yield
        finally:
            self._waiting -= 1
            self._freeze()

    def _freeze(self) -> None:
        if isinstance(self._loop, VirtualLoop):
            self._loop.frozen = not self._waiting

    @contextmanager
    def _outside(self) -> Iterator[None]:
        """While entered, by any number at once, something of the world is in use."""
        with self._clock.outside():
            self._abroad += 1
            self._home.clear()
            try:
                yield
            finally:
                self._abroad -= 1
                if not self._abroad:
                    self._home.set()

    def close(self) -> None:
        """End every call, and what was opened. Raises HangsError where the app doesn't return."""
        if self._loop.is_closed():
            return
        with ExitStack() as stack:
            stack.callback(self._app.close, self._patience_s)
            stack.callback(self._end_thread)
            self.run(self._stop())

    async def _stop(self) -> None:
        await self.exchange.stop()
        await self._open.aclose()
        await self.exchange.web.close()
        if self._abroad:
            await asyncio.wait((asyncio.ensure_future(self._home.wait()),), timeout=_GRACE_S)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            raise HangsError(self._patience_s)
        self._loop.close()

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


class _UnderTest:
    """The code under test, as ASGI apps; it remembers what that raised and logged as errors."""

    def __init__(self, outside: Callable[[], Any]) -> None:
        self._outside = outside
        self._crashes: list[str] = []
        self._errors = io.StringIO()
        self._threads: set[threading.Thread] = set()
        self._pool: ThreadPoolExecutor | None = None

    def crashes(self) -> list[str]:
        """In words, for whoever reads a failure."""
        told = [f"the app raised\n{crash}" for crash in self._crashes[-_TOLD:]]
        errors = self._errors.getvalue()
        return [*told, f"wsgi.errors\n{errors}"] if errors else told

    def asgi(self, app: Any) -> ASGIApp:
        """An ASGI app, called in the loop's thread."""

        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def say(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            with _Witness(self._crashes, lambda: status):
                await app(scope, receive, say)

        return called

    def wsgi(self, app: Any) -> ASGIApp:
        """A WSGI app, called in threads, as its servers do: it may block, and ask our API."""

        def told(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ |= {"wsgi.errors": self._errors, "wsgi.multithread": True}
            found: Iterable[bytes] = app(environ, start_response)
            return found

        whole = wsgi(told)

        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            request = await receive()
            with self._outside(), _Witness(self._crashes, lambda: 0):
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._executor(), self._call, whole, scope, request
                )
            for message in answer:
                await send(message)

        return called

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "exotel-app")
        return self._pool

    def _call(self, app: ASGIApp, scope: Scope, request: Message) -> list[Message]:
        """Call an app that awaits nothing but us, with no loop in its thread."""
        self._threads.add(threading.current_thread())
        said: list[Message] = []

        async def hear() -> Message:
            return request

        async def say(message: Message) -> None:
            said.append(message)

        async def work() -> None:
            await app(scope, hear, say)

        ended = next(iter(work().__await__()), None)
        assert ended is None, "a WSGI app waits for nothing"
        return said

    def close(self, patience_s: float) -> None:
        """Wait for requests whose caller has left. Raises HangsError."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise HangsError(patience_s)


class _Witness:
    """Notes what an app raises, and lets it go on its way."""

    def __init__(self, crashes: list[str], status: Callable[[], int]) -> None:
        self._crashes, self._status = crashes, status

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            # Starlette answers 500 first, and would raise after that; we don't wait so long.
            error = error.__context__ if self._status() >= 500 else None
        if isinstance(error, Exception):
            self._crashes.append("".join(traceback.format_exception(error)).rstrip())


def _is_asgi(app: object) -> bool:
    """ASGI apps are coroutine functions, or have one as their `__call__`."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        getattr(app, "__call__", None)  # noqa: B004  its kind is asked, not whether there is one
    )
