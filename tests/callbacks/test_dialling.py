"""Dialling is off until somebody allows it, and whoever stops it stops it."""

from __future__ import annotations

from callbacks.some_promises import T
from switchhook.callbacks.dialling import (
    NO_REASON,
    Dialling,
    allow_command,
    allowed,
    held,
    stopped,
)

OFF = Dialling(account="main")
ON = allowed(OFF, "asha", T)


def test_it_is_off_until_somebody_allows_it():
    assert OFF.why_not(T) == "nobody has allowed this account to dial"
    assert ON.why_not(T) == ""
    assert (ON.by, ON.at_ms) == ("asha", T)


def test_a_person_s_newest_reason_is_what_is_said():
    hurried = stopped(ON, NO_REASON, "asha", T + 1)
    assert hurried.why_not(T + 9) == "dialling is stopped: no reason was given"
    said = stopped(hurried, "the greeting", "ravi", T + 2)
    assert (said.stopped, said.stopped_by, said.stopped_ms) == ("the greeting", "ravi", T + 2)
    assert stopped(said, NO_REASON, "asha", T + 3) == said
    assert stopped(said, "no money", "", T + 3) == said


def test_what_lets_it_dial_can_be_typed_as_it_is():
    assert allow_command("main") == "switchhook promises allow-dialling main --reason WHY"


def test_what_stopped_it_by_itself_stays_said_until_it_is_allowed_anew():
    off = stopped(stopped(ON, "no money", "switchhook", T + 1), "enough", "asha", T + 2)
    assert off.why_not(T + 9) == "dialling is stopped: no money"
    assert (off.allowed, off.stopped_by, off.stopped_ms) == (False, "switchhook", T + 1)
    assert allowed(off, "asha", T + 3) == Dialling(
        account="main", allowed=True, by="asha", at_ms=T + 3
    )


def test_it_is_held_for_as_long_as_the_longest_asks():
    waits = held(held(ON, T + 60, "Exotel asked for it"), T + 30, "shorter")
    assert waits.why_not(T + 59) == "dialling waits: Exotel asked for it"
    assert waits.why_not(T + 60) == ""
    assert held(waits, T + 90, "again").held_until_ms == T + 90
