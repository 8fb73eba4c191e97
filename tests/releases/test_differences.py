"""How releases differ, in words."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.made import DEFAULT
from switchhook.releases.differences import SAME, differences

THROTTLED = ("throttled", 'stream.cause == "throttled"', 'option = "B"')
TWO = ("two", 'call.digits == "2"', 'option = "A"')
THREE = ("three", 'call.digits == "3"', 'option = "A"')


def rules(*entries, default='option = "A"'):
    said = (f"[[rule]]\nname = '{n}'\nwhen = '''{w}'''\n{o}\n" for n, w, o in entries)
    return "".join(said) + f"[default]\n{default}\n"


A = rules(THROTTLED, TWO, THREE)
CASES = [
    (A, A, []),
    (A, f"# because\n{A}", [SAME]),
    (A, rules(("busy", *THROTTLED[1:]), TWO, THREE), [SAME]),
    (
        A,
        rules(
            ("flow", 'stream.cause == "throttled" && call.flow_id == "12"', 'option = "A"'),
            *(THROTTLED, TWO, THREE),
        ),
        ['throttled callers from flow 12 now go to A (new rule "flow", asked first)'],
    ),
    (
        A,
        rules(THROTTLED, TWO, ("four", 'call.digits == "4"', 'option = "B"'), THREE),
        ['callers who pressed 4 now go to B (new rule "four", asked after "two")'],
    ),
    (rules(), rules(TWO), ['callers who pressed 2 now go to A (new rule "two", the only one)']),
    (
        A,
        rules(THROTTLED, THREE),
        ['callers who pressed 2 no longer go to A by rule "two", which is gone'],
    ),
    (
        A,
        rules(THROTTLED, (*TWO[:2], 'option = "B"'), THREE),
        ['callers who pressed 2 now go to B (before: go to A; rule "two")'],
    ),
    (
        A,
        rules(("throttled", 'stream.cause != "bot_done"', 'option = "B"'), TWO, THREE),
        [
            'rule "throttled" is for callers but not those whose bot was done now '
            "(before: for throttled callers); they go to B"
        ],
    ),
    (
        rules(("x", 'call.digits == "4"', 'option = "B"')),
        rules(("x", 'call.digits  ==  "4"', 'option = "B"')),
        [SAME],
    ),
    (A, rules(THREE, THROTTLED, TWO), ['rule "three" is asked first now']),
    (A, rules(THROTTLED, THREE, TWO), ['rule "three" is asked after "throttled" now']),
    (
        A,
        rules(THROTTLED, TWO, THREE, default='option = "B"'),
        ["all other callers now go to B (before: go to A)"],
    ),
    (rules(), rules(default='option = "B"'), ["all callers now go to B (before: go to A)"]),
    (
        rules(default='option = "A"\nselect = "sales"'),
        rules(default='option = "A"\nselect = "people"'),
        ["all callers now go to A with select people (before: go to A with select sales)"],
    ),
    (
        rules(default='class = "default"'),
        rules(("vip", 'call.from == "+919876543210"', 'class = "vip"'), default='option = "B"'),
        [
            "callers from +91••••••••10 now ask for room as class vip "
            '(new rule "vip", the only one)',
            "all other callers now go to B (before: ask for room as class default)",
        ],
    ),
    (
        rules(default='pool = "sales"'),
        rules(default='pool = "hindi"'),
        ["all callers now get a bot of pool hindi (before: get a bot of pool sales)"],
    ),
    (
        A,
        rules((*THROTTLED[:2], 'option = "B"\npromise = true'), TWO, THREE),
        ['throttled callers are now promised a callback (rule "throttled")'],
    ),
    (
        rules((*THROTTLED[:2], 'option = "B"\npromise = true'), TWO, THREE),
        rules((*THROTTLED[:2], 'option = "A"\npromise = true\nclass = "vip"'), TWO, THREE),
        [
            'throttled callers now go to A (before: go to B; rule "throttled")',
            "throttled callers are now promised a callback as class vip "
            '(before: a plain one; rule "throttled")',
        ],
    ),
    (
        rules((*THROTTLED[:2], 'option = "B"\npromise = true\nreason = "no room"'), TWO, THREE),
        A,
        ['throttled callers are no longer promised a callback (rule "throttled")'],
    ),
    (
        rules(TWO),
        rules((*THROTTLED[:2], 'option = "B"\npromise = true\nreason = "no room"'), TWO),
        [
            'throttled callers now go to B with the promise of a callback for "no room" '
            '(new rule "throttled", asked first)'
        ],
    ),
    (
        rules((*THROTTLED[:2], 'option = "B"\npromise = true'), TWO),
        rules(TWO),
        [
            "throttled callers no longer go to B with the promise of a callback "
            'by rule "throttled", which is gone'
        ],
    ),
    (
        rules((*THROTTLED[:2], 'option = "B"\npromise = true'), TWO),
        rules(("full", THROTTLED[1], 'option = "B"\npromise = true\nclass = "default"'), TWO),
        [SAME],
    ),
    (
        rules(TWO),
        rules(TWO, default='option = "A"\npromise = true'),
        ["all other callers are now promised a callback"],
    ),
    (A, "[default", ["the latter is no TOML, so that only lines can be compared"]),
    ("[default", A, ["the former is no TOML, so that only lines can be compared"]),
]


@pytest.mark.parametrize(("old", "new", "said"), CASES)
def test_two_texts_of_rules(old, new, said):
    assert list(differences(DEFAULT, old, new)) == said


POOLS = """[sales]
sticky = false
breaker = { enabled = true, failure_share = 0.5 }

