"""A token bucket: how often something may be done at once, and how it comes back.

Times are of a clock that never goes back, or one that gives nothing away where it does.
"""

from __future__ import annotations

import math

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """At most `burst` at once, and one more every `every_ms`."""

    burst: float
    every_ms: float


def rate_of(per_minute: int) -> Rate:
    """The questions that an account may be asked: `per_minute` in any minute, a few at once.

    A sixth of them may come at once, the rest drips in, so no minute sees more than all of them.
    """
    burst = max(1.0, per_minute / 6)
    return Rate(burst, 60_000 / max(per_minute - burst, per_minute / 6))


class Bucket(msgspec.Struct, frozen=True):
    """What is left of a rate, and when that was so; until `held_ms` nobody may take from it."""

    rate: Rate
    tokens: float
    at_ms: int
    held_ms: int = 0


def full_bucket(rate: Rate, now_ms: int) -> Bucket:
    """A bucket that nobody has taken from."""
    return Bucket(rate, rate.burst, now_ms)


def take(bucket: Bucket, now_ms: int, *, reserve: float = 0) -> tuple[Bucket, int]:
    """Take one: the bucket after it, and 0; or the ms to wait, and nothing is taken.

    `reserve` is what has to be left in it, for those who matter more.
    """
    filled = _filled(bucket, now_ms)
    if now_ms < bucket.held_ms:
        return filled, bucket.held_ms - now_ms
    wanted = min(1 + reserve, bucket.rate.burst)
    if filled.tokens < wanted:
        return filled, max(1, math.ceil((wanted - filled.tokens) * bucket.rate.every_ms))
    return msgspec.structs.replace(filled, tokens=filled.tokens - 1), 0


def put_back(bucket: Bucket, now_ms: int) -> Bucket:
    """The bucket with one more in it, as what was taken did not count."""
    filled = _filled(bucket, now_ms)
    return msgspec.structs.replace(filled, tokens=min(filled.tokens + 1, bucket.rate.burst))


def hold(bucket: Bucket, until_ms: int) -> Bucket:
    """The bucket of one who asked to be left alone until then."""
    return msgspec.structs.replace(bucket, held_ms=max(bucket.held_ms, until_ms))


def _filled(bucket: Bucket, now_ms: int) -> Bucket:
    gained = max(0, now_ms - bucket.at_ms) / bucket.rate.every_ms
    tokens = min(bucket.rate.burst, bucket.tokens + gained)
    return msgspec.structs.replace(bucket, tokens=tokens, at_ms=max(now_ms, bucket.at_ms))
