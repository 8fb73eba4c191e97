"""Dialling is off until somebody allows it, and whoever stops it stops it."""

from __future__ import annotations

from callbacks.some_promises import T
from switchhook.callbacks.dialling import Dialling, allowed, held, stopped

OFF = Dialling(account="main")
ON = allowed(OFF, "asha", T)


def test_it_is_off_until_somebody_allows_it():
    assert OFF.why_not(T) == "nobody has allowed this account to dial"
    assert ON.why_not(T) == ""
    assert (ON.by, ON.at_ms) == ("asha", T)


def test_what_stopped_it_first_stays_said_until_it_is_allowed_anew():
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
