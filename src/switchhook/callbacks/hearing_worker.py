"""What hears for promises: it follows the journal, makes promises, and keeps what becomes of them.

One thread, from `start` to `stop`. How far it has heard is kept in the ledger in the same
transaction as what follows from it, so that whenever it dies nothing is heard twice or not at all:

    hearing = HearingWorker(LedgerPromises(ledger), journal, terms, now_ms=…, chance=…, token=…)
    hearing.begin()                 # where it had come to
    folder.observe(hearing.folded)  # before folder.start()
    hearing.start()
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.callbacks import heard_ledger
from switchhook.callbacks.call_told import ToldBy, served_by, told_of_details
from switchhook.callbacks.hearing import Heard, heard_of
from switchhook.callbacks.moves_ledger import refusal_of_promise
from switchhook.callbacks.outcome import after_told
from switchhook.callbacks.promise import PromiseEvent
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.wanting import promise_for
from switchhook.errors import SwitchhookError, in_words, unforeseen
from switchhook.exotel.times import MINUTE_MS
from switchhook.journal.source import moment_of
from switchhook.streams.journal_feed import JournalFeed
from switchhook.streams.parsed_record import CallbackRecord
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from switchhook.callbacks.call_told import CallTold
    from switchhook.callbacks.hearing import Wanted
    from switchhook.callbacks.ledger import LedgerPromises
    from switchhook.callbacks.moves_ledger import PromiseBatch
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.exotel.wire.calls import CallRecord
    from switchhook.journal.source import JournalSource
    from switchhook.streams.fold import Folded
    from switchhook.streams.parsed_record import ParsedRecord

log = logging.getLogger(__name__)

PROGRESS = "hearing"
HEAR_S = 0.5
"""For about so long it hears before it keeps what follows."""
AT_ONCE = 50
"""What follows from so many records is one transaction: nobody else writes meanwhile."""
FIRST_MS = 10 * MINUTE_MS
"""At the first start so much of what came before is heard: the answer side begins before us."""
KEEP_MS = 10_000
"""How far it has come is kept so often where nothing followed."""
AGAIN_S = 1.0
BEHIND_MS = 15_000
"""How old the newest record that was heard may be while there are newer ones."""
_MOST_DETAILS = 10_000


class HearingTerms(Protocol):
    """What the configuration says, at any moment and to any thread."""

    def account_of(self, endpoint: str) -> str:
        """The account of an endpoint; empty where it has none."""
        ...

    def settings_of(self, account: str) -> CallbackSettings | None:
        """How an account calls back; None where it doesn't."""
        ...

    def country_of(self, account: str) -> str:
        """The region of the numbers that it writes without a country's code."""
        ...

    def own(self) -> Collection[str]:
        """Our ExoPhones, in E.164."""
        ...


class _Pending(msgspec.Struct, frozen=True):
    """What is heard and not kept yet; `seq` is 0 of what no record told."""

    seq: int
    heard: Heard


