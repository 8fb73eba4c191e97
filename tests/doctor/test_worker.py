"""Checks beside each other: in order, within a time, and none takes another along."""

from __future__ import annotations

import threading

from patience import PATIENCE_S
from switchhook.doctor.finding import Level, ok
from switchhook.doctor.worker import Check, run_all


def test_what_they_find_comes_in_their_order():
    second = threading.Event()

    def slow():
        assert second.wait(PATIENCE_S)  # so it ends after the other
        return [ok("a", "1"), ok("a", "2")]

    def quick():
        second.set()
        return [ok("b", "3")]

    found = [each.said for each in run_all([Check("a", slow), Check("b", quick)], 20)]
    assert found == ["1", "2", "3"]


def test_one_that_hangs_or_fails_is_not_checked_and_the_others_are():
    never = threading.Event()

    def hangs():
        never.wait(PATIENCE_S)
        return []

    def breaks():
        raise RuntimeError("wss://user:secret@host")

    checks = [Check("a", hangs), Check("b", breaks), Check("c", lambda: [ok("c", "well")])]
    found = list(run_all(checks, 0.5))
    never.set()
    assert [each.level for each in found] == [Level.UNCHECKED, Level.UNCHECKED, Level.OK]
    assert "0.5 s" in found[0].said
    assert "RuntimeError" in found[1].said
    assert "secret" not in found[1].said


def test_what_the_system_refuses_is_said_in_its_words():
    def refused():
        raise PermissionError(13, "Permission denied", "/secret/place")

    (found,) = run_all([Check("a", refused)], 20)
    assert found.said == "permission denied"


def test_nothing_to_do_is_nothing_found():
    assert list(run_all([], 1)) == []
