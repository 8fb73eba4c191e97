"""A back-test: what a candidate would have given to all whose requests were kept, counted. Pure.

Counts of parts of the journal are put together in any order, with the same outcome as if they had
been counted at once: so all cores count, and a back-test that was stopped goes on.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from switchhook.journal.receipt import receipt_id
from switchhook.metrics import OTHER, count_text
from switchhook.releases.spans import Span
from switchhook.releases.trial import Became, Given, Tried

REPORT = "backtest"
"""What the report of a release is called in the ledger: a `BackTest` in MessagePack."""
MOST_CHANGES = 300
"""Kinds of difference that are told apart; the rest is counted under other."""
MOST_EXAMPLES = 50
"""Differences of one kind that are listed: the newest."""
MOST_FAULTS = 20
MOST_NAMES = 500
MOST_CALLERS = 20_000
_HALF_HOUR_MS = 1_800_000


class Example(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """One receipt: where it stands in the journal, or in which line of a log, and what is odd.

    `id` is its own in a journal of several nodes, where neither says it.
    """

    at_ms: int
    seq: int
    cause: str = ""
    bot: str = ""
    why: str = ""
    id: str = ""

    def receipt(self, node: int | None) -> str:
        """The receipt's id, `node` the journal's; empty where it is a line of a log."""
        return self.id or ("" if node is None else receipt_id(self.at_ms, node, self.seq))


class Change(msgspec.Struct, array_like=True):
    """One kind of difference: what was given, what would be, how often, and the newest of them."""

    endpoint: str
    was: Given
    would: Given
    count: int = 0
    examples: list[Example] = []

    @property
    def key(self) -> tuple[str, Given, Given]:
        """What makes it one kind."""
        return self.endpoint, self.was, self.would


class Part(msgspec.Struct, array_like=True):
    """How many were decided again, and how many of them otherwise."""

    decided: int = 0
    different: int = 0


class CallersSeen(msgspec.Struct):
    """The first decision of each caller, of as many callers as there is room for.

    Of all callers those are kept whose number ends in `level` zero bits: a part that does not
    depend on what became of them. `first` has by the caller's number the receipt's place, what the
    candidate's decision counts as in its mix, and whether the answer differs.
    """

    level: int = 0
    first: dict[int, tuple[int, str, bool]] = {}

    def saw(self, caller: int, place: int, mix: str, *, different: bool) -> None:
        """Take a decision."""
        if caller and mix and not caller & ((1 << self.level) - 1):
            self._take(caller, (place, mix, different))
            self._thin()

    def add(self, other: CallersSeen) -> None:
        """Take those of another part."""
        self._thin(max(self.level, other.level))
        rest = (1 << self.level) - 1
        for caller, found in other.first.items():
            if not caller & rest:
                self._take(caller, found)
        self._thin()

    def _take(self, caller: int, found: tuple[int, str, bool]) -> None:
        known = self.first.get(caller)
        if known is None or found[0] < known[0]:
            self.first[caller] = found

    def _thin(self, level: int = 0) -> None:
        while self.level < level or len(self.first) > MOST_CALLERS:
            self.level += 1
            rest = (1 << self.level) - 1
            self.first = {caller: each for caller, each in self.first.items() if not caller & rest}

    @property
    def callers(self) -> int:
        """How many there are: exact while `level` is 0, else an estimate."""
        return len(self.first) << self.level

    @property
    def different(self) -> int:
        """How many of them would get another first answer, likewise."""
        return sum(each[2] for each in self.first.values()) << self.level

    def mix(self) -> dict[str, int]:
        """How many of those kept count as what: what a canary's callers are held against."""
        return dict(Counter(each[1] for each in self.first.values()).most_common())


class Tally(msgspec.Struct):
    """What was counted.

    `decided` receipts were decided again; of these `different` got another answer, `other_rule` the
    same by another rule, and `faults` are decisions of the release's own that it does not give
    again. `left_out` is by why, `unable` too; `unsure` are those of `decided` of which something
    could not be known. `unkept` is how often a flag was taken as by default, as nobody is
    known to have set it. `without_caller` are those of `decided` that name nobody, by number or
    CallSid, and so are of none of `callers`. `hours` are on the endpoint's clock, such as
    "2026-11-23 14:00 IST". What has too many names is counted under other.
    """

    decided: int = 0
    different: int = 0
    other_rule: int = 0
    faults: int = 0
    without_caller: int = 0
    left_out: dict[str, int] = {}
    unable: dict[str, int] = {}
    unsure: dict[str, int] = {}
    unkept: dict[str, int] = {}
    changes: list[Change] = []
    causes: dict[str, Part] = {}
    bots: dict[str, Part] = {}
    hours: dict[str, Part] = {}
    rules: dict[str, Part] = {}
    """By the rule that decided then."""
    faulty: list[Example] = []
    callers: CallersSeen = msgspec.field(default_factory=CallersSeen)

    def seen(self) -> int:
        """All receipts that were looked at."""
        return self.decided + sum(self.left_out.values()) + sum(self.unable.values())


