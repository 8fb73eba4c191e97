"""A bot of a plan that the emulator plays itself: what faults aimed at it do to whoever dials it.

The emulator's own calls meet those faults before they dial. A probe, or another program, meets them
here: a dead bot drops the connection, a hanging one never answers, a slow one answers late.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING

from switchhook.emulator.bot.app import make_bot
from switchhook.emulator.bot.script import BotScript, ScriptRefusal, script_of
from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.net.asgi import DROP
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.emulator.call.faults import Faults
    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send
    from switchhook.emulator.plan.plan import Bot


class NamedBot:
    """One played bot, as an ASGI app. `faults` are those in force, once there are any.

    Raises ConfigError where there is no such play.
    """

    def __init__(self, bot: Bot, names: frozenset[str]) -> None:
        script = script_of(bot.plays or "/bot")
        if isinstance(script, ScriptRefusal):
            raise ConfigError(script.text, key="plays")
        self._app: ASGIApp = make_bot(only=script)
        self._refuse: ASGIApp = make_bot(only=BotScript(reject=401))
        self._auth = bot.auth
        self._site = FaultSite(account="", bots=names)
        self.faults: Faults | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.faults is not None and self.faults.on("bot-dies", self._site):
            scope["state"][DROP]()
            return
        if self.faults is not None and self.faults.on("bot-hangs", self._site):
            await _wait_until_gone(receive)
            scope["state"][DROP]()
            return
        if self.faults is not None and (slow := self.faults.on("bot-slow-handshake", self._site)):
            await asyncio.sleep(slow.seconds)
        app = self._app if self._lets_in(scope) else self._refuse
        await app(scope, receive, send)

    def _lets_in(self, scope: Scope) -> bool:
        if self._auth is None or scope["type"] != "websocket":
            return True
        said = dict(scope["headers"]).get(b"authorization", b"")
        wanted = b"Basic " + base64.b64encode(self._auth.encode())
        return hmac.compare_digest(said, wanted)


async def _wait_until_gone(receive: Receive) -> None:
    with suppress(OSError):
        while (await receive())["type"] not in ("websocket.disconnect", "http.disconnect"):
            pass
