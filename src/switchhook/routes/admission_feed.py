"""What the journal tells of admissions and of the streams that follow, told to the leases.

It decodes records and reckons; time is an argument, and nothing is asked. One thread at a time may
use it. What tells of a stream's start is a request for its bot's address, a bot's report or a
StatusCallback; of its end its passthru, dated by its own CurrentTime, a bot's report, or a
StatusCallback.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.call_words import call_status, is_final
from switchhook.exotel.cause import Cause
from switchhook.journal.bot_report import BotEvent
from switchhook.journal.bot_report import read as read_report
from switchhook.journal.receipt import (
    RecordKind,
    decode_address,
    decode_admission,
    decode_bot_report,
    read_passthru,
)
from switchhook.journal.source import moment_of
from switchhook.routes.admission import AccountAdmission
from switchhook.rules.admission import BY_HAND
from switchhook.rules.decide import Option
from switchhook.streams.parsed_record import CallbackRecord, OtherRecord, PassthruRecord
from switchhook.streams.story import enters_stories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.journal.receipt import AdmissionGiven
    from switchhook.journal.source import JournalRecord
    from switchhook.streams.parsed_record import ParsedRecord

COUNTED_MS = 900_000
JUST_NOW_MS = 60_000
"""How long what became of somebody counts as how it goes now."""
_AS_DATED_MS = 60_000
"""How far back what tells of an end may date it."""
_HALF_SECOND_MS = 500
_MOST_SEEN = 20_000
_STARTS = {BotEvent.STARTED, BotEvent.FIRST_IN, BotEvent.FIRST_OUT}
_RUNNING = {"in-progress", "answered"}
_NO_END = {Cause.RUNNING, Cause.NO_STREAM}


class Became(StrEnum):
    """What became of one who asked for room."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    """There was no room."""
    BY_RULE = "refused by rule"
    """A rule refused without asking for room."""
    BY_HAND = "refused by hand"
    """A person had sent the endpoint's callers to its safe option, which refuses."""
    UNKNOWN = "nothing known"
    """Nothing was known of the account's streams: the endpoint's safe option."""


class AskedFor(msgspec.Struct, frozen=True):
    """One who asked for room: when, where, in which class, and what became of it."""

    at_ms: int
    endpoint: str
    class_: str
    became: Became


