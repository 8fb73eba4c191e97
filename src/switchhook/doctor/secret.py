"""Whether secrets are hard to guess, each for one endpoint, and changed now and then."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from switchhook.doctor.finding import ok, warn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.doctor.finding import Finding

LEAST_BITS = 64
"""What guessing through the network can't reach."""
OLDEST_S = 2 * 365 * 86_400
_PLACEHOLDER = re.compile(
    r"(?i)change.?me|example|placeholder|your.?secret|replace|insert|dummy|sample|password"
    r"|s3cret|secret|letmein|12345|abcdef|qwerty|0123|switchhook|exotel"
)
_DAY_S = 86_400
_MEND = "make another with `switchhook secret NAME`, let both in until the applet has it"


def judge_secrets(
    secrets: Mapping[str, Sequence[str]], ages_s: Mapping[str, Sequence[float]]
) -> list[Finding]:
    """One finding for each endpoint with secrets of the operator's.

    `ages_s` is how long ago the files were changed that they are in. No secret is in a finding.
    """
    used = Counter(each for some in secrets.values() for each in set(some))
    return [
        _judge(f"secrets of {name}", some, used, ages_s.get(name, ()))
        for name, some in secrets.items()
        if some
    ]


def _judge(
    check: str, secrets: Sequence[str], used: Counter[str], ages: Sequence[float]
) -> Finding:
    if any(_PLACEHOLDER.search(each) for each in secrets):
        return warn(check, "one looks like a placeholder or a word, which is tried first", _MEND)
    if any(bits_of(each) < LEAST_BITS for each in secrets):
        return warn(check, "one is short or regular, so that it can be guessed", _MEND)
    if any(used[each] > 1 for each in secrets):
        problem = "one lets requests in at another endpoint, too"
        return warn(check, problem, "give each endpoint its own: " + _MEND)
    many = f"{len(secrets)} secret{'s' if len(secrets) > 1 else ''}"
    if not ages:
        return ok(check, f"{many}, long and random")
    days = int(max(ages) // _DAY_S)
    if max(ages) > OLDEST_S:
        return warn(check, f"{many}, the oldest from {days} days ago: many have seen it", _MEND)
    return ok(check, f"{many}, long and random, the oldest from {days} days ago")


def bits_of(secret: str) -> float:
    """How many bits of chance a text may hold at the most, by how often its letters occur."""
    if not secret:
        return 0.0
    counts, size = Counter(secret), len(secret)
    return -sum(n * math.log2(n / size) for n in counts.values())
