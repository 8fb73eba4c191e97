"""Which bot of a plan an address is."""

from __future__ import annotations

import pytest

from switchhook.emulator.plan.bots import bot_key, bots_at, is_address, is_here
from switchhook.emulator.plan.plan import Bot


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("wss://bot.example/media", "bot.example:443/media"),
        (
            "wss://me:pass@BOT.example:443/media?lang=hi&sample-rate=8000",
            "bot.example:443/media",
        ),
        ("ws://127.0.0.1:9101", "127.0.0.1:9101/"),
        ("ws://127.0.0.1:99999/", "ws://127.0.0.1:99999/"),
    ],
)
def test_credentials_query_and_default_port_make_no_other_bot(url, key):
    assert bot_key(url) == key


def test_a_bot_goes_by_its_address_and_by_its_name():
    bots = {"vendor-a": Bot(url="wss://a.example/m"), "vendor-b": Bot(url="wss://b.example/m")}
    assert bots_at("wss://a.example/m?lang=hi", bots) == {"vendor-a", "a.example:443/m"}
    assert bots_at("wss://c.example/m", bots) == {"c.example:443/m"}


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.0.0.3", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("bot.example", False),
        (None, False),
    ],
)
def test_every_loopback_address_is_this_machine(host, here):
    assert is_here(host) is here


def test_an_address_is_told_from_a_name():
    assert is_address("wss://a.example/m")
    assert not is_address("vendor-a")
    assert not is_address(None)
