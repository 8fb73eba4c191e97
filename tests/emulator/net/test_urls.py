"""Configured URLs as they may be shown: no credentials, no secrets."""

from __future__ import annotations

import pytest

from switchhook.emulator.net.urls import HIDDEN, host_of, shown, shown_parameters, with_secret

SECRETS = ["token", "secret", "api_key", "X-Auth-Token", "password", "key", "auth", "sig"]
OPEN = ["tier", "sample-rate", "keyboard", "author", "signal"]


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_hidden_in_urls_and_among_parameters(name):
    assert shown(f"wss://bot.example/m?tier=gold&{name}=s3cret#x").count("s3cret") == 0
    assert shown(f"wss://user:s3cret@bot.example/m?{name}=s3cret&tier=gold") == (
        f"wss://bot.example/m?{name}={HIDDEN}&tier=gold"
    )
    assert shown_parameters({name: "s3cret", "tier": "gold"}) == {name: HIDDEN, "tier": "gold"}


@pytest.mark.parametrize("name", OPEN)
def test_other_parameters_stay(name):
    assert shown(f"wss://bot.example/m?{name}=1") == f"wss://bot.example/m?{name}=1"
    assert shown_parameters({name: "1"}) == {name: "1"}


def test_a_secret_can_be_exchanged():
    assert with_secret("https://x/p?secret=a&b=c", "d e") == "https://x/p?secret=d%20e&b=c"


def test_the_host_is_in_lower_case_without_credentials():
    assert host_of("wss://u:p@Bot.Example:8443/x") == "bot.example:8443"
