"""The facts file's bytes: reading never fails, and no age makes a figure up."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.capacity.facts_document import (
    LIVES_MS,
    VERSION,
    AccountFigures,
    facts_at,
    read,
)
from switchhook.rules.variables import AccountFacts

NOW = 1_780_000_000_000
COUNT = st.integers(0, 10**9)


def test_beyond_the_limit_nothing_is_left(tmp_path):
    assert facts_at(AccountFigures(NOW, 103, 100), NOW) == AccountFacts(103, 100, 0, 0.0)


def test_a_later_release_may_add_to_the_same_version(tmp_path):
    body = msgspec.json.encode(
        {
            "version": VERSION,
            "written_ms": NOW,
            "later": {"x": True},
            "accounts": {"a": {"at_ms": NOW, "active": 1, "allowed": 2, "more": 3}},
        }
    )
    assert read(body) == ({"a": AccountFigures(NOW, 1, 2)}, None)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_reading_never_raises(body):
    figures, complaint = read(body)
    assert figures == {} or complaint is None


@settings(deadline=None)
@given(st.integers(0, 2**62), st.integers(-(2**62), 2**62), COUNT, st.none() | COUNT)
def test_headroom_is_never_negative_and_never_made_up(now, at, active, allowed):
    facts = facts_at(AccountFigures(at, active, allowed), now)
    if facts is not None:
        assert (facts.headroom is None) == (allowed is None)
        assert facts.headroom is None or facts.headroom == max(0, allowed - active)
        assert 0 <= facts.age_s <= LIVES_MS / 1000
