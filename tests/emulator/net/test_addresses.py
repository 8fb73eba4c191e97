"""The allow-list: what is dialled, what only when named, and what never."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.net.addresses import (
    AddressAllowList,
    NotFoundError,
    RefusedError,
    ResolvedAddress,
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


@pytest.mark.parametrize("ip", ["2002:7f00:1::", "64:ff9b::7f00:1"])
def test_loopback_in_the_hands_of_a_translator_is_not_this_machine(ip):
    assert not judged(ip)
    assert not judged(ip, "bot.example", "::/0")


def test_a_local_nat64_hides_where_it_leads():
    assert not judged("64:ff9b:1::a9fe:a9fe", "bot.example", "::/0")


def wrapped(ip):
    """The IPv6 addresses that stand for an IPv4 one: mapped, NAT64, 6to4, Teredo."""
    number = int(ip)
    return [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
        ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]


METADATA = st.one_of(
    st.ip_addresses(network="169.254.0.0/16"),
    st.ip_addresses(network="224.0.0.0/4"),
    st.just(ipaddress.IPv4Address("100.100.100.200")),
)


@given(METADATA, st.integers(0, 3))
def test_no_form_of_a_forbidden_address_is_let_through(ip, form):
    assert not judged(str(ip), "bot.example", "0.0.0.0/0")
    assert not judged(str(wrapped(ip)[form]), "bot.example", "0.0.0.0/0", "::/0")


@given(st.ip_addresses())
def test_an_empty_list_lets_through_loopback_only(ip):
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    assert judged(str(ip)) == mapped.is_loopback


@pytest.mark.parametrize("text", ["bot.example:0", "bot.example:65536", "10.0.0.0/8:99999"])
def test_a_port_out_of_range_is_refused(text):
    with pytest.raises(ConfigError, match="no port from 1 to 65535"):
        read_allowed(text)


@given(st.text(max_size=40))
def test_any_entry_is_read_or_refused(text):
    try:
        entry = read_allowed(text)
    except ConfigError:
        return
    assert entry.host or entry.network is not None


def test_an_entry_may_end_in_a_dot():
    assert judged("10.0.0.7", "bot.example.")


def test_an_address_is_written_as_a_dial_wants_it():
    assert str(ResolvedAddress("10.0.0.7", 80)) == "10.0.0.7:80"
    assert str(ResolvedAddress("::1", 80)) == "[::1]:80"


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
        return [address.ip for address in await AddressAllowList(allowed).resolve(host, 443)]

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


@pytest.mark.parametrize("host", ["", ".", "a" * 70 + ".example", "a\0b", "ü" * 80])
def test_what_is_no_name_leads_nowhere(host):
    with pytest.raises(NotFoundError):
        resolve(host)


def test_a_zone_does_not_hide_an_address():
    with pytest.raises(RefusedError):
        resolve("fe80::1%lo", "fe80::/10")


def test_an_address_found_twice_is_dialled_once():
    assert resolve("bot.example", "bot.example", found=("10.0.0.7", "10.0.0.7")) == ["10.0.0.7"]
