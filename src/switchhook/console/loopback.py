"""Who may ask a console that has no accounts: this machine only.

Tunnels and proxies connect from loopback too, and a browser can be led to a name that points
there. So the address of the peer says nothing; Host and the headers of proxies do.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from switchhook.console.view import encode_json
from switchhook.proxies import added_by_proxy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HINT = "ask by 127.0.0.1 or localhost on this machine, or through an SSH tunnel to that address"


class LoopbackOnly:
    """Refuses what did not come straight from this machine, with 403 and the reason."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = refusal(scope["headers"])
        if problem is None:
            await self._app(scope, receive, send)
            return
        body = encode_json({"error": {"parameter": None, "problem": problem, "hint": _HINT}})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def refusal(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Why a request with these headers is not answered; None where it is."""
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
