"""What flags can be set to: from JSON, from a line of text, and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.errors import FlagError
from switchhook.exotel.phone_numbers import holds_number
from switchhook.exotel.times import WEEKDAYS
from switchhook.rules.flag_values import (
    read_for,
    read_text,
    read_value,
    total_bytes,
    value_text,
    value_words,
)
from switchhook.rules.flags import LARGEST_WHOLE, Flag, FlagKind, SetTo, Window

DEFAULTS: dict[FlagKind, SetTo] = {
    FlagKind.BOOLEAN: False,
    FlagKind.TEXT: "",
    FlagKind.NUMBER: 0.5,
    FlagKind.PERCENTAGE: 0,
    FlagKind.WINDOW: Window("09:00", "21:00"),
    FlagKind.LIST: [],
}
FLAGS = {kind: Flag("f", kind, default) for kind, default in DEFAULTS.items()}
WHOLE = Flag("f", FlagKind.NUMBER, 5)

_CLOCK = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")
_MOMENT = st.datetimes().map(lambda d: d.replace(year=2000 + d.year % 100, microsecond=0))
_ENTRY = st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), max_size=20)
_DAILY = st.builds(
    lambda ends, days, zone: Window(
        ends[0], ends[1], tuple(d for d in WEEKDAYS if d in days) if len(days) < 7 else (), zone
    ),
    st.lists(_CLOCK, min_size=2, max_size=2, unique=True),
    st.sets(st.sampled_from(WEEKDAYS)),
    st.sampled_from(["", "Asia/Kolkata", "UTC", "Asia/Singapore"]),
)
_ONCE = st.lists(_MOMENT, min_size=2, max_size=2, unique=True).map(
    lambda ends: Window(f"{min(ends).isoformat()}+05:30", f"{max(ends).isoformat()}+05:30")
)
VALUES = {
    FlagKind.BOOLEAN: st.booleans(),
    FlagKind.TEXT: _ENTRY,
    FlagKind.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    FlagKind.PERCENTAGE: st.integers(0, 10_000).map(lambda n: n / 100 if n % 100 else n // 100),
    FlagKind.WINDOW: _DAILY | _ONCE,
    FlagKind.LIST: st.lists(_ENTRY, max_size=5),
}


@pytest.mark.parametrize("kind", FlagKind)
@given(st.data())
def test_what_is_written_reads_as_the_same(kind, data):
    """As JSON, and as the line of text that commands show."""
    value = data.draw(VALUES[kind])
    flag = FLAGS[kind]
    assert read_for(flag, msgspec.json.decode(msgspec.json.encode(value))) == value
    assert read_text(flag, value_text(kind, value)) == value
    assert value_words(kind, value)


@given(st.sampled_from(FlagKind), st.text(max_size=60))
def test_any_line_is_a_value_or_refused(kind, text):
    try:
        value = read_text(FLAGS[kind], text)
    except FlagError:
        return
    assert read_text(FLAGS[kind], value_text(kind, value)) == value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "until", "days", "zone", "x"]), below | _CLOCK, max_size=4
        )
    ),
)


@given(st.sampled_from(FlagKind), _JSON)
def test_any_json_is_a_value_or_refused(kind, said):
    try:
        value = read_for(FLAGS[kind], said)
    except FlagError:
        return
    assert msgspec.json.encode(value)


@pytest.mark.parametrize(
    ("flag", "line", "value"),
    [
        (FLAGS[FlagKind.BOOLEAN], " On ", True),
        (FLAGS[FlagKind.PERCENTAGE], "5%", 5),
        (FLAGS[FlagKind.PERCENTAGE], "12.50 %", 12.5),
        (WHOLE, "7", 7),
        (WHOLE, "7.0", 7),
        (FLAGS[FlagKind.NUMBER], "7", 7.0),
        (FLAGS[FlagKind.TEXT], " as it is ", " as it is "),
        (FLAGS[FlagKind.LIST], "a, b,c", ["a", "b", "c"]),
        (FLAGS[FlagKind.LIST], "", []),
        (FLAGS[FlagKind.LIST], '["a, b"]', ["a, b"]),
        (FLAGS[FlagKind.WINDOW], "09:00-18:30", Window("09:00", "18:30")),
        (FLAGS[FlagKind.WINDOW], "21:00-06:00 sat,Sun Asia/Singapore",
         Window("21:00", "06:00", ("saturday", "sunday"), "Asia/Singapore")),
        (FLAGS[FlagKind.WINDOW], '{"from": "09:00", "until": "10:00"}', Window("09:00", "10:00")),
        (FLAGS[FlagKind.WINDOW], "2026-12-01T09:00:00+05:30/2026-12-02T09:00:00Z",
         Window("2026-12-01T09:00:00+05:30", "2026-12-02T09:00:00Z")),
    ],
)  # fmt: skip
def test_a_line_of_text_is_read_as_people_write_it(flag, line, value):
    found = read_text(flag, line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "said", "problem"),
    [
        (FlagKind.BOOLEAN, 1, "a boolean is neither"),
        (FlagKind.TEXT, 1, "it is a whole number, not a text"),
        (FlagKind.TEXT, "a" * 1_001, "a text of 1,001 characters"),
        (FlagKind.TEXT, "a\0", "it holds the control character '\\x00'"),
        (FlagKind.NUMBER, True, "it is true or false, not a number"),
        (FlagKind.NUMBER, float("inf"), "no such number is possible"),
        (FlagKind.NUMBER, LARGEST_WHOLE + 1, "no such number is possible"),
        (FlagKind.NUMBER, -LARGEST_WHOLE - 1, "no such number is possible"),
        (FlagKind.PERCENTAGE, -1, "no such percentage is possible"),
        (FlagKind.PERCENTAGE, float("nan"), "no such percentage is possible"),
        (FlagKind.PERCENTAGE, 0.001, "0.001 has more than two decimals"),
        (FlagKind.PERCENTAGE, 10**400, "no such percentage is possible"),
        (FlagKind.LIST, "a", "it is a text, not a list"),
        (FlagKind.LIST, ["a"] * 201, "a list of 201 entries"),
        (FlagKind.LIST, [1], "it is a whole number, not a text"),
        (FlagKind.WINDOW, "09:00-10:00", "it is a text, not a window"),
        (FlagKind.WINDOW, {"from": "09:00"}, "a window has two texts, from and until"),
        (FlagKind.WINDOW, {"from": "9:00", "until": "21:00"},
         "'9:00' is neither a clock time nor a moment"),
        (FlagKind.WINDOW, {"from": "24:00", "until": "21:00"},
         "'24:00' is neither a clock time nor a moment"),
        (FlagKind.WINDOW, {"from": "09:00", "until": "09:00"}, "it ends when it begins"),
        (FlagKind.WINDOW, {"from": "2026-12-01T09:00", "until": "2026-12-02T09:00"},
         "'2026-12-01T09:00' says no zone"),
        (FlagKind.WINDOW, {"from": "2026-12-02T09:00Z", "until": "2026-12-01T09:00Z"},
         "it ends before it begins"),
        (FlagKind.WINDOW, {"from": "09:00", "until": "21:00", "days": ["mo"]},
         "there is no day 'mo'"),
        (FlagKind.WINDOW, {"from": "09:00", "until": "21:00", "zone": "Mumbai"},
         "no such time zone: 'Mumbai'"),
        (FlagKind.WINDOW, {"from": "09:00", "until": "21:00", "dayz": []},
         "a window has no key 'dayz'"),
        (FlagKind.WINDOW,
         {"from": "2026-12-01T09:00Z", "until": "2026-12-02T09:00Z", "zone": "UTC"},
         "a window between two moments has neither days nor a zone"),
    ],
)  # fmt: skip
def test_what_no_flag_can_be_set_to_is_said(kind, said, problem):
    with pytest.raises(FlagError) as refused:
        read_value(kind, said)
    assert refused.value.problem == problem


def test_a_whole_number_stays_whole():
    with pytest.raises(FlagError, match=r"2\.5 is not a whole number"):
        read_for(WHOLE, 2.5)


def test_room_is_counted_as_it_is_told():
    assert total_bytes([None, "ab", True]) == 8


@pytest.mark.parametrize("flag", [WHOLE, FLAGS[FlagKind.NUMBER]])
@pytest.mark.parametrize("digits", [16, 20, 21, 23, 24, 400, 401, 5_000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_whole_number_beyond_what_bots_have_is_refused_however_long(flag, digits, sign):
    """The hint has no digits in a row: they would be hidden from some who may set flags."""
    with pytest.raises(FlagError) as refused:
        read_text(flag, sign + "9" * digits)
    assert refused.value.problem == "no such number is possible"
    assert not holds_number(refused.value.hint)


@pytest.mark.parametrize("said", [1e16, -1e25, 1e300, 2.0**53])
def test_a_whole_flag_takes_no_number_that_is_too_large_with_a_point(said):
    with pytest.raises(FlagError, match="no such number is possible"):
        read_for(WHOLE, said)
    with pytest.raises(FlagError, match="no such number is possible"):
        read_text(WHOLE, repr(said))
    assert read_for(FLAGS[FlagKind.NUMBER], said) == said


def test_the_largest_whole_number_can_be_set_either_way():
    assert read_text(WHOLE, str(LARGEST_WHOLE)) == LARGEST_WHOLE
    assert read_for(WHOLE, -float(LARGEST_WHOLE)) == -LARGEST_WHOLE


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("9-21", "'9' is neither a clock time nor a moment"),
        ("09:00-21", "'21' is neither a clock time nor a moment"),
        ("09:00/2026-12-01T09:00Z", "one end is a clock time, and the other a moment"),
        ("09:00", "'09:00' is no window"),
        ("-", "'-' is no window"),
    ],
)
def test_how_a_window_is_typed_is_told_to_who_types_one(said, problem):
    with pytest.raises(FlagError) as refused:
        read_text(FLAGS[FlagKind.WINDOW], said)
    assert refused.value.problem == problem
    assert refused.value.hint.startswith("such as '09:00-21:00' or '09:00-21:00 monday,friday ")


@pytest.mark.parametrize("said", ["9-21", 5, {"from": "9:00", "until": "21:00"}, {}])
def test_how_a_window_is_written_is_told_alike_in_toml_and_json(said):
    with pytest.raises(FlagError) as refused:
        read_value(FlagKind.WINDOW, said)
    assert refused.value.hint.startswith('such as from "09:00" until "21:00", with days such as')
