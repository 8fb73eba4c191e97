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

import msgspec

from switchhook.errors import SwitchhookError
from switchhook.routes.admission import budget_of
from switchhook.routes.admission_feed import AdmissionFeed
from switchhook.routes.admission_view import AdmissionView
from switchhook.routes.dealing import OURSELVES, reserved
from switchhook.routes.dealt_rooms import DealtRooms
from switchhook.routes.leases import CLOSED_KEPT_MS, LONGEST_MS
from switchhook.streams.parsed_record import parse_record
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.capacity.facts_document import GoesBy, Node
    from switchhook.capacity.readings import Reading
    from switchhook.journal.source import JournalSource
    from switchhook.routes.admission import Estimate
    from switchhook.rules.routing import AdmissionBudget
    from switchhook.streams.fold import Folded
    from switchhook.streams.parsed_record import ParsedRecord

log = logging.getLogger(__name__)

TELL_S = 1.0
LEAST_S = 0.1
"""How long at least between two tellings."""
_BATCH = 2_000
WANTED_MS = 10_000
"""How long a place is kept back for callbacks after one was wanted, where other nodes have room."""
MOST_WANTED = 3
MOST_SHOWN = 50
"""Polls, of those that were compared."""


class Facts(Protocol):
    """What tells the answer processes: capacity.facts_file.FactsFile. Raises OSError.

    `nodes` are those that room is dealt out among, and what each is known to go by, the newest
    last; None is the one machine that there is. `before` is what each was told before we came.
    """

    def nodes(self) -> Mapping[int, Sequence[GoesBy]] | None: ...

    def before(self) -> Mapping[int, Node]: ...

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
        self._rooms, self._several = DealtRooms(node), False
        self._wanted: dict[str, int] = {}
        self._now_ms, self._mono_ms = now_ms, mono_ms
        self._lock = threading.Lock()
        self._feed = AdmissionFeed()
        self._reserves: dict[str, dict[str, int]] = {}
        self._polled: dict[str, int] = {}
        self._through = 0
        self._looked_ms = 0
        self._told_any = False
        self._repeating = Repeating(
            "admission", self.tell, every_s=TELL_S, least_s=LEAST_S, failed=self._failed
        )
        self.problem = ""

    # Its life.

    def use(
        self, reserves: Mapping[str, Mapping[str, int]], callbacks: Mapping[str, int] | None = None
    ) -> None:
        """Go on with these accounts: what each keeps free, by class.

        `callbacks` are those that call back, and how many ms their calls ring at most.
        """
        with self._lock:
            self._reserves = {name: dict(each) for name, each in reserves.items()}
            self._feed.use(dict.fromkeys((*self._reserves, *(callbacks or {}))))
            for name, rings_ms in (callbacks or {}).items():
                self._feed.accounts[name].callbacks.rings_ms = rings_ms
        self._repeating.wake()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Those that are asked for room, or call back."""
        return tuple(self._feed.accounts)

    def begin(self, journal: JournalSource, readings: Iterable[Reading] = ()) -> None:
        """Read what happened in the last hour. Touches the disk; where that fails, go on without.

        `readings` are the accounts' last, the oldest first.
        """
        if not self._feed.accounts:
            return
        now_ms = self._now_ms()
        self._find()
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

    def _find(self) -> None:
        """Take over what the nodes were told before: they go by it for a moment yet."""
        for node, told in self._facts.before().items():
            at_ms = told.budgets_told.mono_ms
            for name, budget in told.budgets.items() if at_ms is not None else ():
                self._rooms.of(name).found(node, budget.room, at_ms or 0, budget.through_seq)

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._repeating.stop(timeout_s)

    def _failed(self, error: Exception) -> None:
        """Budgets run out meanwhile, and safe options apply."""
        if not self.problem:
            log.error("room can't be reckoned; it is tried again", exc_info=error)
        self.problem = f"room can't be reckoned: {type(error).__name__}"

    # What happens.

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        with self._lock:
            told = False
            for parsed in folded.records:
                if self._feed.accounts and parsed.record.seq > self._through:
                    told |= self._take(parsed, folded.placed)
            # Not the fold's own place, which goes back where a store is made again.
            self._through = max(self._through, folded.records[-1].record.seq)
        if told:
            self._repeating.wake()

    def _take(self, parsed: ParsedRecord, placed: Mapping[int, int], *, count: bool = True) -> bool:
        """Hear of a record; what one makes fail is said, and no other suffers for it."""
        try:
            self._rooms.heard(parsed.record)
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
        self._repeating.wake()

    # Places of callbacks. A name is a callback's CustomField; `release` of no name is nothing.

    def take(self, account: str, name: str, class_: str, reserve: int) -> str:
        """Hold a place for a callback while `reserve` are left free; else why not, in words."""
        with self._lock:
            why = self._kept_back(account) or self._feed.take_callback(
                account, name, class_, reserve, self._now_ms()
            )
            if not why:
                self._rooms.of(account).took(OURSELVES, 1)
        self._repeating.wake()
        return why

    def _kept_back(self, account: str) -> str:
        """Why there is no place for a callback that no node could give away; empty where there is.

        One is kept back by the next telling, and ours once all nodes go by that.
        """
        if not self._several or account not in self._reserves:
            return ""
        now_ms = self._mono_ms()
        if self._rooms.of(account).left(OURSELVES, now_ms):
            return ""
        self._wanted[account] = now_ms
        return "other nodes may give away all that is free; a place is being kept back"

    def hold(self, account: str, name: str, class_: str) -> None:
        """Hold a place for a callback that is on its way, whatever room there is."""
        with self._lock:
            self._feed.hold(account, name, class_, self._now_ms())
        self._repeating.wake()

    def name(self, name: str, call: str) -> None:
        """Say which call it is that a callback's place is held for."""
        with self._lock:
            self._feed.name(name, call)

    def release(self, name: str) -> None:
        """A callback is over, or was never made: its place is free, where it is still held."""
        with self._lock:
            self._feed.release(name, self._now_ms())
        self._repeating.wake()

    # What follows.

    def tell(self) -> None:
        """Look once, and tell answer processes what they may admit."""
        now_ms, mono_ms = self._now_ms(), self._mono_ms()
        found = self._facts.nodes()
        nodes = {self._node: ()} if found is None else found
        with self._lock:
            self._several = len(nodes) > 1
            if not 0 <= now_ms - self._looked_ms < TELL_S * 1000:
                self._looked_ms = now_ms
                self._feed.look(now_ms)
            budgets: dict[int, dict[str, AdmissionBudget]] = {node: {} for node in nodes}
            for name, admission in self._feed.accounts.items():
                if name in self._reserves:
                    dealt = self._dealt_out(name, admission.estimate(now_ms), nodes, mono_ms)
                    for node, budget in dealt.items():
                        budgets[node][name] = budget
        if not self._reserves and not self._told_any:
            return
        try:
            for node, each in budgets.items():
                self._facts.tell_budgets(node, each, now_ms, mono_ms)
        except OSError as error:
            why = (error.strerror or "error").lower()
            self.problem = f"answer processes can't be told what to admit: {why}"
            return
        self._told_any, self.problem = bool(self._reserves), ""

    def _dealt_out(
        self, name: str, estimate: Estimate, nodes: Mapping[int, Sequence[GoesBy]], mono_ms: int
    ) -> dict[int, AdmissionBudget]:
        """An account's room by node; a place for callbacks is kept back where one is wanted."""
        found = self._rooms.goes_by(nodes)
        goes_by = {node: None if each is None else each.budgets_ms for node, each in found.items()}
        if self._several and mono_ms - self._wanted.get(name, -WANTED_MS) < WANTED_MS:
            goes_by[OURSELVES] = mono_ms
        dealer = self._rooms.of(name)
        rooms = dealer.deal(estimate.room, goes_by, mono_ms, {OURSELVES: MOST_WANTED})
        rooms.pop(OURSELVES, None)
        kept = {class_: reserved(each, rooms) for class_, each in self._reserves[name].items()}
        return {
            node: budget_of(
                msgspec.structs.replace(estimate, room=room),
                self._rooms.through(node),
                {class_: each[node] for class_, each in kept.items()},
            )
            for node, room in rooms.items()
        }

    def views(self) -> list[AdmissionView]:
        """How each account stands that is asked for room."""
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
                if name in self._reserves
            ]
