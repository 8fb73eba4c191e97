"""The gate: what is dialled, what only when named, and what never."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from switchhook.emulator.addresses import (
    Gate,
    NotFoundError,
    RefusedError,
    read_allowed,
    verdict,
)
from switchhook.errors import ConfigError


def judged(ip, *allowed, host="bot.example", port=443):
    entries = [read_allowed(text) for text in allowed]
    return verdict(host, ipaddress.ip_address(ip), port, entries) is None


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_free(ip):
    assert judged(ip)


@pytest.mark.parametrize(
    "ip, allowed",
    [
        ("93.184.216.34", "bot.example"),
        ("10.0.0.7", "*.example"),
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.7", "10.0.0.0/8"),
        ("10.0.0.7", "10.0.0.0/8:443"),
        ("10.0.0.7", "bot.example:443"),
        ("2001:db8::1", "2001:db8::/32"),
        ("2001:db8::1", "[2001:db8::1]:443"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("64:ff9b::a00:7", "10.0.0.7"),
        ("2002:a00:7::", "10.0.0.7"),
    ],
)
def test_elsewhere_only_what_was_named(ip, allowed):
    assert judged(ip, allowed)
    assert not judged(ip)


@pytest.mark.parametrize(
    "allowed", ["other.example", "bot.example:80", "ot.example", "*.bot.example", "10.0.0.8"]
)
def test_a_name_covers_no_other(allowed):
    assert not judged("10.0.0.7", allowed)


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0",
        "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    ],
)  # fmt: skip
def test_never_even_if_named(ip):
    assert not judged(ip, "bot.example", "0.0.0.0/0", "::/0", ip)


@pytest.mark.parametrize("text", ["", "a b", "http://x", "*.", "x/y/z"])
def test_an_entry_that_cannot_be_meant_is_refused(text):
    with pytest.raises(ConfigError, match="no host, address or network"):
        read_allowed(text)


def resolve(host, *allowed, found=()):
    async def main():
        loop = asyncio.get_running_loop()

        async def getaddrinfo(*_, **__):
            return [(2, 1, 6, "", (ip, 0)) for ip in found]

        if found:
            loop.getaddrinfo = getaddrinfo
        return [address.ip for address in await Gate(allowed).resolve(host, 443)]

    return asyncio.run(main())


def test_names_are_resolved_and_each_address_checked():
    assert resolve("LOCALHOST.", found=()) == ["127.0.0.1", "::1"]
    assert resolve("127.0.0.1") == ["127.0.0.1"]
    assert resolve("[::1]") == ["::1"]
    mixed = ("169.254.169.254", "10.0.0.7")
    assert resolve("bot.example", "bot.example", found=mixed) == ["10.0.0.7"]


@pytest.mark.parametrize(
    "host, found",
    [
        ("10.0.0.7", ()),
        ("rebind.example", ("169.254.169.254",)),
        ("private.example", ("192.168.1.1", "10.0.0.1")),
        ("169.254.169.254", ()),
    ],
)
def test_what_leads_elsewhere_is_refused_with_the_remedy(host, found):
    with pytest.raises(RefusedError, match=f"--allow {host}"):
        resolve(host, found=found)


def test_a_name_that_leads_nowhere():
    with pytest.raises(NotFoundError, match="no such host"):
        resolve("bot.invalid")


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
def test_odd_spellings_are_checked_as_what_they_mean(host):
    try:
        found = resolve(host)
    except NotFoundError:
        return
    assert found == ["127.0.0.1"]
