"""The emulator as a running program: one port for everything that Exotel serves, and the bot."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.emulator.api.control import make_control
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.occupied import serving_at
from switchhook.emulator.plan.flow import (
    Applet,
    Connect,
    Flow,
    Greeting,
    Hangup,
    Passthru,
    Voicebot,
)
from switchhook.emulator.plan.plan import (
    Account,
    Act,
    Agent,
    Arrivals,
    Caller,
    Fault,
    Number,
    Plan,
    with_keys,
)
from switchhook.emulator.runs.named_bots import playing
from switchhook.emulator.sound.voice import prepare
from switchhook.exotel.times import IST

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send

ACCOUNT = "exotelt"
EXOPHONE = "+918047112233"
AGENT = "+919111100001"
PASSTHRU = "http://127.0.0.1:8080/passthru/default"
"""Where `switchhook serve` answers without a configuration."""

BOT_PATH = "/bot"
CONTROL_PATH = "/control"


class RunningEmulator(msgspec.Struct, frozen=True):
    """A running emulator."""

    exchange: Exchange
    url: str
    control_key: str
    tls_url: str | None = None
    """Where the same is served over TLS."""

    @property
    def bot_url(self) -> str:
        """The WebSocket URL of the built-in bot."""
        return f"ws{self.url.removeprefix('http')}{BOT_PATH}"

    def wiring(self) -> dict[str, Any]:
        """What a program has to know to use it: addresses, credentials, numbers."""
        plan = self.exchange.plan
        played = {name: bot.url for name, bot in plan.bot.items() if bot.plays is not None}
        return {
            "url": self.url,
            "accounts": {
                sid: {
                    "api": f"{self.url}/v1/Accounts/{sid}",
                    "key": line.account.key,
                    "token": line.account.token,
                    "region": line.account.region,
                    "streams": line.allowed,
                    "numbers": [n for n, at in plan.number.items() if at.account == sid],
                }
                for sid, line in self.exchange.lines.items()
            },
            "control": {"url": self.url + CONTROL_PATH, "key": self.control_key},
            "bot": self.bot_url,
            **({"bots": played} if played else {}),
        }


def demo_plan(bot: str, passthru: str) -> Plan:
    """What is there without a file: good days and bad ones, in a mix.

    `bot` is the WebSocket URL of the built-in bot, without a slash at its end.
    """
    ends: dict[str, Applet] = {
        "told": Passthru(url=passthru, a="end", b="people"),
        "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
        "end": Hangup(),
    }
    return Plan(
        account={ACCOUNT: Account(streams=9)},
        number={EXOPHONE: Number(account=ACCOUNT, flow="support")},
        flow={
            "support": Flow(
                first="hello",
                applet={
                    "hello": Greeting(seconds=1, next="bot"),
                    "bot": Voicebot(url=f"{bot}?say=3", record=True, next="told"),
                    **ends,
                },
            )
        },
        caller={
            "patient": Caller(
                share=5, does=(Act(at="bot", after_s=2.5, says="I have a question"),)
            ),
            "hurried": Caller(share=1, does=(Act(at="hello", after_s=0.5, hangs_up=True),)),
            "satisfied": Caller(share=2, does=(Act(at="bot", after_s=5, hangs_up=True),)),
        },
        agent={AGENT: Agent(rings_s=2, talks_s=6)},
        fault=(
            Fault(what="bot-refused", probability=0.12),
            Fault(what="bot-crash", probability=0.08, seconds=3),
            Fault(what="throttled", probability=0.06),
            Fault(what="behave", probability=0.2, behaviour={"dialect": "json"}),
        ),
        arrivals=Arrivals(per_minute=40),
    )


def bot_plan(bot: str, passthru: str | None) -> Plan:
    """What is there for somebody's bot at a URL and nothing else: one caller after another.

    They listen and answer, talk over it, and press keys. With a passthru it is asked at the end.
    """
    ends: dict[str, Applet] = {"end": Hangup()}
    if passthru is not None:
        ends |= {
            "told": Passthru(url=passthru, a="end", b="people"),
            "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
        }
    voicebot = Voicebot(url=bot, record=True, next="end" if passthru is None else "told")
    leaves = Act(at="bot", after_s=15, hangs_up=True)
    return Plan(
        account={ACCOUNT: Account()},
        number={EXOPHONE: Number(account=ACCOUNT, flow="bot")},
        flow={"bot": Flow(first="bot", applet={"bot": voicebot, **ends})},
        caller={
            "answers": Caller(
                share=3,
                does=(
                    Act(at="bot", after_s=3, says="Hello, I have a question about my order"),
                    Act(at="bot", after_s=9, says="Thank you, that is all"),
                    leaves,
                ),
            ),
            "interrupts": Caller(
                does=(Act(at="bot", after_s=1, says="One moment, can you hear me?"), leaves)
            ),
            "presses": Caller(does=(Act(at="bot", after_s=4, presses="12#"), leaves)),
        },
        agent={AGENT: Agent(rings_s=2, talks_s=6)},
        arrivals=Arrivals(per_minute=20, at_once=1),
    )


def load_plan(bot: str, passthru: str, calls: int) -> Plan:
    """What `load` uses without a file: a bot, then a passthru, and limits out of the way."""
    return Plan(
        account={ACCOUNT: Account(streams=2 * calls)},
        number={EXOPHONE: Number(account=ACCOUNT, flow="load")},
        flow={
            "load": Flow(
                first="bot",
                applet={
                    "bot": Voicebot(url=bot, next="told"),
                    "told": Passthru(url=passthru, a="end", b="end"),
                    "end": Hangup(),
                },
            )
        },
        caller={
            "talker": Caller(
                share=3,
                patience_s=20,
                does=(Act(at="bot", after_s=1, says="I have a question about my order"),),
            ),
            "leaver": Caller(share=1, does=(Act(at="bot", after_s=6, hangs_up=True),)),
        },
    )


class TlsPort(msgspec.Struct, frozen=True):
    """Where to serve over TLS, and with what."""

    host: str
    port: int
    context: ssl.SSLContext


class _Front:
    """One port: which app a path belongs to."""

    def __init__(self) -> None:
        self.bot = make_bot()
        self.control: ASGIApp | None = None
        self.rest: ASGIApp | None = None

    def open(self, exchange: Exchange) -> str:
        """Serve an exchange's APIs; gives the key that lets into the control API."""
        from switchhook.emulator.api.exotel_api import make_rest

        key = secrets.token_urlsafe(18)
        self.control, self.rest = make_control(exchange, key), make_rest(exchange)
        return key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "websocket" or path.startswith(BOT_PATH):
            await self.bot(scope, receive, send)
            return
        app = self.control if path.startswith(CONTROL_PATH) else self.rest
        assert app is not None
        await app(scope, receive, send)


