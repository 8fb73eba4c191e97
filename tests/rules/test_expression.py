"""Expressions: what is refused and in which words, what is true, what is handed over."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.cause import judge
from switchhook.exotel.passthru import Leg, Passthru, Stream
from switchhook.rules.expression import LONGEST, Invalid, check
from switchhook.rules.expression_text import ExpressionProblem, tokens
from switchhook.rules.matching import chain, first_match
from switchhook.rules.variables import SOMETIMES_ABSENT, VARIABLES, AccountFacts, RuleInput, seen

INDIA = ZoneInfo("Asia/Kolkata")
MONDAY_0843_UTC = 1_795_423_380_000  # 2026-11-23T08:43:00Z, 14:13 in India


def see(
    passthru: Passthru | None = None,
    facts: AccountFacts | None = None,
    at_ms: int = MONDAY_0843_UTC,
) -> RuleInput:
    passthru = passthru or Passthru()
    return seen(passthru, judge(passthru), facts or AccountFacts(), at_ms, INDIA)


def is_true(text: str, what: RuleInput) -> bool:
    place, failures = first_match(chain([check(text)]), what)
    assert not failures
    return place == 0


def refusals(text: str) -> list[tuple[int, int, str, str]]:
    with pytest.raises(Invalid) as refused:
        check(text)
    return [(p.line, p.column, p.text, p.hint) for p in refused.value.problems]


TEXT_QUOTES = 'a text stands in quotes, a number does not; int("5") and string(5) convert'
RE2 = "RE2 syntax; double each \\, or write it raw: r'…'"


@pytest.mark.parametrize(
    ("text", "column", "problem", "hint"),
    [
        # names
        ('stream.statu == "a"', 1, 'unknown name "stream.statu"', "did you mean stream.status?"),
        ('Stream.Status == "a"', 1, 'unknown name "Stream.Status"', "did you mean stream.status?"),
        ('"é😀" == stream . sidd', 9, 'unknown name "stream.sidd"', "did you mean stream.sid?"),
        ("stream.cause == lost", 17, 'unknown name "lost"', 'a text stands in quotes: "lost"'),
        ("local == 1", 1, 'unknown name "local"',
         "known: local.hour, local.minute, local.weekday, local.date"),
        ("local.zzz == 1", 1, 'unknown name "local.zzz"',
         "known: local.hour, local.minute, local.weekday, local.date"),
        ("zzz.yyy == 1", 1, 'unknown name "zzz.yyy"',
         "names start with account, call, local, stream"),
        ("True", 1, 'unknown name "True"', "write true"),
        ('call.sid.startswith("a")', 10, 'unknown function "startswith"',
         "did you mean startsWith?"),
        ("len(call.sid) > 1", 1, 'unknown function "len"', "did you mean size?"),
        ("qqq(1)", 1, 'unknown function "qqq"', "see docs/rules.md for what there is"),
        ('call.sid.matches("a", "b")', 10, "matches() does not take what it is given", ""),
        # grammar
        ('stream.status = "a"', 15, 'unexpected "="', "to compare, write =="),
        ("true and true", 6, 'unexpected "and"', "write &&"),
        ("not stream.present", 5, 'unexpected "stream"', "write !"),
        ('call.sid == "a', 13, "a text that starts here does not end", "quotes come in pairs"),
        (r'call.sid.matches("\d")', 18, "this text holds a \\ with no meaning",
         "double each \\, or write the text raw: r'…'"),
        ("\u00a0true", 1, 'unexpected "\\xa0"', ""),
        ("true &&", 8, "the expression ends too early", ""),
        ("(true", 6, "a bracket is not closed", ""),
        ("true)", 5, '")" closes nothing', ""),
        ("true) ? 0 : (false", 5, '")" closes nothing', ""),
        ("call.sid == “a”", 13, 'unexpected "“"', 'use plain quotes: "'),
        ("call.sid <> call.to", 11, 'unexpected ">"', "not equal is !="),
        ("while", 1, '"while" is a reserved word of CEL', ""),
        ("", 1, "the expression is empty", 'always: when = "true"'),
        (" \n ", 1, "the expression is empty", 'always: when = "true"'),
        ("true // \x07", 9, "control character '\\x07'", "remove it, or write it as \\u…."),
        ("(" * 40 + "true" + ")" * 40, 1, "nested too deeply, or too many terms",
         "split it into two"),
        # types
        ("stream.status", 1, "this gives string, and a rule must give true or false (bool)",
         'compare it, as in stream.status == "failed"'),
        ("1", 1, "this gives int, and a rule must give true or false (bool)",
         "compare it, as in stream.duration > 5"),
        ("dyn(true)", 1, "this gives dyn, and a rule must give true or false (bool)",
         "compare it with == and a constant"),
        ('stream.duration == "5"', 17, "== does not work on (int, string)", TEXT_QUOTES),
        ("account.age > 3", 13, "> does not work on (double, int)",
         "write the number with a point: 5.0"),
        ("call.sid == null", 10, "== does not work on (string, null)", 'an absent text is ""'),
        ('true ? "a" : 1', 6, "? : does not work on (bool, string, int)", ""),
        ("call.sid.size", 9, "a value of type string has no fields", ""),
        ("99999999999999999999 == 1", 1, "invalid int literal", ""),
        # has()
        ("has(stream.status)", 1, "has(stream.status) does not tell whether there is one",
         'use stream.status != ""'),
        ("true && has( .stream.duration )", 9,
         "has(stream.duration) does not tell whether there is one", "use stream.duration_known"),
        ("has(stream.present)", 1, "has(stream.present) does not tell whether there is one",
         "it always has a value"),
        ("has(account.active)", 1, "has(account.active) does not tell whether there is one",
         "use account.known"),
        # constants
        ('call.sid.matches("(")', 18, "bad regular expression: missing ): (", RE2),
        ('call.sid.matches(r"a(")', 18, "bad regular expression: missing ): a(", RE2),
        ('matches(call.sid, "a" + "(")', 19, "bad regular expression: missing ): a(", RE2),
        ('call.sid.matches("(?=a)")', 18, "bad regular expression: invalid perl operator: (?=",
         RE2),
        ('now.getHours("Asia/Nope") == 1', 14, "unknown time zone",
         'as in "Asia/Kolkata" or "+05:30"'),
        # the clock
        ("now.getHours() > 3", 1, "now.getHours() is in UTC",
         'use local.hour, or name a zone: now.getHours("Asia/Kolkata")'),
        ("true || (now) . getDayOfWeek( ) == 1", 10, "now.getDayOfWeek() is in UTC",
         'use local.weekday, or name a zone: now.getDayOfWeek("Asia/Kolkata")'),
    ],
)  # fmt: skip
def test_check_refuses(text: str, column: int, problem: str, hint: str) -> None:
    assert refusals(text) == [(1, column, problem, hint)]


def test_check_refuses_a_long_expression() -> None:
    text = "call.sid == '" + "a" * LONGEST + "'"
    assert refusals(text) == [
        (1, 1, "the expression has 4,014 characters, the most is 4,000", "split it into two rules")
    ]


def test_check_tells_every_unknown_name_with_its_line() -> None:
    """All of them at once, each at its first letter."""
    found = refusals('stream.statu == "a"\n  && call.digit == "1"\n  && local.hours == 3')
    assert [(line, column, text) for line, column, text, _ in found] == [
        (1, 1, 'unknown name "stream.statu"'),
        (2, 6, 'unknown name "call.digit"'),
        (3, 6, 'unknown name "local.hours"'),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'call.sid == "has(stream.status)"',
        'call.sid == "now.getHours()" // now.getHours() has(call.sid)',
        "call.sid == 'x.matches(\"(\")'",
        'call.sid == """a"has(call.sid)""" ',
        'call.sid == r"\\d" || call.sid == "now.getHours()"',
        'call.sid == "\\"has(call.sid)"',
        'has(extra.tag) && "tag" in extra',
        'now.getHours("Asia/Kolkata") == 3',
        "now.getSeconds() == 3",
        "call.sid.matches(call.to)",
        'call.sid.matches("[" + call.to + "]")',
        '["("].exists(p, call.sid.matches(p))',
        "1/0 == 1",
        ".stream.status == ''",
        "stream\n.\nstatus == ''",
    ],
)
def test_check_accepts(text: str) -> None:
    """What stands in quotes or in a comment sets nothing off, nor does what only looks alike."""
    assert check(text).text == text


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("true", True),
        ("1 == 1 // always", True),
        ('"a" in ["b"]', False),
        ("stream.present || true", True),
        ("stream.duration > 5 && false", False),
        ("stream.present", None),
        ("stream.duration > 5 || stream.duration <= 5", None),
        ("1/0 == 1", None),
        ("[1, 2, 3].all(x, x > 0)", True),
    ],
)
def test_constant(text: str, constant: bool | None) -> None:
    """What is the same for every request is known when it is loaded; an error is not a value."""
    assert check(text).constant is constant


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('stream.status == "call.sid"', {"stream.status"}),
        ("extra.tag == call . sid", {"extra", "call.sid"}),
        ('stream.status.size() > 0 && now > timestamp("2026-01-01T00:00:00Z")',
         {"stream.status", "now"}),
        ("true // call.sid", set()),
        ('{"call": {"sid": 1}}.call.sid == 1', set()),
        ("(.call.sid) == ''", {"call.sid"}),
    ],
)  # fmt: skip
def test_names(text: str, names: set[str]) -> None:
    assert check(text).names == names


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("stream.duration > 5", {"stream.duration"}),
        ('call.sid == "a" && stream.duration > 5 && !(account.active == 3)',
         {"stream.duration", "account.active"}),
        ("stream.duration > 5 || stream.present", set()),
        ("!(stream.present && stream.duration > 5)", set()),
        ("(stream.duration > 5 && true) == false", set()),
        ("stream.present ? stream.duration > 5 : true", set()),
        ("[1].exists(x, stream.duration > x)", set()),
    ],
)  # fmt: skip
def test_needs(text: str, needs: set[str]) -> None:
    """Only what can't be true without the number is said to need it."""
    assert check(text).needs == needs


