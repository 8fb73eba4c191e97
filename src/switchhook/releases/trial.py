"""A candidate tried on one kept request: what it would have given, beside what was given. Pure.

The candidate decides by what the receipt keeps: the request, the facts, the room and the members
that were known, and what people had set. What a release can't change is left out by name, and so is
what can't be decided again.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.journal.masking import ERASED_ASKED
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    RecordKind,
    decode_address,
    decode_admission,
    decode_receipt,
)
from switchhook.releases.mix import mix_word
from switchhook.rules.admission import BY_HAND
from switchhook.rules.decide import disputed
from switchhook.rules.flags import NOTHING_SET
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS, subject_of
from switchhook.rules.routing import drawn
from switchhook.streams.decided_again import (
    PoolsTried,
    asked_rules,
    decide_again,
    decide_by,
    read_request,
)
from switchhook.streams.facet import exophone_of, host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.exotel.passthru import Passthru
    from switchhook.journal.receipt import Receipt
    from switchhook.journal.source import JournalRecord
    from switchhook.releases.pools_then import PoolsThen
    from switchhook.rules.decide import Decision, Ruleset
    from switchhook.rules.flags import FlagSetting
    from switchhook.rules.routing import Route
    from switchhook.streams.decided_again import DecidedAgain, ReadRequest
    from switchhook.streams.names import Names

ERASED = "erased"
UNREADABLE = "can't be read"
UNDECIDED = "deciding had failed"
OTHER_KIND = "the endpoint was of another kind"
REPEATS = "repeats, which take the first one's answer"
SET_BY_HAND = "set by hand"
ASKED_BY_HEAD = "HEAD requests"
MEMBER_DIFFERS = "not as it was kept: the member drawn"
DISPUTED = "decided in two ways, compiled and by CEL, by rule"
"""And the rule's name."""

_DECODERS: dict[int, tuple[EndpointKind, Callable[[bytes], Receipt]]] = {
    RecordKind.PASSTHRU: (EndpointKind.PASSTHRU, decode_receipt),
    RecordKind.ADMISSION: (EndpointKind.ADMIT, decode_admission),
    RecordKind.VOICEBOT: (EndpointKind.VOICEBOT, decode_address),
}
_ERASED_TEXT = b"erased"  # as an erasure writes it: see exotel.spellings.TOKEN


class Became(StrEnum):
    """What came of trying a candidate on a receipt."""

    SAME = "same"
    OTHER_RULE = "other rule"
    """The same answer, by another rule."""
    DIFFERENT = "different"
    LEFT_OUT = "left out"
    """Whatever the release, the answer is the same."""
    UNABLE = "unable"
    """It can't be decided again."""
    FAULT = "fault"
    """The release that decided it gives something else now."""


