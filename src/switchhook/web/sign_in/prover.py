"""Whether somebody is who they say: passwords, codes and passkeys, as often as one may try.

All draw on the same tries; codes, which have few digits, on scarce ones besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.access.audit import Deed
from switchhook.access.passkeys import Unproven, asserted, copied
from switchhook.access.second_factor import hashed_recovery, matching_step
from switchhook.access.sign_in import LoginLimit
from switchhook.exotel.rate_limit import Rate
from switchhook.web.sign_in.password_hashing import Hashing, TooBusy

if TYPE_CHECKING:
    from switchhook.access.users import User
    from switchhook.web.sign_in.challenges import Challenge
    from switchhook.web.sign_in.request_origin import RequestOrigin
    from switchhook.web.sign_in.sessions import SessionLookup

CODES = Rate(5, 900_000)
"""Five codes, and one more every quarter of an hour: 101 in a day. Three of a million are right at
any time, as the clock may be off by a step: three in ten thousand are guessed in a day."""
BUSY_S = 5


class TriesOver(Exception):  # noqa: N818 - a page turns it into a sentence
    """Somebody has to wait so many seconds before the next try."""

    def __init__(self, wait_s: int, status: int = 429) -> None:
        self.wait_s, self.status = wait_s, status
        super().__init__()

    @property
    def sentence(self) -> str:
        wait = f"{self.wait_s} seconds" if self.wait_s < 120 else f"{-(-self.wait_s // 60)} minutes"
        return f"Too many tries. Try again in {wait}."


class Prover:
    """Checks who somebody is. Raises TriesOver; LedgerError where it can't be looked up."""

    def __init__(self, lookup: SessionLookup, hashing: Hashing) -> None:
        self._lookup, self._hashing = lookup, hashing
        self._passwords = LoginLimit()
        self._codes = LoginLimit(CODES, CODES)

    async def password(
        self, name: str, password: str, request_origin: RequestOrigin
    ) -> User | None:
        """The user whose password it is; None where it is nobody's.

        With a second factor the try is given back by `code` or `passkey`.
        """
        self._take(self._passwords, name, request_origin)
        users = self._lookup.ledger.users
        user = await self._lookup.in_thread(users.named, name)
        kept = user.password_hash if user is not None and not user.disabled else None
        try:
            right = await self._hashing.matches(password, kept)
        except TooBusy:
            raise TriesOver(BUSY_S, 503) from None
        if user is None or not right:
            # What was typed as a name may be a password: only a known name is noted.
            whom = "" if user is None else user.name
            await self._note(whom or "somebody", "failed to sign in", whom, request_origin)
            return None
        if not user.second_factor:
            self._give_back(self._passwords, name, request_origin)
        return user

    async def code(self, user: User, code: str, request_origin: RequestOrigin) -> bool:
        """Whether it is the app's code or a recovery code, not used before; it is used up."""
        self._take(self._passwords, user.name, request_origin)
        self._take(self._codes, user.name, request_origin)
        right = await self._lookup.in_thread(self._use, user, code, request_origin)
        if not right:
            await self._note(user.name, "failed the second factor", user.name, request_origin)
            return False
        self._give_back(self._codes, user.name, request_origin)
        self._give_back_both(user, request_origin)
        return True

    async def passkey(
        self, user: User, said: str, challenge: Challenge | None, request_origin: RequestOrigin
    ) -> bool:
        """Whether one of the user's passkeys has signed the challenge; the use is noted.

        `said` is a browser's JSON. The challenge must be taken from whoever gave it out before, so
        that it counts once.
        """
        self._take(self._passwords, user.name, request_origin)
        problem = "its challenge was used or is too old"
        if challenge is not None:
            problem = await self._lookup.in_thread(self._use_passkey, user, said, challenge)
        if problem:
            details = {"passkey": problem}
            await self._note(
                user.name, "failed the second factor", user.name, request_origin, details
            )
            return False
        self._give_back_both(user, request_origin)
        return True

    def _use_passkey(self, user: User, said: str, challenge: Challenge) -> str:
        """What is wrong with it; "" where it holds, and then its use is noted."""
        passkeys = self._lookup.ledger.passkeys
        found = asserted(said, challenge.bytes, challenge.party, passkeys.of(user.id))
        if isinstance(found, Unproven):
            return found.why
        if copied(found.passkey.sign_count, found.sign_count) or not passkeys.use(
            found.passkey.id, found.sign_count, self._lookup.now_us()
        ):
            return f"its count went back, {found.passkey.name} may have been copied"
        return ""

    def _give_back_both(self, user: User, request_origin: RequestOrigin) -> None:
        for _ in ("the password's", "the second factor's"):
            self._give_back(self._passwords, user.name, request_origin)

    def _use(self, user: User, code: str, request_origin: RequestOrigin) -> bool:
        factors, now_us = self._lookup.ledger.second_factors, self._lookup.now_us()
        factor = factors.of(user.id)
        if factor is not None:
            step = matching_step(factor.secret, code, now_us, factor.last_step)
            if step is not None:
                return factors.use_step(user.id, step)
        hashed = hashed_recovery(code)
        if hashed is None:
            return False
        left = {"left": str(factors.codes_left(user.id) - 1)}
        deed = _deed(user.name, "used a recovery code", user.name, request_origin, left)
        return factors.use_code(user.id, hashed, deed, now_us)

    async def _note(
        self,
        who: str,
        what: str,
        subject: str,
        request_origin: RequestOrigin,
        details: dict[str, str] | None = None,
    ) -> None:
        deed = _deed(who, what, subject, request_origin, details or {})
        await self._lookup.in_thread(self._lookup.ledger.audit.note, deed, self._lookup.now_us())

    def _take(self, limit: LoginLimit, name: str, request_origin: RequestOrigin) -> None:
        wait_s = limit.take(name, request_origin.address, self._lookup.steady_us() // 1_000)
        if wait_s:
            raise TriesOver(wait_s)

    def _give_back(self, limit: LoginLimit, name: str, request_origin: RequestOrigin) -> None:
        limit.give_back(name, request_origin.address, self._lookup.steady_us() // 1_000)


def _deed(
    who: str, what: str, subject: str, request_origin: RequestOrigin, details: dict[str, str]
) -> Deed:
    return Deed(who=who, what=what, subject=subject, origin=request_origin.address, details=details)


class Pending(msgspec.Struct, frozen=True):
    """Somebody whose password was right, on the way to the second step."""

    user: User
    next: str
    how: str
    until_us: int
