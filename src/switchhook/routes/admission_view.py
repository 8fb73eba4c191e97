"""How admission stands, as pages, API and metrics tell it: values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.routes.admission_feed import Became

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.routes.admission import Estimate
    from switchhook.routes.foreign import Compared


class AdmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """One account at `at_ms`.

    `lately` is what became of those who asked in 15 minutes, `just_now` of those of the last minute
    with when the last of them asked (Unix ms), `total` of all since the console
    started, by endpoint, class and that. `pending_ms` is how long a lease is pending, `age_ms` how
    old Exotel's figures are when they come, `given_up` how many leases were ended because the
    polls told of fewer streams; `compared` are the last polls, the oldest first.
    """

    account: str
    at_ms: int
    estimate: Estimate
    reserves: Mapping[str, int]
    lately: Mapping[Became, int]
    just_now: Mapping[Became, tuple[int, int]] = {}
    total: Mapping[tuple[str, str, Became], int]
    pending_ms: int
    age_ms: int
    given_up: int
    compared: tuple[Compared, ...]

    @property
    def gist(self) -> tuple[object, ...]:
        """What changes where anything that is shown has changed."""
        last = self.compared[-1] if self.compared else None
        now, asked = (
            self.estimate,
            (self.admitted, self.refused, self.by_rule, self.by_hand, self.unknown),
        )
        rounded = round(now.foreign, 1), round(now.reserve, 1)
        return now.held, now.room, now.unknown, bool(now.old), rounded, asked, last

    @property
    def admitted(self) -> int:
        """In 15 minutes."""
        return self.lately.get(Became.ADMITTED, 0)

    @property
    def refused(self) -> int:
        """For want of room, in 15 minutes."""
        return self.lately.get(Became.REFUSED, 0)

    @property
    def by_rule(self) -> int:
        """By a rule, in 15 minutes."""
        return self.lately.get(Became.BY_RULE, 0)

    @property
    def by_hand(self) -> int:
        """By what a person set, in 15 minutes."""
        return self.lately.get(Became.BY_HAND, 0)

    @property
    def unknown(self) -> int:
        """To whom the safe option was given as nothing was known, in 15 minutes."""
        return self.lately.get(Became.UNKNOWN, 0)
