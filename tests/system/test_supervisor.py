"""How the supervisor ends what it keeps; what it does with what hangs is in test_liveness."""

from __future__ import annotations

import asyncio
import socket

import pytest

from switchhook.system.supervisor import Child

IDLE = ["/bin/sh", "-c", "exec sleep 60"]


@pytest.mark.process
def test_who_comes_after_its_end_waits_for_nobody():
    """The socket goes with the process that answered on it, not with the last of its siblings."""

    async def ended() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            place = sock.getsockname()
            child = Child("answer", IDLE, sock)
            child.start()
            reader, writer = await asyncio.open_connection(*place)
            await child.stop()
            async with asyncio.timeout(30):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*place)

    asyncio.run(ended())
