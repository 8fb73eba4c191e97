"""Rules files and decisions."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.cli.check_routing import kind_said
from switchhook.errors import ConfigError, RuleError
from switchhook.exotel.cause import Cause, Verdict, judge
from switchhook.exotel.passthru import Defect, Passthru, Stream
from switchhook.rules.decide import Decision, Option, Rule, Ruleset, decide
from switchhook.rules.matching import first_match
from switchhook.rules.rules_file import (
    BUILTIN,
    LONGEST_FILE,
    RulesetError,
    load_rules,
)
from switchhook.rules.variables import VARIABLES, AccountFacts, seen

INDIA = ZoneInfo("Asia/Kolkata")
MONDAY_0843_UTC = 1_795_423_380_000  # 2026-11-23T08:43:00Z
PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
END = '[default]\noption = "A"\n'


def rule(when: str, name: str = "one", option: str = "B") -> str:
    return f"[[rule]]\nname = \"{name}\"\nwhen = '''{when}'''\noption = \"{option}\"\n\n"


def ruleset(*whens: str) -> Ruleset:
    """Rules named r1, r2 … that all lead to B; the default leads to A."""
    text = "".join(rule(when, f"r{n}") for n, when in enumerate(whens, 1))
    return load_rules(text + END, file="rules.toml")


def decided(
    rules: Ruleset, passthru: Passthru | None = None, facts: AccountFacts | None = None
) -> Decision:
    passthru = passthru or Passthru()
    return decide(passthru, judge(passthru), facts or AccountFacts(), MONDAY_0843_UTC, INDIA, rules)


def refusal(text: str | bytes) -> str:
    """What `switchhook check` says of a file."""
    with pytest.raises(RulesetError) as refused:
        load_rules(text, file="rules.toml", strict=True)
    return str(refused.value)


# The file.


def test_load_rules_keeps_what_was_written() -> None:
    text = rule("stream.present", "a stream", "A") + '[default]\noption = "B"\n'
    loaded = load_rules(text, file="rules.toml")
    assert loaded.rules == (Rule("a stream", "stream.present", Option.A),)
    assert loaded.default is Option.B
    assert loaded.text == text
    assert loaded.release == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_load_rules_takes_text_and_bytes_alike(mark: str, line_end: str) -> None:
    """With a byte order mark and Windows' line ends, too; the release is of the bytes."""
    text = mark + (rule("stream.present\n&& true", "é") + END).replace("\n", line_end)
    loaded = load_rules(text.encode(), file="rules.toml")
    assert loaded == load_rules(text, file="other.toml")
    assert loaded.release == hashlib.sha256(text.encode()).hexdigest()


def test_load_rules_without_rules() -> None:
    assert decided(load_rules(END, file="rules.toml")).rule == "default"


