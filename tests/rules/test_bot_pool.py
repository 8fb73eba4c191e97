"""The draw of a pool's member: the same for the same, by weight, moving only its own share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.rules.bot_pool import Eligible, Member, Pool, draw

NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True)


def test_a_known_draw_stays_what_it_is():
    """The hash is documented: receipts of years ago are drawn again by it."""
    three = (Eligible("a", 100.0), Eligible("b", 100.0), Eligible("c", 100.0))
    assert [draw(f"call-{number}", three) for number in range(8)] == list("cbabcbbb")


@given(st.text(), NAMES)
def test_the_order_of_members_says_nothing(key, names):
    some = [Eligible(name, 10.0) for name in names]
    assert draw(key, some) == draw(key, reversed(some))


@given(st.text(), NAMES)
def test_who_goes_takes_only_its_own_calls(key, names):
    some = [Eligible(name, 10.0) for name in names]
    first = draw(key, some)
    others = [each for each in some if each.member != first]
    for gone in others:
        assert draw(key, [each for each in some if each is not gone]) == first


def test_nobody_without_weight():
    assert draw("x", ()) is None
    assert draw("x", (Eligible("a", 0.0),)) is None
    assert draw("x", (Eligible("a", 0.0), Eligible("b", 0.001))) == "b"


def test_shares_follow_the_weights():
    some = (Eligible("a", 300.0), Eligible("b", 100.0))
    drawn = [draw(f"{number}", some) for number in range(20_000)]
    assert drawn.count("a") / len(drawn) == pytest.approx(0.75, abs=0.015)


def test_a_member_by_name():
    pool = Pool(name="sales", members=(Member(name="a", url="wss://a.example/"),))
    assert pool.member("a") is pool.members[0]
    assert pool.member("b") is None


def test_the_draw_is_the_one_that_the_documentation_gives():
    page = Path(__file__).parents[2] / "docs/before-the-stream.md"
    said = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(said, str(page), "exec"), names)
    weights = {"a": 80.0, "b": 20.0, "c": 7.5}
    some = [Eligible(name, weight) for name, weight in weights.items()]
    for number in range(500):
        assert draw(f"call-{number}", some) == names["takes"](f"call-{number}", weights)
