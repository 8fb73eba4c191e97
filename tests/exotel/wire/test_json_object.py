"""JSON that is often not quite JSON: what is whole is read as it stood, the rest is said."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.json_object import (
    CUT_SHORT,
    NOT_AN_OBJECT,
    REPEATED,
    TWICE,
    flatten,
    is_members,
    parse_object,
    parse_value,
    value_text,
)

AGAIN = "JSON encoded twice"
TYPOGRAPHIC = "JSON with typographic quotes"
SURROGATES = "lone surrogates, shown as U+FFFD"
MANY_DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "members", "problems"),
    [
        ("{}", [], []),
        ('{"b":"1","a":"2"}', [("b", "1"), ("a", "2")], []),
        (' {"a" : "1"}\n', [("a", "1")], []),
        ('{"a":28.70,"b":-0,"c":1E+400}', [("a", "28.70"), ("b", "-0"), ("c", "1E+400")], []),
        (f'{{"a":{MANY_DIGITS}}}', [("a", MANY_DIGITS)], []),
        ('{"a":true,"b":false,"c":null}', [("a", "true"), ("b", "false"), ("c", None)], []),
        ('{"a":"null","b":""}', [("a", "null"), ("b", "")], []),
        (r'{"a":"https:\/\/x","b":"\u00e9"}', [("a", "https://x"), ("b", "é")], []),
        ('{"a":{"b": [1,2]}}', [("a", '{"b": [1,2]}')], []),
        ('{"a":NaN}', [("a", "NaN")], []),
        ('{"a":"1","a":"2"}', [("a", "1"), ("a", "2")], [REPEATED]),
        ('{"a":"1","a":null}', [("a", "1"), ("a", None)], [REPEATED]),
        ('{"a":"x\ny"}', [("a", "x\ny")], []),
        (r'{"a":"\ud83d"}', [("a", "\ufffd")], [SURROGATES]),
        ("%7B%22a%22%3A%221%22%7D", [("a", "1")], [TWICE]),
        (quote(quote('{"a":"1"}')), [("a", "1")], [TWICE]),
        (json.dumps('{"a":"1"}'), [("a", "1")], [AGAIN]),
        (json.dumps(json.dumps('{"a":"1"}')), [("a", "1")], [AGAIN]),
        (quote(json.dumps('{"a":"1"}')), [("a", "1")], [TWICE, AGAIN]),
        ("{“a”:„1‟}", [("a", "1")], [TYPOGRAPHIC]),
        ('{"a":"1","b":"2', [("a", "1")], [CUT_SHORT]),
        ('{"a":28,"b":3', [("a", "28")], [CUT_SHORT]),
        ('{"a":null,"b', [("a", None)], [CUT_SHORT]),
        (r'{"a":"x\"y","b":"\u00', [("a", 'x"y')], [CUT_SHORT]),
        ('{"a":"1"} and more', [("a", "1")], [CUT_SHORT]),
        ("{", None, [NOT_AN_OBJECT]),
        ('{"a":2', None, [NOT_AN_OBJECT]),
        ("{'a':'1'}", None, [NOT_AN_OBJECT]),
        ("", None, [NOT_AN_OBJECT]),
        ("null", None, [NOT_AN_OBJECT]),
        ("[]", None, [NOT_AN_OBJECT]),
        ('"text"', None, [AGAIN, NOT_AN_OBJECT]),
        ("completed", None, [NOT_AN_OBJECT]),
        ("{" * 100_000, None, [NOT_AN_OBJECT]),
        ('{"a":' * 100_000, None, [NOT_AN_OBJECT]),
    ],
)
def test_parse_object(text, members, problems):
    found: list[str] = []
    assert parse_object(text, found) == members
    assert found == problems


JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON_VALUES = st.recursive(
    JSON_SCALARS | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), JSON_VALUES, max_size=5)


@given(st.text() | st.text('{}[]":,\\%27Bnul1e.- \n“”', max_size=60))
def test_parse_object_is_total(text):
    """Any text gives members or a problem."""
    problems: list[str] = []
    members = parse_object(text, problems)
    assert members is not None or NOT_AN_OBJECT in problems


@given(st.dictionaries(st.text(), st.none() | st.text(), max_size=5), st.integers(0, 3))
def test_parse_object_peels_what_was_wrapped_around(members, layers):
    """Quoted or percent-encoded as a whole, up to three times."""
    text = json.dumps(members)
    for layer in range(layers):
        text = json.dumps(text) if layer % 2 else quote(text)
    assert parse_object(text, []) == list(members.items())


@given(OBJECTS, st.data())
def test_parse_object_makes_nothing_of_half_a_member(members, data):
    """Wherever the text breaks off, what is read stands in the whole as well."""
    text = json.dumps(members)
    whole = parse_object(text, [])
    cut = data.draw(st.integers(0, len(text) - 1))
    some = parse_object(text[:cut], [])
    assert some is None or some == (whole or [])[: len(some)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2.50]", ["1", "2.50"]),
        ('{"a": {"b": null}}', [("a", [("b", None)])]),
        ('{"a": 1, "a": 2}', [("a", "1"), ("a", "2")]),
        (MANY_DIGITS, MANY_DIGITS),
        ("Infinity", "Infinity"),
        ("true", True),
        ("null", None),
        ("", None),
        ("{", None),
        ("[" * 100_000, None),
        (b'{"a": "\xc3\xa9"}', [("a", "é")]),
        (b"\xff", None),
    ],
)
def test_parse_value(text, value):
    assert parse_value(text) == value


def test_is_members_tells_an_object_from_an_array():
    assert is_members(parse_value('{"a": 1}'))
    assert not is_members(parse_value('[["a", 1]]'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("null", None),
        ('"a"', "a"),
        ("true", "true"),
        ("28.70", "28.70"),
        ('{"a": [1, {"b": null}]}', '{"a":["1",{"b":null}]}'),
        (r'["\ud83d"]', r'["\ud83d"]'),
    ],
)
def test_value_text(text, said):
    assert value_text(parse_value(text)) == said


DEEP = 500


def test_value_text_keeps_what_is_nested_deep():
    assert value_text(parse_value("[" * DEEP + "]" * DEEP)) == "[" * DEEP + "]" * DEEP


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("{}", []),
        ('{"a": "1", "b": 2}', [("a", "1"), ("b", "2")]),
        ('{"a": null}', []),
        ('{"a": "1", "a": "2"}', [("a", "1"), ("a", "2")]),
        ('{"Stream": {"Status": "x"}}', [("Stream[Status]", "x")]),
        ('{"Legs": [{"Number": "1"}, {"Type": "single"}]}',
         [("Legs[0][Number]", "1"), ("Legs[1][Type]", "single")]),
        ('{"Legs": {"1": {"Insights": {"Status": "x"}}}}', [("Legs[1][Insights][Status]", "x")]),
        ('{"CallSid": ["a", null, "b"]}', [("CallSid", "a"), ("CallSid", "b")]),
        ('{"a": [[1], [2]]}', [("a", '[["1"],["2"]]')]),
        ('{"a": [{"b": 1}, 2]}', [("a[0][b]", "1"), ("a[1]", "2")]),
        ('{"a": {"b": {"c": {"d": {"e": 1}}}}}', [("a[b][c][d]", '{"e":"1"}')]),
        (f'{{"{"k" * 65}": {{"a": 1}}}}', [("k" * 65, '{"a":"1"}')]),
        (r'{"\ud83d": 1}', [("\ufffd", "1")]),
    ],
)  # fmt: skip
def test_flatten(text, pairs):
    assert flatten("", parse_value(text)) == pairs


def told(value: Any) -> list[str]:
    """The scalars in a value of `parse_value`, and the keys above them."""
    if is_members(value):
        return [text for key, member in value if (below := told(member)) for text in (key, *below)]
    if isinstance(value, list):
        return [text for member in value for text in told(member)]
    return [] if value is None else [value_text(value) or ""]


@given(OBJECTS)
def test_flatten_loses_nothing(members):
    """Every scalar, and every key above one, stands in a pair, be it as JSON text."""
    value = parse_value(json.dumps(members))
    said = "".join(key + text for key, text in flatten("", value))
    for text in told(value):
        assert text in said or json.dumps(text)[1:-1] in said


def amplified(text: str) -> float:
    """Characters of the pairs for each of the text's."""
    return sum(len(key) + len(value) for key, value in flatten("", parse_value(text))) / len(text)


LONG = 2000


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({f"{number}": 1 for number in range(LONG)}),
        json.dumps({"k" * LONG: {f"{number}": 1 for number in range(LONG)}}),
        json.dumps({"k" * 64: {f"{number}": 1 for number in range(LONG)}}),
        json.dumps({"k" * LONG: [{"a": 1}] * LONG}),
        json.dumps({"k" * LONG: [[1]] * LONG}),
        json.dumps({"k" * 60: {"l" * LONG: {"m": [1] * LONG}}}),
        json.dumps({"a": [1] * LONG}),
        json.dumps({"k" * LONG: [1] * LONG}),
        json.dumps({"k": {"l" * LONG: [1] * LONG}}),
    ],
    ids=["flat", "below a long key", "below a key of 64", "objects", "lists", "deep", "short key",
         "scalars of a long key", "scalars of a long member"],
)  # fmt: skip
def test_flatten_costs_no_more_than_the_texts_length(text):
    """A key that others are nested below is short, so that repeating it costs little."""
    assert amplified(text) < 20
