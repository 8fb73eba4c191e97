"""What the console does for promises, made for one data folder and one configuration."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.account import CallbackAccount
from switchhook.callbacks.connect_request import connect_request
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.hearing_worker import unheard
from switchhook.callbacks.promises_worker import PromisesWorker
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.streams_feed import StreamsFeed
from switchhook.config.basics import Secret
from switchhook.config.calling_back import status_callback_url
from switchhook.errors import LedgerError
from switchhook.server.promise_hearing import ConfiguredTerms, hearing_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.callbacks.account import StreamLeases
    from switchhook.config import Config
    from switchhook.config.accounts import AccountConfig
    from switchhook.exotel.wire.connect import ConnectRequest
    from switchhook.journal.source import JournalSource
    from switchhook.ledger.database import Ledger
    from switchhook.server.accounts import Accounts
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.streams.fold import Folded

log = logging.getLogger(__name__)

AGAIN_S = 30.0


class CallsInto(msgspec.Struct, frozen=True):
    """Requests that call people into an account's flow or to its bot; all of it compares alike."""

    settings: CallbackSettings
    bot: Secret
    status_callback: Secret

    def __call__(self, number: str, custom_field: str) -> ConnectRequest:
        return connect_request(
            self.settings,
            number,
            custom_field,
            bot_url=self.bot.reveal(),
            status_callback=self.status_callback.reveal(),
        )


class Promising:
    """Keeps promises from the first `use` to `stop`, on the console's event loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: SteadyClock,
        accounts: Accounts,
        leases: StreamLeases,
        journal: JournalSource,
        config: Callable[[], Config],
    ) -> None:
        self._accounts, self._clock = accounts, clock
        self._do_not_call = LedgerDoNotCall(ledger)
        self._listed: frozenset[str] | None = None
        self._problem = ""
        self._again: asyncio.Task[None] | None = None
        # Jitter, no secret.
        self.worker = PromisesWorker(
            ledger,
            leases,
            clock,
            random.random,
            behind=lambda: unheard(self.hearing, clock.now_ms()),
            no_bot=lambda account: self._streams.why(account),
            bot_is_back=lambda account, since_ms: self._streams.are_back(account, since_ms),
        )
        self._streams = StreamsFeed(ConfiguredTerms(config).account_of, clock.now_ms)
        self.hearing = hearing_of(ledger, journal, config, clock, self.worker.followed)
        accounts.fetcher.observe(self.hearing.told_details)

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        self.hearing.folded(folded)
        self._streams.folded(folded)

    async def use(self, config: Config) -> None:
        """Go on by a changed configuration; the accounts' clients are those of `Accounts`."""
        await self._leave_again()
        if not await self._list(config):
            # Nobody is dialled while somebody may be in that file.
            await self.worker.use([])
            self._again = asyncio.create_task(self._use_later(config))
            return
        await self.worker.use(
            [found for each in config.accounts if (found := self._account(config, each))]
        )

    async def _use_later(self, config: Config) -> None:
        await asyncio.sleep(AGAIN_S)
        self._again = None
        await self.use(config)

    async def _leave_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
            self._again = None

    async def _list(self, config: Config) -> bool:
        """Take over the numbers of files that are never called; whether that is kept."""
        numbers = frozenset[str]().union(*(each.do_not_call for each in config.accounts))
        if numbers == self._listed:
            return True
        now_ms = self._clock.now_ms()
        try:
            await asyncio.to_thread(self._do_not_call.replace_file, numbers, now_ms)
        except LedgerError as error:
            self._problem = f"the file of numbers that are never called is not taken over: {error}"
            log.error("%s", self._problem)  # noqa: TRY400
            return False
        self._listed, self._problem = numbers, ""
        return True

    def _account(self, config: Config, account: AccountConfig) -> CallbackAccount | None:
        client = self._accounts.client(account.name)
        if account.callbacks is None or client is None:
            return None
        request = CallsInto(
            account.callbacks,
            account.callback_bot or Secret(""),
            Secret(status_callback_url(config, account)),
        )
        return CallbackAccount(account.name, account.callbacks, client, request, account.country)

    async def stop(self) -> None:
        """Dial nobody any more; it waits some seconds for answers of Exotel."""
        await self._leave_again()
        await self.worker.stop()

    def complaints(self) -> list[str]:
        """What doesn't work, one sentence each."""
        own = [self._problem] if self._problem else []
        return [*own, *self.hearing.complaints(), *self.worker.complaints()]