MISSING = 'end the file with [default] and option = "A" or "B" below it'
OPTIONS = 'option = "A" or option = "B"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'rules.toml: the file is empty (the least is a [default] with option = "A")'),
        ("\ufeff \n", 'rules.toml: the file is empty (the least is a [default] with option = "A")'),
        (b"\xff", "rules.toml: not UTF-8 text, at byte 0 (save the file as UTF-8)"),
        ("\ud800", "rules.toml: not UTF-8 text, at byte 0 (save the file as UTF-8)"),
        ("#" * (LONGEST_FILE + 1),
         "rules.toml: the file has 262,145 bytes, the most is 262,144"),
        ("x = " + "[" * 5000, "rules.toml: not TOML: nested too deeply"),
        # default
        (rule("stream.present"),
         f"rules.toml: there is no [default]: was the file cut short? ({MISSING})"),
        ("[default]\n", f"rules.toml: [default]: it has no option ({OPTIONS})"),
        ('[default]\noption = "C"',
         f"rules.toml: [default]: no such option: 'C' ({OPTIONS})"),
        ("[default]\noption = 1", f"rules.toml: [default]: no such option: '1' ({OPTIONS})"),
        (END + "else = 1", 'rules.toml: [default]: unknown key "else" '
         "(known: option, select, promise, reason, class)"),
        ('default = "A"\n' + rule("stream.present"),
         f"rules.toml: default is not a table of its own ({MISSING})"),
        ('default.option = "A"\n', f"rules.toml: default is not a table of its own ({MISSING})"),
        ('default = { option = "A" }\n' + rule("stream.present"),
         f"rules.toml: default is not a table of its own ({MISSING})"),
        (END + rule("stream.present"),
         "rules.toml: [default] is not the last table (move it to the end of the file)"),
        # keys and values
        ("x = 1\n" + END, 'rules.toml: unknown key "x" (known: [[rule]] and [default])'),
        ("x = [\n[1],\n[]\n]\n" + END,
         'rules.toml: unknown key "x" (known: [[rule]] and [default])'),
        ("[rule]\nname = 'a'\n" + END,
         "rules.toml: rule is not a list of tables (start each rule with [[rule]])"),
        ("rule = [1]\n" + END,
         "rules.toml: rule is not a list of tables (start each rule with [[rule]])"),
        ("[[rule]]\nwhen = 'stream.present'\noption = 'A'\n" + END,
         'rules.toml: rule "#1": it has no name (name = "what it is for")'),
        (rule("stream.present", " ") + END,
         'rules.toml: rule "#1": it has no name (name = "what it is for")'),
        (rule("stream.present", "a\\nb") + END,
         'rules.toml: rule "#1": its name is not one line of at most 100 printable characters'),
        (rule("stream.present", "default") + END,
         'rules.toml: rule "#1": "default" names the default (rename the rule)'),
        (rule("stream.present") + rule("!stream.present") + END,
         'rules.toml: rule "one": rule #1 has the same name (receipts name the rule that decided)'),
        (rule("stream.present", option="b") + END,
         f"rules.toml: rule \"one\": no such option: 'b' ({OPTIONS})"),
        ("[[rule]]\nname = 'a'\nwhen = 'stream.present'\n" + END,
         f'rules.toml: rule "a": it has no option ({OPTIONS})'),
        ("[[rule]]\nname = 'a'\noption = 'A'\n" + END,
         "rules.toml: rule \"a\": it has no expression (when = 'stream.cause == \"throttled\"')"),
        ("[[rule]]\nname = 'a'\noption = 'A'\nwhen = true\n" + END,
         'rules.toml: rule "a": its expression is not a text '
         "(when = 'stream.cause == \"throttled\"')"),
        ("[[rule]]\nname = 'a'\noption = 'A'\nwhen = 'stream.present'\nthen = 1\n" + END,
         'rules.toml: rule "a": unknown key "then" '
         "(did you mean when? "
         "known: name, when, option, select, promise, reason, class)"),
        (rule("stream.present") * 201 + END, "rules.toml: 201 rules, the most is 200"),
        # expressions
        (rule("stream.statu == ''", "short") + END,
         'rules.toml: rule "short", column 1: unknown name "stream.statu" '
         "(did you mean stream.status?)"),
        (rule("stream.present\n  && call.digit == '1'") + END,
         'rules.toml: rule "one", line 2, column 6: unknown name "call.digit" '
         "(did you mean call.digits?)"),
        (rule("true) ? 0 : (false") + END,
         'rules.toml: rule "one", column 5: ")" closes nothing'),
        # unreachable
        (rule("true", "a") + rule("stream.present", "b") + rule("call.sid == ''", "c") + END,
         'rules.toml: rule "b": it is never reached: rule "a" before it is always true '
         '(move or remove "a")'),
        (rule("call.sid == ''", "a") + rule("call.sid==''// same", "b") + END,
         'rules.toml: rule "b": it is never reached: rule "a" has the same expression '
         "(remove one of them)"),
        (rule("1 == 2") + END,
         'rules.toml: rule "one", column 1: it never matches: always false '
         "(remove it, or put # before its lines)"),
    ],
)  # fmt: skip
def test_load_rules_refuses(text: str | bytes, message: str) -> None:
    said = re.sub(r"^rules.toml:[0-9]+:", "rules.toml:", refusal(text), flags=re.MULTILINE)
    assert said == message.replace(", line 2, column", ", column")