[sales.members.a]
weight = 90
limit = "none"
state = "in"

[sales.members.b]
weight = 10
limit = 20
state = "in"
"""
CHANGES = [
    ("weight = 90", "weight = 50", "of the calls of sales, a takes 83.3 % (before: 90 %), "
     "b takes 16.7 % (before: 10 %)"),
    ("limit = 20", 'limit = "none"', "b of sales takes as many streams as come "
     "(before: at most 20 streams at once)"),
    ("sticky = false", "sticky = true", "a customer's calls of sales stay with one member"),
    ("0.5", "0.3", "the breaker of sales: failure_share 0.3 (before: 0.5)"),
    ("enabled = true", "enabled = false",
     "a failing member of sales is no longer taken out by itself"),
    ("[sales]", "[x]\n[sales]", "pool x is new"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "said"), CHANGES)
def test_two_texts_of_pools(was, now, said):
    assert differences("pools", POOLS, POOLS.replace(was, now)) == (said,)


def test_a_member_that_goes_out_leaves_its_share():
    state = 'limit = 20\nstate = "{}"'
    assert differences("pools", POOLS, POOLS.replace(state.format("in"), state.format("out"))) == (
        "of the calls of sales, a takes 100 % (before: 90 %), b takes 0 % (before: 10 %)",
        "b of sales is out: it gets no calls (before: takes calls)",
    )


def test_what_a_text_of_pools_does_not_say_is_as_configured():
    assert differences("pools", POOLS, "# nothing") == ("pool sales is as configured now",)
    assert differences("pools", POOLS, f"# so\n{POOLS}") == (SAME,)


ENTRY = st.dictionaries(
    st.sampled_from(["name", "when", "option", "pool", "class", "select", "promise", "reason"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'"), max_size=9)
    .map(lambda said: f"'{said}'")
    | st.sampled_from(["true", "false"]),
)  # fmt: skip


@given(st.lists(ENTRY, max_size=5), st.lists(ENTRY, max_size=5))
def test_drafts_have_words_too(before, after):
    old, new = (
        "".join("[[rule]]\n" + "".join(f"{k} = {v}\n" for k, v in each.items()) for each in entries)
        for entries in (before, after)
    )
    tomllib.loads(old)
    said = differences(DEFAULT, old, new)
    assert bool(said) == (old != new)