terms = st.sampled_from(
    ["stream.duration > 5", "account.active != 3", "call.sid == ''", "stream.present", "1/0 == 1"]
)
conditions = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", "==", "!="]), inner).map(" ".join),
        inner.map("!({})".format),
        inner.map("({})".format),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]}) ? ({t[1]}) : ({t[2]})"),
        inner.map("[true].exists(x, x && {})".format),
    ),
    max_leaves=6,
)


@given(conditions, st.sampled_from([None, "3", "9"]), st.sampled_from([None, 3, 4]))
def test_needs_changes_no_result(text: str, duration: str | None, active: int | None) -> None:
    """What is passed over for want of a number would not have matched either."""
    try:
        checked = check(text)
    except Invalid:
        return  # a mixture of operators that has no type
    stream = None if duration is None else Stream(duration_raw=duration)
    what = see(Passthru(stream=stream), AccountFacts(active=active))
    needless = replace(checked, needs=frozenset())
    assert first_match(chain([checked]), what)[0] == first_match(chain([needless]), what)[0]


def test_shape_differs_in_meaning_only() -> None:
    same = [check(text).shape for text in ("call.sid=='a b'", "call . sid\n == 'a b' // x")]
    assert same[0] == same[1]
    assert check("call.sid == 'a  b'").shape != same[0]


