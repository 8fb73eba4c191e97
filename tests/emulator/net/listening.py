"""What the tests of links share: a listener, and runs in which nothing may go unnoticed."""

from __future__ import annotations

import asyncio

import pytest

from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.results import NetError


class Heard:
    def __init__(self):
        self.texts, self.sizes, self.closes = [], [], []
        self.more = asyncio.Event()
        self.over = asyncio.Event()

    def on_text(self, text):
        self.texts.append(bytes(text))
        self.more.set()

    def on_binary(self, size):
        self.sizes.append(size)
        self.more.set()

    def on_closed(self, code, reason):
        self.closes.append((code, reason))
        self.over.set()


def run_watched(main, loop=asyncio.new_event_loop):
    """Run it, and see that nothing was left to the loop's exception handler."""
    said = []
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: said.append(context))
        result = runner.run(main())
    assert not said
    return result


async def failed(url, limit_s=10.0, **options):
    heard = Heard()
    with pytest.raises(NetError) as caught:
        await dialler(options.pop("allow_list", AddressAllowList()), **options)(
            url, heard, headers=[], limit_s=limit_s
        )
    assert not heard.closes
    return caught.value.failure