class Counting:
    """Counts into a `Tally`: what comes of receipts, and other tallies."""

    def __init__(self, tally: Tally | None = None) -> None:
        self._tally = Tally() if tally is None else tally
        self._changes = {each.key: each for each in self._tally.changes}

    def count(self, tried: Tried, at_ms: int, place: int, id: str = "") -> None:
        """Count one; `place` is its number in the journal, or its line in a log."""
        tally, was, would = self._tally, tried.was, tried.would
        if was is None or would is None:
            by = tally.left_out if tried.became is Became.LEFT_OUT else tally.unable
            _more(by, tried.why)
            return
        different = not was.same_answer(would)
        tally.decided += 1
        _part(tally.causes, tried.cause, different)
        _part(tally.bots, tried.bot, different)
        _part(tally.hours, hour_of(at_ms, tried.zone), different)
        _part(tally.rules, was.rule, different)
        if tried.unsure:
            _more(tally.unsure, tried.unsure)
        for flag in tried.unkept:
            _more(tally.unkept, flag)
        tally.without_caller += not tried.caller
        tally.callers.saw(tried.caller, place, tried.mix, different=different)
        if tried.became is Became.SAME:
            return
        example = Example(at_ms, place, tried.cause, tried.bot, tried.why, id)
        if tried.became is Became.FAULT:
            tally.faults += 1
            tally.faulty = _newest([*tally.faulty, example], MOST_FAULTS)
        if different:
            tally.different += 1
            self._add(Change(tried.endpoint, was, would, 1, [example]))
        elif tried.became is Became.OTHER_RULE:
            tally.other_rule += 1

    def add(self, other: Tally) -> None:
        """Count what another tally has."""
        tally = self._tally
        tally.decided += other.decided
        tally.different += other.different
        tally.other_rule += other.other_rule
        tally.faults += other.faults
        tally.without_caller += other.without_caller
        for name in ("left_out", "unable", "unsure", "unkept"):
            for key, count in getattr(other, name).items():
                _more(getattr(tally, name), key, count)
        for name in ("causes", "bots", "hours", "rules"):
            for key, part in getattr(other, name).items():
                _add_part(getattr(tally, name), key, part)
        for change in other.changes:
            self._add(change)
        tally.faulty = _newest([*tally.faulty, *other.faulty], MOST_FAULTS)
        tally.callers.add(other.callers)

    def _add(self, more: Change) -> None:
        key = more.key
        if key not in self._changes and len(self._changes) >= MOST_CHANGES:
            key = more.endpoint, _OTHER, _OTHER
        change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = Change(*key)
        change.count += more.count
        change.examples += more.examples
        if len(change.examples) > 2 * MOST_EXAMPLES:
            change.examples = _newest(change.examples, MOST_EXAMPLES)

    def tally(self) -> Tally:
        """What was counted so far, the most frequent change first."""
        for change in self._changes.values():
            change.examples = _newest(change.examples, MOST_EXAMPLES)
        self._tally.changes = sorted(
            self._changes.values(), key=lambda each: (-each.count, each.key)
        )
        return self._tally


_OTHER = Given("", OTHER)


def _newest(examples: list[Example], most: int) -> list[Example]:
    return sorted(examples, reverse=True)[:most]


def _more(counts: dict[str, int], name: str, count: int = 1) -> None:
    if name not in counts and len(counts) >= MOST_NAMES:
        name = OTHER
    counts[name] = counts.get(name, 0) + count


def _part(parts: dict[str, Part], name: str, different: bool) -> None:
    if not name:
        return
    found = parts.get(name)
    if found is None:
        _add_part(parts, name, Part(1, int(different)))
        return
    found.decided += 1
    found.different += different


def _add_part(parts: dict[str, Part], name: str, more: Part) -> None:
    if name not in parts and len(parts) >= MOST_NAMES:
        name = OTHER
    found = parts.get(name)
    if found is None:
        found = parts[name] = Part()
    found.decided += more.decided
    found.different += more.different


def nameless_words(count: int) -> str:
    """How many requests are of no caller, in a sentence."""
    requests = count_text(count, "request")
    return f"no caller is known of {requests}, by number or CallSid: the callers are without them"


def hour_of(at_ms: int, zone: str) -> str:
    """The hour of a moment on a clock, with its zone, as in "2026-11-23 14:00 IST"."""
    return _half_hour(at_ms // _HALF_HOUR_MS, zone)


@lru_cache(maxsize=4096)
def _half_hour(half_hours: int, zone: str) -> str:
    moment = datetime.fromtimestamp(half_hours * _HALF_HOUR_MS / 1000, UTC)
    return moment.astimezone(ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:00 %Z")


class BackTest(msgspec.Struct, kw_only=True):
    """A back-test: of what, over which requests, how far it is, and what was counted.

    `release` is the hash of the candidate's text, `number` its release's where it is one. Either
    `whole` is the part of the journal that it goes over, of which `done` is counted, or `log` names
    the file. `since` is how long it goes back as it was asked, `since_ms` to which moment,
    `spent_s` how long it took so far, `left_s` how long it will take.
    """

    subject: str
    release: str
    number: int | None = None
    log: str = ""
    since: str = ""
    since_ms: int = 0
    until_ms: int = 0
    whole: Span = Span(1, 0)
    done: list[Span] = []
    begun_ms: int = 0
    ended_ms: int | None = None
    spent_s: float = 0.0
    left_s: float | None = None
    cores: int = 1
    tally: Tally = msgspec.field(default_factory=Tally)

    @property
    def counted(self) -> int:
        """How many records of `whole` are counted."""
        return sum(each.records for each in self.done)

    @property
    def complete(self) -> bool:
        """Whether all is counted."""
        return self.ended_ms is not None
