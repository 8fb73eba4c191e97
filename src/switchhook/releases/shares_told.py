"""What answer processes are told of canaries: who decides for which share, and up to when it holds.

It is told when it changes, and for each second more up to which it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.releases.release import ReleaseState
from switchhook.rules.rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from switchhook.releases.release import Standing
    from switchhook.streams.journal_feed import Moment

TELL_MS = 1_000


class Facts(Protocol):
    """What tells the answer processes: capacity.facts_file.FactsFile. Raises OSError."""

    def tell_rollouts(
        self, rollouts: Iterable[Rollout], as_of_ms: int, as_of_mono_ms: int
    ) -> None: ...


class SharesTold:
    """See above. One thread at a time."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._told: tuple[Rollout, ...] = ()
        self._at_ms, self._as_of_ms = 0, -TELL_MS

    def tell(
        self,
        standings: Iterable[Standing],
        stopped: Collection[int],
        as_of: Moment | None,
        now_ms: int,
    ) -> None:
        """Tell of those in canary; of those that were stopped a share of 0. Raises OSError.

        `as_of` is up to when everything was heard, None while nobody knows: nothing is told then,
        and what was told runs out.
        """
        rollouts = tuple(
            Rollout(
                subject=each.release.subject,
                number=each.release.number,
                hash=each.release.hash,
                share=0 if each.release.number in stopped else each.share,
            )
            for each in standings
            if each.state is ReleaseState.CANARY
        )
        same = rollouts == self._told
        if as_of is None:
            return
        if same and (not rollouts or as_of.mono_ms - self._as_of_ms < TELL_MS):
            return
        self._facts.tell_rollouts(rollouts, as_of.at_ms, as_of.mono_ms)
        self._told, self._at_ms, self._as_of_ms = rollouts, now_ms, as_of.mono_ms

    def share_of(self, number: int) -> tuple[int, int] | None:
        """The share of a release that was told last, and when."""
        share = next((each.share for each in self._told if each.number == number), None)
        return None if share is None else (share, self._at_ms)
