"""Asks Exotel's API, and tries whether the hosts of messages and of the heartbeat answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from switchhook.doctor.machine_queries import date_seen
from switchhook.doctor.network_client import connects
from switchhook.exotel.answers import Outcome, Polled
from switchhook.exotel.client import ExotelClient
from switchhook.loopback import is_loopback

if TYPE_CHECKING:
    from switchhook.config.accounts import AccountConfig
    from switchhook.config.alerts import Destination
    from switchhook.doctor.machine import DateSeen

TIMEOUT_S = 8.0
_PORTS = {"https": 443, "http": 80, "mailto": 587, "mailtos": 587}


class _Clock:
    """The system's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Dated(httpx2.AsyncHTTPTransport):
    """Notes the Date of what it is answered."""

    date: str | None = None
    at_s = 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        self.date, self.at_s = response.headers.get("Date"), time.time()
        return response


def ask_account(account: AccountConfig) -> tuple[Polled, DateSeen | None]:
    """One question for an account's active streams, and Exotel's clock."""
    return asyncio.run(_ask(account))


async def _ask(account: AccountConfig) -> tuple[Polled, DateSeen | None]:
    if account.key is None or account.token is None:
        return Polled(Outcome.REFUSED, problem="it has no key or token"), None
    transport = _Dated(trust_env=False)
    client = ExotelClient(
        url=account.url,
        sid=account.sid,
        key=account.key.reveal(),
        token=account.token.reveal(),
        per_minute=account.rate_per_minute,
        clock=_Clock(),
        timeout_s=TIMEOUT_S,
        transport=transport,
    )
    try:
        polled = await client.active_streams()
    finally:
        await client.close()
    host = urlsplit(account.url).hostname or ""
    own = is_loopback(host)
    return polled, date_seen(host, transport.date, transport.at_s, own=own)


def reach_destination(destination: Destination) -> str | None:
    """Why messages to a destination can't go; None where its host takes connections."""
    import apprise

    sender = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True))
    if not sender.add(destination.url.reveal()):
        return "apprise can't use its address: see apprise's page of the service for its form"
    place = _place(sender[0])
    if place is None:
        return None  # it has no host of its own: a program on this machine, or a device
    host, port = place
    problem = connects(host, port, TIMEOUT_S)
    return f"its host is not reached: {problem}" if problem else None


def _place(service: Any) -> tuple[str, int] | None:
    """Where a service of apprise is: its own host, or that of the one address it always asks."""
    asked = getattr(service, "notify_url", None) or getattr(service, "webhook_url", None)
    if isinstance(asked, str) and asked.startswith("http"):
        parts = urlsplit(asked.partition("{")[0])
        if parts.hostname:
            return parts.hostname, parts.port or _PORTS[parts.scheme]
    host = getattr(service, "smtp_host", None) or getattr(service, "host", None)
    if not isinstance(host, str) or not host:
        return None
    default = 443 if getattr(service, "secure", False) else 80
    scheme = getattr(service, "secure_protocol", None)
    mail = getattr(service, "smtp_host", None) is not None or "mailtos" in (scheme or ())
    return host, getattr(service, "port", None) or (_PORTS["mailtos"] if mail else default)


def reach_monitor(url: str) -> str | None:
    """Why the heartbeat's monitor is not reached; no beat is sent."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    return connects(parts.hostname or "", port, TIMEOUT_S) or None
