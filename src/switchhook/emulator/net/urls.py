"""Configured URLs: as they may be shown, told, and dialled."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_USER_INFO = re.compile(r"(?<=://)[^/?#@]*@")
_SECRET = re.compile(
    r"(?i)([?&](?:[\w.-]*(?:token|secret|password|api[_-]?key)|key|auth|sig)=)[^&#]*"
)


def without_credentials(url: str) -> str:
    """The URL without `user:password@`."""
    return _USER_INFO.sub("", url)


def shown(url: str) -> str:
    """The URL as traces and terminals show it: without credentials and secrets in its query."""
    return _SECRET.sub(r"\1…", without_credentials(url))


def with_secret(url: str, secret: str) -> str:
    """The URL with another value for every secret in its query."""
    return _SECRET.sub(lambda found: found[1] + quote(secret, safe=""), url)


def without_query(url: str) -> str:
    """The URL up to its `?`."""
    return url.partition("?")[0]


def host_of(url: str) -> str:
    """Host and port as written, in lower case: `bot.example:8090`."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
