"""Which release decides a caller's request while two are in use: sticky shares. Pure.

A caller's bucket is a number from 0 to 9,999: `h * 10,000 >> 64`, where `h` is the BLAKE2b of the
rollout's salt, a newline and the caller's key in 8 bytes, read big-endian. The candidate decides
for the buckets below the share, so that whoever has it keeps it as the share grows. The salt goes
by the candidate's text: the same callers have it again when a rollout is begun anew, in every
process and on every node. See docs/ship-a-change.md, "Who is in the canary".
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

BUCKETS = 10_000
"""Shares are counted in as many parts: 500 are 5 %."""
POOLS = "pools"
"""The subject of all pools together; that of an endpoint's rules is `rules/<endpoint>`."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A candidate that decides for a part of the callers of a subject.

    `number` is the release's, `hash` the SHA-256 of its text in hex; `share` 0 to 10,000 is the
    part of the callers that it decides for.
    """

    subject: str
    number: int
    hash: str
    share: int

    @property
    def salt(self) -> str:
        """What buckets are drawn with."""
        return salt_of(self.subject, self.hash)


class RolloutSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a receipt keeps of a rollout that was under way: who decided, and why it.

    `number` and `hash` are the candidate's; `canary` is whether the caller's `bucket` was below the
    `share`, so that the candidate decided.
    """

    number: int
    hash: str
    share: int
    bucket: int

    @property
    def canary(self) -> bool:
        """Whether the candidate decided."""
        return self.bucket < self.share


def subject_of(endpoint: str) -> str:
    """The subject of an endpoint's rules."""
    return f"rules/{endpoint}"


def salt_of(subject: str, hash: str) -> str:
    """What the buckets of a candidate's callers are drawn with."""
    return f"{subject}\n{hash[:16]}"


def bucket_of(salt: str, key: str) -> int:
    """The caller's bucket, 0 to 9,999."""
    digest = blake2b(f"{salt}\n{key}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") * BUCKETS >> 64


def seen_by(rollout: Rollout, key: str) -> RolloutSeen:
    """On which side of a rollout a caller is."""
    bucket = bucket_of(rollout.salt, key)
    return RolloutSeen(rollout.number, rollout.hash, rollout.share, bucket)
