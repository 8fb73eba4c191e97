"""A token bucket: how many requests may be made at once, and how they come back."""

from __future__ import annotations

import math

import msgspec


class Bucket(msgspec.Struct, frozen=True):
    """The questions that an account may be asked: `per_minute` in any minute, a few at once.

    A sixth of them may come at once, the rest drips in, so no minute sees more than all of them.
    `held_ms` is until when nobody may ask. Its times are of a clock that never goes back.
    """

    per_minute: int
    tokens: float
    at_ms: int
    held_ms: int = 0

    @property
    def most(self) -> float:
        """How many may come at once."""
        return max(1.0, self.per_minute / 6)

    @property
    def per_ms(self) -> float:
        """How fast it fills."""
        return max(self.per_minute - self.most, self.per_minute / 6) / 60_000


def full_bucket(per_minute: int, now_ms: int) -> Bucket:
    """A bucket that nobody has taken from."""
    bucket = Bucket(per_minute, 0, now_ms)
    return msgspec.structs.replace(bucket, tokens=bucket.most)


def take(bucket: Bucket, now_ms: int, *, reserve: float = 0) -> tuple[Bucket, int]:
    """Take one question: the bucket after it, and 0; or the ms to wait, and nothing is taken.

    `reserve` is what has to be left in it, for those who matter more.
    """
    tokens = min(bucket.most, bucket.tokens + max(0, now_ms - bucket.at_ms) * bucket.per_ms)
    filled = msgspec.structs.replace(bucket, tokens=tokens, at_ms=max(now_ms, bucket.at_ms))
    if now_ms < bucket.held_ms:
        return filled, bucket.held_ms - now_ms
    wanted = min(1 + reserve, bucket.most)
    if tokens < wanted:
        return filled, max(1, math.ceil((wanted - tokens) / bucket.per_ms))
    return msgspec.structs.replace(filled, tokens=tokens - 1), 0


def hold(bucket: Bucket, until_ms: int) -> Bucket:
    """The bucket of an account that asked to be left alone until then."""
    return msgspec.structs.replace(bucket, held_ms=max(bucket.held_ms, until_ms))
