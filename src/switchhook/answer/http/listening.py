"""Where the protocol meets a socket."""

from __future__ import annotations

import asyncio
import resource
from functools import partial
from typing import TYPE_CHECKING

from switchhook.answer.http.connections import Server
from switchhook.answer.http.protocol import Connection

if TYPE_CHECKING:
    import socket

    from switchhook.answer.http.messages import ConnectionLimits, Handler

_FILES_FOR_OTHERS = 128  # descriptors that journal, rules and logs need


async def serve(sock: socket.socket, handler: Handler, limits: ConnectionLimits) -> Server:
    """Serve on a bound socket, in the running loop; the socket itself stays the caller's.

    The number of connections is also bounded by the process's limit of open files.
    """
    loop = asyncio.get_running_loop()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = limits.connections
    if files != resource.RLIM_INFINITY:
        room = max(1, min(room, files - _FILES_FOR_OTHERS))
    server = Server(handler, limits, loop, room)
    # uvloop and asyncio set TCP_NODELAY on every connection they accept.
    server.listen(
        await loop.create_server(
            partial(Connection, server), sock=sock.dup(), backlog=limits.backlog
        )
    )
    return server