@given(st.text(alphabet=st.sampled_from("a.b ()[]{}\"'\\\n/=&|?:rb09\ud800é"), max_size=60))
def test_check_gives_an_expression_or_problems_for_any_text(text: str) -> None:
    problems: tuple[ExpressionProblem, ...] = ()
    try:
        check(text)
    except Invalid as invalid:
        problems = invalid.problems or (ExpressionProblem(0, 0, "nothing told"),)
    assert all(p.line > 0 and p.column > 0 and p.text for p in problems)


@given(st.text(max_size=80))
def test_tokens_lose_nothing_but_blanks_and_comments(text: str) -> None:
    for token in tokens(text):
        assert text[token.start :].startswith(token.text)
        line = text.split("\n")[token.line - 1]
        assert line[token.column - 1 :].startswith(token.text.split("\n")[0])


CALL = Passthru(
    call_sid="c0ffee",
    from_raw="09876543210",
    to_raw="1800",
    direction_raw="outbound-dial",
    digits="12",
    custom_field="vip",
    call_status="in-progress",
    call_type="completed",
    dial_status="busy",
    dial_duration_raw="17",
    dial_whom_number="sip:a@b",
    recording_url="https://r",
    forwarded_from="0112",
    flow_id="11754",
    event_type="Dial",
    legs=(Leg(index=0), Leg(index=1)),
    stream=Stream(
        sid="5eed",
        status="Failed",
        duration_raw="0",
        url="wss://bot",
        recording_url="https://s",
        disconnected_by_raw="caller",
        detailed_status="Odd",
        error="3009 failed to establish ws conn dial tcp 10.1.1.1:50: connect: connection refused",
    ),
    extra=(("tag", "first"), ("tag", "second"), ("a-b", "x")),
)
FACTS = AccountFacts(active=7, allowed=10, headroom=3, age_s=1.5)


