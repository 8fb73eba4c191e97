"""What keeps admission going: follows the journal and the polls, and tells answer processes.

One thread, from `start` to `stop`, tells each second, and at most ten times a second where
something happened:

    worker = AdmissionWorker(facts_file, node=node, now_ms=clock.now_ms)
    worker.use({"main": {"campaign": 20}})  # accounts that are asked for room, and their reserves
    worker.begin(journal, readings)         # what a restart would have forgotten
    folder.observe(worker.folded)           # before folder.start()
    worker.polled("main", at_ms, 71, 100)

Leases are kept nowhere but in the journal: the last hour of it tells of all that can still run.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from switchhook.errors import SwitchhookError
from switchhook.routes.admission import budget_of
from switchhook.routes.admission_feed import AdmissionFeed
from switchhook.routes.admission_view import AdmissionView
from switchhook.routes.leases import CLOSED_KEPT_MS, LONGEST_MS
from switchhook.streams.parsed_record import parse_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from switchhook.capacity.readings import Reading
    from switchhook.journal.source import JournalSource
    from switchhook.rules.routing import AdmissionBudget
    from switchhook.streams.fold import Folded
    from switchhook.streams.parsed_record import ParsedRecord

log = logging.getLogger(__name__)

TELL_S = 1.0
LEAST_S = 0.1
"""How long at least between two tellings."""
_BATCH = 2_000
MOST_SHOWN = 50
"""Polls, of those that were compared."""


class Facts(Protocol):
    """What tells the answer processes: capacity.facts_file.FactsFile. Raises OSError."""

    def tell_budgets(
        self, node: int, budgets: Mapping[str, AdmissionBudget], now_ms: int, mono_ms: int
    ) -> None: ...


class AdmissionWorker:
    """See above. Any thread may ask it."""

    def __init__(
        self,
        facts: Facts,
        *,
        node: int,
        now_ms: Callable[[], int],
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._facts, self._node = facts, node
        self._now_ms, self._mono_ms = now_ms, mono_ms
        self._lock = threading.Lock()
        self._feed = AdmissionFeed()
        self._reserves: dict[str, dict[str, int]] = {}
        self._polled: dict[str, int] = {}
        self._through = 0
        self._looked_ms = 0
        self._told_any = False
        self._ending, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
        self.problem = ""

    # Its life.

    def use(self, reserves: Mapping[str, Mapping[str, int]]) -> None:
        """Go on with these accounts: what each keeps free, by class."""
        with self._lock:
            self._reserves = {name: dict(each) for name, each in reserves.items()}
            self._feed.use(self._reserves)
        self._wake.set()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Those that are asked for room."""
        return tuple(self._reserves)

    def begin(self, journal: JournalSource, readings: Iterable[Reading] = ()) -> None:
        """Read what happened in the last hour. Touches the disk; where that fails, go on without.

        `readings` are the accounts' last, the oldest first.
        """
        if not self._reserves:
            return
        now_ms = self._now_ms()
        try:
            at = journal.seek(now_ms - LONGEST_MS) - 1
            while records := journal.read(max(0, at), _BATCH):
                with self._lock:
                    for each in records:
                        self._take(parse_record(each), {}, count=False)
                    at = self._through = records[-1].seq
        except SwitchhookError as error:
            log.error("who was admitted before the start is not known: %s", error)  # noqa: TRY400
        for reading in readings:
            if reading.active is not None and now_ms - reading.at_ms < CLOSED_KEPT_MS:
                self.polled(reading.account, reading.at_ms, reading.active, reading.allowed)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._ending.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.tell()
            except Exception as error:
                # Nothing else would bring it back; budgets run out, and safe options apply.
                if not self.problem:
                    log.exception("room can't be reckoned; it is tried again")
                self.problem = f"room can't be reckoned: {type(error).__name__}"
            self._ending.wait(LEAST_S)
            self._wake.wait(TELL_S - LEAST_S)
            self._wake.clear()

    # What happens.

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        with self._lock:
            told = False
            for parsed in folded.records:
                if self._reserves and parsed.record.seq > self._through:
                    told |= self._take(parsed, folded.placed)
            # Not the fold's own place, which goes back where a store is made again.
            self._through = max(self._through, folded.records[-1].record.seq)
        if told:
            self._wake.set()

    def _take(self, parsed: ParsedRecord, placed: Mapping[int, int], *, count: bool = True) -> bool:
        """Hear of a record; what one makes fail is said, and no other suffers for it."""
        try:
            return self._feed.take(parsed, placed, count=count)
        except Exception as error:  # noqa: BLE001
            seq, kind = parsed.record.seq, type(error).__name__
            log.error("record %d told nothing of leases: %s", seq, kind)  # noqa: TRY400
            return False

    def polled(self, account: str, at_ms: int, active: int, allowed: int | None) -> None:
        """Hear of a poll; one that was heard of before tells nothing."""
        with self._lock:
            admission = self._feed.accounts.get(account)
            if admission is None or at_ms <= self._polled.get(account, -1):
                return
            self._polled[account] = at_ms
            admission.polled(at_ms, active, allowed)
        self._wake.set()

    # What follows.

    def tell(self) -> None:
        """Look once, and tell answer processes what they may admit."""
        now_ms, mono_ms = self._now_ms(), self._mono_ms()
        with self._lock:
            if not 0 <= now_ms - self._looked_ms < TELL_S * 1000:
                self._looked_ms = now_ms
                self._feed.look(now_ms)
            budgets = {
                name: budget_of(admission.estimate(now_ms), self._through, self._reserves[name])
                for name, admission in self._feed.accounts.items()
            }
        if not budgets and not self._told_any:
            return
        try:
            self._facts.tell_budgets(self._node, budgets, now_ms, mono_ms)
        except OSError as error:
            why = (error.strerror or "error").lower()
            self.problem = f"answer processes can't be told what to admit: {why}"
            return
        self._told_any, self.problem = bool(budgets), ""

    def views(self) -> list[AdmissionView]:
        """How each account stands."""
        now_ms = self._now_ms()
        with self._lock:
            return [
                AdmissionView(
                    account=name,
                    at_ms=now_ms,
                    estimate=admission.estimate(now_ms),
                    reserves=self._reserves[name],
                    lately=self._feed.lately(name),
                    just_now=self._feed.just_now(name, now_ms),
                    total=self._feed.total(name),
                    pending_ms=admission.leases.pending_ms,
                    age_ms=admission.foreign.age_ms,
                    given_up=admission.leases.given_up,
                    compared=admission.foreign.compared[-MOST_SHOWN:],
                )
                for name, admission in self._feed.accounts.items()
            ]
