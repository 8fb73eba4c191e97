"""The real parts that keep promises, against the emulator's Exotel, in virtual time.

A process of its own kind: its threads take no time, so that what it does repeats with its seed.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2

from switchhook.access.audit import Deed
from switchhook.callbacks.account import CallbackAccount
from switchhook.callbacks.connect_request import connect_request
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.hearing_worker import HearingWorker
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import Promise, PromiseOrigin, PromiseState
from switchhook.callbacks.promises_worker import PromisesWorker
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.in_process import call_http
from switchhook.emulator.net.results import NetError
from switchhook.emulator.plan.flow import Applet, Connect, Flow, Hangup
from switchhook.emulator.plan.plan import Account, Agent, Number, Plan
from switchhook.emulator.runs.doubles import Doubles
from switchhook.exotel.client import ExotelClient
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.journal.segment import Record
from switchhook.server.tables import open_ledger
from switchhook.streams.fold import Folded
from switchhook.streams.parsed_record import parse_record

if TYPE_CHECKING:
    import random
    from collections.abc import (
        AsyncIterator,
        Callable,
        Collection,
        Iterable,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from switchhook.callbacks.account import StreamLeases
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send
    from switchhook.emulator.plan.plan import Caller, Fault
    from switchhook.exotel.wire.connect import ConnectRequest
    from switchhook.journal.source import Origin
    from switchhook.streams.parsed_record import ParsedRecord

SID, KEY, TOKEN = "acme1", "key", "token"
EXOPHONE, AGENT = "+918047112200", "+919800000001"
ACCOUNT, FLOW = "main", "callback"
_DEED = Deed(who="bench", what="allowed dialling")
_MOST_BYTES = 8 << 20
_HOOKS = "hooks.example"


class InstantLoop(VirtualLoop):
    """A virtual loop whose threads take no time."""

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - handed on, as an executor does
                future.set_exception(error)
            else:
                if not future.cancelled():
                    future.set_result(result)

        self.call_soon(work)
        return future


class LoopClock:
    """The virtual loop's time, as Unix ms."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._since_ms = round(VIRTUAL_START.timestamp() * 1000)

    def wall_ms(self) -> int:
        return self._since_ms + round(self._loop.time() * 1000)

    mono_ms = wall_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class InProcess(httpx2.AsyncBaseTransport):
    """Connections to an app in this process; one that drops them breaks them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[float] = []
        """When each request came, in seconds of the loop."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(asyncio.get_running_loop().time())
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        headers = [(key.decode(), value.decode()) for key, value in request.headers.raw]
        try:
            reply = await call_http(
                self._app,
                request.method,
                str(request.url),
                headers=headers,
                body=await request.aread(),
                limit_bytes=_MOST_BYTES,
            )
        except NetError as error:
            raise httpx2.RemoteProtocolError(str(error), request=request) from error
        body = httpx2.ByteStream(reply.body)
        return httpx2.Response(reply.status, headers=list(reply.headers), stream=body)


class Observer(Watcher):
    """What an outsider sees of the calls that were asked for."""

    def __init__(self) -> None:
        self.doubles = Doubles()
        self.active = self.most_active = 0
        self.talked: dict[str, float] = {}
        """By number, when somebody talked to them first: seconds since the start."""

    def on_answer(self, call: Call) -> None:
        self.active += 1
        self.most_active = max(self.most_active, self.active)

    def on_end(self, call: Call) -> None:
        self.doubles.count(call)
        if call.answered is not None:
            self.active -= 1
        if call.talked and call.answered_by == "human":
            self.talked.setdefault(call.facts.from_, call.clock.now())


class InMemory:
    """A journal of what webhooks told."""

    node = 1

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, body: bytes, content_type: str | None, at_ms: int) -> ParsedRecord:
        """Keep a StatusCallback."""
        received = StatusReceived(at_ms * 1000, ACCOUNT, body, content_type)
        seq = len(self.records) + 1
        record = Record(seq, RecordKind.STATUS, at_ms, at_ms, None, None, encode(received))
        self.records.append(record)
        return parse_record(record)

    def read(self, after_seq: int, limit: int) -> Sequence[Record]:
        return self.records[after_seq : after_seq + limit]

    def get_many(self, seqs: Iterable[int]) -> Mapping[int, Record]:
        return {seq: self.records[seq - 1] for seq in seqs if 0 < seq <= len(self.records)}

    def seq_of(self, origin: Origin) -> int | None:
        return origin.seq if origin.node == self.node else None

    def last_seq(self) -> int:
        return len(self.records)

    def first_seq(self) -> int:
        return 1

    def size_bytes(self) -> int:
        return 0

    def seek(self, at_ms: int, **_: object) -> int:
        return 1


