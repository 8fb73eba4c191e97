"""What browsers are asked for by passkeys: one-use challenges, each for one session and purpose."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from switchhook.access.passkeys import (
    CHALLENGE_BYTES,
    CHALLENGE_LIFE_US,
    RelyingParty,
    relying_party,
    request_options,
)
from switchhook.web.sign_in.tokens import hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.access.passkeys import Passkey
    from switchhook.access.users import User
    from switchhook.web.sign_in.request_origin import RequestOrigin
    from switchhook.web.sign_in.sessions import SessionLookup

MOST = 1_000


class Challenge(msgspec.Struct, frozen=True):
    """A challenge, and the console's address at which it was given out."""

    bytes: bytes
    party: RelyingParty


class Challenges:
    """Those of one purpose, given out and not answered yet; lost with the process.

    `steady_us` is a clock that nobody sets. Whoever is given another has the one before no more.
    """

    def __init__(self, lookup: SessionLookup) -> None:
        self._lookup = lookup
        self._given: OrderedDict[bytes, tuple[Challenge, int]] = OrderedDict()

    def give(self, holder: str, party: RelyingParty) -> bytes:
        """A new challenge for the holder of a session, or of a proof of being on the way to one."""
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        until_us = self._lookup.steady_us() + CHALLENGE_LIFE_US
        key = hashed(holder)
        self._given.pop(key, None)
        self._given[key] = Challenge(challenge, party), until_us
        while len(self._given) > MOST:
            self._given.popitem(last=False)
        return challenge

    def take(self, holder: str) -> Challenge | None:
        """What the holder was given last, once, and while it lasts."""
        challenge, until_us = self._given.pop(hashed(holder), (None, 0))
        return challenge if self._lookup.steady_us() < until_us else None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a page asks somebody for as the second factor.

    `passkey` is what the browser is asked by, as JSON; "" where no passkey works at this address.
    `elsewhere` are the hosts where the user's passkeys do.
    """

    app: bool
    passkey: str = ""
    elsewhere: Sequence[str] = ()


async def what_to_ask(
    lookup: SessionLookup,
    challenges: Challenges,
    user: User,
    holder: str,
    request_origin: RequestOrigin,
) -> Asked:
    """What a user can show at this address, with a new challenge for their passkeys."""
    app, passkeys = await lookup.in_thread(_factors, lookup, user)
    party = relying_party(request_origin.origin)
    here = [each for each in passkeys if each.rp_id == party.id and not party.problem]
    if not here:
        return Asked(app=app, elsewhere=sorted({each.rp_id for each in passkeys}))
    challenge = challenges.give(holder, party)
    return Asked(app=app, passkey=await lookup.in_thread(request_options, party, challenge, here))


def _factors(lookup: SessionLookup, user: User) -> tuple[bool, list[Passkey]]:
    ledger = lookup.ledger
    return ledger.second_factors.of(user.id) is not None, ledger.passkeys.of(user.id)
