"""Room for a call: the budget less what was given since, what is kept free, and the unknown."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.rules.admission import SAFE_RULE, AdmissionSeen, ask_for_room
from switchhook.rules.decide import Decision, Option
from switchhook.rules.routing import AdmissionBudget

ASKED = Decision(Option.A, "everyone", "r1", "rule “everyone” matched")


def seen(room: int = 0, **more: object) -> AdmissionSeen:
    budget = AdmissionBudget(room, reserves={"campaign": 20})
    return msgspec.structs.replace(AdmissionSeen(account="main", budget=budget), **more)


@pytest.mark.parametrize(
    ("known", "option", "why"),
    [
        (seen(21), Option.A, "room for 21 of class default"),
        (seen(21, used=21), Option.B, "no room for class default: 0 left"),
        (seen(0), Option.B, "no room for class default: 0 left"),
        (seen(-3), Option.B, "no room for class default: 0 left"),
        (seen(21, class_="campaign"), Option.A, "room for 1 of class campaign"),
        (
            seen(20, class_="campaign"),
            Option.B,
            "no room for class campaign: 20 left, and 20 are kept free from it",
        ),
        (seen(0, holds=True), Option.A, "it was admitted before and holds its place"),
    ],
)
def test_a_call_is_admitted_while_there_is_room_for_its_class(known, option, why):
    answer = ask_for_room(ASKED, known)
    reason = f"rule “everyone” matched; {why}"
    assert answer == Decision(option, "everyone", "r1", reason)


@pytest.mark.parametrize("safe", list(Option))
@pytest.mark.parametrize(
    ("known", "why"),
    [
        (AdmissionSeen(account="main", unknown="the facts are old"), "the facts are old"),
        (seen(budget=AdmissionBudget(5, unknown="no poll for 60 s")), "no poll for 60 s"),
        (AdmissionSeen(account="main"), "no figure of them"),
    ],
)
def test_where_nothing_is_known_the_safe_option_applies_by_name(known, why, safe):
    answer = ask_for_room(ASKED, msgspec.structs.replace(known, safe=safe))
    assert (answer.option, answer.rule) == (safe, SAFE_RULE)
    assert answer.reason == (
        f"nothing is known of the account's streams: {why}; the endpoint's safe option"
    )


def test_what_the_rules_refuse_asks_for_no_room():
    refused = msgspec.structs.replace(ASKED, option=Option.B)
    assert ask_for_room(refused, AdmissionSeen(account="main")) is refused


@given(st.integers(0, 300), st.integers(0, 50))
def test_no_more_are_admitted_than_there_is_room_for(room, kept):
    """Whatever is kept free from a class stays free."""
    budget = AdmissionBudget(room, reserves={"campaign": kept})
    used = 0
    for _ in range(400):
        known = AdmissionSeen(account="main", budget=budget, used=used, class_="campaign")
        used += ask_for_room(ASKED, known).option is Option.A
    assert used == max(0, room - kept)
