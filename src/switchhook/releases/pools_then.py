"""The pools as they were set at any moment that is past, by the releases of them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from switchhook.releases.release import ReleaseState
from switchhook.rules.bot_pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.journal.receipt import AddressGiven
    from switchhook.releases.acts import Situation
    from switchhook.releases.running import RunningText


class PoolsThen(msgspec.Struct, frozen=True):
    """Which pools ran when.

    `ran` has from which moment on which release ran, by its hash, in the order of time; `texts` the
    pools of each, without those that can't be read any more.
    """

    ran: list[tuple[int, str]] = []
    texts: dict[str, tuple[Pool, ...]] = {}

    def of(self, receipt: AddressGiven) -> Mapping[str, Pool] | None:
        """The pools that a call was drawn among, by name; None where nobody knows them."""
        rollout = receipt.pools_rollout
        if rollout is not None and rollout.canary:
            found = self.texts.get(rollout.hash)
        else:
            place = bisect_right(self.ran, receipt.received_us // 1000, key=lambda each: each[0])
            found = self.texts.get(self.ran[place - 1][1]) if place else None
        return None if found is None else {each.name: each for each in found}


def pools_then(
    there: Situation,
    runs: RunningText | None,
    read: Callable[[str], tuple[Pool, ...] | None],
) -> PoolsThen:
    """The history of the pools by their releases and what runs; `read` reads the text of one.

    Where the clock had been set back what ran later counts.
    """
    hashes = {each.release.number: each.release.hash for each in there.standings}
    changes = [
        (each.at_ms, hashes[each.number])
        for each in there.steps
        if each.to is ReleaseState.FULL and each.number in hashes
    ]
    texts = {each.release.hash: each.release.text for each in there.standings}
    if runs is not None and (not changes or changes[-1][1] != runs.hash):
        changes.append((runs.at_ms, runs.hash))
        texts[runs.hash] = runs.text
    ran: list[tuple[int, str]] = []
    for at_ms, release in changes:
        while ran and ran[-1][0] >= at_ms:
            ran.pop()
        ran.append((at_ms, release))
    known = {release: read(text) for release, text in texts.items()}
    return PoolsThen(ran, {release: pools for release, pools in known.items() if pools is not None})
