"""Rules as Python: what is compiled and what is left to CEL, and that CEL would say the same."""

from __future__ import annotations

import string
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.cause import Cause, classify
from switchhook.exotel.passthru import Leg, Passthru, Stream
from switchhook.rules.compiled import compile_rule, function_of
from switchhook.rules.expression import PLAIN, Expression, Invalid, Language, check, language_of
from switchhook.rules.matching import by_cel, chain, first_match
from switchhook.rules.variables import VARIABLES, AccountFacts, RuleInput, Variable, seen

INDIA = ZoneInfo("Asia/Kolkata")
FLAGS = language_of(
    (("on", "bool"), ("word", "string"), ("numbers", "list(string)"), ("most", "int"))
)


def compiled(text: str, language=PLAIN) -> str | None:
    tree = check(text, language).tree
    assert tree is not None
    found = compile_rule(tree, language.variables)
    return None if found is None else found.source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('stream.cause == "throttled"', "(v_stream_cause == 'throttled')"),
        ('call.digits in ["1", "2"]', "(v_call_digits in ('1', '2', ))"),
        ("stream.present", "v_stream_present"),
        ("!stream.present", "(not v_stream_present)"),
        ("stream.duration > 5", "(v_stream_duration is not None and v_stream_duration > (5))"),
        ("5 < stream.duration", "(v_stream_duration is not None and (5) < v_stream_duration)"),
        ("call.legs == -1", "(v_call_legs == (-1))"),
        ("size(call.digits) == 2", "(len(v_call_digits) == (2))"),
        ('extra["a"] == "b"', "('a' in v_extra and v_extra['a'] == 'b')"),
        ('extra.a == "b"', "('a' in v_extra and v_extra['a'] == 'b')"),
        ('"a" in extra', "('a' in v_extra)"),
        ("has(extra.a)", "('a' in v_extra)"),
        ('call.to.contains("\'\\n")', '(("\'\\n" in v_call_to))'),
        (
            'stream.present && call.legs > 1 && call.sid != ""',
            "(v_stream_present and (v_call_legs > (1)) and (v_call_sid != ''))",
        ),
        (
            'call.digits == "1" ? stream.present : account.known',
            "(v_stream_present if (v_call_digits == '1') else v_account_known)",
        ),
    ],
)
def test_what_is_compiled(text: str, source: str):
    assert compiled(text) == source


@pytest.mark.parametrize(
    "text",
    [
        # An absent number is an error, which ! and a condition don't take for false.
        "!(stream.duration > 5)",
        "!(stream.present && stream.duration > 5)",
        "(stream.duration > 5) == false",
        "stream.duration > 5 ? stream.present : account.known",
        '!(extra.a == "b")',
        # What may go wrong otherwise, or has its own arithmetic.
        "stream.duration + 1 > 5",
        'int(call.digits) > 5',
        "now > timestamp(0)",
        'call.digits.startsWith(call.to)',
        'call.digits in [call.to]',
        'extra[call.to] == "a"',
        'extra.exists(key, key == "a")',
        'size(["a"]) == call.legs',
        # Where RE2 and re differ, or re may take for ever.
        r'call.to.matches(r"(?i)a")',
        r'call.to.matches(r"\s")',
        r'call.to.matches(r"[^a]")',
        r'call.to.matches(r"(a+)+$")',
        r'call.to.matches(r"[0-9]+x")',
        r'call.to.matches(r"^a*a*b")',
        r'call.to.matches(r"\bé")',
    ],
)  # fmt: skip
def test_what_is_left_to_cel(text: str):
    assert compiled(text) is None


def test_the_deepest_that_cel_takes_is_not_too_deep_for_python():
    depth, text = 0, "stream.present"
    while _is_rule(deeper := f"!((stream.present ? ({text}) : stream.present) == true)"):
        depth, text = depth + 1, deeper
        assert chain([check(text)])[0].function is not None
    assert depth > 5


