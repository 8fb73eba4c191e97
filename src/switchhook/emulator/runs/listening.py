"""Whether anybody listens where calls are to be aimed: asked before there are thousands of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchhook.emulator.net.addresses import NotFoundError
from switchhook.emulator.net.http_client import place_of
from switchhook.emulator.net.results import NetError
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.emulator.net.addresses import AddressAllowList

_PATIENCE_S = 2.0


async def check_listening(urls: Iterable[str], allow_list: AddressAllowList) -> None:
    """Dial every URL's port once. Raises ConfigError where one refuses, RefusedError if forbidden.

    A name that leads nowhere and a port that doesn't answer are left for the calls to tell of.
    """
    for url in dict.fromkeys(urls):
        try:
            place = place_of(url, ("http", "https", "ws", "wss"))
            addresses = await allow_list.resolve(place.host, place.port)
        except (NetError, NotFoundError):
            continue
        refused = [await _refuses(each.ip, each.port) for each in addresses]
        if all(refused):
            bot = place.scheme in ("ws", "wss")
            raise ConfigError(
                f"nobody listens at {place.authority}, where the {'bot' if bot else 'passthru'} is"
                " called",
                key="--bot" if bot else "--passthru",
                hint=f"start your {'bot' if bot else 'server'}, or name another URL",
            )


async def _refuses(ip: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(ip, port)
    except ConnectionRefusedError:
        return True
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return False
