"""The bots of a plan that the emulator plays itself, where they are dialled."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchhook.emulator.bot.named import NamedBot
from switchhook.emulator.net.serving import serving
from switchhook.emulator.net.urls import host_of
from switchhook.emulator.plan.bots import bot_key, bots_at, is_here
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from switchhook.emulator.call.faults import Faults
    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send
    from switchhook.emulator.plan.plan import Plan


class NamedBots:
    """Those of one plan, by host and port; several may share one, by their paths."""

    def __init__(self, plan: Plan) -> None:
        self._at: dict[str, NamedBot] = {}
        self.hosts: dict[str, str] = {}
        """Host and port as URLs write it → where to listen, "" for nowhere but in this process."""
        for bot in plan.bot.values():
            if bot.plays is None:
                continue
            parts = urlsplit(bot.url)
            self._at[bot_key(bot.url)] = NamedBot(bot, bots_at(bot.url, plan.bot))
            outside = parts.scheme == "ws" and is_here(parts.hostname) and parts.port
            self.hosts[host_of(bot.url)] = (parts.hostname or "") if outside else ""

    def meet(self, faults: Faults) -> None:
        """Have them meet these faults from now on."""
        for bot in self._at.values():
            bot.faults = faults

    def at(self, host: str) -> ASGIApp:
        """What is played at a host and port."""

        async def played(scope: Scope, receive: Receive, send: Send) -> None:
            scheme = "wss" if scope["scheme"] in ("wss", "https") else "ws"
            bot = self._at.get(bot_key(f"{scheme}://{host}{scope['path']}"))
            if bot is not None:
                await bot(scope, receive, send)
            elif scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close"})
            else:
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body", "body": b"no bot here"})

        return played


@asynccontextmanager
async def playing(plan: Plan) -> AsyncIterator[tuple[NamedBots, dict[str, ASGIApp]]]:
    """Play a plan's bots until the block is left; gives them, and each app by host and port.

    Raises ConfigError where an address can't be had.
    """
    bots = NamedBots(plan)
    async with AsyncExitStack() as stack:
        for host, listen in bots.hosts.items():
            if listen:
                port = int(host.rpartition(":")[2])
                try:
                    await stack.enter_async_context(serving(bots.at(host), host=listen, port=port))
                except OSError as error:
                    raise ConfigError(
                        f"no bot can be played at {host}: {error.strerror}",
                        key="bot",
                        hint="an emulator that runs already may play it there: end it for a trial;"
                        " or name a free port of this machine, or leave out `plays`",
                    ) from None
        yield bots, {host: bots.at(host) for host in bots.hosts}
