"""Whether something is this machine's own: an address, or a request that came straight from here.

A port without a secret trusts its own machine only. Tunnels and proxies connect from loopback too,
and a browser can be led to a name that points there. So the address of the peer says nothing; Host,
the headers of proxies and the old version of HTTP that some speak do.
"""

from __future__ import annotations

import ipaddress

_FAMILY = b"x-forwarded-"
ADDED_BY_PROXIES = frozenset(
    (
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-envoy-external-address",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ray",
        b"cdn-loop",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"ngrok-skip-browser-warning",
        b"x-amzn-trace-id",
        b"x-azure-clientip",
    )
)


def added_by_proxy(name: bytes) -> bool:
    """Whether a header, its name in lower case, is one that proxies add."""
    return name in ADDED_BY_PROXIES or name.startswith(_FAMILY)


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine: `localhost`, or an address of its own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def why_not_straight(headers: list[tuple[bytes, bytes]], version: str = "1.1") -> str | None:
    """What shows that a request, by its headers and version of HTTP, came by others; None if not.

    A proxy may hide all of that: where this is all that is asked, ask for a secret beside it.
    """
    if version.startswith("1.0"):
        return "it came in HTTP/1.0, as proxies send it"
    hosts = []
    for name, value in headers:
        low = name.lower()
        if low == b"host":
            hosts.append(value)
        elif added_by_proxy(low):
            shown = low.decode("latin-1")
            return f"it came through a proxy or tunnel, as its header {shown} says"
    if len(hosts) != 1 or not is_loopback(without_port(hosts[0].decode("latin-1").strip())):
        return "its Host is not an address of this machine"
    return None


def without_port(host: str) -> str:
    """The name or address in the value of a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host