@pytest.mark.parametrize(
    ("expression", "line"),
    [
        ("'call.sidd == 1'", 7),
        ('"call.sidd == 1"', 7),
        ("'''call.sidd == 1'''", 7),
        ("'''\ncall.sidd == 1\n'''", 8),
        ("'''\nstream.present &&\n  call.sidd == 1'''", 9),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_rule_that_is_wrong_is_told_by_its_line_of_the_file(
    expression: str, line: int, mark: str, line_end: str
) -> None:
    text = (
        "[[rule]]\nname = 'first [[rule]]'\nwhen = 'stream.present'\noption = 'A'\n"
        f"[[rule]]\nname = 'bad'\nwhen = {expression}\noption = 'B'\n{END}"
    )
    assert refusal(mark + text.replace("\n", line_end)).startswith(
        f'rules.toml:{line}: rule "bad", '
    )
    assert (
        refusal(text.replace("option = 'B'", "option = 'C'"))
        .splitlines()[0]
        .startswith('rules.toml:5: rule "bad": no such option')
    )


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('when = "a == "b""', "line 1, column 15", "put expressions between single quotes"),
        ("[default", "end of document", "was the file cut short?"),
        ("x = " + "9" * 10_000, "limit", "put expressions between single quotes"),
    ],
)
def test_load_rules_refuses_what_is_no_toml(text: str, place: str, hint: str) -> None:
    """The words for what is wrong are Python's, and differ between its versions."""
    message = refusal(text)
    assert message.startswith("rules.toml: not TOML: ")
    assert place in message
    assert f"({hint}" in message


def test_load_rules_tells_everything_at_once_in_the_order_of_the_file() -> None:
    text = (
        "x = 1\n"
        + rule("call.sidd == '' && call.too == ''", "a")
        + rule("has(stream.sid)", "a", "C")
        + "[default]\noption = 'D'\n"
    )
    with pytest.raises(RulesetError) as refused:
        load_rules(text, file="rules.toml")
    problems = refused.value.problems
    assert all(isinstance(problem, RuleError) for problem in problems)
    assert isinstance(refused.value, ConfigError)
    assert [(p.rule, p.column, p.problem) for p in problems] == [
        ("", None, 'unknown key "x"'),
        ("a", 1, 'unknown name "call.sidd"'),
        ("a", 20, 'unknown name "call.too"'),
        ("a", None, "rule #1 has the same name"),
        ("a", None, "no such option: 'C'"),
        ("a", 1, "has(stream.sid) does not tell whether there is one"),
        ("", None, "[default]: no such option: 'D'"),
    ]
    assert str(refused.value).splitlines() == [str(problem) for problem in problems]


def test_load_rules_sees_no_tables_in_texts_and_comments() -> None:
    text = (
        "# it's [[rule]]\n"
        "[[ 'rule' ]] # [default]\nname = 'a \" b'\noption = 'A'\n"
        "when = '''\n// [default]\ncall.sid == \"\"\"\n[default]\n\"\"\"\n'''\n"
        "[ \"default\" ] # 'last'\noption = 'A'\n# [[rule]]\n"
    )
    assert load_rules(text, file="rules.toml").default is Option.A


@given(st.integers(0, len(PAGE.read_text())))
def test_a_file_cut_short_is_never_taken(at: int) -> None:
    """Whatever is left of it: all but the last line's end is needed."""
    whole = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[2].rstrip()
    with pytest.raises(RulesetError):
        load_rules(whole[: at % len(whole)], file="rules.toml")


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_load_rules_raises_nothing_else(text: str | bytes) -> None:
    with pytest.raises(RulesetError) as refused:
        load_rules(text, file="rules.toml")
    assert str(refused.value)


def test_a_last_rule_may_be_always_true() -> None:
    """So that an operator can send everybody one way in a hurry."""
    assert decided(ruleset("call.sid == 'x'", "true")).rule == "r2"


# Decisions.


def test_decide_takes_the_first_rule_that_matches() -> None:
    rules = ruleset("call.digits == '1'", "call.digits != ''", "call.digits == '2'")
    assert decided(rules, Passthru(digits="2")) == Decision(
        option=Option.B, rule="r2", release=rules.release, reason='rule "r2" matched'
    )


def test_decide_takes_the_default() -> None:
    rules = ruleset("call.digits == '1'")
    assert decided(rules) == Decision(
        option=Option.A,
        rule="default",
        release=rules.release,
        reason="no rule matched, so the default was taken",
    )


def test_decide_goes_on_after_a_rule_that_fails() -> None:
    """The third of ten fails, the seventh matches."""
    whens = [f"call.digits == '{n}'" for n in range(1, 11)]
    whens[2] = "1/0 == 1"
    decision = decided(ruleset(*whens), Passthru(digits="7"))
    assert (decision.option, decision.rule) == (Option.B, "r7")
    assert decision.defects == (Defect("rule.r3", "could not be evaluated: divide by zero"),)