@pytest.mark.parametrize(
    "text",
    [
        'call.sid == "c0ffee"',
        'call.from == "+919876543210"',
        'call.to == "1800"',
        'call.direction == "outbound"',
        'call.direction_raw == "outbound-dial"',
        'call.status == "in-progress"',
        'call.type == "completed"',
        'call.digits == "12"',
        'call.custom_field == "vip"',
        'call.dial_status == "busy"',
        'call.dial_whom == "sip:a@b"',
        "call.dial_duration == 17",
        "call.dial_duration_known",
        'call.recording_url == "https://r"',
        'call.forwarded_from == "0112"',
        'call.flow_id == "11754"',
        'call.event_type == "Dial"',
        "call.legs == 2",
        "stream.present",
        'stream.sid == "5eed"',
        'stream.status == "failed"',
        "stream.duration == 0",
        "stream.duration_known",
        'stream.url == "wss://bot"',
        'stream.recording_url == "https://s"',
        'stream.disconnected_by == "user"',
        'stream.detailed_status == "Odd"',
        'stream.error.startsWith("3009")',
        'stream.error_kind == "refused"',
        "stream.error_code == 3009",
        'stream.cause == "connect_failed"',
        "account.known",
        "account.active == 7",
        "account.allowed == 10",
        "account.headroom == 3",
        "account.limit_known",
        "account.age == 1.5",
        "local.hour == 14",
        "local.minute == 13",
        'local.weekday == "monday"',
        'local.date == "2026-11-23"',
        'now == timestamp("2026-11-23T08:43:00Z")',
        'extra.tag == "first" && extra["a-b"] == "x" && extra.size() == 2',
    ],
)
def test_every_variable_is_read(text: str) -> None:
    assert is_true(text, see(CALL, FACTS))


def test_the_table_above_is_complete() -> None:
    marks = test_every_variable_is_read.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {name for text in marks for name in check(text).names} == VARIABLES.keys()


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_absent_reads_as_empty_or_not_at_all(name: str) -> None:
    """Of a request that says nothing, no variable is made up."""
    value = VARIABLES[name].read(see())
    if name in SOMETIMES_ABSENT:
        assert value is None
    elif name == "stream.cause":
        assert value == "no_stream"
    elif not name.startswith(("local.", "now")):
        assert not value
    else:
        assert value is not None


@pytest.mark.parametrize("name", [name for name, v in VARIABLES.items() if v.present_if])
def test_told_by(name: str) -> None:
    """What the messages and the documentation advise instead of has() does tell."""
    assert is_true(VARIABLES[name].present_if, see(CALL, FACTS))
    assert not is_true(VARIABLES[name].present_if, see())


@pytest.mark.parametrize(
    ("said", "status"),
    [("canceled", "cancelled"), ("IN_PROGRESS", "in-progress"), ("Weird", "weird"), (None, "")],
)
def test_stream_status_in_one_spelling(said: str | None, status: str) -> None:
    assert is_true(f'stream.status == "{status}"', see(Passthru(stream=Stream(status=said))))


def test_text_that_the_runtime_can_not_hold() -> None:
    """A NUL does not end a text early, and a lone surrogate does not raise."""
    odd = Passthru(digits="1\x00", custom_field="\ud800", extra=(("a\x00", "\udfff"),))
    assert not is_true('call.digits == "1"', see(odd))
    assert is_true('call.digits == "1\ufffd" && call.custom_field == "\ufffd"', see(odd))
    assert is_true('extra["a\ufffd"] == "\ufffd"', see(odd))


@pytest.mark.parametrize("huge", [2**63, 2**200, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_the_nearest(huge: int) -> None:
    what = see(facts=AccountFacts(active=huge))
    assert is_true("account.active > 5" if huge > 0 else "account.active < 5", what)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ('now < timestamp("2026-02-30T00:00:00Z")', 17, "no such time"),
        ('now < timestamp("2026-11-23")', 17, "no such time"),
        ('now - timestamp("2026-11-23T00:00:00Z") < duration("5 min")', 52, "no such duration"),
    ],
)
def test_times_that_do_not_exist(text: str, column: int, told: str) -> None:
    (problem,) = check(text).doubts
    assert (problem.column, told in problem.text) == (column, True)


def test_times_that_exist() -> None:
    text = 'now - timestamp("2026-11-23T00:00:00+05:30") < duration("1h30m")'
    assert check(text).doubts == ()
