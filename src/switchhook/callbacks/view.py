"""How calling back stands: what is owed, whether it is dialled, and how it went lately. Pure."""

from __future__ import annotations

import msgspec

from switchhook.callbacks.claims import Spent
from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.history import PromiseCounts
from switchhook.callbacks.lately import Lately
from switchhook.callbacks.pace import CampaignPace
from switchhook.callbacks.promise import FINAL, ON_ITS_WAY, PromiseState
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.words import hours_words, target_words


class CallingAccount(msgspec.Struct, frozen=True):
    """An account that calls back, as configured.

    `region` is the CLDR region in which its numbers without a country's code are read.
    """

    name: str
    settings: CallbackSettings
    region: str = "IN"


class Streams(msgspec.Struct, frozen=True):
    """An account's streams: how many it may use, and how many seconds one lasts; None: unknown."""

    allowed: int | None = None
    mean_s: float | None = None


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """How an account calls back.

    `states` counts its promises that are not over, `due` those of them that could be dialled now.
    `why_not` is why it does not dial, empty where it may; `waits` why nobody who is due is called
    all the same, empty where that isn't so; `hour` is what it spent in the last hour.
    """

    name: str
    settings: CallbackSettings
    states: dict[PromiseState, int]
    due: int
    dialling: Dialling
    why_not: str
    waits: str
    hour: Spent
    pace: CampaignPace
    lately: Lately

    @property
    def hours(self) -> str:
        """When it dials, in words."""
        return hours_words(self.settings.hours, self.settings.zone)

    @property
    def target(self) -> str:
        """What a callback leads to, in words."""
        return target_words(self.settings)

    @property
    def waiting(self) -> int:
        """Promises that wait for their call."""
        return sum(self.states.get(each, 0) for each in PromiseState if each not in _CALLED)

    @property
    def stopped(self) -> bool:
        """Whether somebody, or we, stopped it since it was allowed."""
        return bool(self.dialling.stopped)


_CALLED = FINAL | ON_ITS_WAY


class PromisesView(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts; `configured` ones first, then those that only have promises left.

    `over` counts those of the ringing ones whose call is over while nobody has told how it went,
    `refused` those to whom none was promised in the last day, `owed_already` those who were
    cut off again while one was owed to them, `do_not_call` the numbers that are not called.
    """

    now_ms: int
    accounts: tuple[AccountView, ...]
    states: dict[PromiseState, int]
    due: int
    over: int
    lately: Lately
    refused: int
    owed_already: int
    do_not_call: int

    @property
    def on_their_way(self) -> int:
        """Calls that Exotel makes, or may make."""
        return sum(self.states.get(each, 0) for each in ON_ITS_WAY)

    @property
    def waiting(self) -> int:
        return sum(each.waiting for each in self.accounts)

    @property
    def dials(self) -> bool:
        """Whether any account may dial."""
        return any(each.dialling.allowed for each in self.accounts)


class PromisesGlance(msgspec.Struct, frozen=True):
    """The figures of the first page.

    Of the last 24 hours: what was `owed` to its end, and the share of it that was kept `in_time`
    (None where nothing was owed). `waiting` and `due` are now; `dials` is whether any account may.
    """

    kept: int
    owed: int
    in_time: float | None
    median_s: float | None
    waiting: int
    due: int
    dials: bool


def glance_of(view: PromisesView) -> PromisesGlance | None:
    """The figures of the first page; None where no account calls back, and none ever did."""
    if not view.accounts:
        return None
    found = view.lately
    return PromisesGlance(
        kept=found.kept,
        owed=found.owed,
        in_time=found.in_time,
        median_s=found.median_s,
        waiting=view.waiting,
        due=view.due,
        dials=view.dials,
    )


def live_by_account(counts: PromiseCounts) -> dict[str, dict[PromiseState, int]]:
    """How many promises of each account are in which state, of those that are not over."""
    found: dict[str, dict[PromiseState, int]] = {}
    for each in counts.live:
        states = found.setdefault(each.account, {})
        states[each.state] = states.get(each.state, 0) + each.count
    return found