class HearingWorker:
    """See above. `folded` and `told_details` belong to any thread.

    `chance` gives a number from 0 to 1, `token` a promise's token; `followed` is told of an attempt
    and what moved its promise, once that is kept: None where it was a fact only.
    """

    def __init__(
        self,
        promises: LedgerPromises,
        journal: JournalSource,
        terms: HearingTerms,
        *,
        now_ms: Callable[[], int],
        chance: Callable[[], float],
        token: Callable[[], str],
        followed: Callable[[Attempt, PromiseEvent | None], None] = lambda _attempt, _event: None,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._promises, self._journal, self._terms = promises, journal, terms
        self._now_ms, self._mono_ms = now_ms, mono_ms
        self._chance, self._token, self._followed = chance, token, followed
        self._feed = JournalFeed(journal)
        self._begun = False
        self._kept_seq, self._kept_ms = 0, mono_ms()
        self._pending: deque[_Pending] = deque()
        self._details: deque[CallTold] = deque(maxlen=_MOST_DETAILS)
        self._moved: list[tuple[Attempt, PromiseEvent | None]] = []
        self._repeating = Repeating(
            "promises", self._step, every_s=None, again_s=AGAIN_S, failed=self._told_problem
        )
        self.problem = ""
        """Why nothing is heard; empty where it is."""
        self.unheard: Counter[str] = Counter()
        """Records that could not be understood, by the kind of the error."""

    # Its life.

    def begin(self) -> None:
        """Go on from where it had come to; at the first start from some minutes before.

        Where that fails it is tried again. Of a journal that is another one, or ends before that,
        all that is new is heard.
        """
        try:
            known, end = self._promises.progress(PROGRESS), self._journal.last_seq()
            first = self._journal.seek(self._now_ms() - FIRST_MS) - 1 if known is None else known
            after = max(0, min(first, end))
            if after != known:
                self._promises.set_progress(PROGRESS, after)
            self._feed.begin(after)
        except SwitchhookError as error:
            self._told_problem(error)
            return
        self._kept_seq, self._begun = after, True

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """It waits until what was heard is kept; what is not, is heard again at the next start."""
        if not self._repeating.stop(timeout_s) or not self._begun:
            return
        try:
            self._keep()
        except SwitchhookError as error:
            log.warning("what was heard of promises is heard again: %s", error)

    def _step(self) -> float | None:
        more = self.hear()
        return 0.0 if more else AGAIN_S if self.problem else None

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        self._feed.folded(folded)
        self._repeating.wake()

    def told_details(self, account: str, record: CallRecord) -> None:
        """Hear what Exotel's API says of a call; what is told of too much at once is passed over.

        It is told again: details are asked for several times.
        """
        region = self._terms.country_of(account)
        self._details.append(told_of_details(record, self._now_ms(), region))
        self._repeating.wake()

    def complaints(self) -> list[str]:
        """What doesn't work, one sentence each."""
        count = self.unheard.total()
        lost = f"records that could not be heard for promises: {count:,}; the log says why"
        return [*filter(None, (self.problem, lost if count else ""))]

    # What it does.

    def hear(self) -> bool:
        """Hear of what is new and keep what follows; whether there is more."""
        if not self._begun:
            self.begin()
        if not self._begun:
            return False
        try:
            more = self._hear() if not self._pending else True
            self._keep()
        except SwitchhookError as error:
            self._told_problem(error)
            return False
        self.problem = ""
        return more

    def _told_problem(self, error: Exception) -> None:
        """What it does not hear nobody is owed meanwhile."""
        problem = f"promises are not heard of: {in_words(error)}"
        if not self.problem:
            log.warning("%s", problem, exc_info=unforeseen(error))
        self.problem = problem

    def _hear(self) -> bool:
        """Raises JournalError."""
        more = self._feed.hear(self._take, HEAR_S)
        while self._details:
            self._pending.append(_Pending(0, Heard(told=self._details.popleft())))
        return more

    def _take(self, parsed: ParsedRecord, placed: Mapping[int, int]) -> None:
        record = parsed.record
        region = "IN"
        if isinstance(parsed, CallbackRecord):
            region = self._terms.country_of(parsed.received.account)
        try:
            at_ms = placed.get(record.seq, moment_of(record))
            heard = heard_of(parsed, self._journal.node or 0, at_ms, region)
        except Exception as error:  # noqa: BLE001 - one record must not silence all after it
            kind = type(error).__name__
            if not self.unheard[kind]:
                # Its message may quote what was sent.
                log.error("a record of the journal is not heard: %s", kind)  # noqa: TRY400
            self.unheard[kind] += 1
            return
        if heard is not None:
            self._pending.append(_Pending(record.seq, heard))

    def _keep(self) -> None:
        """Keep what follows from what was heard, and how far that is. Raises LedgerError."""
        through = self._feed.through
        while self._pending:
            some = [self._pending[at] for at in range(min(AT_ONCE, len(self._pending)))]
            last = len(some) == len(self._pending)
            self._keep_some(some, through if last else max(each.seq for each in some))
            for _ in some:
                self._pending.popleft()
            moved, self._moved = self._moved, []
            for attempt, event in moved:
                self._followed(attempt, event)
        late = self._mono_ms() - self._kept_ms >= KEEP_MS or self._repeating.ending
        if through != self._kept_seq and late:
            self._promises.set_progress(PROGRESS, through)
            self._kept_seq, self._kept_ms = through, self._mono_ms()

    def _keep_some(self, some: Sequence[_Pending], through: int) -> None:
        concerned = self._concerned([each.heard for each in some])
        if not concerned:
            return
        self._moved = []
        with self._promises.writing() as batch:
            for heard in concerned:
                if heard.wanted is not None:
                    self._promise(batch, heard.wanted)
                if heard.told is not None:
                    self._follow(batch, heard.told)
            if through > self._kept_seq:
                batch.set_progress(PROGRESS, through)
        self._kept_seq, self._kept_ms = max(through, self._kept_seq), self._mono_ms()

    def _concerned(self, several: Sequence[Heard]) -> list[Heard]:
        """Those that may concern a promise: most calls concern none."""
        told = [each.told for each in several if each.told is not None]
        numbers = {number for each in told if each.talk_s for number in each.numbers}
        calls = {each.call_sid for each in told if each.call_sid and _may_be_ours(each)}
        wanted = {
            number for each in several if each.wanted is not None for number in each.wanted.numbers
        }
        owed, callbacks = self._promises.known(numbers, calls)
        # What comes of these is not kept yet.
        owed |= wanted
        callbacks |= {each.call_sid for each in told if each.custom_field}
        return [
            each
            for each in several
            if each.wanted is not None
            or (
                each.told is not None
                and (
                    each.told.custom_field
                    or each.told.call_sid in callbacks
                    or not owed.isdisjoint(each.told.numbers)
                )
            )
        ]

    def _promise(self, batch: PromiseBatch, wanted: Wanted) -> None:
        """Make the promise that a passthru wants, or keep why there is none."""
        account = self._terms.account_of(wanted.endpoint)
        settings = self._terms.settings_of(account) if account else None
        found = promise_for(wanted, account, settings, self._terms.own(), self._token())
        if isinstance(found, Refusal):
            batch.refuse(found)
            return
        ours = heard_ledger.callback_in(batch.connection, found.call_sid)
        if ours is not None:
            why = f"its call is the callback of promise {ours[0].id}, whatever the request says"
            batch.refuse(refusal_of_promise(found, RefusalCode.UNCONFIRMED, why))
            return
        before = heard_ledger.promised_in(batch.connection, found.call_sid)
        if before is None:
            batch.make(found)
            return
        why = f"promise {before} was made for the same call"
        batch.refuse(refusal_of_promise(found, RefusalCode.OPEN_ALREADY, why))

    def _follow(self, batch: PromiseBatch, told: CallTold) -> None:
        """Keep what is told of a callback, or end what is owed to somebody who was served."""
        ours = (
            heard_ledger.by_custom_field(batch.connection, told.custom_field)
            if told.custom_field
            else None
        )
        if ours is None and _may_be_ours(told):
            ours = heard_ledger.callback_in(batch.connection, told.call_sid)
        if ours is not None:
            self._follow_callback(batch, *ours, told)
            return
        for number in told.numbers:
            for promise in batch.live_of(number):
                self._serve(batch, promise, told)

    def _follow_callback(
        self, batch: PromiseBatch, promise: Promise, attempt: Attempt, told: CallTold
    ) -> None:
        settings = self._settings_of(promise)
        now_ms = self._now_ms()
        follows = after_told(promise, attempt, told, settings, now_ms, self._chance())
        if follows.event is None:
            batch.note(promise.id, attempt.number, follows.change)
        else:
            batch.settle(
                promise.id,
                follows.event,
                now_ms,
                why=follows.why,
                due_ms=follows.due_ms,
                attempt=attempt.number,
                change=follows.change,
            )
        sid = follows.change.call_sid or attempt.call_sid
        self._moved.append((msgspec.structs.replace(attempt, call_sid=sid), follows.event))

    def _serve(self, batch: PromiseBatch, promise: Promise, told: CallTold) -> None:
        """End a promise where its caller was served since it was made."""
        other = told.call_sid != promise.call_sid
        since = told.began_ms if other and told.by in _OF_WHOLE_CALLS else told.at_ms
        if since is None or since < promise.made_ms:
            return
        why = served_by(told, self._settings_of(promise).served_s)
        if why:
            batch.settle(promise.id, PromiseEvent.SERVED, self._now_ms(), why=why)

    def _settings_of(self, promise: Promise) -> CallbackSettings:
        """How its account calls back, or did: what is on its way has to end somehow."""
        return self._terms.settings_of(promise.account) or CallbackSettings()


_OF_WHOLE_CALLS = frozenset({ToldBy.CALLBACK, ToldBy.DETAILS})
"""They come long after, and tell of talks that may have been before a promise was made."""


def _may_be_ours(told: CallTold) -> bool:
    """Whether a call may be one that we made; one that came in never is."""
    return told.by is not ToldBy.PASSTHRU or told.outbound


def unheard(hearing: HearingWorker, now_ms: int) -> str:
    """Why what was received of late is not heard yet, in words; empty where it is.

    Whoever goes by what nobody told has to know that. Any thread.
    """
    if not hearing._begun or hearing.problem:
        return hearing.problem or "what was received is not heard yet"
    try:
        end = hearing._journal.last_seq()
    except SwitchhookError as error:
        return f"what was received can't be read: {error}"
    if hearing._feed.through >= end or now_ms - hearing._feed.through_ms < BEHIND_MS:
        return ""
    return "what was received meanwhile is still being heard"