@pytest.mark.parametrize("joined", [2, 8, 9, 40])
def test_a_rule_of_many_conditions_asks_all_of_them(joined: int):
    """How deep Python nests has a bound."""
    blocks = chain([check(" && ".join(["call.digits != '0'"] * joined + ["call.sid == 'a'"]))])
    assert blocks[0].function is not None
    for sid, digits, place in (("a", "1", 0), ("b", "1", -1), ("a", "0", -1)):
        passthru = Passthru(call_sid=sid, digits=digits)
        asked = seen(passthru, classify(passthru), AccountFacts(), 0, INDIA)
        assert first_match(blocks, asked)[0] == place


def test_a_variable_is_read_when_it_is_asked_for_and_once():
    """What stands behind a condition that does not hold is not; the next rule reads it, then."""
    read = []

    def noting(name: str, variable: Variable) -> Variable:
        def note(asked: RuleInput) -> object:
            read.append(name)
            return variable.read(asked)

        return msgspec.structs.replace(variable, read=note)

    variables = {name: noting(name, each) for name, each in VARIABLES.items()}
    texts = [
        'call.sid == "z" && call.digits == "1"',
        'call.sid == "a" && call.to == "1" && call.digits == "9"',
        'call.digits == "2" && call.sid == "a"',
        'call.sid == "a" && call.to == "2"',
        'call.sid == "a" && call.to == "3" && stream.present',
        'call.sid == "a" && call.digits == "3"',
    ]
    rules = [compile_rule(check(text).tree, variables, place) for place, text in enumerate(texts)]
    passthru = Passthru(call_sid="a", digits="3")
    asked = seen(passthru, classify(passthru), AccountFacts(), 0, INDIA)
    assert function_of(rules, 0, variables)(asked) == 5
    assert read == ["call.sid", "call.to", "call.digits"]


def _is_rule(text: str, language: Language = PLAIN) -> bool:
    try:
        check(text, language)
    except Invalid:
        return False
    return True


def test_flags_are_compiled_where_their_type_is_sure():
    assert compiled("flags.on", FLAGS) == "v_flags_on"
    assert compiled("call.to in flags.numbers", FLAGS) == "(v_call_to in v_flags_numbers)"
    assert compiled("flags.most > 1", FLAGS) is None


# That CEL says the same: of rules and requests that nobody has thought of.

TEXTS = sorted(name for name, each in VARIABLES.items() if each.type == "string")
NUMBERS = sorted(name for name, each in VARIABLES.items() if each.type == "int")
BOOLS = sorted(name for name, each in VARIABLES.items() if each.type == "bool")
WORDS = ("", "1", "12", "failed", "completed", "throttled", "user", "bot", "+919812345678", "a\nb",
         "3009 refused", "é😀", "null", "monday", "A", "x" * 70)  # fmt: skip
PATTERNS = ("^1", "1$", "^[0-9]+$", "a.b", r"^\+91[0-9]{10}$", r"\d{2}", "(?:failed|completed)",
            "^x*$", "user|bot", r"a\.?b", "", "^$", "b$", r"3\d\d\d refused", "é",
            "[é😀]")  # fmt: skip
KEYS = ("a", "b_1", "Wait", "x-y")


def quoted(text: str) -> str:
    return '"' + "".join(rf"\U{ord(each):08x}" if each not in SAFE else each for each in text) + '"'


