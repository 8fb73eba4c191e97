"""What is answered to a request, whoever keeps it: decided in memory, whatever may fail.

The one catch of law 1 is here: what can't be decided is the endpoint's safe option, by name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.answer.admission import Admissions
from switchhook.answer.given import Given, Question
from switchhook.answer.repeats import asked_before
from switchhook.answer.voicebot import Voicebots
from switchhook.exotel.cause import classify
from switchhook.exotel.wire.passthru import parse
from switchhook.journal.receipt import receipt_id
from switchhook.rules.addressing import without_member
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.decide import Decision, Option, decide
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from collections import Counter

    from switchhook.answer.authentication import Endpoint, LetIn
    from switchhook.answer.facts import CurrentFacts
    from switchhook.answer.http.messages import Head
    from switchhook.answer.places import PlacesGiven
    from switchhook.answer.repeats import FirstAnswer, RepeatMemory
    from switchhook.exotel.passthru import Passthru
    from switchhook.exotel.wire.request import Request
    from switchhook.rules.variables import AccountFacts

log = logging.getLogger("switchhook.answer")

_PASSTHRU, _ADMIT, _VOICEBOT = EndpointKind.PASSTHRU, EndpointKind.ADMIT, EndpointKind.VOICEBOT


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
    ) -> tuple[Given, int | None, FirstAnswer | None]:
        """What is given; the fingerprint of a question to remember; whose answer it repeats.

        `at` is in ms of Unix time, `started_ns` of the steady clock.
        """
        decision, asked, first, passthru = self._by_rules(
            token, head, request, facts, at, started_ns
        )
        endpoint = token.endpoint
        if endpoint.kind is _PASSTHRU:
            given = Given(decision, endpoint.answer(decision), endpoint.number_of(decision))
        else:
            question = Question(token, decision, passthru, first, request.method, at, started_ns)
            given = self._by_kind(question)
        return given, asked, first

    def _by_rules(
        self,
        token: LetIn,
        head: Head,
        request: Request,
        facts: AccountFacts,
        at: int,
        started_ns: int,
    ) -> tuple[Decision, int | None, FirstAnswer | None, Passthru | None]:
        """What the rules decide of a passthru.

        With the fingerprint of a question to remember, and whose answer it repeats; without a
        passthru where the rules were not asked.
        """
        endpoint = token.endpoint
        if head.cut:
            return _safely(token, "the request line is not whole"), None, None, None
        by_hand = self._facts.sent_to_safety
        if by_hand and (hand := by_hand.get(endpoint.name)) is not None and hand.holds(at):
            return _safely(token, f"a person set it ({hand.id})", BY_HAND), None, None, None
        try:
            passthru = parse(request, region=endpoint.region)
            asked, first = None, None
            if token.test is None:
                now_ms = started_ns // 1_000_000
                asked, first = asked_before(self._memory, endpoint, passthru, self._key, now_ms)
            if first is not None:
                return self._repeat(endpoint, first), None, first, passthru
            decision = decide(
                passthru, classify(passthru), facts, at, endpoint.zone, endpoint.ruleset
            )
            return decision, None if request.method == "HEAD" else asked, None, passthru
        except Exception as error:  # noqa: BLE001
            return self._failed(token, error), None, None, None

    def _by_kind(self, question: Question) -> Given:
        """What endpoints of the other kinds than passthru answer."""
        of_kind = self._admissions if question.token.endpoint.kind is _ADMIT else self._voicebots
        try:
            return of_kind.give(question)
        except Exception as error:  # noqa: BLE001
            safe = self._failed(question.token, error)
            return of_kind.give(question._replace(decision=safe, passthru=None, first=None))

    def _failed(self, token: LetIn, error: Exception) -> Decision:
        """Law 1: whatever goes wrong in deciding, the caller gets the safe option, by name."""
        # The message may hold what was sent, so only the kind of error is said.
        self._counts["failed to decide"] += 1
        kind = type(error).__name__
        log.error("deciding failed with %s; the safe option was taken", kind)
        return _safely(token, f"deciding failed ({kind})")

    def _repeat(self, endpoint: Endpoint, first: FirstAnswer) -> Decision:
        name, choice = receipt_id(first.at, self._node, first.seq), endpoint.choices[first.option]
        reason = f"the same question as {name}, and its answer"
        return Decision(
            choice.option,
            "repeat",
            endpoint.ruleset.release,
            reason,
            select=choice.select,
            pool=choice.pool,
        )


def _safely(token: LetIn, problem: str, rule: str = SAFE_RULE) -> Decision:
    """Take the endpoint's safe option; B for one whom report-only let in without a secret."""
    endpoint = token.endpoint
    release = endpoint.ruleset.release
    if endpoint.kind is _VOICEBOT:
        fallback = endpoint.fallback is not None
        status = 200 if fallback else endpoint.when_off
        return without_member(release, problem, rule, fallback=fallback, status=status)
    option, whose = endpoint.safe_option, "the endpoint's safe option"
    if not token.proven:
        option, whose = Option.B, "Option B, as no secret was proved"
    select = endpoint.ruleset.otherwise.select if option is Option.A else ""
    return Decision(option, rule, release, f"{problem}; {whose}", select=select)
