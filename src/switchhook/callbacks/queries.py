"""What pages and API show of promises, read from the ledger and put together.

The figures are the same for all who look, and are made anew once something has moved, and every few
seconds, as promises become due by themselves.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from switchhook.callbacks.claims import Spent
from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.lately import Lately, lately
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.pace import CampaignPace
from switchhook.callbacks.queue_ledger import PromiseQueue
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.view import (
    AccountView,
    CallingAccount,
    PromisesGlance,
    PromisesView,
    Streams,
    glance_of,
    live_by_account,
)
from switchhook.exotel.times import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from switchhook.callbacks.history import EndedCount, PromiseCounts
    from switchhook.callbacks.promise import Promise, PromiseEvent, PromiseState
    from switchhook.ledger.database import Ledger

OLDEST_MS = 5_000
"""For how long figures are good while nothing moves; and the times of a day in any case."""
CHEAP_MS = 10.0
"""Figures that take less of the processor are made anew whenever something has moved."""
LEAST_PARTS = 20
"""Dearer ones are so at most every so many times as long as they take: a twentieth of a core."""
Moved = tuple[int, dict[str, Dialling], int]


class PromiseLedgers:
    """All that the ledger keeps of promises."""

    def __init__(self, ledger: Ledger) -> None:
        self.promises, self.queue = LedgerPromises(ledger), PromiseQueue(ledger)
        self.lists, self.dialling = PromiseLists(ledger), LedgerDialling(ledger)
        self.do_not_call = LedgerDoNotCall(ledger)


class PromiseQueries:
    """See above. Any thread. Raises LedgerError.

    `accounts` are those that call back, by name; `streams` tells of an account's streams, `waits`
    why those that may dial call nobody who is due.
    """

    def __init__(
        self,
        ledgers: PromiseLedgers,
        *,
        accounts: Callable[[], Mapping[str, CallingAccount]],
        streams: Callable[[str], Streams],
        waits: Callable[[], Mapping[str, str]] = dict,
        now_ms: Callable[[], int],
    ) -> None:
        self.promises, self.lists = ledgers.promises, ledgers.lists
        self._queue = ledgers.queue
        self.dialling, self.do_not_call = ledgers.dialling, ledgers.do_not_call
        self.accounts, self._streams, self._waits = accounts, streams, waits
        self.now_ms = now_ms
        self._lock = threading.Lock()
        self._view: tuple[Moved, PromisesView, float] | None = None
        self._lately: tuple[int, dict[str, Lately], Lately] | None = None

    def moved(self) -> Moved:
        """What changes whenever a promise moves, a switch is turned or the list is another one."""
        return self._queue.newest(), self.dialling.all(), self.do_not_call.count()

    def view(self) -> PromisesView:
        """How all of it stands."""
        with self._lock:
            now_ms, moved = self.now_ms(), self.moved()
            if self._view is not None:
                before, view, cost_ms = self._view
                dear_ms = LEAST_PARTS * cost_ms if cost_ms > CHEAP_MS else 0.0
                good_ms = max(OLDEST_MS, dear_ms) if before == moved else dear_ms
                if 0 <= now_ms - view.now_ms < good_ms:
                    return view
            began = time.thread_time()
            view = self._look(now_ms, moved[1], moved[2])
            self._view = moved, view, 1000 * (time.thread_time() - began)
            return view

    def forget(self) -> None:
        """Make the figures anew for the next who looks: somebody did something, and looks at it."""
        with self._lock:
            self._view = None

    def glance(self) -> PromisesGlance | None:
        """The figures of the first page; None where nobody calls back."""
        return glance_of(self.view())

    def calls_back(self) -> bool:
        """Whether any account is configured to call back."""
        return bool(self.accounts())

    def settings_of(self, promise: Promise) -> CallbackSettings | None:
        """How its account calls back; None where it does so no more."""
        account = self.accounts().get(promise.account)
        return None if account is None else account.settings

    def _look(
        self, now_ms: int, switches: Mapping[str, Dialling], do_not_call: int
    ) -> PromisesView:
        counts = self.lists.counts(now_ms)
        of_accounts, of_all = self._of_late(now_ms, counts)
        refused = self.lists.refused(now_ms - DAY_MS)
        live, accounts = live_by_account(counts), dict(self.accounts())
        for name in sorted({*live, *switches} - accounts.keys()):  # configured so no more
            accounts[name] = CallingAccount(name, CallbackSettings())
        states: dict[PromiseState, int] = {}
        for each in live.values():
            for state, count in each.items():
                states[state] = states.get(state, 0) + count
        return PromisesView(
            now_ms=now_ms,
            accounts=tuple(
                self._account(
                    each,
                    now_ms,
                    states=live.get(each.name, {}),
                    due=counts.due.get(each.name, 0),
                    switch=switches.get(each.name) or Dialling(account=each.name),
                    of_late=of_accounts.get(each.name) or Lately(since_ms=of_all.since_ms),
                )
                for each in accounts.values()
            ),
            states=states,
            due=sum(counts.due.values()),
            over=len(self.lists.over()),
            lately=of_all,
            refused=refused.unowed,
            owed_already=refused.owed_already,
            do_not_call=do_not_call,
        )

    def _account(
        self,
        account: CallingAccount,
        now_ms: int,
        *,
        states: dict[PromiseState, int],
        due: int,
        switch: Dialling,
        of_late: Lately,
    ) -> AccountView:
        settings, streams = account.settings, self._streams(account.name)
        known = account.name in self.accounts()
        hour = self._queue.spent(account.name, now_ms - HOUR_MS, settings.price)
        return AccountView(
            name=account.name,
            settings=settings,
            states=states,
            due=due,
            dialling=switch,
            why_not=switch.why_not(now_ms) if known else "it is not configured to call back",
            hour=hour if states or hour.calls else Spent(),
            waits=self._waits().get(account.name, "") if due else "",
            pace=CampaignPace(streams.allowed, settings.reserve, streams.mean_s),
            lately=of_late,
        )

    def _of_late(self, now_ms: int, counts: PromiseCounts) -> tuple[dict[str, Lately], Lately]:
        """What ended within a day, by account and of all."""
        if self._lately is not None and 0 <= now_ms - self._lately[0] < OLDEST_MS:
            return self._lately[1], self._lately[2]
        since_ms = now_ms - DAY_MS
        took: dict[str, list[int]] = {}
        for each in self.lists.callback_times(since_ms):
            took.setdefault(each.account, []).append(each.called_ms - each.made_ms)
        ended: dict[str, list[EndedCount]] = {}
        for count in counts.ended:
            ended.setdefault(count.account, []).append(count)
        of_accounts = {
            name: _lately(ended.get(name, []), took.get(name, []), since_ms)
            for name in {*ended, *took}
        }
        of_all = _lately(counts.ended, [each for some in took.values() for each in some], since_ms)
        self._lately = now_ms, of_accounts, of_all
        return of_accounts, of_all


def _lately(ended: Iterable[EndedCount], took_ms: Iterable[int], since_ms: int) -> Lately:
    counts: dict[tuple[PromiseState, PromiseEvent], int] = {}
    for each in ended:
        key = each.state, each.event
        counts[key] = counts.get(key, 0) + each.count
    return lately(counts, took_ms, since_ms)
