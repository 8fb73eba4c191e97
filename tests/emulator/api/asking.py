"""Exotel's API over an exchange in virtual time, and what it is asked."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import urlencode

import msgspec

from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.asgi import ASGIApp
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.in_process import call_http
from switchhook.emulator.plan.flow import Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Caller, Number, Plan

NUMBER, MINE, YOURS = "+918047112233", "+919811100001", "+919811100002"
FLOW_URL = "http://my.exotel.com/acme/exoml/start_voice/support"
PLAN = Plan(
    account={
        "acme": Account(key="k", token="t", streams=5, heartbeat_url="https://hooks.example/beat"),
        "other": Account(key="k2", token="t2", region="sg"),
    },
    number={NUMBER: Number(account="acme", flow="support")},
    flow={
        "support": Flow(
            first="b",
            id="777",
            applet={
                "b": Voicebot(url="wss://bot.example/bot?after=9", record=True, next="p"),
                "p": Passthru(url="https://hooks.example/passthru", a="e", b="e"),
                "e": Hangup(),
            },
        )
    },
    caller={"mine": Caller(number=MINE, does=(Act(at="b", after_s=1, says="good morning"),))},
)


class Hooks:
    """Takes passthrus, callbacks and heartbeats."""

    def __init__(self):
        self.got = []

    async def __call__(self, scope, receive, send):
        body = (await receive())["body"]
        kind = dict(scope["headers"]).get(b"content-type", b"").decode()
        self.got.append((scope["path"], kind, body, scope["query_string"].decode()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def at(self, path):
        return [(kind, body) for where, kind, body, _ in self.got if where == path]


def api(steps, plan=PLAN, **behaviour):
    """Run `steps(ask, exchange, hooks)`; `ask` sends one request and gives the reply."""

    async def main():
        hooks = Hooks()
        apps: dict[str, ASGIApp] = {"bot.example": make_bot(), "hooks.example": hooks}
        exchange = Exchange(
            msgspec.structs.replace(plan, behaviour=behaviour),
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
        )
        rest = make_rest(exchange)

        async def ask(
            path, form=None, who="k:t", host="127.0.0.1", sid="acme", method=None, kind=FORM
        ):
            body = form if isinstance(form, bytes) else urlencode(form or {}).encode()
            token = base64.b64encode(who.encode()).decode()
            return await call_http(
                rest,
                method or ("GET" if form is None else "POST"),
                f"http://{host}/v1/Accounts/{sid}{path}"
                if not path.startswith(("/exotel", "/v2", "/v3"))
                else f"http://{host}{path}",
                headers=[
                    ("Authorization", f"Basic {token}"),
                    ("Content-Type", kind),
                ],
                body=body,
                limit_bytes=10**7,
            )

        await steps(ask, exchange, hooks)
        await exchange.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


FORM = "application/x-www-form-urlencoded"


def to_flow(**more):
    return {"From": "09811100001", "CallerId": "08047112233", "Url": FLOW_URL} | more
