"""What opens media connections: to an app in this process where there is one, else a WebSocket."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from switchhook.emulator.net.app_link import AppLink
from switchhook.emulator.net.go_errors import Failure, FailureKind
from switchhook.emulator.net.http_client import authorization, place_of
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.websocket_link import WebSocketDial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.emulator.net.media_link import Dial, Listener, MediaLink


def dialler(
    allow_list: AddressAllowList,
    *,
    apps: Mapping[str, ASGIApp] | None = None,
    outside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ssl_context: ssl.SSLContext | None = None,
) -> Dial:
    """What opens links; `apps` are bots in this process, by host as URLs write it."""
    trusting = cache(lambda: ssl_context or ssl.create_default_context())  # it takes time to make
    here = apps if apps is not None else {}
    running: set[asyncio.Task[None]] = set()

    async def dial(
        url: str, listener: Listener, *, headers: Sequence[tuple[str, str]] = (), limit_s: float
    ) -> MediaLink:
        place = place_of(url, ("ws", "wss"))
        sent = [*headers, *authorization(place)]
        app = here.get(place.authority.lower())
        attempt = WebSocketDial(allow_list, place)
        context = trusting() if place.secure and app is None else None  # before anybody waits
        try:
            async with asyncio.timeout(limit_s):
                if app is not None:
                    return await AppLink.open(app, place.url, sent, listener, running)
                return await attempt.open(sent, listener, outside, context)
        except TimeoutError:
            late = Failure(FailureKind.TIMEOUT, attempt.dialling, "no handshake in time")
            raise NetError(late) from None

    return dial
