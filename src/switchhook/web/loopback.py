"""Who may ask a console that has no accounts: this machine only, and by its link.

Tunnels and proxies connect from loopback too, and a browser can be led to a name that points
there. So the address of the peer says nothing; Host, the headers of proxies and the old version of
HTTP that some speak do. They may hide all of that, so the link is asked for beside it.
"""

from __future__ import annotations

import ipaddress

from switchhook.loopback import added_by_proxy


def refusal(headers: list[tuple[bytes, bytes]], version: str = "1.1") -> str | None:
    """Why a request with these headers, in this version of HTTP, is not answered; None if it is."""
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
    if len(hosts) != 1 or not _is_loopback(hosts[0].decode("latin-1")):
        return "its Host is not an address of this machine"
    return None


def _is_loopback(host: str) -> bool:
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
