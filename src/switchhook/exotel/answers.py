"""What came of asking Exotel's API."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchhook.exotel.wire.calls import CallRecord
    from switchhook.exotel.wire.number_metadata import NumberMetadata
    from switchhook.exotel.wire.whitelist import WhitelistEntry


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


class Listed(msgspec.Struct, frozen=True):
    """A page of the list of calls; `more` is whether there may be others behind it.

    Calls that are going on need not be on it (exotel-platform E.4).
    """

    outcome: Outcome
    records: tuple[CallRecord, ...] = ()
    more: bool = False
    problem: str = ""
    retry_after_s: float | None = None


class Whitelisted(msgspec.Struct, frozen=True):
    """How a number stands on Exotel's whitelist."""

    outcome: Outcome
    entry: WhitelistEntry | None = None
    problem: str = ""
    retry_after_s: float | None = None


class NumberTold(msgspec.Struct, frozen=True):
    """What Exotel knows of a number."""

    outcome: Outcome
    metadata: NumberMetadata | None = None
    problem: str = ""
    retry_after_s: float | None = None
