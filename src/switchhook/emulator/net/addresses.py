"""The allow-list: what may be dialled. Every name is resolved, checked, and dialled as checked.

Loopback is free. Anything else is dialled only where the person who started the emulator named
it. Cloud metadata and link-local addresses are never dialled, whoever names them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ConfigError, SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Iterable

    IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS over IPv6
        "100.100.100.200/32",  # Alibaba
        "0.0.0.0/8",
        "::/128",
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "ff00::/8",
        "64:ff9b:1::/48",  # RFC 8215: an IPv4 address is inside, but where is a local matter
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_PORTS = 65536


class RefusedError(SwitchhookError):
    """An address that must not be dialled; nothing was sent."""

    def __init__(self, host: str, problem: str, hint: str) -> None:
        self.host, self.problem, self.hint = host, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.host} is not dialled: {self.problem} ({self.hint})"


class NotFoundError(SwitchhookError):
    """A name that leads nowhere."""

    def __init__(self, host: str, problem: str) -> None:
        self.host = host
        super().__init__(f"{host}: {problem}" if host else problem)


class ResolvedAddress(msgspec.Struct, frozen=True):
    """A checked address."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class Allowed(msgspec.Struct, frozen=True):
    """One entry of the list: a host name, `*.suffix`, an address or a network; maybe a port."""

    host: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, ip: IP, port: int) -> bool:
        """Whether it names this place."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return ip in self.network
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


def read_allowed(text: str) -> Allowed:
    """Read an entry. Raises ConfigError for one that can't be meant."""
    host, port = _split_port(text.strip().lower())
    host = host.rstrip(".")
    if port is not None and not 0 < port < _PORTS:
        raise ConfigError(f"{text!r} has no port from 1 to {_PORTS - 1}", key="--allow")
    try:
        return Allowed(network=ipaddress.ip_network(host.strip("[]"), strict=False), port=port)
    except ValueError:
        bare = host.removeprefix("*.")
        if not bare or any(not (c.isalnum() or c in "-._") for c in bare):
            raise ConfigError(
                f"{text!r} is no host, address or network",
                key="--allow",
                hint='write "bot.example", "*.example", "10.0.0.7", "10.0.0.0/8" or "host:8443"',
            ) from None
        return Allowed(host=host, port=port)


def verdict(host: str, ip: IP, port: int, allowed: Iterable[Allowed]) -> str | None:
    """Why an address must not be dialled, or None."""
    real = unwrap(ip)
    if any(each in network for each in (ip, real) for network in _NEVER):
        return f"{ip} is link-local, cloud metadata or no host's address"
    if real.is_loopback and real is not ip and not _mapped(ip):
        return f"{ip} means {real} to whoever translates it, which is not this machine"
    if real.is_loopback:
        return None
    if any(entry.covers(host, each, port) for entry in allowed for each in (ip, real)):
        return None
    return f"{ip} is not on this machine"


def unwrap(ip: IP) -> IP:
    """The IPv4 address inside an IPv6 one: mapped, 6to4, Teredo, NAT64."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip.teredo is not None:
            return ip.teredo[1]
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _mapped(ip: IP) -> bool:
    """Whether the system itself takes an IPv6 address for the IPv4 one inside."""
    return isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None


class AddressAllowList:
    """Resolves names to addresses that may be dialled."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = [read_allowed(text) for text in allowed]

    async def resolve(self, host: str, port: int) -> list[ResolvedAddress]:
        """The addresses to dial. Raises RefusedError where none may be, NotFoundError for none."""
        host = host.lower().rstrip(".").strip("[]")
        if not host:
            raise NotFoundError(host, "the URL names no host")
        found = await _look_up(host, port)
        good, reasons = [], []
        for ip in found:
            problem = verdict(host, ip, port, self.allowed)
            if problem is None:
                good.append(ResolvedAddress(str(ip), port))
            else:
                reasons.append(problem)
        if not good:
            raise RefusedError(
                host, reasons[0], f"to allow it, start the emulator with --allow {host}"
            )
        return good


async def _look_up(host: str, port: int) -> list[IP]:
    try:
        return [ipaddress.ip_address(host.partition("%")[0])]
    except ValueError:
        pass
    if host == "localhost":
        # The system may be set up to know it under one family only, or not at all.
        return [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, ValueError):  # a label too long, a zero byte
        raise NotFoundError(host, "no such host") from None
    texts = dict.fromkeys(str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found)
    return [ipaddress.ip_address(text) for text in texts]


def _split_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    one_colon = text.count(":") == 1 or host.endswith("]")
    if colon and one_colon and port.isascii() and port.isdigit():
        return host, int(port)
    return text, None
