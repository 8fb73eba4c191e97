"""What network an address lies in, in whatever form it is written."""

from __future__ import annotations

import pytest

from switchhook.networks import (
    LINK_LOCAL,
    PRIVATE,
    THIS_MACHINE,
    literal_address,
    looks_like_an_address,
    network_of_address,
    network_of_host,
)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        *(
            (host, THIS_MACHINE)
            for host in (
                "127.0.0.1",
                "127.0.0.1.",
                "2130706433",
                "0x7f000001",
                "0X7F.1",
                "0x7f.0x0.0x0.0x1",
                "017700000001",
                "0177.0.0.1",
                "127.1",
                "127.0.1",
                "0",
                "0x",
                "0.0.0.0",
                "::1",
                "::1%lo",
                "0:0:0:0:0:0:0:1",
                "::",
                "::ffff:127.0.0.1",
                "::ffff:7f00:1",
                "::127.0.0.1",
                "64:ff9b::7f00:1",
                "2002:7f00:1::",
                "localhost",
                "LOCALHOST.",
                "bot.localhost",
                "localhost.localdomain",
            )
        ),
        *(
            (host, LINK_LOCAL)
            for host in ("169.254.169.254", "0xa9fea9fe", "fe80::1", "fe80::1%eth0", "2606::1%eth0")
        ),
        *(
            (host, PRIVATE)
            for host in (
                "10.1.2.3",
                "0xa.1",
                "167772161",
                "012.0.0.1",
                "192.168.257",
                "172.16.0.1",
                "100.64.0.1",
                "fd00::1",
                "::ffff:10.0.0.1",
                "64:ff9b::a00:1",
                "224.0.0.1",
                "ff02::1",
            )
        ),
        *(
            (host, "")
            for host in (
                "8.8.8.8",
                "134744072",
                "010.8.8.8",
                "::ffff:8.8.8.8",
                "2001:4860:4860::8888",
                "64:ff9b::808:808",
                "bot.example",
                "10.example",
                "localhost.example",
                "0x7f.example",
                "",
            )
        ),
    ],
)
def test_the_network_of_a_host(host, network):
    assert network_of_host(host) == network


def test_a_name_is_no_address():
    assert network_of_address("localhost") == ""
    assert literal_address("bot.example") is None


@pytest.mark.parametrize("host", ["1.2.3.256", "1.2.3.4.5", "256.1.1", "4294967296", "08.1.1.1"])
def test_what_only_looks_like_an_address_is_none(host):
    assert literal_address(host) is None
    assert looks_like_an_address(host)


@pytest.mark.parametrize("host", ["bot.example", "1.bot", "0x7g", "a1", ""])
def test_a_name_does_not_look_like_an_address(host):
    assert not looks_like_an_address(host)
