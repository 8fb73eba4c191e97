"""How the supervisor ends what it keeps; what it does with what hangs is in test_liveness."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from patience import PATIENCE_S
from program import until
from switchhook.system import supervisor
from switchhook.system.supervisor import Child, supervise

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
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*place)

    asyncio.run(ended())


DEAF = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
DYING = ["/bin/sh", "-c", "exit 3"]


@pytest.mark.process
def test_who_does_not_end_is_killed_and_named(caplog, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_S", 0.2)

    async def ended() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            child = Child("answer", DEAF, sock)
            child.start()
            pid = child.pid
            await asyncio.to_thread(until, lambda: "sleep" in children_of(pid), "the trap")
            await child.stop()

    asyncio.run(ended())
    assert "answer does not end (process" in caplog.text


@pytest.mark.process
def test_a_stop_waits_for_no_pause_before_a_restart(monkeypatch):
    """One that dies again and again rests longer and longer."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_S", 3600.0)

    async def ended() -> int:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            child = Child("console", DYING, sock, needed=False)
            running = asyncio.create_task(supervise([child], lambda: None))
            while not child._pause:  # noqa: ASYNC110 - it has died for the second time
                await asyncio.sleep(0)
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                return await running

    assert asyncio.run(ended()) == 0


def children_of(pid: int | None) -> str:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return " ".join(Path(f"/proc/{each}/comm").read_text() for each in listed)
