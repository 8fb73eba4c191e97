"""What came of asking Exotel's API."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What became of one question to Exotel's API."""

    READ = "read"
    """A figure."""
    UNREADABLE = "unreadable"
    """An answer without a figure."""
    LIMITED = "limited"
    """429: too many questions."""
    FAILING = "failing"
    """5xx."""
    UNREACHABLE = "unreachable"
    """No answer: no connection, or not in time."""
    REFUSED = "refused"
    """Another 4xx, or a redirect: asking again mends nothing until somebody does."""


class Polled(msgspec.Struct, frozen=True):
    """The answer to one poll. `retry_after_s` is how long Exotel asked to be left alone."""

    outcome: Outcome
    active: int | None = None
    allowed: int | None = None
    problem: str = ""
    retry_after_s: float | None = None


MOST_RETRY_AFTER_S = 600.0
"""The longest that an answer can silence us."""
