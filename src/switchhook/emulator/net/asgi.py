"""ASGI's types, and one word that it lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

WRITE = "switchhook.write"
"""In `scope["state"]` of a socket: a function that writes bytes on the connection as they are."""

DROP = "switchhook.drop"
"""In `scope["state"]`: a function that cuts the connection at once, which ASGI has no word for."""