def test_decide_asks_no_rule_after_the_one_that_matches() -> None:
    assert decided(ruleset("call.digits == ''", "1/0 == 1")).defects == ()


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("1/0 == 1", "divide by zero"),
        ("call.legs % call.legs == 1", "modulus by zero"),
        ("int(call.digits) == 1", "cannot convert string to int"),
        ("'a'.matches('[' + call.digits)", "invalid regular expression: missing ]: [x"),
        ("[1][call.legs + 3] == 1", "index error: index=3 size=1"),
        ("now.getHours(call.digits) == 1", "invalid timezone"),
        ("{'a': 1}[call.digits] == 1", 'key not found in map : "x"'),
        ("9223372036854775807 + call.digits.size() > 1", "integer overflow"),
    ],
)
def test_what_a_rule_fails_of(when: str, problem: str) -> None:
    decision = decided(ruleset(when), Passthru(digits="x"))
    assert decision.rule == "default"
    assert decision.defects == (Defect("rule.r1", f"could not be evaluated: {problem}"),)


@pytest.mark.parametrize(
    "when",
    [
        "stream.duration > 5",
        "stream.duration <= 5",
        "!(stream.duration > 5)",
        "stream.duration > 5 || call.digits == '1'",
        "call.digits == '' ? account.headroom < 1 : true",
        "account.age > 1.0 && account.active > 0",
        "call.dial_duration == 0",
        "stream.error_code == 3009",
        "extra.tag == 'x'",
        "extra['tag'] != 'x'",
    ],
)
def test_what_is_absent_is_no_defect(when: str) -> None:
    """A rule that needs it does not match, whichever way round it asks; the next one decides."""
    decision = decided(ruleset(when, "call.sid == ''"))
    assert decision.rule == "r2"
    assert decision.defects == ()


def test_what_is_absent_but_not_needed_does_not_matter() -> None:
    assert decided(ruleset("stream.duration > 5 || true")).rule == "r1"
    rules = ruleset("stream.duration > 5 || !stream.present", "call.sid == ''")
    assert decided(rules).rule == "r1"


def test_decide_with_200_rules() -> None:
    rules = ruleset(*[f"call.digits == '{n}'" for n in range(199)], "1/0 == 1")
    assert decided(rules, Passthru(digits="150")).rule == "r151"
    assert decided(rules, Passthru(digits="-")).rule == "default"
    assert decided(rules, Passthru(digits="-")).defects[0].field == "rule.r200"


@pytest.mark.parametrize(
    ("zone", "clock"),
    [("Asia/Kolkata", "monday 14:13"), ("America/New_York", "monday 3:43"),
     ("Pacific/Auckland", "monday 21:43")],
)  # fmt: skip
def test_decide_in_the_zone_of_the_endpoint(zone: str, clock: str) -> None:
    rules = ruleset(
        "local.weekday + ' ' + string(local.hour) + ':' + string(local.minute) == call.digits"
    )
    passthru = Passthru(digits=clock)
    verdict = judge(passthru)
    decision = decide(passthru, verdict, AccountFacts(), MONDAY_0843_UTC, ZoneInfo(zone), rules)
    assert decision.rule == "r1"


# Laws.

texts = st.none() | st.text(max_size=30)
streams = st.none() | st.builds(
    Stream,
    sid=texts,
    status=texts | st.sampled_from(["failed", "completed"]),
    duration_raw=texts | st.integers(0, 10**12).map(str),
    url=texts,
    disconnected_by_raw=texts | st.sampled_from(["bot", "user"]),
    detailed_status=texts,
    error=texts | st.just("3009 connection refused"),
)
passthrus = st.builds(
    Passthru,
    call_sid=texts,
    from_raw=texts,
    direction_raw=texts,
    digits=texts | st.sampled_from(["(", "1"]),
    dial_duration_raw=texts | st.integers(0, 99).map(str),
    stream=streams,
    extra=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=4).map(tuple),
)
numbers = st.none() | st.integers()
facts = st.builds(
    AccountFacts, active=numbers, allowed=numbers, headroom=numbers, age_s=st.none() | st.floats()
)
moments = st.integers(0, 253_402_000_000_000)

