"""Which bot of a plan an address is."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.emulator.plan.plan import Bot

_PORTS = {"ws": 80, "wss": 443}


def bot_key(url: str) -> str:
    """Host, port and path: what is the same in two addresses of one bot.

    >>> bot_key("wss://user:pass@Bot.example/media?lang=hi")
    'bot.example:443/media'
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme.lower(), 0)
    except ValueError:  # a port that is none: the dial itself says so
        return url
    return f"{(parts.hostname or '').lower()}:{port}{parts.path or '/'}"


def is_here(host: str | None) -> bool:
    """Whether a host is this machine itself: `localhost`, or any loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_address(text: str | None) -> bool:
    """Whether a bot is named by where it is dialled."""
    return text is not None and text.startswith(("ws://", "wss://"))


def bots_at(url: str, bots: Mapping[str, Bot]) -> frozenset[str]:
    """By what a bot at this address may be named: its key, and its names in the plan."""
    key = bot_key(url)
    return frozenset({key, *(name for name, bot in bots.items() if bot_key(bot.url) == key)})
