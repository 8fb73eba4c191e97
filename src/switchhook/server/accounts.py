"""What the console does for Exotel's accounts: watching, call details, forecasts, facts.

accounts = Accounts(ledger, facts_file, clock)
await accounts.use(config)                    # at the start, and whenever it has changed
folder.observe(accounts.ended_calls.folded)          # before folder.start()
accounts.watch.now(now_ms), accounts.history, accounts.calls, accounts.complaints()
await accounts.stop()
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from switchhook.calls.details_fetcher import DetailsFetcher
from switchhook.calls.ended import EndedCalls
from switchhook.calls.ledger import LedgerCalls
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.poller import AccountWatch, Watched
from switchhook.capacity.polling import Pace
from switchhook.config.accounts import AccountConfig
from switchhook.config.callbacks import NumberSet
from switchhook.config.names import accounts_of
from switchhook.exotel.clock import Clock
from switchhook.metrics import KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.config import Config
    from switchhook.exotel.client import ExotelClient
    from switchhook.exotel.recording import (
        ByteRange,
        NoRecording,
        OpenRecording,
        RecordingPlace,
    )
    from switchhook.ledger.database import Ledger
    from switchhook.server.keeping import FactsWriter

_FRESH_S = KNOWN["account.active"].fresh_s or 0


class _Asked(msgspec.Struct, frozen=True):
    """An account that is asked, as it is configured."""

    config: AccountConfig
    client: ExotelClient
    watched: Watched


class HeardAccount:
    """An account whose recordings are fetched for those who may hear them."""

    def __init__(self, config: AccountConfig) -> None:
        assert config.key is not None
        assert config.token is not None
        self.api_url = config.url
        self._key, self._token = config.key, config.token

    async def open_recording(
        self, place: RecordingPlace, wanted: ByteRange | None
    ) -> OpenRecording | NoRecording:
        """Ask for a recording, or a part of it."""
        # What it needs is loaded by the first that hears one.
        from switchhook.exotel.recording_client import Login, open_recording

        login = Login(self._key.reveal(), self._token.reveal())
        return await open_recording(place, login, wanted)


class Accounts:
    """All of it; used on one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        facts: FactsWriter,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self.polled: Callable[[str], None] = lambda _: None
        """Called after each poll on the event loop, with the account's name."""
        self._asked: dict[str, _Asked] = {}
        self._accounts_of: Mapping[str, str] = {}
        self._heard: Mapping[str, HeardAccount] = {}
        self._heard_of: Mapping[str, str] = {}
        self._only_heard = ""
        self.history, self.calls = LedgerCapacity(ledger), LedgerCalls(ledger)
        # Jitter, no secret.
        chance = random.random
        self.watch = AccountWatch(self.history, facts, self._clock, chance, self._polled)
        self.fetcher = DetailsFetcher(self.calls, self._clock, chance)
        self.ended_calls = EndedCalls(
            lambda: self._accounts_of, self.watch, self.fetcher, self._clock.wall_ms
        )

    async def use(self, config: Config) -> None:
        """Do it for these accounts; what stays the same goes on undisturbed."""
        before, self._asked = self._asked, {}
        self._heard = {each.name: HeardAccount(each) for each in config.accounts if each.recordings}
        self._heard_of = accounts_of(config)
        self._only_heard = config.accounts[0].name if len(config.accounts) == 1 else ""
        for account in config.accounts:
            if account.key is None or account.token is None:
                continue
            if not (account.poll or account.call_details):
                continue
            same = before.get(account.name)
            known = same is not None and _asking(same.config) == _asking(account)
            self._asked[account.name] = same if same is not None and known else self._ask(account)
        watched = [each for each in self._asked.values() if each.config.poll]
        wanting = [each for each in self._asked.values() if each.config.call_details]
        self._accounts_of = accounts_of(config) if self._asked else {}
        await self.fetcher.use({each.config.name: each.client for each in wanting})
        await self.watch.use([each.watched for each in watched])
        for name, each in before.items():
            if self._asked.get(name) is not each:
                await each.client.close()

    async def stop(self) -> None:
        """End what runs, keep what was learnt, close connections."""
        await self.fetcher.stop()
        await self.watch.stop()
        for each in self._asked.values():
            await each.client.close()

    def client(self, account: str) -> ExotelClient | None:
        """The API of an account that is asked; None of one that isn't."""
        asked = self._asked.get(account)
        return None if asked is None else asked.client

    def recordings_of(self, endpoint: str) -> HeardAccount | None:
        """The account whose recordings may be heard for an endpoint; any thread may ask."""
        return self._heard.get(self._heard_of.get(endpoint, self._only_heard))

    def _polled(self, account: str) -> None:
        self.polled(account)

    def complaints(self) -> list[str]:
        """What doesn't work, one sentence each: an account's trouble once it made it unknown."""
        unknown = [
            f"account {each.account}: {each.problem}"
            for each in self.watch.now(self._clock.wall_ms())
            if each.problem and (each.age_s is None or each.age_s > _FRESH_S)
        ]
        return [*unknown, *self.watch.complaints(), *self.fetcher.complaints()]

    def _ask(self, account: AccountConfig) -> _Asked:
        assert account.key is not None
        assert account.token is not None
        # What it needs is loaded by those only who have an account watched.
        from switchhook.exotel.client import ExotelClient

        client = ExotelClient(
            url=account.url,
            sid=account.sid,
            key=account.key.reveal(),
            token=account.token.reveal(),
            per_minute=account.rate_per_minute,
            clock=self._clock,
        )
        pace = Pace(account.quiet_s, account.busy_s)
        return _Asked(account, client, Watched(account.name, client, pace))


def _asking(account: AccountConfig) -> AccountConfig:
    """What of an account says how it is asked: its client, with what is left of its budget, stays.

    Whom it calls back, and when, changes nothing about that.
    """
    return msgspec.structs.replace(
        account, callbacks=None, callback_bot=None, do_not_call=NumberSet()
    )
