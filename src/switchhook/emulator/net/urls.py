"""Configured URLs: as they may be shown, told, and dialled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_USER_INFO = re.compile(r"(?<=://)[^/?#@]*@")
_NAMES = r"(?:[\w.-]*(?:token|secret|password|api[_-]?key)|key|auth|sig)"
_SECRET = re.compile(rf"(?i)([?&]{_NAMES}=)[^&#]*")
_SECRET_NAME = re.compile(rf"(?i){_NAMES}")
NO_PASSTHRU = "https://no-passthru.invalid/200"
"""What stands for a passthru where none is named: a name that no DNS has (RFC 2606)."""
HIDDEN = "…"
"""What is shown for a secret."""


def without_credentials(url: str) -> str:
    """The URL without `user:password@`."""
    return _USER_INFO.sub("", url)


def shown(url: str) -> str:
    """The URL as traces and terminals show it: without credentials and secrets in its query."""
    return _SECRET.sub(rf"\1{HIDDEN}", without_credentials(url))


def shown_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """A URL's parameters as they may be shown, by name."""
    return {
        name: HIDDEN if _SECRET_NAME.fullmatch(name) else value
        for name, value in parameters.items()
    }


def with_secret(url: str, secret: str) -> str:
    """The URL with another value for every secret in its query."""
    return _SECRET.sub(lambda found: found[1] + quote(secret, safe=""), url)


def without_query(url: str) -> str:
    """The URL up to its `?`."""
    return url.partition("?")[0]


def host_of(url: str) -> str:
    """Host and port as written, in lower case: `bot.example:8090`."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
