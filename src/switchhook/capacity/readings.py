"""How many streams ran and were allowed, as it was read."""

from __future__ import annotations

import msgspec


class Reading(msgspec.Struct, frozen=True):
    """What an account said at `at_ms`.

    `active` is None where it could not be learnt, and `problem` says why; `allowed` is None where
    the answer doesn't say.
    """

    account: str
    at_ms: int
    active: int | None
    allowed: int | None = None
    problem: str = ""


class Span(msgspec.Struct, frozen=True):
    """The readings of a stretch of `width_ms` that begins at `at_ms`; a width of 0 is one reading.

    `lowest`, `mean` and `highest` are of streams in use, None where nothing could be read;
    `unread` is how many polls told nothing, `readings` how many told something.
    """

    at_ms: int
    width_ms: int
    lowest: int | None
    mean: float | None
    highest: int | None
    allowed: int | None
    readings: int
    unread: int = 0
    problem: str = ""


def headroom(active: int | None, allowed: int | None) -> int | None:
    """Streams left; none are left beyond the limit, and nothing is known where either isn't."""
    return None if active is None or allowed is None else max(0, allowed - active)


def share_of(active: int | None, allowed: int | None) -> float | None:
    """The share in use; None where it isn't known. An account that may have none has it full."""
    if active is None or allowed is None:
        return None
    return active / allowed if allowed else 1.0
