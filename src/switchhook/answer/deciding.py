"""What is answered to a request, whoever keeps it: decided in memory, whatever may fail.

The one catch of law 1 is here: what can't be decided is the endpoint's safe option, by name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.admission import Admissions
from switchhook.answer.given import Given, Question
from switchhook.answer.repeats import asked_before
from switchhook.answer.voicebot import Voicebots
from switchhook.exotel.cause import classify
from switchhook.exotel.wire.known_shapes import QuickReader
from switchhook.journal.receipt import receipt_id
from switchhook.rules.addressing import without_member
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.caller import key_of_caller
from switchhook.rules.decide import Decision, Option, decide, flags_for
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import seen_by, subject_of

if TYPE_CHECKING:
    from collections import Counter

    from switchhook.answer.authentication import Endpoint, LetIn
    from switchhook.answer.facts import CurrentFacts
    from switchhook.answer.http.messages import Head
    from switchhook.answer.places import PlacesGiven
    from switchhook.answer.repeats import FirstAnswer, RepeatMemory
    from switchhook.exotel.passthru import Passthru
    from switchhook.exotel.wire.request import Request
    from switchhook.rules.decide import Ruleset
    from switchhook.rules.flags import FlagValue
    from switchhook.rules.rollout import RolloutSeen
    from switchhook.rules.variables import AccountFacts

log = logging.getLogger("switchhook.answer")

_NO_FLAGS: dict[str, FlagValue] = {}
_PASSTHRU, _ADMIT, _VOICEBOT = EndpointKind.PASSTHRU, EndpointKind.ADMIT, EndpointKind.VOICEBOT


class Ruled(msgspec.Struct, frozen=True, gc=False):
    """What the rules had to do with an answer: the decision, and the `ruleset` that made it.

    `passthru` is None where the rules were not asked, `asked` the fingerprint of a question to
    remember, `flags` what those were that they read, and `rollout` the side of a rollout that the
    caller is on. `first` is the answer that is repeated, `repeat_of` its receipt.
    """

    decision: Decision
    ruleset: Ruleset
    passthru: Passthru | None = None
    asked: int | None = None
    flags: dict[str, FlagValue] = _NO_FLAGS
    rollout: RolloutSeen | None = None
    first: FirstAnswer | None = None
    repeat_of: str | None = None


class Decider:
    """Decides for all kinds of endpoints; `node` and `key` are the data folder's."""

    def __init__(
        self,
        memory: RepeatMemory,
        facts: CurrentFacts,
        places: PlacesGiven,
        counts: Counter[str],
        *,
        node: int,
        key: bytes,
    ) -> None:
        self._memory, self._facts, self._counts = memory, facts, counts
        self._read = QuickReader(log.warning).read
        self._node, self._key = node, key
        self._admissions = Admissions(facts, places, counts)
        self._voicebots = Voicebots(facts, places, counts)

    def decide(
        self,
        token: LetIn,
        head: Head,
        request: Request,
        facts: AccountFacts,
        at: int,
        started_ns: int,
    ) -> tuple[Given, Ruled]:
        """What is given, and what the rules had to do with it.

        `at` is in ms of Unix time, `started_ns` of the steady clock.
        """
        ruled = self._by_rules(token, head, request, facts, at, started_ns)
        endpoint, decision = token.endpoint, ruled.decision
        if endpoint.kind is _PASSTHRU:
            given = Given(decision, endpoint.answer(decision), endpoint.number_of(decision))
        else:
            question = Question(
                token, decision, ruled.passthru, ruled.first, request.method, at, started_ns
            )
            given = self._by_kind(question, ruled.ruleset)
        return given, ruled

    def _by_rules(
        self,
        token: LetIn,
        head: Head,
        request: Request,
        facts: AccountFacts,
        at: int,
        started_ns: int,
    ) -> Ruled:
        """What the rules decide of a passthru: the running ones, or a candidate's."""
        endpoint, rollout = token.endpoint, None
        ruleset = endpoint.ruleset
        if head.cut:
            return Ruled(_safely(token, ruleset, "the request line is not whole"), ruleset)
        hand = self._facts.sent_to_safety.get(endpoint.name)
        if hand is not None and hand.holds(at):
            safe = _safely(token, ruleset, f"a person set it ({hand.id})", BY_HAND)
            return Ruled(safe, ruleset)
        try:
            passthru = self._read(request, endpoint.region)
            if endpoint.candidate is not None:
                rollout = self._rollout(endpoint, endpoint.candidate, passthru, started_ns)
                if rollout is not None and rollout.canary:
                    ruleset = endpoint.candidate
            asked, first, flags = None, None, _NO_FLAGS
            if token.test is None:
                now_ms = started_ns // 1_000_000
                asked, first = asked_before(
                    self._memory, endpoint, ruleset, passthru, self._key, now_ms
                )
            if first is not None:
                return self._repeat(endpoint, first, passthru)
            if ruleset.flags:
                flags = flags_for(ruleset, self._facts.flags, passthru, at)
            verdict = classify(passthru)
            decision = decide(passthru, verdict, facts, at, endpoint.zone, ruleset, flags)
            asked = None if request.method == "HEAD" else asked
            return Ruled(decision, ruleset, passthru, asked, flags, rollout)
        except Exception as error:  # noqa: BLE001
            return Ruled(self._failed(token, ruleset, error), ruleset, rollout=rollout)

    def _rollout(
        self, endpoint: Endpoint, candidate: Ruleset, passthru: Passthru, started_ns: int
    ) -> RolloutSeen | None:
        """On which side of a rollout the caller is; None where no share of the candidate is told.

        A share that is told of another candidate is not this one's.
        """
        rollout = self._facts.rollout_of(subject_of(endpoint.name), started_ns)
        if rollout is None or rollout.hash != candidate.release:
            return None
        return seen_by(rollout, key_of_caller(passthru))

    def _by_kind(self, question: Question, ruleset: Ruleset) -> Given:
        """What endpoints of the other kinds than passthru answer."""
        of_kind = self._admissions if question.token.endpoint.kind is _ADMIT else self._voicebots
        try:
            return of_kind.give(question)
        except Exception as error:  # noqa: BLE001
            safe = self._failed(question.token, ruleset, error)
            return of_kind.give(question._replace(decision=safe, passthru=None, first=None))

    def _failed(self, token: LetIn, ruleset: Ruleset, error: Exception) -> Decision:
        """Law 1: whatever goes wrong in deciding, the caller gets the safe option, by name."""
        # The message may hold what was sent, so only the kind of error is said.
        self._counts["failed to decide"] += 1
        kind = type(error).__name__
        log.error("deciding failed with %s; the safe option was taken", kind)
        return _safely(token, ruleset, f"deciding failed ({kind})")

    def _repeat(self, endpoint: Endpoint, first: FirstAnswer, passthru: Passthru) -> Ruled:
        name, choice = receipt_id(first.at, self._node, first.seq), endpoint.choices[first.option]
        decision = Decision(
            choice.option,
            "repeat",
            endpoint.ruleset.release,
            f"the same question as {name}, and its answer",
            select=choice.select,
            pool=choice.pool,
        )
        return Ruled(decision, endpoint.ruleset, passthru, first=first, repeat_of=name)


def _safely(token: LetIn, ruleset: Ruleset, problem: str, rule: str = SAFE_RULE) -> Decision:
    """Take the endpoint's safe option; B for one whom report-only let in without a secret."""
    endpoint, release = token.endpoint, ruleset.release
    if endpoint.kind is _VOICEBOT:
        fallback = endpoint.fallback is not None
        status = 200 if fallback else endpoint.when_off
        return without_member(release, problem, rule, fallback=fallback, status=status)
    option, whose = endpoint.safe_option, "the endpoint's safe option"
    if not token.proven:
        option, whose = Option.B, "Option B, as no secret was proved"
    select = ruleset.otherwise.select if option is Option.A else ""
    return Decision(option, rule, release, f"{problem}; {whose}", select=select)