class Terms:
    """What a configuration would say of the one account."""

    def __init__(self, settings: CallbackSettings) -> None:
        self._settings = settings

    def account_of(self, endpoint: str) -> str:
        return ACCOUNT

    def settings_of(self, account: str) -> CallbackSettings | None:
        return self._settings

    def country_of(self, account: str) -> str:
        return "IN"

    def own(self) -> Collection[str]:
        return (EXOPHONE,)


class Webhooks:
    """Takes StatusCallbacks, and has them heard as the fold does."""

    def __init__(self, clock: LoopClock, hear: Sequence[Callable[[Folded], object]]) -> None:
        self.journal, self._clock, self._hear = InMemory(), clock, hear

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        kind = dict(scope["headers"]).get(b"content-type", b"").decode()
        parsed = self.journal.add(body, kind, self._clock.wall_ms())
        for each in self._hear:
            each(Folded((parsed,), parsed.record.seq))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class World(NamedTuple):
    """Both sides, as they run."""

    exchange: Exchange
    seen: Observer
    asked: list[float]
    client: ExotelClient
    promises: LedgerPromises
    clock: LoopClock


def plan_of(
    callers: Mapping[str, Caller],
    faults: tuple[Fault, ...],
    talks_s: float,
    behaviour: dict[str, Any],
) -> Plan:
    """One account, whose callbacks lead to a person at once."""
    steps: dict[str, Applet] = {
        "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
        "end": Hangup(),
    }
    return Plan(
        account={SID: Account(key=KEY, token=TOKEN)},
        number={EXOPHONE: Number(account=SID, flow=FLOW)},
        flow={FLOW: Flow(first="people", applet=steps)},
        caller=dict(callers),
        agent={AGENT: Agent(rings_s=0.0, talks_s=talks_s)},
        fault=faults,
        behaviour=behaviour,
    )


@asynccontextmanager
async def calling_back(
    folder: Path,
    plan: Plan,
    settings: CallbackSettings,
    leases: StreamLeases,
    chance: random.Random,
    hear: Sequence[Callable[[Folded], object]] = (),
    *,
    webhooks: bool = True,
) -> AsyncIterator[World]:
    """The workers over a new ledger, allowed to dial the plan's account.

    `hear` are told of each StatusCallback; without `webhooks` none comes.
    """
    clock, ledger = LoopClock(), open_ledger(folder)
    worker, promises = PromisesWorker(ledger, leases, clock, chance.random), LedgerPromises(ledger)
    listening: list[Callable[[Folded], object]] = [*hear]
    hooks = Webhooks(clock, listening)
    hearing = HearingWorker(
        promises,
        hooks.journal,
        Terms(settings),
        now_ms=clock.wall_ms,
        chance=chance.random,
        token=lambda: "none",
        followed=worker.followed,
    )
    hearing.begin()
    listening += [hearing.folded, lambda _: hearing.hear()]
    exchange = Exchange(
        plan,
        clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
        chance=Chance(chance.getrandbits(32)),
        web=Web(AddressAllowList(), apps={_HOOKS: hooks}),
        dial=dialler(AddressAllowList()),
        keep_media=False,
    )
    seen, api = Observer(), InProcess(make_rest(exchange))
    exchange.watchers.append(seen)
    client = _client(api, clock)
    url = f"https://{_HOOKS}/status" if webhooks else ""

    def request(number: str, custom_field: str) -> ConnectRequest:
        return connect_request(settings, number, custom_field, status_callback=url)

    LedgerDialling(ledger).allow(ACCOUNT, _DEED, clock.wall_ms())
    await worker.use([CallbackAccount(ACCOUNT, settings, client, request)])
    try:
        yield World(exchange, seen, api.asked, client, promises, clock)
    finally:
        await worker.stop()
        await exchange.stop()
        await client.close()
        ledger.close()


def _client(api: InProcess, clock: LoopClock) -> ExotelClient:
    url = "https://api.in.exotel.com"
    return ExotelClient(
        url=url, sid=SID, key=KEY, token=TOKEN, per_minute=200, clock=clock, transport=api
    )


def promise_to(number: str, token: str, now_ms: int, settings: CallbackSettings) -> Promise:
    """One that is proven already, of somebody who called just now."""
    return Promise(
        token=token,
        account=ACCOUNT,
        number=number,
        class_="default",
        reason="throttled",
        origin=PromiseOrigin.RULE,
        made_ms=now_ms,
        due_ms=now_ms + settings.delay_s * 1000,
        until_ms=now_ms + settings.within_s * 1000,
        state=PromiseState.OPEN,
        since_ms=now_ms,
    )