class Given(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """What a caller was given, or would be: as far as a release can change it, and by which rule.

    `member` is the one of `pool` that was drawn, empty where none was or it can't be known;
    `promise` is why a callback is promised.
    """

    option: str
    rule: str
    select: str = ""
    pool: str = ""
    member: str = ""
    promise: str = ""

    def same_answer(self, other: Given) -> bool:
        """Whether a caller gets the same by both."""
        return (
            self.option == other.option
            and self.select == other.select
            and self.pool == other.pool
            and self.member == other.member
            and bool(self.promise) == bool(other.promise)
        )

    @property
    def answer(self) -> str:
        """What the caller gets: the option, its keyword, a callback; or as in `sales/vendor-a`."""
        if self.pool:
            return f"{self.pool}/{self.member}" if self.member else self.pool
        given = f"{self.option} {self.select}".rstrip()
        return f"{given} and a callback" if self.promise else given

    @property
    def words(self) -> str:
        """As in `A by "default"`."""
        return f'{self.answer} by "{self.rule}"'


class Tried(msgspec.Struct, frozen=True, gc=False):
    """What came of one receipt; `why` of what was left out, can't be decided, or is a fault.

    `caller` is a number that is the same for the same caller, 0 where nobody can tell, `mix` what
    the candidate's decision counts as in its mix. `unsure` is what it would have had to know and no
    receipt keeps; `unkept` the flags that it reads and the receipt lacks, and that nobody is
    known to have set, so that they were taken as by default.
    """

    became: Became
    why: str = ""
    endpoint: str = ""
    was: Given | None = None
    would: Given | None = None
    cause: str = ""
    bot: str = ""
    zone: str = ""
    caller: int = 0
    mix: str = ""
    unsure: str = ""
    unkept: tuple[str, ...] = ()


class Trial:
    """A candidate of a subject, with what it is tried by.

    `release` is the hash of its text; `ruleset` is None for `pools`, `pools` for rules. `flags` is
    asked what flags were set to at a moment, `then` how the pools were set: without it they were as
    `pools` says.
    """

    def __init__(
        self,
        subject: str,
        release: str,
        ruleset: Ruleset | None,
        pools: PoolsTried | None,
        names: Names,
        *,
        flags: Callable[[int], Mapping[str, FlagSetting]] = lambda _at_ms: NOTHING_SET,
        then: PoolsThen | None = None,
    ) -> None:
        self._flags, self._then = flags, then
        self._subject, self._release = subject, release
        self._ruleset, self._pools, self._names = ruleset, pools, names
        self._kind = EndpointKind.VOICEBOT if ruleset is None else ruleset.kind
        self._reads_flags = ruleset is not None and bool(ruleset.flags)
        self._bots: dict[tuple[str, str], str] = {}

    def try_on(self, record: JournalRecord) -> Tried | None:
        """Try it on a record of the journal; None for one that is none of the subject's."""
        found = _DECODERS.get(record.kind)
        if found is None:
            return None
        if record.damage:
            return Tried(Became.UNABLE, UNREADABLE)
        kind, decode = found
        try:
            receipt = decode(record.body)
        except (ValueError, msgspec.MsgspecError):
            return Tried(Became.UNABLE, UNREADABLE)
        if not self._concerns(receipt):
            return None
        if kind is not self._kind:
            unlike = self._subject != POOLS
            return Tried(Became.UNABLE, OTHER_KIND, receipt.endpoint) if unlike else None
        return self._left_out(record, receipt) or self.tried(receipt)

    def tried(self, receipt: Receipt, read: ReadRequest | None = None) -> Tried:
        """Try it on a receipt that rules decided; `read` is what its request says, where known."""
        try:
            read = read or read_request(receipt)
            settings = (
                self._flags(receipt.received_us // 1000) if self._reads_flags else NOTHING_SET
            )
            again, fault = self._again(receipt, read, settings)
        except Exception as error:  # noqa: BLE001 - one receipt must not end a whole back-test
            return Tried(Became.UNABLE, f"{UNDECIDED} ({type(error).__name__})", receipt.endpoint)
        was = given_of(receipt.decision, _route_of(receipt))
        would = given_of(again.decision, again.route)
        return Tried(
            Became.FAULT if fault else _became(was, would),
            fault,
            receipt.endpoint,
            was,
            would,
            "" if self._kind is not EndpointKind.PASSTHRU else str(read.verdict.cause),
            self._bot(receipt, read),
            receipt.zone,
            caller_of(read.passthru),
            mix_word(self._subject, self._kind, again.decision, again.route),
            again.unsure,
            self._unkept(receipt, settings),
        )

    def _concerns(self, receipt: Receipt) -> bool:
        return self._subject in (POOLS, subject_of(receipt.endpoint))

    def _left_out(self, record: JournalRecord, receipt: Receipt) -> Tried | None:
        endpoint = receipt.endpoint
        if receipt.repeat_of is not None:
            return Tried(Became.LEFT_OUT, REPEATS, endpoint)
        if receipt.method == "HEAD":
            return Tried(Became.LEFT_OUT, ASKED_BY_HEAD, endpoint)
        if receipt.decision.rule == BY_HAND:
            return Tried(Became.LEFT_OUT, SET_BY_HAND, endpoint)
        erased = record.asked == ERASED_ASKED or (
            record.asked is None and _ERASED_TEXT in record.body
        )
        if erased:
            return Tried(Became.UNABLE, ERASED, endpoint)
        return None if asked_rules(receipt) else Tried(Became.UNABLE, UNDECIDED, endpoint)

    def _again(
        self, receipt: Receipt, read: ReadRequest, settings: Mapping[str, FlagSetting]
    ) -> tuple[DecidedAgain, str]:
        """What the candidate gives, and what is not as it was kept though it has to be."""
        ruleset, route = self._ruleset, _route_of(receipt)
        if ruleset is not None and receipt.decision.release == self._release:
            again = decide_again(receipt, ruleset, read)
            assert again is not None, "rules decided it, as was asked before"
            same = again.decision == receipt.decision and again.route == route
            return again, "" if same else _unlike(receipt.decision, again.decision)
        tried = decide_by(receipt, ruleset, self._pools_for(receipt), read, settings)
        assert tried is not None, "likewise"
        if (rule := disputed(tried.decision)) is not None:
            return tried, f'{DISPUTED}: "{rule}"'
        if self._pools is not None and route is not None and drawn(route, route.key) != route:
            return tried, MEMBER_DIFFERS
        return tried, ""

    def _pools_for(self, receipt: Receipt) -> PoolsTried | None:
        """The pools to draw among in place of those that it was drawn among."""
        if self._pools is None or self._then is None or not isinstance(receipt, AddressGiven):
            return self._pools
        then = self._then.of(receipt)
        if then is None:
            return PoolsTried(self._pools.now, self._pools.then, known=False)
        return PoolsTried(self._pools.now, then)

    def _unkept(self, receipt: Receipt, settings: Mapping[str, FlagSetting]) -> tuple[str, ...]:
        """The flags that it reads, the receipt lacks, and nobody is known to have set."""
        flags = () if self._ruleset is None else self._ruleset.flags
        return tuple(
            each.name
            for each in flags
            if each.name not in receipt.flags
            and ((known := settings.get(each.name)) is None or known.kind is not each.kind)
        )

    def _bot(self, receipt: Receipt, read: ReadRequest) -> str:
        if isinstance(receipt, AddressGiven):
            return "" if receipt.route is None else receipt.route.pool
        if isinstance(receipt, AdmissionGiven) or read.verdict.cause is Cause.NO_STREAM:
            return ""
        passthru = read.passthru
        host = host_of(passthru.stream)
        exophone = ""
        if not host:
            exophone = exophone_of(passthru.direction, passthru.from_, passthru.to)
        key = host or f"\n{exophone}", receipt.endpoint
        found = self._bots.get(key)
        if found is None:
            found = self._names.bot_name(host, receipt.endpoint, exophone)
            if len(self._bots) < _MOST_BOTS:
                self._bots[key] = found
        return found


_MOST_BOTS = 10_000


def given_of(decision: Decision, route: Route | None) -> Given:
    """What a decision gives a caller."""
    member = route.member if route is not None and decision.option == "A" else None
    pool = decision.pool
    if route is not None and route.pool != pool:
        pool = route.pool  # where a person moved its calls
    return Given(
        str(decision.option),
        decision.rule,
        decision.select,
        pool,
        member or "",
        decision.promise,
    )


def caller_of(passthru: Passthru) -> int:
    """A number that is the same for the same caller, as written; 0 where nobody can tell.

    It is cheaper than the caller's key, which reads numbers as telephone numbers: whoever is
    spelt once with and once without the country's code stays one, by the last ten digits.
    """
    outbound = (passthru.direction_raw or "")[:8].lower() == "outbound"
    number = (passthru.to_raw if outbound else passthru.from_raw) or ""
    if not number.isdecimal():
        number = _NO_DIGITS.sub("", number)
    text = number[-10:] if len(number) >= _FEWEST_DIGITS else passthru.call_sid or ""
    return crc32(text.encode("utf-8", "replace")) or 1 if text else 0


_FEWEST_DIGITS = 6
_NO_DIGITS = re.compile("[^0-9]+")


def _route_of(receipt: Receipt) -> Route | None:
    return receipt.route if isinstance(receipt, AddressGiven) else None


def _became(was: Given, would: Given) -> Became:
    if not was.same_answer(would):
        return Became.DIFFERENT
    return Became.SAME if was.rule == would.rule else Became.OTHER_RULE


def _unlike(was: Decision, now: Decision) -> str:
    """What of a decision is not as it was, by the names of its fields."""
    fields = [name for name in was.__struct_fields__ if getattr(was, name) != getattr(now, name)]
    return f"not as it was kept: {', '.join(fields)}" if fields else MEMBER_DIFFERS
