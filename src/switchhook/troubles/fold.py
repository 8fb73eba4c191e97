"""The judges of all bots and accounts, told by the fold of every stream that ended."""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING

from switchhook.errors import SwitchhookError
from switchhook.exotel.times import DAY_MS, MINUTE_MS
from switchhook.journal.source import moment_of
from switchhook.metrics import OTHER
from switchhook.streams.parsed_record import PassthruRecord, parse_record
from switchhook.streams.store import StreamFilter
from switchhook.troubles.bots_met import BotsMet
from switchhook.troubles.judge import Judge, Phase, Standing
from switchhook.troubles.outcomes import (
    TERMS,
    EndedStream,
    Measure,
    Subject,
    ended_stream,
    outcomes,
)
from switchhook.troubles.together import fault_of_all
from switchhook.troubles.usual_talks import UsualTalks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from switchhook.journal.source import JournalSource
    from switchhook.streams.fold import Folded
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store

log = logging.getLogger(__name__)

REMEMBERED = 2_000
"""Streams, the last to end, that are judged anew after a start and where names changed."""
MOST_SUBJECTS = 500
"""Bots, or accounts, that are judged one by one; the rest together, as `other`."""
_MOST_SEEN = 20_000


class TroubleWatch:
    """How everybody stands. The fold's thread tells it, any thread asks it.

    `begin` before the fold starts: what ended before is judged once more, so that a trouble
    survives a restart.
    """

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names_now = names
        self._names = names()
        self._lock = threading.Lock()
        self._judges: dict[Subject, Judge] = {}
        self._judged: Counter[Measure] = Counter()
        self._forgot_ms: dict[Measure, int] = {}
        self._ended: deque[EndedStream] = deque(maxlen=REMEMBERED)
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._together_ms = 0
        self._talks: UsualTalks | None = None
        self._met = BotsMet()

    def begin(self, store: Store, journal: JournalSource) -> None:
        """Judge what ended last, by what is kept; where it can't be read, go on without."""
        self._talks = UsualTalks(store, journal)
        try:
            seqs = sorted(store.receipts(StreamFilter(limit=REMEMBERED)))
            placed, records = store.placed(seqs), journal.get_many(seqs)
        except SwitchhookError as error:
            log.error("what failed before the start is not known: %s", error)  # noqa: TRY400
            return
        last_ms = max((placed.get(seq, each.at) for seq, each in records.items()), default=0)
        while self.look(last_ms):
            pass
        for seq, record in sorted(records.items()):
            parsed = parse_record(record)
            if isinstance(parsed, PassthruRecord):
                self.take(ended_stream(parsed, placed.get(seq, moment_of(record))))

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        for parsed in folded.records:
            if isinstance(parsed, PassthruRecord):
                record = parsed.record
                at_ms = folded.placed.get(record.seq, moment_of(record))
                self.take(ended_stream(parsed, at_ms))

    def look(self, now_ms: int) -> bool:
        """Learn a little more of what is usual; whether there is more. For one thread."""
        if self._talks is None:
            return False
        with self._lock:
            short = {
                subject.name
                for subject, judge in self._judges.items()
                if subject.measure is Measure.TALKS_SHORT
                and (standing := judge.standing(now_ms)) is not None
                and now_ms - standing.since_ms < DAY_MS
            }
        try:
            return self._talks.look(now_ms, self._names_now(), short)
        except SwitchhookError as error:
            log.warning("how long talks usually last is not known: %s", error)
            return False

    def standings(self, now_ms: int) -> dict[Subject, Standing]:
        """All that is in trouble, or was until a moment ago."""
        with self._lock:
            if (names := self._names_now()) != self._names:
                self._judge_anew(names)
            judged = {subject: judge.standing(now_ms) for subject, judge in self._judges.items()}
            found = {subject: each for subject, each in judged.items() if each is not None}
            of_all = found.get(Subject(Measure.ANY_BOT, ""))
            if of_all is not None and fault_of_all(of_all):
                self._together_ms = of_all.last_failed_ms
            fails = of_all is not None and of_all.phase is Phase.FAILING
            return found if fails else self._without_those_of_then(found)

    def _without_those_of_then(self, found: dict[Subject, Standing]) -> dict[Subject, Standing]:
        """Bots that failed together go well again as one: who did not fail since is not told of."""
        return {
            subject: each
            for subject, each in found.items()
            if subject.measure is not Measure.BOT_FAILS or each.last_failed_ms > self._together_ms
        }

    def subjects(self) -> tuple[Subject, ...]:
        """All that are judged."""
        with self._lock:
            return tuple(self._judges)

    def take(self, stream: EndedStream | None) -> None:
        """Judge one more; None is one that did not end."""
        if stream is None:
            return
        with self._lock:
            if stream.key in self._seen:
                return  # a later passthru of its call tells of it again
            if stream.key is not None:
                self._seen[stream.key] = None
                if len(self._seen) > _MOST_SEEN:
                    self._seen.popitem(last=False)
            self._ended.append(stream)
            self._judge(stream)

    def _judge(self, stream: EndedStream) -> None:
        bot = self._met.bot_of(stream.facet, self._names)
        usual = None if self._talks is None else self._talks.of(bot)
        for subject, outcome in outcomes(stream, bot, self._names, usual):
            self._judge_of(subject, stream.at_ms).take(outcome)

    def _judge_of(self, subject: Subject, at_ms: int) -> Judge:
        judge = self._judges.get(subject)
        if judge is None:
            measure = subject.measure
            if self._judged[measure] >= MOST_SUBJECTS and not self._forget(measure, at_ms):
                subject = Subject(measure, OTHER)
            judge = self._judges.get(subject)
        if judge is None:
            judge = self._judges[subject] = Judge(TERMS[subject.measure])
            self._judged[subject.measure] += 1
        return judge

    def _forget(self, measure: Measure, at_ms: int) -> bool:
        """Forget those of whom nothing is heard, looked for once a minute; whether there were."""
        if at_ms - self._forgot_ms.get(measure, 0) < MINUTE_MS:
            return False
        self._forgot_ms[measure] = at_ms
        idle = [
            subject
            for subject, judge in self._judges.items()
            if subject.measure is measure and at_ms - judge.last_ms > DAY_MS
        ]
        for each in idle:
            del self._judges[each]
        self._judged[measure] -= len(idle)
        return bool(idle)

    def _judge_anew(self, names: Names) -> None:
        """Bots and accounts are called otherwise now."""
        self._names, self._judges, self._judged, self._met = names, {}, Counter(), BotsMet()
        for stream in self._ended:
            self._judge(stream)
