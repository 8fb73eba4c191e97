"""What a scenario of a pool or of admission stands on: bots at any address, and Exotel's API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.bot import make_bot
from switchhook.emulator.bot.script import BotScript
from switchhook.emulator.net.asgi import ASGIApp
from switchhook.emulator.net.occupied import serving_at
from switchhook.emulator.plan.bots import is_here
from switchhook.emulator.plan.plan import Account, Bot, Plan
from switchhook.emulator.runs.named_bots import NamedBots, playing
from switchhook.emulator.runs.scenarios.plans import ACCOUNT
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.net.asgi import Receive, Scope, Send
    from switchhook.emulator.runs.scenarios.definition import Scenario

TALKS_S = 3.0
"""How long a bot of a pool talks."""


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What the server under test has beside its passthru, and what it is shown of Exotel.

    `vendors` are addresses of this machine at which bots are played, for a server that looks after
    its bots by itself; `listen` is where Exotel's API is served, `account`, `key` and `token` what
    it is asked with.
    """

    voicebot: str = ""
    admit: str = ""
    vendors: tuple[str, ...] = ()
    listen: tuple[str, int] | None = None
    account: str = ACCOUNT
    key: str = ""
    token: str = ""


NOTHING_BESIDE = Beside()


def check_needs(scenario: Scenario, beside: Beside) -> None:
    """Raise ConfigError where a scenario is not told what it needs."""
    has = {"voicebot": beside.voicebot, "admit": beside.admit, "api": beside.listen}
    for need in scenario.needs:
        if not has[need]:
            option = "--listen" if need == "api" else f"--{need}"
            raise ConfigError(f"{scenario.name} needs more than a passthru", key=option)


class PlayedElsewhere(Mapping[str, ASGIApp]):
    """Peers by host; a bot is at every host but this machine, whatever a server under test names.

    So nobody's real bot is called by a trial.
    """

    def __init__(self, peers: Mapping[str, ASGIApp]) -> None:
        self._peers = dict(peers)
        self._bot = make_bot(only=BotScript(after=TALKS_S))

    def __getitem__(self, host: str) -> ASGIApp:
        if host in self._peers:
            return self._peers[host]
        if is_here(urlsplit(f"//{host}").hostname):
            raise KeyError(host)
        return self._bot

    def __iter__(self) -> Iterator[str]:
        return iter(self._peers)

    def __len__(self) -> int:
        return len(self._peers)


async def set_up(stack: AsyncExitStack, beside: Beside, plan: Plan) -> tuple[Plan, NamedBots]:
    """The plan with the vendors and the account of `beside`; the bots are played with the stack."""
    bots = {
        f"vendor-{at}": Bot(url=url, plays=f"/bot?after={TALKS_S:g}")
        for at, url in enumerate(beside.vendors, 1)
    }
    plan = msgspec.structs.replace(plan, bot=plan.bot | bots)
    played, _ = await stack.enter_async_context(playing(plan))
    return _of_account(plan, beside), played


def _of_account(plan: Plan, beside: Beside) -> Plan:
    """The same for another SID, key and token."""
    accounts = {
        beside.account if sid == ACCOUNT else sid: _with_key(account, beside)
        for sid, account in plan.account.items()
    }
    numbers = {
        number: msgspec.structs.replace(
            at, account=beside.account if at.account == ACCOUNT else at.account
        )
        for number, at in plan.number.items()
    }
    foreign = tuple(msgspec.structs.replace(each, account=beside.account) for each in plan.foreign)
    return msgspec.structs.replace(plan, account=accounts, number=numbers, foreign=foreign)


def _with_key(account: Account, beside: Beside) -> Account:
    key, token = beside.key or account.key, beside.token or account.token
    return msgspec.structs.replace(account, key=key, token=token)


@asynccontextmanager
async def serving_api(
    beside: Beside, exchange: Exchange
) -> AsyncIterator[asyncio.Condition | None]:
    """Serve Exotel's API where it is to be; tells of each request for ActiveStreams."""
    if beside.listen is None:
        yield None
        return
    rest, asked = make_rest(exchange), asyncio.Condition()

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await rest(scope, receive, send)
        if scope.get("path", "").endswith("/ActiveStreams"):
            async with asked:
                asked.notify_all()

    host, port = beside.listen
    async with serving_at(api, host, port, option="--listen", hint=_END_IT, ws=False):
        yield asked


_END_IT = (
    "a trial is an Exotel of its own, with calls and a limit of its own, at the address that your"
    " server's account asks: end the emulator, run the trial, and start it again"
)
