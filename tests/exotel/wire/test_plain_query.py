"""What a plain query is taken apart into, by either of the two modules that can."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_twin import python_twin
from switchhook.exotel.wire import plain_query

IN_PYTHON = python_twin(plain_query)
BOTH = pytest.mark.parametrize("module", [plain_query, IN_PYTHON], ids=["compiled", "python"])
ROOM = "k=v&a="


@BOTH
@pytest.mark.parametrize(
    ("raw", "keys", "values"),
    [
        (b"a=1&b=2", ["a", "b"], ["1", "2"]),
        (b"a=&b=", ["a", "b"], ["", ""]),
        (b"=1&=", ["", ""], ["1", ""]),
        (b"Stream%5BSid%5D=x&b+c=d+e", ["Stream[Sid]", "b c"], ["x", "d e"]),
        (b"a=%3D%26%3f&%3D=%2B", ["a", "="], ["=&?", "+"]),
        (b"a=nul&b=nulls", ["a", "b"], ["nul", "nulls"]),
    ],
)
def test_what_is_plain_is_taken_apart(module, raw: bytes, keys: list[str], values: list[str]):
    assert module.take_apart(raw) == (module.SIGN.join(keys), values)


@BOTH
@pytest.mark.parametrize(
    "raw",
    [
        b"", b"&", b"a", b"a=1", b"a=1&", b"&a=1", b"a=1&b", b"a=1&&b=2", b"a=b=c&d=e",
        b"a=1&b=%", b"a=1&b=%4", b"a=1&b=%4g", b"a=1&b=%zz", b"a=1&b%=2", b"a=1&b=%2525",
        b"a=1&b=%22", b'a=1&b="', b"a=1&b=%7B", b"a=1&b={", b"a=1&b=?", b"a=1&b= ", b"a=1&b=\x00",
        b"a=1&b=%00", b"a=1&b=%1F", b"a=1&b%1e=2", b"a=1&b=%7f", b"a=1&b=\xc3", b"a=1&b=%C3",
        b"a=1&b=+2", b"a=1&b=2%20", b"a=1&b=+", b"a=null&b=1", b"a=1&b=NuLL", b"a=1&b=n%75ll",
    ],
)  # fmt: skip
def test_what_is_odd_is_left(module, raw: bytes):
    assert module.take_apart(raw) is None


@BOTH
@pytest.mark.parametrize("begins", [ROOM, "k=v&"])
def test_how_long_it_may_be(module, begins: str):
    """A value or a key fills all the room that there is."""
    ends = "=" if begins == "k=v&" else ""
    longest = begins + "x" * (module.LONGEST - len(begins) - len(ends)) + ends
    keys, values = module.take_apart(longest.encode())
    assert len(keys) + sum(map(len, values)) == module.LONGEST - longest.count("=")
    assert module.take_apart(begins.encode() + b"x" + longest[len(begins) :].encode()) is None


@BOTH
@given(st.lists(st.tuples(*2 * [st.text(st.characters(codec="ascii"), max_size=9)]), max_size=9))
def test_what_a_form_encodes_comes_back(module, pairs: list[tuple[str, str]]):
    raw = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs)
    apart = module.take_apart(raw.encode())
    if apart is not None:
        assert apart == (module.SIGN.join(key for key, _ in pairs), [value for _, value in pairs])
    elif len(pairs) > 1:
        assert any(
            not set(map(ord, key + value)) <= {*range(0x20, 0x7F)} - {*map(ord, '%"{')}
            or value != value.strip()
            or value.lower() == "null"
            for key, value in pairs
        )


PIECES = [
    b"a", b"=", b"&", b"k=v&", b"&j=", b"%", b"%41", b"%4", b"%zz", b"%3d", b"%26", b"%1f", b"%1E",
    b"%20", b"+", b" ", b"null", b"NuL", b'"', b"{", b"?", b"\x00", b"\x1e", b"\x1f", b"\x7f",
    b"%7e", b"%7F", b"\xff", b"%0a", b"x" * 2000,
]  # fmt: skip


@settings(max_examples=2000)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=14).map(b"".join))
def test_both_say_the_same(raw: bytes):
    for query in (raw, b"k=v&" + raw):
        assert plain_query.take_apart(query) == IN_PYTHON.take_apart(query)
