"""What the console does for flags, and the listener that bots read them on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Scope
from switchhook.errors import ConfigError, LedgerError
from switchhook.flags.ledger import LedgerFlags
from switchhook.flags.ofrep_api import Admitted, OfrepApi
from switchhook.flags.worker import FlagsWorker
from switchhook.server.served_app import ServedApp
from switchhook.server.sockets import listening, url_of
from switchhook.web.sign_in.tokens import LONGEST, hashed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.config.basics import ListenAddress
    from switchhook.config.live import Settings
    from switchhook.ledger.database import Ledger
    from switchhook.rules.decide import Ruleset
    from switchhook.server.keeping import FactsWriter
    from switchhook.server.steady_clock import SteadyClock

log = logging.getLogger("switchhook.flags")

RETRY_S = 2.0
"""How often it is tried again to listen where somebody else does."""
TOUCH_US = 60_000_000
"""A use of a token is noted when the last noted one is so old."""


class Flagging:
    """Looks after flags from `start` to `stop`; `url` is where bots reach them, empty for nowhere.

    `serve` is awaited once the loop runs, and `end` before `stop`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        facts: FactsWriter,
        clock: SteadyClock,
        key: bytes,
    ) -> None:
        self._passes, self._clock = LedgerAccess(ledger).passes, clock
        self.worker = FlagsWorker(
            LedgerFlags(ledger), facts, now_ms=clock.now_ms, mono_ms=clock.mono_ms
        )
        self.ofrep = OfrepApi(
            self.worker, self.admit, key=key, now_s=lambda: clock.now_us() / 1_000_000
        )
        self.url = self.problem = ""
        self._listen: ListenAddress | None = None
        self._changed = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Go on by changed settings."""
        readers = readers_of(settings.rulesets, settings.candidates)
        self.worker.use(settings.config.flags, readers)
        if settings.config.ofrep.listen != self._listen:
            self._listen = settings.config.ofrep.listen
            self._changed.set()

    def start(self) -> None:
        self.worker.start()

    def stop(self) -> None:
        """It waits."""
        self.worker.stop()

    async def serve(self) -> None:
        """Begin to answer bots, where the configuration says so."""
        self._changed.clear()
        self._serving = asyncio.create_task(self._serve())

    async def end(self) -> None:
        """Answer no more bots."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        """Listen where the configuration says, wherever that is at the time; for ever."""
        while True:
            listen, self.url = self._listen, ""
            if listen is None:
                self.problem = ""
                await self._changed.wait()
                self._changed.clear()
                continue
            try:
                sock = listening(listen.host, listen.port)
            except ConfigError as error:
                if not self.problem:
                    log.error("ofrep.listen: %s", error)  # noqa: TRY400
                self.problem = f"bots can't read flags: {error}"
                await self._rest(RETRY_S)
                continue
            self.url, self.problem = url_of(sock), ""
            log.info("bots read flags at %s", self.url)
            served, unlisten = ServedApp(sock), self.ofrep.begin()
            served.show(self.ofrep.app, self.ofrep.close)
            try:
                await self._changed.wait()
                self._changed.clear()
            finally:
                unlisten()
                served.leave()
                await served.end()
                sock.close()

    async def _rest(self, longest_s: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), longest_s)
            self._changed.clear()
        except TimeoutError:
            return

    def admit(self, proof: str) -> Admitted:
        """What a token opens. Raises LedgerError."""
        if len(proof) > LONGEST:
            return Admitted.UNKNOWN
        now_us = self._clock.now_us()
        token = self._passes.standing(None, hashed(proof)).token
        if token is None or not token.works(now_us):
            return Admitted.UNKNOWN
        if token.scope is not Scope.FLAGS:
            return Admitted.OTHER_SCOPE
        if now_us - (token.used_us or 0) >= TOUCH_US:
            try:
                self._passes.touch(token.key, now_us)
            except LedgerError as error:
                log.warning("a use could not be noted: %s", error)
        return Admitted.YES


def readers_of(*by_endpoint: Mapping[str, Ruleset]) -> dict[str, tuple[str, ...]]:
    """The endpoints whose rules, or those of a candidate, read a flag, by the flag's name."""
    found: dict[str, tuple[str, ...]] = {}
    for rulesets in by_endpoint:
        for endpoint, ruleset in rulesets.items():
            for flag in ruleset.flags:
                known = found.get(flag.name, ())
                found[flag.name] = known if endpoint in known else (*known, endpoint)
    return found
