"""What of a rollout's callers is looked at, and what one receipt and what follows it tell. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.journal.receipt import AddressGiven, AdmissionGiven, Receipt
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS, RolloutSeen, subject_of


class Measure(StrEnum):
    """What of a caller is looked at."""

    STREAM_FAILED = "stream_failed"
    LEFT_EARLY = "left_early"
    SHORT_TALK = "short_talk"
    BOT_SILENT = "bot_silent"
    NEXT_FAILED = "next_stream_failed"
    NOBODY_TALKED = "nobody_talked"
    CALLED_AGAIN = "called_again"


WORDS: dict[str, str] = {
    Measure.STREAM_FAILED: "the stream failed",
    Measure.LEFT_EARLY: "the caller hung up before the bot spoke",
    Measure.SHORT_TALK: "the talk was short",
    Measure.BOT_SILENT: "the bot was silent",
    Measure.NEXT_FAILED: "the next stream failed",
    Measure.NOBODY_TALKED: "nobody talked to the caller",
    Measure.CALLED_AGAIN: "the caller called again",
}
"""What a failure of each is, as part of a sentence."""

OF_STREAM = (
    Measure.STREAM_FAILED,
    Measure.LEFT_EARLY,
    Measure.SHORT_TALK,
    Measure.BOT_SILENT,
)
_AFTERWARDS = ((Measure.NOBODY_TALKED,), (Measure.CALLED_AGAIN,))
GROUPS: dict[EndpointKind, tuple[tuple[Measure, ...], ...]] = {
    EndpointKind.VOICEBOT: (OF_STREAM,),
    EndpointKind.ADMIT: (OF_STREAM, *_AFTERWARDS),
    EndpointKind.PASSTHRU: ((Measure.NEXT_FAILED,), *_AFTERWARDS),
}
"""What is looked at, by the kind of the endpoint that decides; together what is known at once."""


class FaultKind(StrEnum):
    """What fails in answering itself."""

    RULE_ERROR = "rule_error"
    """A rule could not be evaluated, or nothing could be decided."""
    DEADLINE_MISSED = "deadline_missed"


FAULT_WORDS = {
    FaultKind.RULE_ERROR: "a rule failed",
    FaultKind.DEADLINE_MISSED: "the answer came too late",
}


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose request was decided while a rollout was under way, and on which side.

    `key` is whom the caller is recognised by, as buckets have it; `receipt` the receipt's id; `mix`
    what the decision counts as in the mix that a back-test foretold, empty where it does not count.
    """

    subject: str
    seen: RolloutSeen
    receipt: str
    at_ms: int
    kind: EndpointKind
    call: str
    key: str
    mix: str
    faults: tuple[FaultKind, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a caller: for each measure that is known at this moment whether it failed."""

    decided: Decided
    failed: dict[Measure, bool]
    at_ms: int


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What turned out after a request was decided to have gone wrong with its answer."""

    decided: Decided
    kind: FaultKind
    at_ms: int


class Throttled(msgspec.Struct, frozen=True):
    """A stream that the limit of the endpoint's account refused."""

    endpoint: str
    at_ms: int


OfCaller = Decided | Outcome | Fault
Told = OfCaller | Throttled


def sides_of(receipt: Receipt) -> tuple[tuple[str, RolloutSeen], ...]:
    """On which side of which rollouts a receipt was decided, by their subjects."""
    pools = receipt.pools_rollout if isinstance(receipt, AddressGiven) else None
    found = ((subject_of(receipt.endpoint), receipt.rollout), (POOLS, pools))
    return tuple((subject, seen) for subject, seen in found if seen is not None)


def kind_of(receipt: Receipt) -> EndpointKind:
    """The kind of the endpoint that decided."""
    if isinstance(receipt, AddressGiven):
        return EndpointKind.VOICEBOT
    return EndpointKind.ADMIT if isinstance(receipt, AdmissionGiven) else EndpointKind.PASSTHRU


def faults_of(receipt: Receipt) -> tuple[FaultKind, ...]:
    """What went wrong in deciding: in a rule, or as a whole."""
    decision = receipt.decision
    failed = any(each.field.startswith("rule.") for each in decision.defects)
    if isinstance(receipt, AdmissionGiven) and receipt.admission is not None:
        pass  # nothing was known of room: nobody's rules are to blame
    elif decision.rule == SAFE_RULE:
        failed = True
    return (FaultKind.RULE_ERROR,) if failed else ()
