"""A published client library of Exotel's API, as it is: only its base address is changed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from pyexotel.pyexotel import Exotel

from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.flow import Flow, Hangup
from switchhook.emulator.plan.plan import Account, Agent, Caller, Number, Plan
from switchhook.exotel.times import IST

NUMBER, MINE, YOURS = "+918047112233", "+919811100001", "+919811100002"
PLAN = Plan(
    account={"acme": Account(key="k", token="t")},
    number={NUMBER: Number(account="acme", flow="support")},
    flow={"support": Flow(first="end", id="777", applet={"end": Hangup()})},
    caller={"mine": Caller(number=MINE, rings_s=0)},
    agent={YOURS: Agent(rings_s=0, talks_s=0)},
    behaviour={"originate_s": 0, "details_delay_s": 0},
)


@asynccontextmanager
async def exchange_at(ssl_context):
    """An exchange with its API on a port."""
    apps = {"bot.example": make_bot()}
    exchange = Exchange(
        PLAN,
        clock=Clock(asyncio.get_running_loop(), datetime.now(IST)),
        chance=Chance(1),
        web=Web(AddressAllowList(), apps=apps),
        dial=dialler(AddressAllowList(), apps=apps),
    )
    async with serving(make_rest(exchange), ssl_context=ssl_context) as served:
        yield exchange, served
        await exchange.stop()


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """A certificate for localhost that the clients trust; gives what a server listens with."""
    now = datetime.now(IST)
    certificate, key = self_signed(
        ["localhost"], not_before=now - timedelta(hours=1), not_after=now + timedelta(hours=1)
    )
    file = tmp_path / "ca.pem"
    file.write_bytes(certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return server_context(certificate, key)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """requests would go through a proxy of the environment."""
    monkeypatch.setenv("NO_PROXY", "*")


def test_a_client_library_takes_the_emulator_for_exotel(trusted, capsys):
    """It speaks https only, so the emulator does."""

    async def main():
        async with exchange_at(trusted) as (exchange, served):
            client = Exotel("k", "t", "acme", domain=f"localhost:{served.port}")
            made = await asyncio.to_thread(client.connect_flow, MINE, NUMBER, "support")
            await exchange.drain()
            told = await asyncio.to_thread(client.get_call_info, made["Call"]["Sid"])
            assert told["Call"]["Status"] == "completed"
            assert told["Call"]["Direction"] == "outbound-api"
            made = await asyncio.to_thread(
                client.call, MINE, YOURS, NUMBER, stream_url="wss://bot.example/bot/silent"
            )
            await exchange.drain()
            call = exchange.calls[made["Call"]["Sid"]]
            assert call.trace.find("dialled_bot")
            assert call.dialled.status == "completed"
            assert await asyncio.to_thread(client.get_call_info, "unknown") is None
        assert "404" in capsys.readouterr().out

    asyncio.run(main())
