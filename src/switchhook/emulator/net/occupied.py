"""Serving at a port that somebody may have already: who, as far as they say, and what to do."""

from __future__ import annotations

import errno
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from switchhook.emulator.net.serving import serving
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.emulator.net.serving import Served

_PATIENCE_S = 2.0
_MOST = 4096
_ASKED = "/control/accounts"
"""An emulator refuses this to who has not its control key, and says so in its own words."""


@asynccontextmanager
async def serving_at(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    option: str,
    hint: str,
    ssl_context: ssl.SSLContext | None = None,
    ws: bool = True,
) -> AsyncIterator[Served]:
    """Serve an app until the block is left, at an address that a person said by `option`.

    Raises ConfigError where another listens there, with `hint` where that is an emulator; OSError
    where the address can't be had for another reason.
    """
    async with AsyncExitStack() as stack:
        try:
            serves = serving(app, host=host, port=port, ssl_context=ssl_context, ws=ws)
            served = await stack.enter_async_context(serves)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise _taken(host, port, option, hint) from None
        yield served


def _taken(host: str, port: int, option: str, hint: str) -> ConfigError:
    if is_emulator(host, port):
        return ConfigError(f"an emulator runs at {host}:{port} already", key=option, hint=hint)
    return ConfigError(
        f"another program listens at {host}:{port} already",
        key=option,
        hint=f"end it (ss -ltnp 'sport = :{port}' names it), or say another address",
    )


def is_emulator(host: str, port: int) -> bool:
    """Whether who listens there answers as an emulator does; False for one that gives no answer.

    It blocks, for 2 s at the most between two bytes: whoever asks has nothing else to do.
    """
    asked = f"GET {_ASKED} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    said = b""
    try:
        with socket.create_connection((host, port), _PATIENCE_S) as link:
            link.sendall(asked.encode())
            while len(said) < _MOST and (more := link.recv(_MOST)):
                said += more
    except OSError:  # TimeoutError is one
        pass
    return b"the control key is missing or wrong" in said
