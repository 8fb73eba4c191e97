"""Figures of the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.capacity.status import CapacityNow
    from switchhook.metrics import Source

UNREADABLE = 3
"""After so many polls in a row that told nothing people are told."""


class WatchedAccounts(Protocol):
    """What is known of the accounts: `capacity.poller`."""

    def now(self, now_ms: int) -> Sequence[CapacityNow]: ...


def watch_figures(watch: WatchedAccounts) -> Source:
    """The accounts' figures; None where they are not known.

    How many polls told nothing is unknown just after a start, until one could be read or too many
    could not: before it may have been as many.
    """
    begun_ms: int | None = None

    def read(now_ms: int) -> Iterable[Figure]:
        nonlocal begun_ms
        if begun_ms is None:
            begun_ms = now_ms
        for account in watch.now(now_ms):
            labels = (("account", account.account),)
            at_ms = now_ms if account.age_s is None else now_ms - int(account.age_s * 1000)
            headroom, allowed = account.headroom, account.allowed
            share = headroom / allowed if headroom is not None and allowed else None
            if share is None and headroom == 0:
                share = 0.0
            for name, value in (
                ("active", account.active),
                ("allowed", allowed),
                ("headroom", headroom),
                ("headroom_share", share),
            ):
                known = None if value is None else float(value)
                yield Figure(f"account.{name}", known, at_ms, labels)
            since = account.at_ms is not None and account.at_ms >= begun_ms
            known_now = since or account.unread >= UNREADABLE
            unread = float(account.unread) if known_now else None
            yield Figure("account.unreadable_polls", unread, now_ms, labels)

    return read
