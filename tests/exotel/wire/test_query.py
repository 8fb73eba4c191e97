"""A query is pairs in order, keys are paths, and nothing in it raises or gets lost."""

from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.query import (
    DEEPEST,
    INVALID_UTF8,
    build_pairs,
    decode,
    decode_again,
    has_escape,
    key_path,
    parse_pairs,
)

SEMICOLONS = "parameters separated by ';' instead of '&'"


def said_by_hand(raw: bytes) -> list[tuple[str, str]]:
    """What form decoding says of a query, piece by piece (WHATWG URL, urlencoded parsing)."""
    pieces = [piece.partition("=") for piece in raw.decode().split("&") if piece]
    return [(unquote_plus(key), unquote_plus(value)) for key, _, value in pieces]


@pytest.mark.parametrize(
    ("raw", "pairs", "problems"),
    [
        (b"", [], []),
        (b"&&&", [], []),
        (b"a=1&b=2", [("a", "1"), ("b", "2")], []),
        (b"a=1&a=2&a=1", [("a", "1"), ("a", "2"), ("a", "1")], []),
        (b"a", [("a", "")], []),
        (b"=v", [("", "v")], []),
        (b"a=b=c", [("a", "b=c")], []),
        (b"a+b=c+d", [("a b", "c d")], []),
        (b"a=%2B91&b=+91", [("a", "+91"), ("b", " 91")], []),
        (b"Stream%5BStatus%5D=x", [("Stream[Status]", "x")], []),
        (b"a=%2525", [("a", "%25")], []),
        (b"%=%&%4=%zz", [("%", "%"), ("%4", "%zz")], []),
        (b"a=\x00%00\n", [("a", "\x00\x00\n")], []),
        (b"a=%C3%A9&b=\xc3\xa9", [("a", "é"), ("b", "é")], []),
        (
            b"a=%FF&b=\xff&%fe=1",
            [("a", "\ufffd"), ("b", "\ufffd"), ("\ufffd", "1")],
            [INVALID_UTF8],
        ),
        (b"a=%ED%A0%80", [("a", "\ufffd\ufffd\ufffd")], [INVALID_UTF8]),
        (b"a=%E0%80%AF", [("a", "\ufffd\ufffd\ufffd")], [INVALID_UTF8]),
        (b"a=1;b=2", [("a", "1"), ("b", "2")], [SEMICOLONS]),
        (b"a=1;b=%FF", [("a", "1"), ("b", "\ufffd")], [SEMICOLONS, INVALID_UTF8]),
        (b"a=1;b=2&c=3", [("a", "1;b=2"), ("c", "3")], []),
        (b"a=x;y", [("a", "x;y")], []),
    ],
)
def test_parse_pairs(raw, pairs, problems):
    found: list[str] = []
    assert parse_pairs(raw, found) == pairs
    assert found == problems


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"%3D=0", [("=", "0")]),
        (b"a%3Db=c", [("a=b", "c")]),
        (b"CallSid%3Dx=y", [("CallSid=x", "y")]),
        (b"a=1&b%20c", [("a", "1"), ("b c", "")]),
        (b"Stream%5BStatus%5D", [("Stream[Status]", "")]),
    ],
)
def test_parse_pairs_of_keys_with_escapes(raw, pairs):
    assert parse_pairs(raw, []) == pairs


@given(st.binary(max_size=200) | st.text("ab[]=&%;+0F\xff", max_size=60).map(str.encode))
def test_parse_pairs_is_total_and_makes_nothing_up(raw):
    """Any bytes come out as no more text than they are, one pair for each piece at most."""
    pairs = parse_pairs(raw, [])
    assert len(pairs) <= raw.count(b"&") + raw.count(b";") + 1
    assert sum(len(key) + len(value) for key, value in pairs) <= len(raw)


# What the fast parser reads well; the rest stands in the table above.
NAMES = st.text("ab+;é", max_size=6)
PIECES = NAMES | st.builds(
    "{}{}={}".format, NAMES, st.text("%205B", max_size=4), st.text("ab=%+ 2é5")
)


@given(st.lists(PIECES).map("&".join))
def test_parse_pairs_says_what_form_decoding_says(text):
    """An escape that is broken stays as it is."""
    raw = text.encode()
    if b"&" in raw or b";" not in raw:
        assert parse_pairs(raw, []) == said_by_hand(raw)


KEYS = st.text().filter(lambda key: "=" not in key)


@given(st.lists(st.tuples(KEYS, st.text())), st.booleans())
def test_build_pairs_goes_round(pairs, raw_brackets):
    problems: list[str] = []
    assert parse_pairs(build_pairs(pairs, raw_brackets=raw_brackets), problems) == pairs
    assert problems == []


def test_build_pairs_goes_round_with_an_equals_sign_in_a_key():
    assert parse_pairs(build_pairs([("a=b", "c")]), []) == [("a=b", "c")]


def test_build_pairs_escapes_brackets_unless_told_otherwise():
    pairs = [("Stream[Status]", "[x]")]
    assert build_pairs(pairs) == b"Stream%5BStatus%5D=%5Bx%5D"
    assert build_pairs(pairs, raw_brackets=True) == b"Stream[Status]=%5Bx%5D"


@given(st.text())
def test_decode_undoes_form_encoding(text):
    problems: list[str] = []
    assert decode(quote_plus(text).encode(), problems) == text
    assert problems == []


@pytest.mark.parametrize(
    ("text", "escaped", "again"),
    [
        ("", False, ""),
        ("a b", False, "a b"),
        ("100%", False, "100%"),
        ("%zz", False, "%zz"),
        ("Stream%5BStatus%5D", True, "Stream[Status]"),
        ("%2B91", True, "+91"),
        ("a+b", False, "a+b"),
        ("a+b%20", True, "a b "),
        ("%ff", True, "\ufffd"),
    ],
)
def test_a_second_decoding(text, escaped, again):
    assert has_escape(text) is escaped
    assert decode_again(text) == again


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("", ("",)),
        ("a", ("a",)),
        (" a ", ("a",)),
        ("a[]", ("a", "")),
        ("a[b]", ("a", "b")),
        ("a[ b ] ", ("a", "b")),
        ("[b]", ("", "b")),
        ("Legs[1][Insights][Status]", ("Legs", "1", "Insights", "Status")),
        ("a.b", ("a.b",)),
        ("a[b", None),
        ("a]b", None),
        ("a[[b]]", None),
        ("a[b]c", None),
        ("a[b]c[d]", None),
        ("a][", None),
        ("a" + "[b]" * DEEPEST, ("a", *"b" * DEEPEST)),
        ("a" + "[b]" * (DEEPEST + 1), None),
        ("a" + "[b]" * 100_000, None),
        ("[" * 100_000, None),
    ],
)
def test_key_path(key, path):
    assert key_path(key) == path


@given(st.text("ab[] .", max_size=30))
def test_key_path_loses_nothing(key):
    """A path put together again is the key, but for blanks."""
    path = key_path(key)
    if path is not None:
        again = path[0] + "".join(f"[{segment}]" for segment in path[1:])
        assert again.replace(" ", "") == key.replace(" ", "")
