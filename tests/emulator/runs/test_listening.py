"""Whether anybody listens, before many calls find out."""

from __future__ import annotations

import asyncio

import pytest

from switchhook.emulator.net.addresses import AddressAllowList, RefusedError
from switchhook.emulator.net.bad_server import closed_port
from switchhook.emulator.runs.listening import check_listening
from switchhook.errors import ConfigError


def check(*urls):
    asyncio.run(check_listening(urls, AddressAllowList()))


@pytest.mark.parametrize(
    "scheme, key, words",
    [("ws", "--bot", "start your bot"), ("http", "--passthru", "start your server")],
)
def test_a_port_that_refuses_is_named(scheme, key, words):
    with closed_port() as (host, port), pytest.raises(ConfigError) as caught:
        check(f"{scheme}://{host}:{port}/x")
    assert caught.value.key == key
    assert f"nobody listens at {host}:{port}" in str(caught.value)
    assert words in caught.value.hint


def test_who_listens_is_let_pass_and_so_is_what_only_a_call_can_tell():
    async def main():
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            urls = [f"ws://127.0.0.1:{port}/", "https://nobody.invalid/", "ws://", "no url"]
            await check_listening(urls, AddressAllowList())

    asyncio.run(main())


def test_a_forbidden_address_is_not_dialled():
    with pytest.raises(RefusedError):
        check("http://192.0.2.1/")