SAFE = set(string.ascii_letters + string.digits + " +-_.$^[]{}()|?:*")
_text = st.sampled_from(WORDS).map(quoted)
_number = st.integers(-3, 4000).map(str)
_text_value = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(TEXTS), _text,
    st.sampled_from(KEYS).map(lambda key: f'extra["{key}"]'),
    st.just("extra.a"), st.just("flags.word"),
)  # fmt: skip
_number_value = st.one_of(
    st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), _number,
    st.sampled_from(TEXTS).map(lambda name: f"size({name})"), st.just("flags.most"),
)  # fmt: skip
_sign = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _atoms() -> st.SearchStrategy[str]:
    compared = [
        st.builds("{} {} {}".format, value, _sign, value) for value in (_text_value, _number_value)
    ]
    listed = st.lists(_text, min_size=1, max_size=4).map(", ".join)
    return st.one_of(
        *compared,
        st.sampled_from([*BOOLS, "true", "false", "flags.on", "has(extra.a)"]),
        st.builds("{} in [{}]".format, _text_value, listed),
        st.builds("{} in {}".format, _text_value, st.sampled_from(["extra", "flags.numbers"])),
        st.builds(
            "{}.{}({})".format,
            st.sampled_from(TEXTS),
            st.sampled_from(["startsWith", "endsWith", "contains"]),
            _text,
        ),
        st.builds(
            "{}.matches({})".format,
            st.sampled_from(TEXTS),
            st.sampled_from(PATTERNS).map(lambda each: f"r'{each}'"),
        ),
        st.builds("account.age {} {}.5".format, _sign, st.integers(0, 90)),
    )


RULES = st.recursive(
    _atoms(),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("(({}) == ({}))".format, inner, inner),
    ),
    max_leaves=8,
)

_said = st.one_of(st.none(), st.sampled_from(WORDS), st.text(max_size=5))
_count = st.one_of(st.none(), st.integers(-3, 4000), st.just(10**30))
_streams = st.one_of(
    st.none(),
    st.builds(
        Stream, sid=_said, status=_said, duration_raw=st.one_of(_said, st.integers().map(str)),
        url=_said, disconnected_by_raw=_said, detailed_status=_said, error=_said,
        recording_url=_said,
    ),
)  # fmt: skip
_passthrus = st.builds(
    Passthru, call_sid=_said, from_raw=_said, to_raw=_said, direction_raw=_said, digits=_said,
    custom_field=_said, call_status=_said, dial_duration_raw=_said, flow_id=_said,
    stream=_streams, legs=st.lists(st.just(Leg(index=0)), max_size=2).map(tuple),
    extra=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(WORDS)), max_size=3).map(tuple),
)  # fmt: skip
_facts = st.builds(
    AccountFacts, active=_count, allowed=_count, headroom=_count,
    age_s=st.one_of(st.none(), st.floats(0, 90)),
)  # fmt: skip
_flag_values = st.fixed_dictionaries(
    {},
    optional={
        "on": st.booleans(),
        "word": st.sampled_from(WORDS),
        "numbers": st.lists(st.sampled_from(WORDS), max_size=3),
        "most": st.integers(0, 9),
    },
)


def _checked(texts: list[str]) -> list[Expression]:
    """Of those that are rules."""
    return [check(text, FLAGS) for text in texts if _is_rule(text, FLAGS)]


@settings(max_examples=600)
@given(
    st.lists(RULES, min_size=1, max_size=6),
    st.lists(st.tuples(_passthrus, _facts, _flag_values), min_size=1, max_size=4),
    st.integers(0, 4_000_000_000_000),
)
def test_cel_says_the_same(texts, requests, at_ms):
    blocks = chain(_checked(texts), FLAGS)
    judge = by_cel(blocks)
    for passthru, facts, flags in requests:
        asked = seen(passthru, classify(passthru), facts, at_ms, INDIA, flags)
        assert first_match(blocks, asked) == first_match(judge, asked), texts


def test_most_of_what_people_write_is_compiled(rules_that_people_write):
    """Those of the documentation and of the examples; else nothing is won by it."""
    left = [each for each in rules_that_people_write if compiled(each) is None]
    assert len(left) < len(rules_that_people_write) / 4, left


@pytest.fixture
def rules_that_people_write() -> list[str]:
    causes = [f'stream.cause == "{cause}"' for cause in Cause]
    return [*causes, "stream.duration >= 30", 'call.digits == "1"']