@asynccontextmanager
async def running_emulator(
    plan: Plan | None = None,
    *,
    passthru: str = PASSTHRU,
    make: Callable[[str], Plan] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int | None = None,
    allow: Iterable[str] = (),
    apps: Mapping[str, ASGIApp] | None = None,
    keep_media: bool = False,
    change: Callable[[Account], Account] | None = None,
    tls: TlsPort | None = None,
) -> AsyncIterator[RunningEmulator]:
    """Run an emulator in this event loop until the block is left; its clock is the loop's.

    Without a plan it is what `make` makes of the built-in bot's URL, or the demo's, with its
    passthru at `passthru`; `change` is applied to each of its accounts. With `tls` the same is
    served over TLS too. Raises ConfigError where a port is taken.
    """
    seed = seed if seed is not None else plan.seed if plan is not None else None
    clock, chance, front = _clock(seed), Chance(seed), _Front()
    async with serving_at(front, host, port, option="--listen", hint=_ANOTHER) as served:
        bot = served.ws_url + BOT_PATH
        plan = plan or (make(bot) if make else demo_plan(bot, passthru))
        plan = await _ready(plan, chance, change)
        async with playing(plan) as (bots, played):
            # Over a socket our own bots would keep us at the world's pace.
            peers = {at: app for at, app in played.items() if clock.virtual or not bots.hosts[at]}
            peers |= dict(apps or {}) | ({f"{host}:{served.port}": front} if clock.virtual else {})
            exchange = _exchange(plan, clock, chance, allow, peers, served.url, keep_media)
            key = front.open(exchange)
            bots.meet(exchange.faults)
            exchange.start_beside()
            try:
                async with _serving_tls(front, tls) as tls_url:
                    yield RunningEmulator(exchange, served.url, key, tls_url)
            finally:
                await exchange.stop()
                await exchange.web.close()


@asynccontextmanager
async def _serving_tls(front: _Front, tls: TlsPort | None) -> AsyncIterator[str | None]:
    """The same app on a port of its own; its URL."""
    if tls is None:
        yield None
        return
    async with serving_at(
        front, tls.host, tls.port, option="--tls", hint=_ANOTHER, ssl_context=tls.context
    ) as served:
        yield served.url


_ANOTHER = "end it, or say another address: 127.0.0.1:0 takes a free port"


def _clock(seed: int | None) -> Clock:
    """The running loop's; with a seed, virtual time always starts at the same moment."""
    loop = asyncio.get_running_loop()
    repeats = isinstance(loop, VirtualLoop) and seed is not None
    return Clock(loop, VIRTUAL_START if repeats else datetime.now(IST))


async def _ready(plan: Plan, chance: Chance, change: Callable[[Account], Account] | None) -> Plan:
    """A plan with its keys drawn, its accounts changed, and what its callers say made."""
    plan = with_keys(plan, chance)
    if change is not None:
        accounts = {sid: change(account) for sid, account in plan.account.items()}
        plan = msgspec.structs.replace(plan, account=accounts)
    await asyncio.to_thread(prepare, plan)
    return plan


def _exchange(
    plan: Plan,
    clock: Clock,
    chance: Chance,
    allow: Iterable[str],
    peers: Mapping[str, ASGIApp],
    url: str,
    keep_media: bool,
) -> Exchange:
    """An exchange that dials what the plan and `allow` let through, and `peers` without a port."""
    allow_list = AddressAllowList([*plan.allow, *allow])
    return Exchange(
        plan,
        clock=clock,
        chance=chance,
        web=Web(allow_list, apps=peers, outside=clock.outside),
        dial=dialler(allow_list, apps=peers, outside=clock.outside),
        recordings=f"{url}/exotelrecordings",
        keep_media=keep_media,
    )


async def arrive(exchange: Exchange, *, most: int | None = None) -> list[Call]:
    """Let calls come as the plan says, at random moments, until `most` have come."""
    arrivals = exchange.plan.arrivals or Arrivals()
    most = most if most is not None else arrivals.most
    chance = exchange.chance.stream("arrivals")
    numbers = list(exchange.plan.number)
    placed: list[Call] = []
    count = 0
    while most is None or count < most:
        if count:
            await _room(exchange, arrivals.at_once)
            await asyncio.sleep(chance.expovariate(arrivals.per_minute / 60))
        call = exchange.ring(chance.choice(numbers))
        count += 1
        if most is not None:
            placed.append(call)
    return placed


async def _room(exchange: Exchange, at_once: int | None) -> None:
    """Wait until one more call may be in progress."""
    while at_once is not None:
        going = [call for call in exchange.calls.values() if call.ended is None]
        if len(going) < at_once:
            return
        await going[0].over.wait()
