"""Rules that can't be what was meant, each with its place and what to write instead."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.cli.check_routing import kind_said
from switchhook.exotel.cause import judge
from switchhook.exotel.passthru import Passthru, Stream
from switchhook.rules.expression import check
from switchhook.rules.matching import chain, first_match
from switchhook.rules.rules_file import BUILTIN, RulesetError, load_rules
from switchhook.rules.variables import VARIABLES, AccountFacts, RuleInput, seen

INDIA = ZoneInfo("Asia/Kolkata")
PAGE = Path(__file__).parents[2] / "docs" / "rules.md"

# The expression, the column of the first thing wrong in it, and a part of what is told of it.
IMPOSSIBLE = [
    (
        'stream.cause == "throttle"',
        17,
        'did you mean "throttled"?',
    ),
    (
        'stream.cause in ["throttled", "connection_failed"]',
        31,
        'did you mean "connect_failed"?',
    ),
    (
        'call.direction == "incoming"',
        19,
        'did you mean "inbound"?',
    ),
    (
        'call.direction != "outgoing"',
        19,
        'did you mean "outbound"?',
    ),
    (
        'stream.error_kind == "connection refused"',
        22,
        'did you mean "refused"?',
    ),
    (
        'call.from == "09876543210"',
        14,
        'did you mean "+919876543210"?',
    ),
    (
        'call.from == "+91 98765 43210"',
        14,
        'did you mean "+919876543210"?',
    ),
    (
        'call.from == "9876543210"',
        14,
        'did you mean "+919876543210"?',
    ),
    (
        'call.to == "919876543210"',
        12,
        'did you mean "+919876543210"?',
    ),
    (
        'call.from == "0091 9876543210"',
        14,
        'did you mean "+919876543210"?',
    ),
    (
        'call.from in ["+919876543210", "08012345678"]',
        32,
        'did you mean "+918012345678"?',
    ),
    (
        'call.from.startsWith("0")',
        22,
        'did you mean "+91"?',
    ),
    (
        'call.from.startsWith("91")',
        22,
        'did you mean "+91"?',
    ),
    (
        'call.from.startsWith("98765")',
        22,
        'did you mean "+9198765"?',
    ),
    (
        'call.from.startsWith("+91 98")',
        22,
        'did you mean "+9198"?',
    ),
    (
        'call.from.matches("^0")',
        19,
        "rules see numbers in E.164: ^\\+91",
    ),
    (
        'call.from.matches(r"^91[6-9][0-9]{9}$")',
        19,
        "rules see numbers in E.164: ^\\+91[6-9][0-9]{9}$",
    ),
    (
        'call.from.endsWith("98765 43210")',
        20,
        'did you mean "9876543210"?',
    ),
    (
        'call.to.contains("98765-43210")',
        18,
        'did you mean "9876543210"?',
    ),
    (
        "local.hour == 24",
        15,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        "local.hour >= 24",
        15,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        "local.hour < 0",
        14,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        "local.hour in [9, 10, 25]",
        23,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        "local.minute == 60",
        17,
        "it is 0 to 59",
    ),
    (
        'stream.status == "Failed"',
        18,
        'did you mean "failed"?',
    ),
    (
        'stream.status == "canceled"',
        18,
        'did you mean "cancelled"?',
    ),
    (
        'stream.status != "canceled"',
        18,
        'did you mean "cancelled"?',
    ),
    (
        'stream.status == "fail"',
        18,
        'did you mean "failed"?',
    ),
    (
        'stream.status == "COMPLETED"',
        18,
        'did you mean "completed"?',
    ),
    (
        'stream.status.startsWith("Fail")',
        26,
        'did you mean "fail"?',
    ),
    (
        'stream.status in ["failed", "canceled"]',
        29,
        'did you mean "cancelled"?',
    ),
    (
        'stream.status == "connect_failed"',
        18,
        'did you mean "failed"?',
    ),
    (
        'local.weekday == "Monday"',
        18,
        'did you mean "monday"?',
    ),
    (
        'local.weekday == "mon"',
        18,
        'did you mean "monday"?',
    ),
    (
        'local.weekday in ["Sat", "Sun"]',
        19,
        'did you mean "saturday"?',
    ),
    (
        'local.weekday.startsWith("Mon")',
        26,
        'did you mean "monday"?',
    ),
    (
        'local.weekday.contains("MON")',
        24,
        'did you mean "monday"?',
    ),
    (
        'local.date == "2026-02-30"',
        15,
        "February 2026 has 28 days",
    ),
    (
        'local.date == "30-11-2026"',
        15,
        'did you mean "2026-11-30"?',
    ),
    (
        'local.date == "2026-1-5"',
        15,
        'did you mean "2026-01-05"?',
    ),
    (
        'local.date >= "30/11/2026"',
        15,
        'did you mean "2026-11-30"?',
    ),
    (
        'local.date == "2026-11"',
        15,
        'a month or year is local.date.startsWith("2026-11")',
    ),
    (
        'local.date.startsWith("26-11")',
        23,
        'it is a day as in "2026-11-23"',
    ),
    (
        'local.date.endsWith("-31-12")',
        21,
        'it is a day as in "2026-11-23"',
    ),
    (
        "stream.duration < 0",
        19,
        "it is 0 to 999,999; it counts seconds",
    ),
    (
        "stream.duration == -1",
        20,
        "it is 0 to 999,999; it counts seconds",
    ),
    (
        "stream.duration > 1000000",
        19,
        "it is 0 to 999,999; it counts seconds",
    ),
    (
        "account.headroom < 0",
        20,
        "it is never below 0",
    ),
    (
        "account.age < 0.0",
        15,
        "it is never below 0",
    ),
    (
        "call.legs == -1",
        14,
        "it is never below 0",
    ),
    (
        "local.hour >= 21 && local.hour < 9",
        21,
        "overnight is local.hour >= 21 || local.hour < 9",
    ),
    (
        "local.hour >= 0",
        1,
        "it is 0 to 23",
    ),
    (
        "local.hour <= 23",
        1,
        "it is 0 to 23",
    ),
    (
        "local.hour >= 9 || local.hour < 21",
        20,
        "between both is local.hour >= 9 && local.hour < 21",
    ),
    (
        'stream.status != "failed" || stream.status != "cancelled"',
        30,
        'stream.status != "failed" or stream.status != "cancelled" is always true',
    ),
    (
        'stream.status == "failed" && stream.status == "cancelled"',
        30,
        'one of them is stream.status in ["failed", "cancelled"]',
    ),
    (
        'stream.cause == "throttled" && local.hour == 3 && stream.cause == "connect_failed"',
        51,
        'one of them is stream.cause in ["throttled", "connect_failed"]',
    ),
    (
        'call.digits == "1" && call.digits == "2"',
        23,
        'one of them is call.digits in ["1", "2"]',
    ),
    (
        'stream.cause == "bot_done" || (local.hour >= 21 && local.hour < 9)',
        52,
        "overnight is local.hour >= 21 || local.hour < 9",
    ),
    (
        "stream.present && !stream.present",
        20,
        "stream.present can't be both true and false",
    ),
    (
        '!(stream.status == "Failed")',
        20,
        'did you mean "failed"?',
    ),
    (
        'stream.disconnected_by == "caller"',
        27,
        'did you mean "user"?',
    ),
    (
        'stream.disconnected_by == "User"',
        27,
        'did you mean "user"?',
    ),
    (
        'stream.disconnected_by == "na"',
        27,
        'did you mean "NA"?',
    ),
    (
        'stream.disconnected_by == "system"',
        27,
        'did you mean "NA"?',
    ),
    (
        'call.digits == "\\"9\\""',
        16,
        'rules see it without blanks and quotes around it: "9"',
    ),
    (
        'call.digits == "null"',
        16,
        'an absent text is ""',
    ),
    (
        'call.digits == " 9"',
        16,
        'rules see it without blanks and quotes around it: "9"',
    ),
    (
        "call.digits.size() == -1",
        23,
        "it is never below 0",
    ),
    (
        "size(call.digits) < 0",
        21,
        "it is never below 0",
    ),
    (
        'now.getHours("Asia/Kolkata") == 24',
        33,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        'now.getMonth("Asia/Kolkata") == 12',
        33,
        "it is 0 to 11; January is 0, December 11",
    ),
    (
        'now.getDayOfWeek("Asia/Kolkata") == 7',
        37,
        "it is 0 to 6; Sunday is 0, Saturday 6",
    ),
    (
        'now.getDate("Asia/Kolkata") == 0',
        32,
        "it is 1 to 31",
    ),
    (
        '"Failed" == stream.status',
        1,
        'did you mean "failed"?',
    ),
    (
        "24 <= local.hour",
        1,
        "it is 0 to 23; midnight is 0, 9 in the evening 21",
    ),
    (
        'local.weekday >= "monday" && local.weekday <= "friday"',
        30,
        'local.weekday >= "monday" and local.weekday <= "friday" are never true together',
    ),
    (
        'stream.cause == ""',
        17,
        'did you mean "no_stream"?',
    ),
    (
        'stream.cause == "busy"',
        17,
        'stream.cause is never "busy"',
    ),
    (
        'stream.error_kind == "throttled"',
        22,
        'stream.error_kind is never "throttled"',
    ),
    (
        'stream.error_kind.contains("refuse d")',
        28,
        'did you mean "refused"?',
    ),
    (
        'stream.cause.startsWith("throttling")',
        25,
        'did you mean "throttled"?',
    ),
    (
        'stream.cause.matches("^Throttled$")',
        22,
        'did you mean "throttled"?',
    ),
    (
        "local.hour > 21 && local.hour < 22",
        20,
        "nothing lies between",
    ),
    (
        "stream.duration > 30 && stream.duration < 5",
        25,
        "either is stream.duration > 30 || stream.duration < 5",
    ),
    (
        'stream.duration < 5 && stream.duration > 30 || stream.cause == "throttled"',
        24,
        "either is stream.duration < 5 || stream.duration > 30",
    ),
    (
        'stream.present ? stream.status == "Failed" : false',
        35,
        'did you mean "failed"?',
    ),
    (
        "stream.error_code == 123456",
        22,
        "it is 0 to 99,999; it has three to five digits",
    ),
    (
        'local.date > "2026-12-31" && local.date < "2026-12-01"',
        30,
        'either is local.date > "2026-12-31" || local.date < "2026-12-01"',
    ),
    (
        'local.date == "2026-12-25" && local.date == "2026-12-26"',
        31,
        'one of them is local.date in ["2026-12-25", "2026-12-26"]',
    ),
    ('call.from.matches("^[0-9]{10}$")', 19, r"^\+91[0-9]{10}$"),
    ("local.hour > 18 || local.hour <= 18", 20, "is always true ()"),
    ("now.getFullYear('Asia/Kolkata') == 26", 36, "1,970 to 9,999"),
]

# What may be odd, and can be true.
POSSIBLE = [
    'stream.cause == "throttled"',
    'stream.disconnected_by == "bot" && stream.duration < 5',
    'stream.cause in ["throttled", "connect_failed"]',
    'stream.cause in ["throttled", "throttled"]',
    'call.from.startsWith("+9140")',
    'call.digits.matches(r"^[1-3]$")',
    "stream.duration < 5",
    "account.age < 30.0",
    "call.digits.size() == 4",
    'call.direction == "inbound" ? local.hour < 9 : local.hour < 7',
    'call.direction != ""',
    'call.direction == ""',
    'call.direction_raw == "incoming"',
    'call.status == "busy"',
    'call.dial_status == "canceled"',
    'stream.status == "paused"',
    'stream.status == ""',
    'stream.status == "timeout"',
    "local.hour >= 21 || local.hour < 9",
    "local.hour >= 0 && local.hour < 6",
    "local.hour >= 21 && local.hour <= 23",
    "local.hour >= 21 && local.hour <= 24",
    'local.weekday in ["saturday", "sunday"] || local.hour < 9 || local.hour >= 18',
    'now.getHours("Asia/Singapore") == 12',
    'local.date in ["2026-01-26", "2026-08-15"]',
    'local.date == "2024-02-29"',
    'local.date.startsWith("2026-12")',
    'local.date.endsWith("-01-26")',
    'local.date.matches("^2026-(08|09)-")',
    'local.date >= "2026-12-01" && local.date <= "2026-12-31"',
    'local.date >= "2026-12"',
    "account.headroom < 3 && account.age < 30.0",
    'stream.error_kind == "tls" || stream.error_code == 3009 && stream.error.contains("x509")',
    'call.custom_field.matches(r"^diwali-[0-9]+$")',
    'has(extra.tag) && extra.tag == "vip"',
    'extra.exists(k, k.startsWith("utm"))',
    'call.from == "+919876543210"',
    'call.from == "1800"',
    'call.from == "sip:alice@example.com"',
    'call.from == ""',
    'call.from == "0000000000"',
    'call.to.endsWith("43210")',
    'call.to.contains("98765")',
    'call.from.matches(r"^\\+91[6-9]")',
    'call.from.matches(r"^(\\+91|0)")',
    'call.from.matches("98765")',
    '!(call.from.startsWith("+91"))',
    "stream.duration >= 0",
    "stream.duration == 0",
    "stream.duration_known && stream.duration >= 0",
    "!stream.present",
    "stream.present == false",
    'stream.status != "failed" && stream.status != "cancelled"',
    'stream.status == "failed" || stream.status == "cancelled"',
    'stream.cause.startsWith("caller_left")',
    'stream.cause.contains("failed")',
    'stream.cause.matches("^(throttled|connect_failed)$")',
    'stream.cause.matches("(?i)THROTTLED")',
    'local.weekday.endsWith("day") && local.hour == 3',
    'local.weekday.startsWith("s")',
    'local.weekday != "sunday"',
    "local.hour in [9, 10, 10]",
    "local.hour != 0",
    "local.minute < 30",
    "local.hour * 60 + local.minute >= 570",
    "local.hour % 2 == 0",
    "account.active >= account.allowed",
    "account.headroom == 0",
    "account.headroom <= 0",
    "call.legs >= 2",
    'call.digits == "9" || call.digits == "#"',
    'call.digits in ["1", "2"] && call.digits != "1"',
    'call.digits.startsWith("1") && call.digits.endsWith("2")',
    'stream.url.startsWith("wss://bot")',
    'stream.error == "3009 failed to establish"',
    "!(local.hour >= 9 && local.hour < 18)",
    "(local.hour >= 9 && local.hour < 12) || (local.hour >= 14 && local.hour < 18)",
    'stream.disconnected_by == "NA"',
    'stream.disconnected_by == "unknown"',
    '["throttled", "connect_failed"].exists(c, c == stream.cause)',
    'now > timestamp("2026-12-01T00:00:00+05:30")',
    'stream.error_kind in ["dns", "timeout", "refused"]',
    'stream.cause == "unknown" && stream.status == "unknown"',
    "true",
    "call.from.startsWith('+1') && stream.url.contains('bot')",
    "local.hour == 23 && local.minute == 59",
    "local.date == '2027-12-31'",
    "stream.duration > 100 || stream.duration < 2",
    "!(stream.status in ['failed', 'cancelled'])",
]


def doubts(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((each.column, f"{each.text} ({each.hint})") for each in check(text).doubts)


@pytest.mark.parametrize(("text", "column", "told"), IMPOSSIBLE)
def test_impossible_is_found_where_it_stands(text: str, column: int, told: str) -> None:
    first, *_ = doubts(text)
    assert first[0] == column
    assert told in first[1]


@pytest.mark.parametrize("text", POSSIBLE)
def test_possible_passes(text: str) -> None:
    assert doubts(text) == ()


def test_the_tables_are_broad() -> None:
    assert len(IMPOSSIBLE) >= 40
    assert len(POSSIBLE) >= 40


def test_the_built_in_rules_and_those_of_the_page_pass() -> None:
    assert BUILTIN.doubts == ()
    whole = [text for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
             if "[default]" in text]  # fmt: skip
    assert len(whole) >= 4
    for text in whole:
        kind = kind_said(text.encode())
        assert load_rules(text, file="rules.toml", kind=kind).doubts == ()


def test_each_word_of_a_closed_set_is_possible() -> None:
    for name, words in (
        ("stream.cause", "throttled connect_failed bot_dropped caller_left_early caller_left"
         " bot_done ended_by_system running no_stream unknown"),
        ("stream.status", "completed failed cancelled in-progress"),
        ("local.weekday", "monday tuesday wednesday thursday friday saturday sunday"),
    ):  # fmt: skip
        for word in words.split():
            assert doubts(f'{name} == "{word}"') == ()
            assert doubts(f'{name} != "{word}"') == ()
            assert doubts(f'{name} == "{word.upper()}"') != ()


def test_several_lines_have_their_own_columns() -> None:
    (found,) = check('stream.present\n&& stream.status == "Failed"').doubts
    assert (found.line, found.column) == (2, 21)


FILE = """[[rule]]
name = "r"
when = '''stream.status == "Failed"'''
option = "B"

