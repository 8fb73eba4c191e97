"""Answers of endpoints of kind `admit`: A while there is room, exactly counted.

What room there is the console reckons and tells, a budget for each account and process; what was
admitted since stands in `PlacesGiven`. The decision itself is `rules.admission`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.answer.given import Given
from switchhook.journal.receipt import AdmissionGiven, RecordKind
from switchhook.rules.admission import AdmissionSeen, ask_for_room
from switchhook.rules.decide import Option

if TYPE_CHECKING:
    from collections import Counter

    from switchhook.answer.facts import CurrentFacts
    from switchhook.answer.given import Question
    from switchhook.answer.places import PlacesGiven

_UNTOLD = "the console has told no budget of late"
_BEFORE = "its budget is from before this process can remember"


class Admissions:
    """Answers those who ask for room."""

    def __init__(self, facts: CurrentFacts, places: PlacesGiven, counts: Counter[str]) -> None:
        self._facts, self._places, self._counts = facts, places, counts

    def give(self, asked: Question) -> Given:
        """The answer: the rules' refusal, or what the room allows."""
        endpoint, decision = asked.token.endpoint, asked.decision
        seen = None
        if asked.passthru is not None and asked.first is None and decision.option is Option.A:
            seen = self._seen(asked, decision.class_)
            decision = ask_for_room(decision, seen)
        admitted = decision.option is Option.A and asked.takes_place
        if asked.takes_place:
            self._counts["admitted" if admitted else "admission refused"] += 1
            if seen is not None and seen.room is None:
                self._counts["admission unknown"] += 1
        # Whom nothing is known of is asked for again: what was answered was no decision.
        remembered = asked.passthru is not None and (seen is None or seen.room is not None)
        return Given(
            decision,
            endpoint.answer(decision),
            endpoint.number_of(decision) if remembered else None,
            RecordKind.ADMISSION,
            AdmissionGiven,
            {"account": endpoint.account, "admission": seen, "admitted": admitted},
            (endpoint.account,) if admitted else None,
            asked.call,
        )

    def _seen(self, asked: Question, class_: str) -> AdmissionSeen:
        account, token = asked.token.endpoint.account, asked.token
        safe = token.endpoint.safe_option if token.proven else Option.B
        budget = self._facts.routing(asked.mono_ns).budgets.get(account)
        if budget is None:
            return AdmissionSeen(account=account, class_=class_, unknown=_UNTOLD, safe=safe)
        owner = (account,)
        used = self._places.since(owner, budget.through_seq)
        if used is None:
            return AdmissionSeen(account=account, class_=class_, unknown=_BEFORE, safe=safe)
        holds = self._places.holds(owner, asked.call, budget.through_seq)
        return AdmissionSeen(
            account=account, class_=class_, budget=budget, used=used, holds=holds, safe=safe
        )
