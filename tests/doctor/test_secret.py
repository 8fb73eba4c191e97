"""Secrets that can be guessed, are shared or old."""

from __future__ import annotations

import secrets

import pytest

from switchhook.doctor.finding import Level
from switchhook.doctor.secret import LEAST_BITS, OLDEST_S, bits_of, judge_secrets

GOOD, OTHER = "hV3pJ0uYw-8QkT3nXb5sZr8L", "Kq9wX-2mB7dTz4RfLp6YgN1v"


@pytest.mark.parametrize(
    ("said", "ages", "level", "word"),
    [
        ([GOOD], [86_400], Level.OK, "from 1 days ago"),
        ([GOOD, OTHER], [], Level.OK, "2 secrets"),
        (["change-me-change-me-now"], [], Level.WARN, "placeholder"),
        (["my-secret-of-the-sales"], [], Level.WARN, "placeholder"),
        (["aaaaaaaaaaaaaaaaaaaaaaaa"], [], Level.WARN, "guessed"),
        (["hV3pJ0uYw-8QkT3n"[:15] + "n"], [], Level.WARN, "guessed"),
        ([GOOD], [OLDEST_S + 1], Level.WARN, "730 days"),
    ],
)
def test_a_secret(said, ages, level, word):
    (finding,) = judge_secrets({"sales": said}, {"sales": ages})
    assert finding.level is level, finding
    assert word in finding.said
    assert not [each for each in said if each in finding.said + finding.todo]


def test_one_for_two_endpoints_is_told_of_both_and_an_endpoint_without_of_none():
    found = judge_secrets({"sales": [GOOD], "support": [OTHER, GOOD], "open": []}, {})
    assert [each.level for each in found] == [Level.WARN, Level.WARN]
    assert "another endpoint" in found[0].said


def test_what_we_make_is_never_called_bad():
    for _ in range(500):
        assert bits_of(secrets.token_urlsafe(24)) > LEAST_BITS
    assert bits_of("") == 0
