"""What became of the callers of a rollout, from the journal's records: pure.

A receipt that was decided while a rollout was under way begins a *decision*; what the same call and
the same caller tell afterwards gives its outcomes, each measure once. A stream that a passthru
tells of ended before that passthru was decided, so that only what comes later counts:

| Decided was | Measures |
| --- | --- |
| a bot's address, by rules or pools | its stream failed, the caller hung up before the bot spoke, \
the talk was short, the bot was silent |
| room for a stream | those four, nobody talked to the caller, the caller called again |
| where a passthru leads | the next stream failed, nobody talked to the caller, \
the caller called again |

A stream that the account's limit refused is an outcome of neither side. Time is that of the
records: the same records give the same outcomes, whenever they are read. One thread at a time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.call_words import is_final
from switchhook.exotel.cause import FAILURES, Cause
from switchhook.exotel.fields import seconds
from switchhook.exotel.passthru import Direction
from switchhook.exotel.times import MINUTE_MS
from switchhook.journal.bot_report import BotEvent
from switchhook.journal.bot_report import read as read_report
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    RecordKind,
    decode_address,
    decode_admission,
    decode_bot_report,
    id_of,
    read_passthru,
)
from switchhook.journal.source import moment_of, own_number
from switchhook.releases.measures import (
    GROUPS,
    OF_STREAM,
    Decided,
    Fault,
    FaultKind,
    Measure,
    Outcome,
    Throttled,
    Told,
    faults_of,
    kind_of,
    sides_of,
)
from switchhook.releases.mix import mix_word
from switchhook.rules.addressing import key_of_caller
from switchhook.rules.admission import BY_HAND
from switchhook.rules.outcome import EndpointKind, Option
from switchhook.streams.parsed_record import CallbackRecord, OtherRecord, PassthruRecord
from switchhook.streams.recent import BOT_FAILED, BOT_WELL
from switchhook.streams.story import enters_stories

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.exotel.passthru import Leg, Passthru, Stream
    from switchhook.journal.receipt import Receipt
    from switchhook.journal.source import JournalRecord, Origin
    from switchhook.releases.settings import RolloutSettings
    from switchhook.streams.parsed_record import ParsedRecord

LIVES_MS = 60 * MINUTE_MS
"""For how long a call can tell of what became of its caller: Exotel ends its streams then."""
_MOST_CALLS, _MOST_ENDED = 50_000, 100_000


class _Open:
    """A decision of which not everything is known yet."""

    def __init__(self, decided: Decided, passthru: Passthru) -> None:
        self.decided = decided
        self.waits = {each for group in GROUPS[decided.kind] for each in group}
        self.wanting = False
        """Whether the caller needs somebody: the bot failed, nobody let them in, a dial rang."""
        self.legs, self.dialled = len(passthru.legs), passthru.dial_status is not None
        self.own = None if passthru.stream is None else passthru.stream.sid

    def tell(self, at_ms: int, failed: Mapping[Measure, bool]) -> Iterator[Outcome]:
        new = {measure: each for measure, each in failed.items() if measure in self.waits}
        self.waits -= new.keys()
        if new:
            yield Outcome(decided=self.decided, failed=new, at_ms=at_ms)


class _Call:
    """A call with decisions, the newest of each rollout and kind of endpoint."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms
        self.open: dict[tuple[str, EndpointKind], _Open] = {}
        self.bot_hears = self.bot_speaks = False