[default]
option = "A"
"""


def test_a_file_is_loaded_with_doubts_and_refused_where_it_is_checked() -> None:
    (doubt,) = load_rules(FILE, file="rules.toml").doubts
    told = 'rules.toml:3: rule "r", column 18: stream.status is never "Failed" (did you mean'
    assert str(doubt).startswith(told)
    with pytest.raises(RulesetError) as refused:
        load_rules(FILE, file="rules.toml", strict=True)
    assert refused.value.problems[0].hint == doubt.hint


INPUTS = [
    seen(
        passthru,
        judge(passthru),
        facts,
        int(datetime(2026, 11, day, hour, 31, tzinfo=UTC).timestamp() * 1000),
        INDIA,
    )
    for passthru in (
        Passthru(),
        Passthru(from_raw="09876543210", to_raw="1800", direction_raw="incoming", digits="9"),
        Passthru(from_raw="withheld", direction_raw="outbound-api", stream=Stream(sid="s")),
        Passthru(stream=Stream(status="Canceled", duration_raw="0", disconnected_by_raw="caller")),
        Passthru(stream=Stream(status="completed", duration_raw="75", disconnected_by_raw="bot")),
        Passthru(stream=Stream(status="exploded", disconnected_by_raw="nobody")),
        Passthru(stream=Stream(status="failed", error="3009 dial tcp: connection refused")),
        Passthru(stream=Stream(status="failed", detailed_status="throttled", duration_raw="0")),
    )
    for facts in (AccountFacts(), AccountFacts(3, 5, 2, 1.5))
    for day, hour in ((22, 20), (23, 6))
]
COMPARED = [
    name
    for name, each in VARIABLES.items()
    if each.type in ("string", "int", "double") and any(each.read(i) is not None for i in INPUTS)
]
SIGNS = {"string": ["==", "!=", "startsWith", "endsWith", "contains", "in"],
         "int": ["==", "!=", "<=", ">=", "in"], "double": ["==", "!=", "<=", ">="]}  # fmt: skip


@st.composite
def seen_terms(draw: st.DrawFn) -> str:
    """A comparison with what a request, an account or a clock has brought."""
    name = draw(st.sampled_from(COMPARED))
    variable = VARIABLES[name]
    values = {value for each in INPUTS if (value := variable.read(each)) is not None}
    value = draw(st.sampled_from(sorted(values, key=str)))
    literal = f'"{value}"' if isinstance(value, str) else str(value)
    sign = draw(st.sampled_from(SIGNS[variable.type]))
    if sign == "in":
        return f"{name} in [{literal}]"
    return f"{name} {sign} {literal}" if not sign.isalpha() else f"{name}.{sign}({literal})"


def true_for(text: str) -> list[RuleInput]:
    blocks = chain([check(text)])
    return [each for each in INPUTS if first_match(blocks, each)[0] == 0]


@given(st.lists(seen_terms(), min_size=1, max_size=4))
def test_what_is_true_for_some_and_not_for_others_is_never_refused(terms: list[str]) -> None:
    """Comparisons with values that were seen, all of them joined by && and by ||."""
    both = " && ".join(terms)
    if 0 < len(true_for(both)) < len(INPUTS):
        assert doubts(both) == ()
    either = " || ".join(terms)
    if all(map(true_for, terms)) and len(true_for(either)) < len(INPUTS):
        assert doubts(either) == ()


@given(st.lists(seen_terms(), min_size=1, max_size=4), st.sampled_from(["&&", "||"]))
def test_a_contradiction_is_true_for_nothing(terms: list[str], joined: str) -> None:
    text = f" {joined} ".join(terms)
    if any("never true together" in told for _, told in doubts(text)):
        assert joined == "||" or true_for(text) == []
    assert all(column <= len(text) for column, _ in doubts(text))
