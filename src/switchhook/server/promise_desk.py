"""What people see of promises and do about them, made for one ledger and the configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zlib import crc32

from switchhook.callbacks.promise import TOKEN_BYTES, token_of
from switchhook.callbacks.queries import PromiseLedgers, PromiseQueries
from switchhook.callbacks.steering import Steering
from switchhook.callbacks.view import CallingAccount, Streams
from switchhook.config.calling_back import own_numbers
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.callbacks.promises_worker import PromisesWorker
    from switchhook.callbacks.view import PromisesGlance
    from switchhook.config import Config
    from switchhook.ledger.database import Ledger
    from switchhook.server.accounts import Accounts
    from switchhook.server.steady_clock import SteadyClock


class PromiseDesk:
    """`queries` for whoever looks, `steering` for whoever acts."""

    def __init__(
        self,
        ledger: Ledger,
        config: Callable[[], Config],
        accounts: Accounts,
        clock: SteadyClock,
        worker: PromisesWorker,
    ) -> None:
        self._config, self._accounts, self._clock = config, accounts, clock
        ledgers = PromiseLedgers(ledger)
        self.queries = PromiseQueries(
            ledgers,
            accounts=self._calling,
            streams=self._streams,
            waits=worker.waits,
            now_ms=clock.now_ms,
        )
        self.steering = Steering(
            ledgers,
            accounts=self._calling,
            own=lambda: own_numbers(config()),
            now_ms=clock.now_ms,
            token=lambda: token_of(os.urandom(TOKEN_BYTES)),
            wake=worker.wake,
            halt=worker.halt,
        )

    def glance(self) -> PromisesGlance | None:
        """The figures of the first page, which is shown without them where the ledger fails."""
        try:
            return self.queries.glance()
        except LedgerError:
            return None

    def news(self) -> str:
        """How far promises are, in a word that changes with them."""
        try:
            return f"{crc32(repr(self.queries.moved()).encode()):x}"
        except LedgerError as error:
            return str(error)

    def _calling(self) -> dict[str, CallingAccount]:
        return {
            each.name: CallingAccount(each.name, each.callbacks, each.country)
            for each in self._config().accounts
            if each.callbacks is not None
        }

    def _streams(self, account: str) -> Streams:
        for each in self._accounts.watch.now(self._clock.now_ms()):
            if each.account == account:
                forecast = each.forecast
                mean_s = None if forecast is None else forecast.mean_length_s
                return Streams(each.allowed, mean_s)
        return Streams()