class Outcomes:
    """See above. `node` is the journal's."""

    def __init__(self, settings: RolloutSettings, node: int) -> None:
        self.settings, self._node = settings, node
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._ended: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._of_caller: dict[str, dict[str, list[_Open]]] = {}
        self._due: deque[tuple[int, _Open]] = deque()
        self._by_number: OrderedDict[Origin, tuple[Decided, ...]] = OrderedDict()
        self._now_ms = 0

    # What happens.

    def take(self, parsed: ParsedRecord, placed: Mapping[int, int]) -> list[Told]:
        """Hear of a record; `placed` is where in time some belong, by seq."""
        record = parsed.record
        at_ms = placed.get(record.seq, moment_of(record))
        found: list[Told] = list(self.look(at_ms))
        match parsed:
            case PassthruRecord():
                found += self._passthru(parsed, at_ms)
            case CallbackRecord(callback=callback) if callback is not None:
                if callback.call_sid and is_final(callback.status):
                    legs = (seconds(leg.get("OnCallDuration")) for leg in callback.legs[1:])
                    talked = any(isinstance(each, int) and each > 0 for each in legs)
                    found += self._over(callback.call_sid, at_ms, talked=talked)
            case OtherRecord():
                found += self._other(record, at_ms)
        return found

    def look(self, at_ms: int) -> Iterator[Outcome]:
        """What is settled by time alone: who has not called again, and whom nobody talked to."""
        self._now_ms = max(self._now_ms, at_ms)
        while self._due and self._due[0][0] <= self._now_ms:
            due_ms, each = self._due.popleft()
            yield from each.tell(due_ms, {Measure.CALLED_AGAIN: False})
            yield from each.tell(due_ms, {Measure.NOBODY_TALKED: each.wanting})
            self._forget_caller(each)
        while self._calls:
            call, first = next(iter(self._calls.items()))
            if self._now_ms - first.at_ms <= LIVES_MS and len(self._calls) <= _MOST_CALLS:
                return
            del self._calls[call]

    def _other(self, record: JournalRecord, at_ms: int) -> Iterator[Told]:
        if record.kind == RecordKind.VOICEBOT:
            given = decode_address(record.body)
            yield from self._asked(given, record, at_ms)
        elif record.kind == RecordKind.ADMISSION:
            yield from self._asked(decode_admission(record.body), record, at_ms)
        elif record.kind == RecordKind.BOT_REPORT:
            report = read_report(decode_bot_report(record.body).raw)
            call = None if report is None else self._calls.get(report.call_sid or "")
            if call is not None and report is not None:
                call.bot_hears |= report.event is BotEvent.FIRST_IN
                call.bot_speaks |= report.event is BotEvent.FIRST_OUT
        elif record.kind == RecordKind.LATE:
            late = msgspec.msgpack.decode(record.body, type=_Late)
            for decided in self._by_number.get(own_number(record)._replace(seq=late.seq), ()):
                yield Fault(decided=decided, kind=FaultKind.DEADLINE_MISSED, at_ms=at_ms)

    def _asked(
        self, given: AddressGiven | AdmissionGiven, record: JournalRecord, at_ms: int
    ) -> Iterator[Told]:
        """A request before the stream."""
        if enters_stories(given):
            passthru = read_passthru(given)
            yield from self._again(passthru, at_ms)
            yield from self._decided(given, passthru, record, at_ms)

    def _passthru(self, parsed: PassthruRecord, at_ms: int) -> Iterator[Told]:
        if not parsed.enters_stories:
            return
        passthru, cause = parsed.passthru, Cause(parsed.facet.cause)
        yield from self._again(passthru, at_ms)
        call, stream = passthru.call_sid, passthru.stream
        if call is not None:
            if stream is not None and self._ends(call, stream.sid, cause):
                if cause is Cause.THROTTLED:
                    yield Throttled(parsed.receipt.endpoint, at_ms)
                yield from self._stream_ended(call, cause, stream, at_ms)
            yield from self._dialled(call, passthru, at_ms)
        yield from self._decided(parsed.receipt, passthru, parsed.record, at_ms, cause)

    # Who was decided for.

    def _decided(
        self,
        receipt: Receipt,
        passthru: Passthru,
        record: JournalRecord,
        at_ms: int,
        cause: Cause = Cause.NO_STREAM,
    ) -> Iterator[Told]:
        """A receipt with a side in a rollout, or in two: of its rules, and of the pools."""
        decision = receipt.decision
        key = key_of_caller(passthru)
        sides = sides_of(receipt)
        if not sides or not key or decision.rule == BY_HAND:
            return
        kind = kind_of(receipt)
        route = receipt.route if isinstance(receipt, AddressGiven) else None
        found = tuple(
            Decided(
                subject=subject,
                seen=seen,
                receipt=id_of(record, self._node),
                at_ms=at_ms,
                kind=kind,
                call=passthru.call_sid or "",
                key=key,
                mix=mix_word(subject, kind, decision, route),
                faults=faults_of(receipt),
            )
            for subject, seen in sides
        )
        wanting = cause in FAILURES and not _talked(passthru.legs)
        if isinstance(receipt, AdmissionGiven):
            wanting = decision.option is Option.B
        self._by_number[own_number(record)] = found
        if len(self._by_number) > _MOST_CALLS:
            self._by_number.popitem(last=False)
        for decided in found:
            yield decided
            self._open(decided, passthru, wanting=wanting)

    def _open(self, decided: Decided, passthru: Passthru, *, wanting: bool) -> None:
        each = _Open(decided, passthru)
        each.wanting = wanting
        if decided.call:
            call = self._calls.get(decided.call)
            if call is None:
                call = self._calls[decided.call] = _Call(decided.at_ms)
            before = call.open.get((decided.subject, decided.kind))
            if before is not None:  # what this call tells from now on follows the new one
                before.waits &= {Measure.CALLED_AGAIN}
            call.open[decided.subject, decided.kind] = each
            call.bot_hears = call.bot_speaks = False
        if decided.kind is not EndpointKind.VOICEBOT:
            calls = self._of_caller.setdefault(decided.key, {})
            calls.setdefault(decided.call, []).append(each)
            self._due.append((decided.at_ms + self.settings.again_within_ms, each))

    # What became of them.

    def _ends(self, call: str, sid: str | None, cause: Cause) -> bool:
        """Whether a stream ended of which nobody told before."""
        if cause in (Cause.RUNNING, Cause.NO_STREAM):
            return False
        key = call, sid or ""
        if key in self._ended:
            return False
        self._ended[key] = None
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        return True

    def _stream_ended(
        self, sid: str, cause: Cause, stream: Stream, at_ms: int
    ) -> Iterator[Outcome]:
        call = self._calls.get(sid)
        for each in () if call is None else call.open.values():
            if stream.sid is not None and stream.sid == each.own:
                continue  # it ran when this was decided
            if cause in FAILURES:
                each.wanting = True
            if cause in BOT_WELL:
                yield from each.tell(at_ms, {Measure.NOBODY_TALKED: False})
            if cause in BOT_FAILED or cause in BOT_WELL:
                yield from each.tell(at_ms, {Measure.NEXT_FAILED: cause in BOT_FAILED})
            yield from each.tell(at_ms, self._of_stream(call, cause, stream.duration_s))
            each.waits.difference_update(OF_STREAM, {Measure.NEXT_FAILED})

    def _of_stream(
        self, call: _Call | None, cause: Cause, lasted_s: int | None
    ) -> dict[Measure, bool]:
        """What a stream's end says of it; of one that the limit refused, nothing."""
        found: dict[Measure, bool] = {}
        if cause in BOT_FAILED or cause in BOT_WELL:
            found[Measure.STREAM_FAILED] = cause in BOT_FAILED
        if found or cause is Cause.CALLER_LEFT_EARLY:
            found[Measure.LEFT_EARLY] = cause is Cause.CALLER_LEFT_EARLY
        if cause in (Cause.BOT_DONE, Cause.CALLER_LEFT) and lasted_s is not None:
            found[Measure.SHORT_TALK] = lasted_s < self.settings.short_talk_s
        if call is not None and call.bot_hears and cause in BOT_WELL:
            found[Measure.BOT_SILENT] = not call.bot_speaks
        return found

    def _dialled(self, sid: str, passthru: Passthru, at_ms: int) -> Iterator[Outcome]:
        """What a passthru tells of people who were rung since the decision."""
        call = self._calls.get(sid)
        for each in () if call is None else call.open.values():
            legs = passthru.legs[each.legs :]
            rung = passthru.dial_status is not None and not each.dialled
            if not legs and not rung:
                continue
            each.wanting = True
            talked = _talked(legs)
            if not passthru.legs and rung:
                talked = (passthru.dial_status or "").lower() == "completed"
            if talked:
                yield from each.tell(at_ms, {Measure.NOBODY_TALKED: False})

    def _over(self, sid: str, at_ms: int, *, talked: bool) -> Iterator[Outcome]:
        """The call is over."""
        call = self._calls.get(sid)
        for each in () if call is None else call.open.values():
            yield from each.tell(at_ms, {Measure.NOBODY_TALKED: each.wanting and not talked})

    def _again(self, passthru: Passthru, at_ms: int) -> Iterator[Outcome]:
        """A caller calls who called before."""
        if not self._of_caller or passthru.direction is Direction.OUTBOUND:
            return
        key = key_of_caller(passthru)
        for call, several in self._of_caller.get(key, {}).items():
            if call != (passthru.call_sid or ""):
                for each in several:
                    yield from each.tell(at_ms, {Measure.CALLED_AGAIN: True})

    def _forget_caller(self, each: _Open) -> None:
        calls = self._of_caller.get(each.decided.key, {})
        kept = [other for other in calls.pop(each.decided.call, []) if other is not each]
        if kept:
            calls[each.decided.call] = kept
        if not calls:
            self._of_caller.pop(each.decided.key, None)


class _Late(msgspec.Struct, frozen=True):
    """`journal.receipt.Late`, as far as it is needed."""

    seq: int


def _talked(legs: Sequence[Leg]) -> bool:
    return any((leg.on_call_duration_s or 0) > 0 for leg in legs)
