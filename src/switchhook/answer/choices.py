"""What was answered, as a number that the journal and the memory of repeats can hold.

0 and 1 are Option A and B. What says more (a keyword for a SwitchCase, a member of a pool) has the
first 31 bits of the BLAKE2b of its words, so that the number outlives a restart and a change of the
configuration's order; whoever finds a number that nothing has any more decides anew.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from switchhook.rules.decide import Option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FALLBACK = 2
"""The fallback address of a voicebot endpoint."""
_FIRST_HASH = 16


class Choice(NamedTuple):
    """What a number stands for: an option, its keyword, or a member of a pool."""

    option: Option
    select: str = ""
    pool: str = ""
    member: str = ""


PLAIN = {0: Choice(Option.A), 1: Choice(Option.B)}


@lru_cache(maxsize=1024)  # they are a configuration's
def number_of(*words: str) -> int:
    """31 bits, the same in every process; never one of the few that mean something else."""
    digest = blake2b("\n".join(words).encode("utf-8", "replace"), digest_size=4).digest()
    return max(_FIRST_HASH, int.from_bytes(digest, "big") >> 1)


def choices_of(
    selects: Iterable[str] = (),
    members: Iterable[tuple[str, str]] = (),
    *,
    fallback: bool = False,
) -> Mapping[int, Choice]:
    """All that an endpoint can answer, by number: keywords, `(pool, member)`, its fallback."""
    found = dict(PLAIN)
    if fallback:
        found[FALLBACK] = Choice(Option.A)
    for select in selects:
        found[number_of("select", select)] = Choice(Option.A, select=select)
    for pool, member in members:
        found[number_of(pool, member)] = Choice(Option.A, pool=pool, member=member)
    return found