EVERYTHING = ruleset(
    *[
        {
            "string": f"{name} == 'zz'",
            "int": f"{name} == 77 || {name} == 78",
            "double": f"{name} == 77.5",
            "bool": f"{name} && call.sid == 'zz'",
            "timestamp": f"{name} == timestamp('1999-01-01T00:00:00Z')",
            "map(string, string)": f"{name}.zz == 'zz'",
        }[variable.type]
        for name, variable in VARIABLES.items()
    ],
    "call.sid.matches(call.digits)",
    "call.custom_field.size() / stream.duration == 5",
    "stream.duration < 5 && account.headroom > 5",
    "stream.duration > 100 ? account.active > 3 : account.known",
    "local.hour in [1, 2, 3] && extra.a == 'b'",
)


@given(passthrus, facts, moments)
def test_decide_never_raises_and_always_gives_the_same(
    passthru: Passthru, known: AccountFacts, at_ms: int
) -> None:
    verdict = judge(passthru)
    first = decide(passthru, verdict, known, at_ms, INDIA, EVERYTHING)
    again = load_rules(EVERYTHING.text, file="later")
    copy = msgspec.structs.replace(passthru)
    assert decide(copy, verdict, known, at_ms, INDIA, again) == first


@given(passthrus, facts, moments)
def test_a_chain_decides_as_its_rules_one_by_one(
    passthru: Passthru, known: AccountFacts, at_ms: int
) -> None:
    what = seen(passthru, judge(passthru), known, at_ms, INDIA)
    unchained = [
        type(block)(block.start, block.rules, block.reads, block.guards, None)
        for block in EVERYTHING.blocks
    ]
    assert first_match(EVERYTHING.blocks, what) == first_match(unchained, what)


# The built-in rules and the page.


@pytest.mark.parametrize("cause", Cause)
def test_builtin_rules(cause: Cause) -> None:
    worse = {Cause.THROTTLED, Cause.CONNECT_FAILED, Cause.BOT_DROPPED, Cause.UNKNOWN}
    verdict = Verdict(cause, (), "")
    decision = decide(Passthru(), verdict, AccountFacts(), MONDAY_0843_UTC, INDIA, BUILTIN)
    assert decision.option is (Option.B if cause in worse else Option.A)
    assert (decision.rule == "default") is (cause not in worse)
    assert decision.release == BUILTIN.release


def test_the_page_lists_every_variable() -> None:
    rows = re.findall(r"^\| `([a-z._]+)` \| ([^|]+) \| ([^|]+) \| (.+) \|$", PAGE.read_text(), re.M)
    assert rows == [
        (v.name, v.type, v.meaning, f"`{v.present_if}`" if v.present_if else "always there")
        for v in VARIABLES.values()
    ]


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_pages_examples_load(block: str) -> None:
    loaded = load_rules(block, file="rules.md", strict=True, kind=kind_said(block.encode()))
    assert decided(loaded).release == loaded.release


def test_the_page_shows_the_builtin_rules_and_all_causes() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert BUILTIN.text.endswith(blocks[-1])
    assert all(f"`{cause}`" in PAGE.read_text() for cause in Cause)


def test_the_page_quotes_a_real_message() -> None:
    quoted = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert quoted == [
        refusal(rule("stream.statu == ''", "short") + END) + "\n",
        refusal(rule('stream.status == "Failed"', "night") + END) + "\n",
    ]


ROWS = PAGE.read_text().partition("| To say | Write |")[2].partition("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize("text", [cell for row in ROWS for cell in re.findall(r"`([^`]+)`", row)])
def test_the_page_table_of_the_language(text: str) -> None:
    """Each whole expression of it is accepted; the rest are parts of one."""
    text = text.replace("\\|", "|")
    if text.startswith((".", "&&", "||", "!", "//")):
        text = {".": f"call.sid{text}", "!": "!stream.present", "/": f"stream.present {text}"}.get(
            text[0], f"stream.present {text} call.legs == 1"
        )
    assert ruleset(text).rules


@pytest.mark.parametrize(
    "when, changing",
    [
        ("true", False),
        ('stream.cause == "throttled"', False),
        ("account.known && account.headroom < 5", True),
        ("local.hour < 9", True),
        ('now > timestamp("2026-01-01T00:00:00Z")', True),
    ],
)
def test_it_is_known_whether_the_same_question_may_get_another_answer_later(
    when: str, changing: bool
) -> None:
    assert ruleset(when).changing is changing
