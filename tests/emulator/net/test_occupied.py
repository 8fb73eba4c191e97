"""Who has a port already is said, and what to do about it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from switchhook.emulator.net.occupied import is_emulator, serving_at
from switchhook.emulator.runs.server import running_emulator
from switchhook.errors import ConfigError


async def nothing(scope, receive, send):
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _refused(port):
    """What is said where the port is taken, asked while this loop still serves."""
    said = await asyncio.to_thread(lambda: asyncio.run(_serve(port)))
    assert isinstance(said, ConfigError)
    return said


async def _serve(port):
    try:
        async with serving_at(nothing, "127.0.0.1", port, option="--listen", hint="end it first"):
            return None
    except ConfigError as error:
        return error


def test_an_emulator_is_named_and_what_to_do():
    async def main():
        async with running_emulator() as running:
            port = int(running.url.rpartition(":")[2])
            said = await _refused(port)
            assert f"an emulator runs at 127.0.0.1:{port} already" in str(said)
            assert "end it first" in str(said)
            with pytest.raises(ConfigError, match="already"):
                await asyncio.to_thread(lambda: asyncio.run(_start(port)))

    asyncio.run(main())


async def _start(port):
    async with running_emulator(port=port):
        raise AssertionError("it is taken")


def test_another_program_is_one_and_a_mute_one_too():
    async def main():
        async with serving_at(nothing, "127.0.0.1", 0, option="--listen", hint="") as served:
            port = int(served.url.rpartition(":")[2])
            said = await _refused(port)
            assert f"another program listens at 127.0.0.1:{port} already" in str(said)
            assert f":{port}" in str(said).partition("ss -ltnp")[2]

    asyncio.run(main())
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = held.getsockname()[1]
    assert not is_emulator("127.0.0.1", free)


def test_what_is_free_is_served():
    assert asyncio.run(_serve(0)) is None
