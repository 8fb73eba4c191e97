"""What network an address lies in: the Internet, or one that only we can reach.

A host of a URL is an address in more forms than the usual one. Whoever connects reads `2130706433`,
`0x7f.1` and `0177.0.0.1` as 127.0.0.1, as inet_aton did (WHATWG URL, "IPv4 parser"); IPv6 holds
addresses of IPv4 in four ways (RFC 4291, 6052 and 3056).
"""

from __future__ import annotations

import ipaddress
import re

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

THIS_MACHINE, LINK_LOCAL, PRIVATE = "this machine", "a link-local network", "a private network"
_OWN_NAMES = frozenset(("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"))
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_IPV4 = 0xFFFF_FFFF


def network_of_host(host: str) -> str:
    """What network of its own a host of a URL lies in by itself; empty for others and for names."""
    bare = host.removesuffix(".").lower()
    if bare in _OWN_NAMES or bare.endswith(".localhost"):
        return THIS_MACHINE
    return network_of_address(host)


def network_of_address(text: str) -> str:
    """What network of its own an address lies in; empty for the Internet's, and for no address."""
    address, _, zone = text.partition("%")
    found = literal_address(address)
    if found is None:
        return ""
    found = _ipv4_in(found)
    if found.is_loopback or found.is_unspecified:
        return THIS_MACHINE
    if found.is_link_local or zone:
        return LINK_LOCAL
    return "" if found.is_global and not found.is_multicast else PRIVATE


def literal_address(host: str) -> IPAddress | None:
    """The address that a host is, in any form that is read as one; None for a name."""
    bare = host.removesuffix(".")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    parts = bare.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(each) for each in parts):
        return None
    try:
        *firsts, last = map(_number, parts)
    except ValueError:
        return None
    if any(each > 255 for each in firsts) or last >= 256 ** (4 - len(firsts)):
        return None
    whole = sum(each << 8 * (3 - at) for at, each in enumerate(firsts))
    return ipaddress.IPv4Address(whole + last)


def looks_like_an_address(host: str) -> bool:
    """Whether a host ends in a number, so that nobody takes it for a name."""
    last = host.removesuffix(".").rpartition(".")[2]
    return _NUMBER.fullmatch(last) is not None


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if text[0] == "0" and len(text) > 1 else 10)


def _ipv4_in(found: IPAddress) -> IPAddress:
    """The address of IPv4 that one of IPv6 stands for, else itself."""
    if not isinstance(found, ipaddress.IPv6Address):
        return found
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    whole = int(found)
    if found in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(whole >> 80 & _IPV4)
    if found in _NAT64 or (found in _COMPATIBLE and whole > 1):
        return ipaddress.IPv4Address(whole & _IPV4)
    return ipaddress.IPv6Address(whole)
