"""What keeps flags: reads what they are set to, tells the answer processes, knows who reads them.

One thread, from `start` to `stop`, looks four times a second, and at once where something happened:

    worker = FlagsWorker(LedgerFlags(ledger), facts_file, now_ms=clock.now_ms)
    worker.use(config.flags, {"off": ("sales-in",)})  # and whenever either has changed
    worker.set(wanted, by, deed)                       # in force when it returns
    worker.listen(renew)                               # is called when a flag is something else
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from switchhook.errors import LedgerError
from switchhook.flags.changes import change_of, flag_named, noted, told, undone
from switchhook.flags.view import FlagRead, FlagsView, flags_view, gist_of
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.access.audit import Deed
    from switchhook.flags.changes import FlagChange, FlagWanted
    from switchhook.flags.ledger import LedgerFlags
    from switchhook.rules.flags import Flag, FlagSetting

    DeedOf = Callable[[str, str, dict[str, str]], Deed]
    """From what was done, to what, and details, to the deed of whoever did it."""

log = logging.getLogger(__name__)

LOOK_S = 0.25
NOTE_MS = 600_000
"""How often it is kept that flags are still read."""


class Facts(Protocol):
    """What tells the answer processes: capacity.facts_file.FactsFile. Raises OSError."""

    def tell_flags(self, settings: Iterable[FlagSetting], now_ms: int) -> None: ...


class FlagsWorker:
    """See above. Any thread may ask it."""

    def __init__(
        self,
        ledger: LedgerFlags,
        facts: Facts,
        *,
        now_ms: Callable[[], int],
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self.ledger, self._facts = ledger, facts
        self.now_ms, self._mono_ms = now_ms, mono_ms
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._flags: tuple[Flag, ...] = ()
        self._readers: Mapping[str, tuple[str, ...]] = {}
        self._held: dict[str, FlagChange] = {}
        self._told: tuple[FlagSetting, ...] | None = None
        self._reads: dict[str, FlagRead] = {}
        self._read_by_bots: dict[str, int] = {}
        self._noted_ms: int | None = None
        self.gist: object = None
        """What tells two moments apart for those who read flags."""
        self._listeners: list[Callable[[], object]] = []
        self.problem = ""
        self._repeating = Repeating("flags", self.look, every_s=LOOK_S, failed=self._failed)

    # Its life.

    def use(self, flags: Sequence[Flag], readers: Mapping[str, tuple[str, ...]]) -> None:
        """Go on with these flags; `readers` are the endpoints whose rules read each, by name."""
        with self._lock:
            if tuple(flags) != self._flags or readers != self._readers:
                self._noted_ms = None
            self._flags, self._readers = tuple(flags), dict(readers)
        self._repeating.wake()

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Keep what was read last, and end."""
        self._repeating.stop(timeout_s)
        self._noted_ms = None
        self._look_at_reads(self.now_ms())

    def _failed(self, error: Exception) -> None:
        """What was told holds meanwhile."""
        if not self.problem:
            log.error("the flags can't be looked after; it is tried again", exc_info=error)
        self.problem = f"the flags can't be looked after: {type(error).__name__}"

    def listen(self, renew: Callable[[], object]) -> Callable[[], None]:
        """Have `renew` called, in the worker's thread, when a flag is something else.

        What is given back ends it.
        """
        self._listeners.append(renew)
        return partial(self._listeners.remove, renew)

    # What it knows.

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags that are declared."""
        return self._flags

    def settings(self) -> dict[str, FlagSetting]:
        """What flags are set to, by name, as it was read last."""
        return {name: each.setting for name, each in self._held.items()}

    def news(self) -> object:
        """What tells two moments apart for those who look at the page."""
        return self.gist, [each.id for each in self._held.values()], self.problem

    def view(self) -> FlagsView:
        """How all flags stand."""
        with self._lock:
            reads = {**self._reads}
            for name, at_ms in self._read_by_bots.items():
                if (read := reads.get(name)) is not None:
                    reads[name] = FlagRead(name, read.known_ms, read.rules_ms, at_ms)
        now_ms = self.now_ms()
        return flags_view(self._flags, self._held, reads, self._readers, now_ms, self.problem)

    # What people and bots do.

    def set(self, wanted: FlagWanted, by: str, deed: DeedOf) -> FlagChange:
        """Set a flag, or reset it, and tell it. Raises FlagError, LedgerError."""
        now_ms = self.now_ms()
        change = self.ledger.change(
            lambda held, _named: change_of(wanted, self._flags, held, by, now_ms),
            lambda change: deed(*noted(change)),
            now_ms,
        )
        self.look()
        return change

    def undo(self, name: str, reason: str, by: str, deed: DeedOf) -> FlagChange:
        """Undo the last change of a flag, and tell it. Raises FlagError, LedgerError."""
        now_ms = self.now_ms()
        change = undo_in(self.ledger, self._flags, name, reason, by, deed, now_ms)
        self.look()
        return change

    def read_by_bot(self, names: Iterable[str]) -> None:
        """Note that bots read these flags."""
        now_ms = self.now_ms()
        with self._lock:
            self._read_by_bots.update((name, now_ms) for name in names)

    # What follows.

    def look(self) -> None:
        """Look once, and tell what has changed."""
        with self._looking:
            now_ms, problems = self.now_ms(), []
            try:
                self._held = self.ledger.held()
            except LedgerError as error:  # what was set holds; whether it was changed isn't known
                problems.append(f"what flags are set to can't be read: {error}")
            problems += [*self._tell(now_ms), *self._look_at_reads(now_ms)]
            self.problem = "; ".join(problems)
            gist = gist_of(self._flags, self._held, now_ms)
            renewed, self.gist = gist != self.gist, gist
        if renewed:
            for renew in tuple(self._listeners):
                renew()

    def _tell(self, now_ms: int) -> list[str]:
        settings = told(self._held.values(), self._flags, now_ms)
        if settings == self._told or not (settings or self._told or self._flags):
            return []
        try:
            self._facts.tell_flags(settings, now_ms)
        except OSError as error:
            return [f"answer processes can't be told: {(error.strerror or 'error').lower()}"]
        self._told = settings
        return []

    def _look_at_reads(self, now_ms: int) -> list[str]:
        """Keep now and then when each flag was read."""
        mono_ms = self._mono_ms()
        if self._noted_ms is not None and mono_ms - self._noted_ms < NOTE_MS:
            return []
        with self._lock:
            flags, readers, bots = self._flags, self._readers, dict(self._read_by_bots)
        if not flags and not self._reads:
            self._noted_ms = mono_ms
            return []
        try:
            before = self.ledger.reads()
            fresh = {flag.name: _read(flag.name, before, readers, bots, now_ms) for flag in flags}
            self.ledger.note_reads(fresh.values(), fresh)
        except LedgerError as error:
            return [f"when flags were read can't be kept: {error}"]
        with self._lock:
            self._reads, self._noted_ms = fresh, mono_ms
        return []


def _read(
    name: str,
    before: Mapping[str, FlagRead],
    readers: Mapping[str, tuple[str, ...]],
    bots: Mapping[str, int],
    now_ms: int,
) -> FlagRead:
    old = before.get(name) or FlagRead(name, now_ms)
    rules_ms = now_ms if readers.get(name) else old.rules_ms
    return FlagRead(name, old.known_ms, rules_ms, bots.get(name, old.bots_ms))


def undo_in(
    ledger: LedgerFlags,
    flags: Sequence[Flag],
    name: str,
    reason: str,
    by: str,
    deed: DeedOf,
    now_ms: int,
) -> FlagChange:
    """Undo the last change of a flag, where no worker runs. Raises FlagError, LedgerError."""
    flag = flag_named(name, flags)

    def decide(
        held: Mapping[str, FlagChange], named: Callable[[int], FlagChange | None]
    ) -> FlagChange:
        last = held.get(flag.name)
        target = None if last is None or last.before is None else named(last.before)
        return undone(flag, last, target, reason, by, now_ms)

    return ledger.change(decide, lambda change: deed(*noted(change)), now_ms)
