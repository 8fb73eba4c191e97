"""What a rule gives, by the kind of its endpoint: what is taken, and each refusal once."""

from __future__ import annotations

import pytest

from switchhook.rules.outcome import EndpointKind, Option, Outcome
from switchhook.rules.rules_file import RulesetError, builtin_rules, load_rules

PASSTHRU, ADMIT, VOICEBOT = EndpointKind
RULE = "[[rule]]\nname = 'a'\nwhen = 'stream.present'\n"
DEFAULTS = {
    PASSTHRU: '[default]\noption = "A"\nselect = "safe"\n',
    ADMIT: "[default]\n",
    VOICEBOT: '[default]\npool = "sales"\n',
}


def refusal(text: str, kind: EndpointKind, **more: object) -> str:
    with pytest.raises(RulesetError) as caught:
        load_rules(text, file="r", kind=kind, strict=True, pools=("sales", "support"), **more)  # type: ignore[arg-type]
    (only,) = caught.value.problems
    return str(only)


@pytest.mark.parametrize(
    "kind, said, given",
    [
        (PASSTHRU, 'option = "B"', Outcome(option=Option.B)),
        (PASSTHRU, 'option = "A"\nselect = "people"', Outcome(option=Option.A, select="people")),
        (
            PASSTHRU,
            'option = "B"\npromise = true',
            Outcome(option=Option.B, promise="a", class_="default"),
        ),
        (
            PASSTHRU,
            'option = "A"\npromise = true\nreason = "no room"\nclass = "vip"',
            Outcome(option=Option.A, promise="no room", class_="vip"),
        ),
        (PASSTHRU, 'option = "A"\npromise = false', Outcome(option=Option.A)),
        (ADMIT, "", Outcome(option=Option.A, class_="default")),
        (ADMIT, 'class = "vip"', Outcome(option=Option.A, class_="vip")),
        (ADMIT, 'option = "A"\nclass = "vip"', Outcome(option=Option.A, class_="vip")),
        (ADMIT, 'option = "B"', Outcome(option=Option.B)),
        (VOICEBOT, 'pool = "support"', Outcome(option=Option.A, pool="support")),
    ],
)
def test_what_a_rule_gives_is_in_its_decision(kind, said, given):
    rules = load_rules(f"{RULE}{said}\n{DEFAULTS[kind]}", file="r", kind=kind)
    rule, decision = rules.rules[0], rules.decisions[0]
    for each in (rule, decision):
        assert (each.option, each.select, each.pool, each.class_, each.promise) == (
            given.option,
            given.select,
            given.pool,
            given.class_,
            given.promise,
        )
    assert rules.kind is kind


def test_what_a_ruleset_can_answer_is_told():
    text = f'{RULE}option = "A"\nselect = "people"\n{DEFAULTS[PASSTHRU]}'
    rules = load_rules(text, file="r")
    assert rules.selects == ("people", "safe")
    assert rules.otherwise.select == "safe"
    rules = load_rules(f'{RULE}pool = "b"\n[default]\npool = "a"\n', file="r", kind=VOICEBOT)
    assert rules.pools == ("b", "a")
    rules = load_rules(f'{RULE}class = "vip"\n[default]\n', file="r", kind=ADMIT)
    assert rules.classes == ("vip", "default")


def test_a_default_can_promise_and_is_its_reason():
    rules = load_rules('[default]\noption = "B"\npromise = true\n', file="r")
    for each in (rules.otherwise, rules.default_rule):
        assert (each.promise, each.class_) == ("default", "default")


def test_the_built_in_rules_promise_nothing():
    assert not any(each.promise for each in builtin_rules(PASSTHRU).decisions)


def test_the_built_in_rules_of_each_kind():
    assert builtin_rules(PASSTHRU).rules
    assert builtin_rules(ADMIT).otherwise.class_ == "default"
    assert builtin_rules(VOICEBOT, 'मदद "1"').otherwise.pool == 'मदद "1"'
    assert builtin_rules(VOICEBOT, "a").release != builtin_rules(VOICEBOT, "b").release


