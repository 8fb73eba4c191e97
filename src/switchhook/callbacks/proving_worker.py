"""Proving promises, for one account: Exotel is asked for the call that each was made for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchhook.callbacks.proof import prove
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.callbacks.account import CallbackAccount
    from switchhook.callbacks.ledger import LedgerPromises
    from switchhook.callbacks.promise import Promise
    from switchhook.callbacks.queue_ledger import PromiseQueue
    from switchhook.exotel.clock import Clock

LOOK_S = 1.0
REST_S = 30.0
_BATCH = 20


class ProvingWorker:
    """One account, on one event loop; `prove` is its life, and is cancelled to end it.

    `changed` is called where somebody may be dialled now.
    """

    def __init__(
        self,
        account: CallbackAccount,
        promises: LedgerPromises,
        queue: PromiseQueue,
        clock: Clock,
        chance: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self.account, self._promises, self._queue = account, promises, queue
        self._clock, self._chance, self._changed = clock, chance, changed
        self.problem = ""

    async def prove(self) -> None:
        """Look at whatever is due, for ever."""
        while True:
            rest_s = LOOK_S
            try:
                if await self._round():
                    rest_s = 0.0
                self.problem = ""
            except LedgerError as error:
                name = self.account.name
                self.problem = f"promises of account {name} can't be proven: {error}"
                rest_s = REST_S
            await self._clock.sleep(rest_s)

    async def _round(self) -> bool:
        """Look once; whether there may be more."""
        now_ms, name = self._clock.wall_ms(), self.account.name
        due = await asyncio.to_thread(self._queue.unproven_due, name, now_ms, _BATCH)
        for promise in due:
            await self._look(promise)
        return len(due) >= _BATCH

    async def _look(self, promise: Promise) -> None:
        found = await self.account.api.call_details(promise.call_sid)
        now_ms = self._clock.wall_ms()
        campaigns = self.account.settings.campaigns
        proof = prove(promise, found, now_ms, self._chance(), campaigns=campaigns)
        if proof.event is None:
            await asyncio.to_thread(self._promises.look_again, promise.id, proof.again_ms)
            return
        await asyncio.to_thread(
            self._promises.settle, promise.id, proof.event, now_ms, why=proof.why
        )
        self._changed()
