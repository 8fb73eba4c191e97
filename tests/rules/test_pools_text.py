"""Pools as one text: the same pools are the same text, and an edit changes what it changes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.rules.bot_pool import BreakerSettings, Member, MemberState, Pool
from switchhook.rules.pools_text import (
    PoolsTextError,
    laid_over,
    lost_names,
    pools_text,
    read_pools,
)

A = Member(name="a", url="wss://a.example/s", weight=90)
B = Member(name="b", url="wss://b.example/s", weight=10, limit=7, state=MemberState.DRAINING)
SALES = Pool(name="sales", members=(A, B), sticky=True)
SUPPORT = Pool(
    name="support",
    members=(Member(name="only one", url="wss://c.example/s"),),
    breaker=BreakerSettings(enabled=True, window_s=30),
)
POOLS = (SUPPORT, SALES)

TEXT = """\
["sales"]
sticky = true
["sales".breaker]
enabled = false
failure_share = 0.5
least = 3
window_s = 60.0
cool_down_s = 30.0
["sales".members."a"]
weight = 90
limit = "none"
state = "in"
["sales".members."b"]
weight = 10
limit = 7
state = "draining"
"""


def replaced(pool: Pool, member: str, **changed: object) -> Pool:
    replace = msgspec.structs.replace
    members = (replace(each, **changed) if each.name == member else each for each in pool.members)
    return replace(pool, members=tuple(members))


def test_the_text_has_everything_but_addresses() -> None:
    assert pools_text([SALES]) == TEXT
    assert "wss" not in pools_text(POOLS)
    assert pools_text(()) == ""


def test_the_same_pools_are_the_same_text() -> None:
    """In whatever order the configuration has them, and however it writes a number."""
    turned = msgspec.structs.replace(SALES, members=(B, A))
    other = msgspec.structs.replace(SALES, breaker=BreakerSettings(window_s=60))
    assert pools_text((turned, SUPPORT)) == pools_text(POOLS) == pools_text((SUPPORT, other))


NAMES = st.text(min_size=1, max_size=12)
MEMBERS = st.builds(
    Member,
    name=NAMES,
    url=st.just("wss://x.example"),
    weight=st.integers(1, 1_000),
    limit=st.none() | st.integers(1, 100_000),
    state=st.sampled_from(MemberState),
)
BREAKERS = st.builds(
    BreakerSettings,
    enabled=st.booleans(),
    failure_share=st.floats(0.01, 1),
    least=st.integers(1, 1_000),
    window_s=st.integers(1, 3_600) | st.floats(1, 3_600),
    cool_down_s=st.floats(1, 3_600),
)


def by_name(each: Member | Pool) -> str:
    return each.name


SOME_POOLS = st.lists(
    st.builds(
        Pool,
        name=NAMES,
        members=st.lists(MEMBERS, min_size=1, max_size=4, unique_by=by_name).map(tuple),
        sticky=st.booleans(),
        breaker=BREAKERS,
    ),
    max_size=3,
    unique_by=by_name,
).map(tuple)


@given(SOME_POOLS)
def test_what_is_written_is_read(pools: tuple[Pool, ...]) -> None:
    """Whatever names there are; over pools that have anything else in it."""
    plain = tuple(
        Pool(name=p.name, members=tuple(Member(name=m.name, url=m.url) for m in p.members))
        for p in pools
    )
    text = pools_text(pools)
    assert read_pools(text, file="p.toml", pools=plain) == pools
    assert laid_over(text, plain) == pools
    assert pools_text(read_pools(text, file="p.toml", pools=plain)) == text


@given(SOME_POOLS, st.data())
def test_an_edit_of_the_configuration_changes_what_it_changes(
    pools: tuple[Pool, ...], data: st.DataObject
) -> None:
    """And what was released of the rest stays."""
    if not pools:
        return
    released = tuple(
        msgspec.structs.replace(
            pool, members=tuple(msgspec.structs.replace(m, weight=5) for m in pool.members)
        )
        for pool in pools
    )
    pool = data.draw(st.sampled_from(pools))
    member = data.draw(st.sampled_from(pool.members))
    edited = tuple(
        replaced(each, member.name, weight=member.weight % 1_000 + 1) if each is pool else each
        for each in pools
    )
    now = laid_over(pools_text(released), edited, written=pools_text(pools))
    for each in now:
        for m in each.members:
            is_it = (each.name, m.name) == (pool.name, member.name)
            assert m.weight == (member.weight % 1_000 + 1 if is_it else 5)


def test_what_a_text_does_not_say_is_as_configured() -> None:
    said = "[sales.members.b]\nweight = 40\n[support]\nbreaker = {least = 9}"
    support, sales = read_pools(said, file="p.toml", pools=POOLS)
    assert sales == replaced(SALES, "b", weight=40)
    assert support.breaker == BreakerSettings(enabled=True, window_s=30, least=9)
    lifted = read_pools('[sales.members.b]\nlimit = "none"', file="", pools=[SALES])
    assert lifted == (replaced(SALES, "b", limit=None),)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("[sales", "p.toml: not TOML: "),
        (b"\xff", "p.toml: not UTF-8 text"),
        ("x" * 300_000, "p.toml: the text has more than 262,144 bytes"),
        ("[sale]", "p.toml: sale: the configuration has no pool 'sale' (did you mean 'sales'?)"),
        (
            "[sales.members.c]",
            "p.toml: sales.members.c: the configuration has no member of pool sales 'c' "
            "(known: a, b)",
        ),
        ("sales = 1", 'p.toml: sales: it is not a table (["sales".members.NAME])'),
        ("[sales]\nmembers = 1", "p.toml: sales.members: it is not a table"),
        ("[sales.members]\na = 1", "p.toml: sales.members.a: it is not a table (weight = 100)"),
        ("[sales]\nweight = 1", "p.toml: sales.weight: unknown key (known: sticky, breaker, "),
        ("[sales]\nsticky = 1", "p.toml: sales.sticky: it is neither true nor false"),
        ("[sales]\nbreaker = 1", "p.toml: sales.breaker: it is neither true, false nor a table"),
        ("[sales.breaker]\nleast = 1.5", "it is not a whole number from 1 to 1,000"),
        ("[sales.breaker]\nwindow_s = 0", "it is not a number from 1 to 3,600"),
        ("[sales.members.a]\nweight = 1001", "it is not a whole number from 0 to 1,000"),
        ("[sales.members.a]\nlimit = 0", 'it is neither "none" nor a whole number from 1 to'),
        ("[sales.members.a]\nstate = 'on'", "it is none of in, draining, out"),
        (
            '["only one".members."a b"]',
            "p.toml: \"only one\": the configuration has no pool 'only one'",
        ),
        (
            "[sales.members]\na.weight = 0\nb.weight = 0",
            "p.toml: sales: each member has weight 0, so that none takes a call",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str | bytes, problem: str) -> None:
    with pytest.raises(PoolsTextError) as caught:
        read_pools(text, file="p.toml", pools=POOLS)
    assert problem in str(caught.value)
    assert len(caught.value.problems) == 1


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PoolsTextError) as caught:
        read_pools("[x]\n[sales.members.a]\nweight = -1\nlimit = -1", file="", pools=POOLS)
    assert len(caught.value.problems) == 3


def test_what_is_gone_from_the_configuration_is_named_and_left_out() -> None:
    text = pools_text(POOLS)
    fewer = (msgspec.structs.replace(SALES, members=(A,)),)
    assert lost_names(text, fewer) == ["sales/b", "support"]
    assert lost_names(text, POOLS) == []
    assert lost_names("[", POOLS) == []
    assert laid_over(text, fewer) == fewer
    assert laid_over("[", fewer) == fewer