@pytest.mark.parametrize(
    "kind, said, message",
    [
        (PASSTHRU, 'option = "A"\npool = "sales"',
         'rule "a": "pool" is for rules of kind voicebot, these are of kind passthru '
         '(write option = "A" or "B", or set kind of the endpoint)'),
        (PASSTHRU, 'option = "A"\nclass = "vip"',
         'rule "a": "class" says of a promise, and none is promised '
         '(write promise = true beside it, or kind = "admit" of the endpoint)'),
        (PASSTHRU, 'option = "A"\nreason = "no room"\npromise = false',
         'rule "a": "reason" says why a callback is promised, and none is promised '
         '(write promise = true beside it)'),
        (PASSTHRU, 'option = "A"\npromise = "yes"',
         "rule \"a\": promise is neither true nor false: 'yes' (promise = true, without quotes)"),
        (PASSTHRU, 'option = "A"\npromise = true\nreason = ""',
         "rule \"a\": no such reason is possible: '' "
         "(one line of at most 100 printable characters)"),
        (PASSTHRU, f'option = "A"\npromise = true\nreason = "{"x" * 101}"',
         f"rule \"a\": no such reason is possible: '{'x' * 40}' "
         "(one line of at most 100 printable characters)"),
        (PASSTHRU, 'option = "A"\npromise = true\nreason = "two\\nlines"',
         "rule \"a\": no such reason is possible: 'two\\nlines' "
         "(one line of at most 100 printable characters)"),
        (PASSTHRU, 'option = "B"\npromise = true\nclass = "all"',
         "rule \"a\": class 'all' is a reserved word "
         "(all, any, foreign, none, unknown say what is of no class; choose another name)"),
        (ADMIT, 'promise = true',
         'rule "a": "promise" is for rules of kind passthru, these are of kind admit '
         '(write option = "A" or "B", and class = "…" beside A, or set kind of the endpoint)'),
        (VOICEBOT, 'pool = "sales"\nclass = "vip"',
         'rule "a": "class" is for rules of kind passthru or admit, these are of kind voicebot '
         '(write pool = "…", or set kind of the endpoint)'),
        (ADMIT, 'select = "people"',
         'rule "a": "select" is for rules of kind passthru, these are of kind admit '
         '(write option = "A" or "B", and class = "…" beside A, or set kind of the endpoint)'),
        (VOICEBOT, 'pool = "sales"\noption = "A"',
         'rule "a": "option" is for rules of kind passthru or admit, these are of kind voicebot '
         '(write pool = "…", or set kind of the endpoint)'),
        (PASSTHRU, 'option = "A"\nselct = "x"',
         'rule "a": unknown key "selct" (did you mean select? '
         'known: name, when, option, select, promise, reason, class)'),
        (VOICEBOT, "", 'rule "a": it has no pool '
         '(pool = "…", the name of a [bots.NAME] with members)'),
        (VOICEBOT, "pool = 1", 'rule "a": no such pool is possible: \'1\' '
         '(pool = "…", the name of a [bots.NAME] with members)'),
        (VOICEBOT, 'pool = "sale"',
         "rule \"a\": there is no pool 'sale' (did you mean 'sales'?)"),
        (VOICEBOT, 'pool = "x"',
         "rule \"a\": there is no pool 'x' (known: sales, support)"),
        (ADMIT, 'class = "V I P"',
         "rule \"a\": no such class is possible: 'V I P' (1 to 32 of a-z, 0-9, _ and -)"),
        (ADMIT, 'class = ""',
         "rule \"a\": no such class is possible: '' (1 to 32 of a-z, 0-9, _ and -)"),
        (ADMIT, 'class = "foreign"', "rule \"a\": class 'foreign' is a reserved word "
         "(all, any, foreign, none, unknown say what is of no class; choose another name)"),
        (ADMIT, 'option = "B"\nclass = "vip"',
         "rule \"a\": class 'vip' is never used: B refuses without asking for room "
         '(remove class, or write option = "A", which asks for room)'),
        (ADMIT, 'option = "C"',
         "rule \"a\": no such option: 'C' (option = \"A\" or option = \"B\")"),
        (PASSTHRU, 'option = "A"\nselect = "two words"',
         "rule \"a\": no such select is possible: 'two words' "
         "(1 to 64 of A-Z, a-z, 0-9, _ and -, as a SwitchCase applet compares it)"),
        (PASSTHRU, 'option = "B"\nselect = "people"',
         "rule \"a\": select 'people' is never read: B is the applet's other output "
         '(write option = "A" beside select: a SwitchCase applet stands behind A)'),
    ],
)  # fmt: skip
def test_a_rule_that_its_kind_does_not_take_is_refused(kind, said, message):
    assert refusal(f"{RULE}{said}\n{DEFAULTS[kind]}", kind).partition(": ")[2] == message


@pytest.mark.parametrize(
    "kind, default, message",
    [
        (VOICEBOT, "", '[default]: it has no pool '
         '(pool = "…", the name of a [bots.NAME] with members)'),
        (VOICEBOT, 'pool = "salse"', "[default]: there is no pool 'salse' (did you mean 'sales'?)"),
        (ADMIT, 'pool = "sales"',
         '[default]: "pool" is for rules of kind voicebot, these are of kind admit '
         '(write option = "A" or "B", and class = "…" beside A, or set kind of the endpoint)'),
        (PASSTHRU, 'class = "vip"\noption = "A"',
         '[default]: "class" says of a promise, and none is promised '
         '(write promise = true beside it, or kind = "admit" of the endpoint)'),
    ],
)  # fmt: skip
def test_a_default_that_its_kind_does_not_take_is_refused(kind, default, message):
    assert refusal(f"[default]\n{default}\n", kind) == f"r: {message}"


def test_a_file_without_a_default_is_told_what_its_kind_takes():
    assert 'and pool = "…" below it' in refusal(f'{RULE}pool = "sales"\n', VOICEBOT)


def test_a_default_is_asked_for_a_select_where_rules_have_one():
    """It is a doubt of rules that run, and refused by `check`."""
    text = f'{RULE}option = "A"\nselect = "people"\n[default]\noption = "A"\n'
    (doubt,) = load_rules(text, file="r").doubts
    assert str(doubt) == refusal(text, PASSTHRU)
    assert str(doubt) == (
        "r: [default]: it has no select, and rules have one "
        "(select = \"…\" says where callers go whom no rule sends, such as 'people')"
    )
    assert not load_rules(text.replace('option = "A"\n', 'option = "B"\n')[::1].replace(
        'option = "B"\nselect', 'option = "A"\nselect'), file="r").doubts  # fmt: skip


def test_a_select_that_the_endpoint_does_not_name_is_doubted():
    text = f'{RULE}option = "A"\nselect = "peple"\n{DEFAULTS[PASSTHRU]}'
    assert not load_rules(text, file="r").doubts
    first, second = load_rules(text, file="r", selects=("people", "bot")).doubts
    assert str(first).partition(": ")[2] == (
        "rule \"a\": select 'peple' leads nowhere "
        "(selects of the endpoint does not name it; did you mean 'people'?)"
    )
    assert "[default]: select 'safe' leads nowhere" in str(second)
    assert "leads nowhere" in refusal(text, PASSTHRU, selects=("people", "safe"))
