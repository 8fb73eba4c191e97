"""What hearing for promises goes by: the configuration, as it is at any moment."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.hearing_worker import HearingWorker
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import TOKEN_BYTES, token_of
from switchhook.config.calling_back import own_numbers
from switchhook.config.names import accounts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.callbacks.promise import Attempt, PromiseEvent
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.config import Config
    from switchhook.journal.source import JournalSource
    from switchhook.ledger.database import Ledger
    from switchhook.server.steady_clock import SteadyClock

_COUNTRY = "IN"
"""Of an account that is configured no more."""


class _Said(msgspec.Struct, frozen=True):
    """What one configuration says."""

    config: Config
    accounts: dict[str, str]
    settings: dict[str, CallbackSettings]
    countries: dict[str, str]
    own: frozenset[str]


class ConfiguredTerms:
    """`HearingTerms` by whatever configuration is in force."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._known: _Said | None = None

    @property
    def _said(self) -> _Said:
        config, known = self._config(), self._known
        if known is None or known.config is not config:
            known = self._known = _Said(
                config=config,
                accounts=dict(accounts_of(config)),
                settings={
                    each.name: each.callbacks
                    for each in config.accounts
                    if each.callbacks is not None
                },
                countries={each.name: each.country for each in config.accounts},
                own=own_numbers(config),
            )
        return known

    def account_of(self, endpoint: str) -> str:
        return self._said.accounts.get(endpoint, "")

    def settings_of(self, account: str) -> CallbackSettings | None:
        return self._said.settings.get(account)

    def country_of(self, account: str) -> str:
        return self._said.countries.get(account, _COUNTRY)

    def own(self) -> frozenset[str]:
        return self._said.own


def hearing_of(
    ledger: Ledger,
    journal: JournalSource,
    config: Callable[[], Config],
    clock: SteadyClock,
    followed: Callable[[Attempt, PromiseEvent | None], None],
) -> HearingWorker:
    """Who hears for the promises of a ledger."""
    return HearingWorker(
        LedgerPromises(ledger),
        journal,
        ConfiguredTerms(config),
        now_ms=clock.now_ms,
        chance=random.random,  # jitter, no secret
        token=lambda: token_of(os.urandom(TOKEN_BYTES)),
        followed=followed,
    )
