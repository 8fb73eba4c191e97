"""What keeps pools going: reads what people set, judges members, and tells the answer processes.

One thread, from `start` to `stop`, looks four times a second, and at once where something happened:

    worker = RoutesWorker(LedgerHands(ledger), facts_file, RoutesFile(data), node=node, clock=clock)
    worker.use(pools, endpoints, shown)  # and whenever the configuration has changed
    folder.observe(worker.folded)        # before folder.start()
    worker.set(wanted, by, deed)         # in force when it returns, if the disk takes it
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from switchhook.access.audit import Deed
from switchhook.errors import LedgerError
from switchhook.routes.breaker import BreakerState
from switchhook.routes.dealt_rooms import DealtRooms
from switchhook.routes.hands import KnownRoutes, change_of, noted, noted_undo, undone
from switchhook.routes.health import LIVES_MS as STREAMS_LAST_MS
from switchhook.routes.health import WINDOW_MS
from switchhook.routes.members import JudgedMembers
from switchhook.routes.routes_file import WrittenRoutes
from switchhook.routes.view import RoutesView, hands_view, pool_view
from switchhook.streams.parsed_record import parse_record
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.capacity.facts_document import GoesBy
    from switchhook.journal.source import JournalRecord
    from switchhook.routes.hands import HandChange, HandWanted
    from switchhook.routes.hands_ledger import LedgerHands
    from switchhook.routes.health import Key
    from switchhook.routes.members import Stepped
    from switchhook.routes.probe import Probed
    from switchhook.routes.routes_file import RoutesFile
    from switchhook.routes.view import MemberKnown
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.routing import HandSetting, MemberFacts
    from switchhook.streams.fold import Folded

    DeedOf = Callable[[str, str, dict[str, str]], Deed]
    """From what was done, to what, and details, to the deed of whoever did it."""

log = logging.getLogger(__name__)

LOOK_S = 0.25
TELL_MS = 1_000
"""How often answer processes are told of members that stay as they are."""
WRITE_MS = 2_000
BREAKER = "circuit breaker"
"""Who did it, in the audit log."""


class Facts(Protocol):
    """What tells the answer processes: capacity.facts_file.FactsFile. Raises OSError.

    `nodes` are those that rooms are dealt out among, and by what each goes, None where that is not
    known; None is the one machine that there is.
    """

    def nodes(self) -> Mapping[int, Sequence[GoesBy]] | None: ...

    def tell_hands(self, hands: Iterable[HandSetting], now_ms: int) -> None: ...

    def tell_members(
        self,
        node: int,
        members: Mapping[str, Mapping[str, MemberFacts]],
        now_ms: int,
        mono_ms: int,
    ) -> None: ...


class RoutesWorker:
    """See above. Any thread may ask it; `note` puts a deed into the audit log and may block."""

    def __init__(
        self,
        hands: LedgerHands,
        facts: Facts,
        file: RoutesFile,
        *,
        node: int,
        now_ms: Callable[[], int],
        note: Callable[[Deed], object] = lambda _deed: None,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self.hands, self._facts, self._file, self._node = hands, facts, file, node
        self._rooms = DealtRooms(node)
        self.now_ms, self._mono_ms, self._note = now_ms, mono_ms, note
        self._lock = threading.RLock()
        self._telling = threading.Lock()
        self._members = JudgedMembers()
        self._through = 0
        self._endpoints: tuple[str, ...] = ()
        self._held: tuple[HandSetting, ...] = ()
        self._told_hands: tuple[HandSetting, ...] | None = None
        self._told: tuple[int, object] = (-TELL_MS, None)
        self._written: tuple[int, object] = (-WRITE_MS, None)
        self._view = RoutesView(made_ms=0)
        self.problem = ""
        self.counted_from_ms: int | None = None
        """Since when calls are counted, where not all were read at the start."""
        self._repeating = Repeating("routes", self.look, every_s=LOOK_S, failed=self._failed)

    # Its life.

    def use(
        self, pools: Sequence[Pool], endpoints: Sequence[str], shown: Mapping[Key, str]
    ) -> None:
        """Go on with these pools and endpoints; `shown` are the members' addresses as shown."""
        with self._lock:
            self._endpoints = tuple(endpoints)
            self._members.use(pools, shown)
        self._repeating.wake()

    def resume(self, before: WrittenRoutes | None) -> None:
        """Take over what was written before a restart."""
        if before is not None:
            with self._lock:
                self._members.resume(before, self.now_ms())

    def recall(self, records: Iterable[JournalRecord], *, cut: bool = False) -> None:
        """Hear of the journal's last records, before the fold begins.

        `cut` is whether there are more of `counts_ms`, which are not read.
        """
        with self._lock:
            for each in records:
                if cut and self.counted_from_ms is None:
                    self.counted_from_ms = each.at
                self._rooms.heard(each)
                self._members.take(parse_record(each), {})
                self._through = each.seq

    @property
    def counts_ms(self) -> int:
        """How far back what is shown, and the room of members with a limit, are counted from."""
        with self._lock:
            members = [each for pool in self._members.pools.values() for each in pool.members]
            limited = any(each.limit is not None for each in members)
        return STREAMS_LAST_MS if limited else WINDOW_MS

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._repeating.stop(timeout_s)

    def _failed(self, error: Exception) -> None:
        """What was told holds or runs out meanwhile."""
        if not self.problem:
            log.error("the pools can't be looked after; it is tried again", exc_info=error)
        self.problem = f"the pools can't be looked after: {type(error).__name__}"

    # What happens.

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        with self._lock:
            for parsed in folded.records:
                if parsed.record.seq > self._through:
                    self._rooms.heard(parsed.record)
                    self._members.take(parsed, folded.placed)
            # Not the fold's own place, which goes back where a store is made again.
            self._through = max(self._through, folded.records[-1].record.seq)
        self._repeating.wake()

    def probed(self, key: Key, found: Probed) -> None:
        """Hear what a probe found."""
        with self._lock:
            self._members.probed(key, found)
        self._repeating.wake()

    # What people do.

    @property
    def known(self) -> KnownRoutes:
        """What there is to act on."""
        return KnownRoutes(self._members.pools, self._endpoints)

    @property
    def held(self) -> tuple[HandSetting, ...]:
        """What is in force, as it was read last."""
        now_ms = self.now_ms()
        return tuple(each for each in self._held if each.holds(now_ms))

    def set(self, wanted: HandWanted, by: str, deed: DeedOf) -> HandChange:
        """Set something, and tell it. Raises HandError, LedgerError."""
        now_ms = self.now_ms()
        change = self.hands.change(
            lambda held: change_of(wanted, self.known, held, by, now_ms),
            lambda change: deed(*noted(wanted, change)),
            now_ms,
        )
        self.look()
        return change

    def undo(self, id: int | None, reason: str, deed: DeedOf) -> HandSetting:
        """End a setting, the newest for None, and tell it. Raises HandError, LedgerError."""
        now_ms = self.now_ms()
        setting = self.hands.undo(
            lambda held: undone(id, held),
            lambda setting: deed(*noted_undo(setting, reason)),
            now_ms,
        )
        self.look()
        return setting

    # What follows.

    def view(self) -> RoutesView:
        """How all stands, as it was looked at last."""
        return self._view

    def look(self) -> None:
        """Look once, and tell what has changed."""
        with self._telling:
            now_ms = self.now_ms()
            problems = []
            try:
                self._held = self.hands.held(now_ms)
            except LedgerError as error:  # what was set holds; whether it was changed is not known
                problems.append(f"what people set by hand can't be read: {error}")
            with self._lock:
                steps = self._members.step(self._held, now_ms)
                known = self._members.known(self._held, now_ms)
            problems += self._tell(known, now_ms)
            self.problem = "; ".join(problems)
            self._show(known, now_ms)
        for each in steps:
            self._noted(each)

    def _tell(self, known: Mapping[Key, MemberKnown], now_ms: int) -> list[str]:
        """Tell what has changed."""
        at_ms, told = self._told
        mono_ms, found = self._mono_ms(), self._facts.nodes()
        nodes = {self._node: ()} if found is None else found
        try:
            if self._held != self._told_hands:
                self._facts.tell_hands(self._held, now_ms)
                self._told_hands = self._held
            gist = nodes.keys(), {key: each.facts for key, each in known.items()}
            if known and (gist != told or mono_ms - at_ms >= TELL_MS):
                with self._lock:
                    dealt = self._rooms.members(
                        {k: e.facts for k, e in known.items()}, nodes, mono_ms
                    )
                for node, members in dealt.items():
                    self._facts.tell_members(node, members, now_ms, mono_ms)
                self._told = mono_ms, gist
        except OSError as error:
            return [f"answer processes can't be told: {(error.strerror or 'error').lower()}"]
        return []

    def _show(self, known: Mapping[Key, MemberKnown], now_ms: int) -> None:
        with self._lock:
            pools, reached = self._members.pools, self._members.reached()
        of = {
            name: {key[1]: each for key, each in known.items() if key[0] == name} for name in pools
        }
        view = RoutesView(
            made_ms=now_ms,
            pools=tuple(
                pool_view(pool, self._held, of[name], pools, now_ms) for name, pool in pools.items()
            ),
            hands=hands_view(self._held),
            counted_from_ms=self._counted_from(now_ms),
            problem=self.problem,
        )
        self._view = view
        words = [(p.name, p.degraded, [m.word for m in p.members]) for p in view.pools]
        gist = view.hands, words, reached
        at_ms, written = self._written
        mono_ms = self._mono_ms()
        wanted = bool(view.pools or view.hands or written is not None)
        if wanted and (gist != written or mono_ms - at_ms >= WRITE_MS):
            try:
                self._file.write(WrittenRoutes(view, reached))
            except OSError as error:
                log.warning("%s can't be written: %s", self._file.path.name, error.strerror)
            self._written = mono_ms, gist

    def _counted_from(self, now_ms: int) -> int | None:
        """Since when calls are counted, as long as figures lack some for it."""
        found = self.counted_from_ms
        return found if found is not None and now_ms - found < self.counts_ms else None

    def _noted(self, step: Stepped) -> None:
        """Say what a breaker did, to the audit log too where calls go otherwise by it."""
        state, why = step.breaker.state, step.breaker.why
        log.warning("%s/%s: breaker %s: %s", *step.key, state.words(acts=step.acts), why)
        if not step.acts:
            return
        subject = "/".join(step.key)
        try:
            self._note(Deed(who=BREAKER, what=_DID[state], subject=subject, details={"why": why}))
        except LedgerError as error:
            log.error("the audit log lacks that %s %s: %s", _DID[state], subject, error)  # noqa: TRY400


_DID = {
    BreakerState.OPEN: "took a member out",
    BreakerState.HALF_OPEN: "let a member back in for a part",
    BreakerState.CLOSED: "let a member back in",
}
