"""What streams are counted, listed and grouped by: a few words that many of them share."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from switchhook.exotel.passthru import Direction, Stream

MOST_FACETS = 5000
"""The ceiling: hosts and numbers come from outside, and whoever sends them could invent many."""


class Facet(msgspec.Struct, frozen=True, order=True, gc=False):
    """One combination; an empty text is what was not said.

    `status` and `cause` are the stream's, `option` what was answered, `kind` that of the error,
    `host` the bot's by its StreamUrl without port, `exophone` the number that was called or
    calls, in E.164.
    """

    endpoint: str
    status: str
    cause: str
    option: str
    kind: str = ""
    host: str = ""
    exophone: str = ""


class Tally(msgspec.Struct, frozen=True):
    """How many streams of one facet were first told of in the stretch that begins at `at_ms`."""

    at_ms: int
    facet: Facet
    streams: int


class Use(msgspec.Struct, frozen=True):
    """A facet over all time: when a stream of it was first and last told of, and how many."""

    facet: Facet
    first_ms: int
    last_ms: int
    streams: int


class Count(msgspec.Struct, frozen=True):
    """What the answer process counted under one name in the minute that begins at `at_ms`."""

    at_ms: int
    name: str
    count: int


class Form(msgspec.Struct, frozen=True):
    """How often requests of an endpoint had some form in the hour that begins at `at_ms`.

    `aspect` is dialect, defect or key; `value` which one.
    """

    at_ms: int
    endpoint: str
    aspect: str
    value: str
    count: int


class RuleHits(msgspec.Struct, frozen=True):
    """How many passthrus a rule of a release decided in some hours, and which was its last ever.

    `rule` is what receipts name: also `default`, `safe option`, `repeat`.
    """

    endpoint: str
    release: str
    rule: str
    option: str
    hits: int
    last_ms: int
    last_seq: int


_LONGEST_HOST = 253
_LONGEST_CACHED = 300
_NUMBER = re.compile(r"\+?[0-9]{3,20}")


def exophone_of(direction: str | None, from_: str | None, to: str | None) -> str:
    """The account's own number of the two; empty where that is none."""
    number = from_ if direction == Direction.OUTBOUND else to
    return number if number and _NUMBER.fullmatch(number) else ""


def host_of(stream: Stream | None) -> str:
    """The bot's host as its URL names it; empty where there is none."""
    if stream is None or not stream.url:
        return ""
    # Before the cache, so that it holds no text of any length.
    url = stream.url.strip().partition("?")[0]
    return _host(url) if len(url) <= _LONGEST_CACHED else _host.__wrapped__(url)


@lru_cache(maxsize=1024)
def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ""
    return (host or "")[:_LONGEST_HOST]