class AdmissionFeed:
    """The accounts that are asked for room, by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountAdmission] = {}
        self._asked: dict[str, deque[AskedFor]] = {}
        self._total: dict[str, Counter[tuple[str, str, Became]]] = {}
        self._account_of: dict[str, str] = {}
        self._holder_of: dict[str, str] = {}
        self._call_of: dict[str, str] = {}
        self._seen: dict[tuple[str, str], None] = {}

    def use(self, accounts: Iterable[str]) -> None:
        """Go on with these; what is known of the others is forgotten."""
        names = tuple(accounts)
        self.accounts = {name: self.accounts.get(name) or AccountAdmission() for name in names}
        self._asked = {name: self._asked.get(name, deque()) for name in names}
        self._total = {name: self._total.get(name, Counter()) for name in names}

    def take(self, parsed: ParsedRecord, placed: Mapping[int, int], *, count: bool = True) -> bool:
        """Hear of a record; whether it told anything of a lease.

        `placed` is where in time some belong, by seq. `count` is whether those who ask are counted
        in all: not where a start reads once more what was counted before.
        """
        record = parsed.record
        at_ms = placed.get(record.seq, moment_of(record))
        match parsed:
            case PassthruRecord():
                return self._passthru(parsed, at_ms)
            case CallbackRecord(callback=callback) if callback is not None:
                status = callback.status or ""
                self._name(callback.custom_field, callback.call_sid)
                if is_final(status):
                    return self._ended(callback.call_sid, at_ms, at_ms)
                return call_status(status) in _RUNNING and self._started(callback.call_sid, at_ms)
            case OtherRecord():
                return self._other(record, at_ms, count=count)
        return False

    def _other(self, record: JournalRecord, at_ms: int, *, count: bool) -> bool:
        if record.kind == RecordKind.ADMISSION:
            return self._admission(decode_admission(record.body), record.seq, at_ms, count=count)
        if record.kind == RecordKind.VOICEBOT:
            given = decode_address(record.body)
            if not enters_stories(given) or not given.address:
                return False
            asking = read_passthru(given)
            self._name(asking.custom_field, asking.call_sid)
            return self._started(asking.call_sid, at_ms)
        if record.kind == RecordKind.BOT_REPORT:
            report = read_report(decode_bot_report(record.body).raw)
            if report is None:
                return False
            if report.event in _STARTS:
                return self._started(report.call_sid, at_ms)
            if report.event is BotEvent.ENDED:
                dated = at_ms if report.at_us is None else report.at_us // 1000
                return self._ended(report.call_sid, dated, at_ms, ran=True)
        return False

    def _admission(self, given: AdmissionGiven, seq: int, at_ms: int, *, count: bool) -> bool:
        account = self.accounts.get(given.account)
        if account is None or not enters_stories(given):
            return False
        asked = AskedFor(at_ms, given.endpoint, _class_of(given), _became(given))
        self._asked[given.account].append(asked)
        if count:
            self._total[given.account][asked.endpoint, asked.class_, asked.became] += 1
        if not given.admitted:
            return False
        # One whose call is not known holds a place too: nothing else tells of it.
        call = read_passthru(given).call_sid or f"record {seq}"
        self._account_of[call] = given.account
        account.leases.admitted(call, at_ms, endpoint=asked.endpoint, class_=asked.class_)
        return True

    def _passthru(self, parsed: PassthruRecord, at_ms: int) -> bool:
        passthru, cause = parsed.passthru, Cause(parsed.facet.cause)
        call, stream = passthru.call_sid, passthru.stream
        self._name(passthru.custom_field, call)
        account = self._of(call)
        if account is None or stream is None or cause in _NO_END or not parsed.enters_stories:
            return False
        assert call is not None
        if stream.sid is not None:
            if (call, stream.sid) in self._seen:
                return False  # a later passthru of the call tells of it again
            self._seen[call, stream.sid] = None
            if len(self._seen) > _MOST_SEEN:
                del self._seen[next(iter(self._seen))]
        current = passthru.current_at
        dated = at_ms if current is None else int(current.timestamp() * 1000) + _HALF_SECOND_MS
        if cause is Cause.THROTTLED:
            account.throttled(at_ms)
        return self._ended(call, dated, at_ms, ran=True)

    def _started(self, call: str | None, at_ms: int) -> bool:
        account = self._of(call)
        if account is None or call is None:
            return False
        account.started(call, at_ms)
        return True

    def _ended(self, call: str | None, dated_ms: int, told_ms: int, *, ran: bool = False) -> bool:
        account = self._of(call)
        if account is None or call is None:
            return False
        # Whose clock is far off dates nothing.
        near = told_ms - _AS_DATED_MS <= dated_ms <= told_ms
        account.ended(call, dated_ms if near else told_ms, told_ms=told_ms, ran=ran)
        return True

    # Callbacks, whose places are held before they are dialled.

    def hold(self, account: str, name: str, class_: str, now_ms: int) -> None:
        """Hold a place for a callback, whatever room there is."""
        if account in self.accounts:
            self._holder_of[name] = account
            self.accounts[account].callbacks.hold(name, class_, now_ms)

    def take_callback(self, account: str, name: str, class_: str, reserve: int, now_ms: int) -> str:
        """Hold a place for a callback where there is room; else why not, in words."""
        admission = self.accounts.get(account)
        if admission is None:
            return f"account {account} has no callbacks"
        why = admission.take_callback(name, class_, reserve, now_ms)
        if not why:
            self._holder_of[name] = account
        return why

    def name(self, name: str, call: str) -> None:
        """Say which call it is that a callback's place is held for."""
        self._name(name, call)

    def release(self, name: str, now_ms: int) -> None:
        """A callback is over, or was never made."""
        admission = self.accounts.get(self._holder_of.pop(name, ""))
        call = self._call_of.pop(name, None)
        if admission is None or admission.callbacks.release(name) is not None or call is None:
            return
        admission.leases.ended(call, now_ms, told_ms=now_ms)

    def _name(self, name: str | None, call: str | None) -> None:
        account = self._holder_of.get(name or "")
        if account is None or name is None or not call or self._call_of.get(name) == call:
            return
        self._call_of[name], self._account_of[call] = call, account
        if account in self.accounts:
            self.accounts[account].callbacks.name(name, call)

    def _of(self, call: str | None) -> AccountAdmission | None:
        """The account that let a call in."""
        return self.accounts.get(self._account_of.get(call, "")) if call is not None else None

    def look(self, now_ms: int) -> None:
        """Compare, tidy up and forget what is over; about each second."""
        for account in self.accounts.values():
            account.look(now_ms)
        self._account_of = {
            call: name
            for call, name in self._account_of.items()
            if name in self.accounts and self.accounts[name].knows(call)
        }
        for asked in self._asked.values():
            while asked and asked[0].at_ms <= now_ms - COUNTED_MS:
                asked.popleft()

    def lately(self, account: str) -> Counter[Became]:
        """What became of those who asked in the last `COUNTED_MS`."""
        return Counter(each.became for each in self._asked.get(account, ()))

    def just_now(self, account: str, now_ms: int) -> dict[Became, tuple[int, int]]:
        """What became of those who asked in the last `JUST_NOW_MS`: how many, and when the last."""
        found: dict[Became, tuple[int, int]] = {}
        for each in self._asked.get(account, ()):
            if now_ms - each.at_ms < JUST_NOW_MS:
                count, last_ms = found.get(each.became, (0, 0))
                found[each.became] = count + 1, max(last_ms, each.at_ms)
        return found

    def total(self, account: str) -> Mapping[tuple[str, str, Became], int]:
        """What became of all since the program started, by endpoint, class and that."""
        return dict(self._total.get(account, {}))


def _class_of(given: AdmissionGiven) -> str:
    return given.admission.class_ if given.admission is not None else ""


def _became(given: AdmissionGiven) -> Became:
    seen = given.admission
    if seen is not None and seen.room is None:
        return Became.UNKNOWN
    if given.decision.option is Option.A:
        return Became.ADMITTED
    if given.decision.rule == BY_HAND:
        return Became.BY_HAND
    return Became.BY_RULE if seen is None else Became.REFUSED
