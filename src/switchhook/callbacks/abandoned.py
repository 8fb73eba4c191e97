"""Abandoned calls: who answers finds nobody there. While that is so nobody else is called. Pure.

That a stream failed is told at once, a talk only at its end: so a call that is on for longer than
it can ring counts as one that goes well. After two that failed, with none that went well since, one
is called at a time, a minute after the last, to see whether somebody is there again; sooner where
the streams of callers go well again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKED_AT_MS = 15 * 60_000
"""How far back calls are looked at."""
LEAST = 2
APART_MS = 60_000
_GOES_WELL_MS = 10_000
BACK_MS = 15_000
"""From the last that failed, until a caller's stream that ends well says that somebody is there."""
_TRIED_MS = 120_000
"""How long the one that is called to see may take to tell."""


class CallOfLate(msgspec.Struct, frozen=True):
    """A callback that was asked for at `asked_ms`, Unix ms.

    `talk_s` is None where no talk is told of yet, 0 where its stream failed; `on` is whether it is
    on its way, and `placed` whether Exotel is known to call.
    """

    asked_ms: int
    talk_s: int | None
    on: bool
    placed: bool


class Abandoned(msgspec.Struct, frozen=True):
    """Why nobody, or one alone, is called: `why` is empty where one may be called to see.

    `last_ms` is when the last that failed was asked for.
    """

    why: str
    last_ms: int


def abandoned(calls: Sequence[CallOfLate], ring_s: int, now_ms: int) -> Abandoned | None:
    """What follows from an account's calls of late, newest first; None where all is well."""
    failed: list[CallOfLate] = []
    for each in calls:
        if _goes_well(each, ring_s, now_ms):
            break
        if each.talk_s == 0:
            failed.append(each)
    if len(failed) < LEAST:
        return None
    last_ms = failed[0].asked_ms
    wait_s = math.ceil((last_ms + APART_MS - now_ms) / 1000)
    if wait_s > 0:
        return Abandoned(
            last_ms=last_ms,
            why=f"the last {len(failed)} who answered found nobody there; one is called again in"
            f" {wait_s} s, to see",
        )
    trying = any(
        each.on and each.asked_ms > last_ms and now_ms - each.asked_ms < _TRIED_MS for each in calls
    )
    why = "one is being called, to see whether somebody is there" if trying else ""
    return Abandoned(why, last_ms)


def _goes_well(call: CallOfLate, ring_s: int, now_ms: int) -> bool:
    on_for_long = now_ms - call.asked_ms > ring_s * 1000 + _GOES_WELL_MS
    return bool(call.talk_s) or (call.on and call.placed and on_for_long)
