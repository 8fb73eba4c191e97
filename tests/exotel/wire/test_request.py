"""Bodies of every dialect give the same pairs; whatever is sent is found again, at its own cost."""

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from urllib.parse import quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook import parse_passthru
from switchhook.exotel.passthru import Dialect, Passthru
from switchhook.exotel.wire.keys import (
    CALL_KEYS,
    LEG_KEYS,
    NUMBER_KEYS,
    STREAM_KEYS,
    ParameterKind,
    find_slot,
)
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.query import INVALID_UTF8, Pairs, build_pairs
from switchhook.exotel.wire.request import (
    LONGEST_BODY,
    NAMELESS,
    Request,
    body_pairs,
    build_multipart,
    is_json,
    is_multipart,
)
from switchhook.exotel.wire.scalar import clean

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MULTIPART = "multipart/form-data; boundary=x"
NO_JSON = "a JSON body that is no object or can't be read"


def part(head: str, value: str, end: str = "\r\n") -> str:
    return f"--x{end}Content-Disposition: form-data; {head}{end}{end}{value}{end}"


@pytest.mark.parametrize(
    ("content_type", "body", "pairs", "problems"),
    [
        (FORM, b"a=1&b=2", [("a", "1"), ("b", "2")], []),
        (FORM, b"a=%2B91\r\n", [("a", "+91")], []),
        (None, b"a=1", [("a", "1")], []),
        ("text/plain", b"a=1", [("a", "1")], []),
        (FORM, b"a=%ff", [("a", "\ufffd")], [INVALID_UTF8]),
        # JSON, also where the header doesn't say so.
        (JSON, b'{"a": 28.70, "b": null}', [("a", "28.70")], []),
        ("Application/JSON; charset=utf-8", b'{"a": 1}', [("a", "1")], []),
        ("application/vnd.x+json", b'{"a": 1}', [("a", "1")], []),
        (FORM, b'{"a": 1}', [("a", "1")], []),
        (None, b' \n{"Stream": {"Status": "x"}}', [("Stream[Status]", "x")], []),
        (JSON, b'{"a": "\xff"}', [("a", "\ufffd")], []),
        (JSON, b"[1]", [], [NO_JSON]),
        (JSON, b'{"a": 1', [], [NO_JSON]),
        (JSON, b"a=1", [], [NO_JSON]),
        # multipart/form-data (RFC 7578)
        (MULTIPART, part('name="a"', "1") + part('name="b"', "") + "--x--", [("a", "1"), ("b", "")],
         []),
        (MULTIPART, part('name="a"', "1", "\n") + "--x--", [("a", "1")], []),
        (MULTIPART, part("name=a", "1") + "--x--", [("a", "1")], []),
        (MULTIPART, part('filename="f"; NAME="a"', "1") + "--x--", [("a", "1")], []),
        (MULTIPART, part('name="a"', "1\r\n2\r\n") + "--x--", [("a", "1\r\n2\r\n")], []),
        (MULTIPART, part('name="a%22b"', "100%25+") + "--x--", [('a"b', "100%25+")], []),
        (MULTIPART, part('name="a"', "1"), [("a", "1")], []),
        (MULTIPART, part('name="a"', "1") + "--x--\r\nname=b\r\n\r\n2", [("a", "1")], []),
        (MULTIPART, "hello\r\n" + part('name="a"', "1") + "--x--", [("a", "1")], []),
        (MULTIPART, part("a", "1") + part('name="b"', "2") + "--x--", [("b", "2")], [NAMELESS]),
        (MULTIPART, '--x\r\nname="a"', [], [NAMELESS]),
        ('multipart/form-data; boundary="x"; charset=x', part('name="a"', "1"), [("a", "1")], []),
        ("multipart/form-data", part('name="a"', "1"), [],
         ["multipart body without a boundary"]),
    ],
)  # fmt: skip
def test_body_pairs(content_type, body, pairs, problems):
    raw = body.encode() if isinstance(body, str) else body
    found: list[str] = []
    assert body_pairs(Request(b"", "POST", content_type, raw), found) == pairs
    assert found == problems


def test_body_pairs_of_a_multipart_body_with_another_boundary():
    problems: list[str] = []
    body = part('name="a"', "1").replace("--x", "--y").encode()
    assert body_pairs(Request(b"", "POST", MULTIPART, body), problems) or problems


@pytest.mark.parametrize("value", ["1--x2", "1--x--2"])
def test_body_pairs_of_a_multipart_value_that_holds_the_boundary(value):
    """A delimiter stands at the beginning of a line (RFC 2046, section 5.1.1)."""
    body = (part('name="a"', value) + part('name="b"', "2") + "--x--").encode()
    pairs = body_pairs(Request(b"", "POST", MULTIPART, body), [])
    assert pairs == [("a", value), ("b", "2")]


def test_body_pairs_reads_one_megabyte():
    problems: list[str] = []
    body = b"a=" + b"1" * LONGEST_BODY
    [(_, value)] = body_pairs(Request(b"", "POST", FORM, body), problems)
    assert len(value) == LONGEST_BODY - len("a=")
    assert problems == ["body longer than 1 MB; the rest is not read"]


@pytest.mark.parametrize(
    ("content_type", "body", "json_body", "multipart"),
    [
        (JSON, b"", True, False),
        (None, b"  {", True, False),
        (None, b"a=1", False, False),
        (None, b"[1]", False, False),
        (" Multipart/Form-Data", b"", False, True),
        ("text/html", b"<", False, False),
    ],
)
def test_what_a_body_is(content_type, body, json_body, multipart):
    request = Request(b"", "POST", content_type, body)
    assert (is_json(request), is_multipart(request)) == (json_body, multipart)


PAIRS = st.lists(
    st.tuples(st.text(), st.text() | st.text("switchok-\r\n", max_size=30)), max_size=6
)


@given(PAIRS.filter(lambda pairs: not any("%" in key for key, _ in pairs)))
def test_build_multipart_goes_round(pairs):
    content_type, body = build_multipart(pairs)
    problems: list[str] = []
    assert body_pairs(Request(b"", "POST", content_type, body), problems) == pairs
    assert problems == []


@given(st.binary(max_size=200), st.sampled_from([FORM, JSON, MULTIPART, None]) | st.text())
def test_body_pairs_is_total(body, content_type):
    """Any body of any kind gives pairs."""
    body_pairs(Request(b"", "POST", content_type, body), [])


@pytest.mark.parametrize(
    "read",
    [
        lambda: parse_passthru("CallSid=\ud800"),
        lambda: parse_passthru("", method="POST", body="CallSid=\ud800"),
        lambda: parse_passthru(
            "", method="POST", content_type="multipart/form-data; boundary=\ud800", body="a"
        ),
    ],
    ids=["query", "body", "boundary"],
)
def test_a_lone_surrogate_is_no_reason_to_raise(read):
    assert read()


# One request in every dialect.

SAID = [
    ("CallSid", "a1"),
    ("CallFrom", "09000000011"),
    ("Direction", "incoming"),
    ("Stream[Status]", "completed"),
    ("Stream[Duration]", "28"),
    ("Legs[1][Insights][Status]", "x"),
    ("Unheard", "+1 & 2 = 3%"),
]
NESTED = {
    "CallSid": "a1",
    "CallFrom": "09000000011",
    "Direction": "incoming",
    "Stream": {"Status": "completed", "Duration": 28},
    "Legs": {"1": {"Insights": {"Status": "x"}}},
    "Unheard": "+1 & 2 = 3%",
}


def bodies(pairs: Pairs) -> Iterator[tuple[Dialect, Request]]:
    query = build_pairs(pairs)
    yield Dialect.FLAT, Request(query)
    yield Dialect.FLAT, Request(query, "HEAD")
    yield Dialect.POST_QUERY, Request(query, "POST")
    yield Dialect.POST_FORM, Request(b"", "POST", FORM, query)
    yield Dialect.POST_JSON, Request(b"", "POST", JSON, json.dumps(dict(pairs)).encode())
    yield Dialect.POST_MULTIPART, Request(b"", "POST", *build_multipart(pairs))


def meaning(passthru: Passthru) -> Passthru:
    return msgspec.structs.replace(passthru, dialect=Dialect.FLAT, noted=())


@pytest.mark.parametrize(
    ("dialect", "request_"),
    [
        *bodies(SAID),
        (Dialect.POST_JSON, Request(b"", "POST", JSON, json.dumps(NESTED).encode())),
        (Dialect.POST_FORM, Request(build_pairs(SAID[:3]), "POST", FORM, build_pairs(SAID[3:]))),
    ],
)
def test_every_dialect_says_the_same(dialect, request_):
    passthru = parse(request_)
    assert passthru.dialect is dialect
    assert passthru.defects == ()
    assert meaning(passthru) == meaning(parse(Request(build_pairs(SAID))))


# Nothing is lost.

KNOWN = [
    *CALL_KEYS.values(),
    *NUMBER_KEYS.values(),
    *STREAM_KEYS.values(),
    *(f"Stream[{key}]" for key in STREAM_KEYS.values()),
    *(f"Legs[{index}][{key}]" for index in (0, 1) for key in LEG_KEYS.values()),
    "callsid", "stream.status", "stream_sid", "Stream[Unheard]", "Legs[1][Insights][Status]",
    "Legs[2]", "CallSid[]", "Stream[Status", "AgentEmail", "Unheard",
]  # fmt: skip
# Percent signs are left out: they may be undone twice. So are question marks and semicolons.
KEYS = st.sampled_from(KNOWN) | st.text("abS[]. _-é", min_size=1, max_size=6)
VALUES = st.sampled_from(["a1", "0", " 919000000011", '"8"', "null", ""]) | st.text(
    'ab1 +&="\\{}[]é\n', max_size=6
)


def texts(value: object) -> list[str]:
    """Every text in a passthru, each as often as it stands there."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.astuple(value)
    if isinstance(value, tuple):
        return [text for inner in value for text in texts(inner)]
    return []


def is_text(pair: tuple[str, str]) -> bool:
    return find_slot(pair[0]).kind not in (ParameterKind.STREAM_JSON, ParameterKind.LEGS_JSON)


PARAMETERS = st.lists(st.tuples(KEYS, VALUES).filter(is_text), max_size=8)


def assert_found(pairs: Pairs, passthru: Passthru) -> None:
    """Each stands in a field or in `extra`, as often as sent, trimmed and unquoted at most."""
    found = texts(meaning(passthru))
    for key, value in pairs:
        said = clean(value)
        if said is not None:
            looks = {said, value.strip(), f"+{value.strip()}"} & set(found)
            assert looks, key
            found.remove(looks.pop())


@given(PARAMETERS)
def test_every_parameter_sent_is_found_again(pairs):
    """Repeats too."""
    assert_found(pairs, parse(Request(build_pairs(pairs))))


@given(PARAMETERS)
def test_every_parameter_sent_in_a_body_is_found_again(pairs):
    pairs = list(dict(pairs).items())  # a JSON object names a key once
    for _, request in bodies(pairs):
        assert_found(pairs, parse(request))


def test_what_differs_between_flat_and_json_is_a_defect():
    """The flat text counts; the other is at least spoken of."""
    said = quote_plus('{"Status":"failed","Duration":28,"Unheard":1}')
    passthru = parse(Request(f"Stream[Status]=completed&Stream={said}".encode()))
    assert passthru.stream is not None
    assert (passthru.stream.status, passthru.stream.duration_s) == ("completed", 28)
    assert passthru.extra == (("Stream[Unheard]", "1"),)
    assert [defect.field for defect in passthru.defects] == ["stream.status"]


# Cost. Counted, not timed: calls made, memory held, characters given out for each byte that came.
# What C does within one call doesn't show there, but no quadratic cost would ever get through a
# megabyte.

QUERY = 60 * 1024
SHAPES: dict[str, Callable[[int], Request]] = {
    "separators": lambda n: Request(b"&" * n),
    "new keys": lambda n: Request(b"&".join(b"%x=1" % i for i in range(n // 6))),
    "one key again": lambda n: Request(b"CallSid=1&" * (n // 10)),
    "one number again": lambda n: Request(b"CallTo=1&" * (n // 9)),
    "one bare name again": lambda n: Request(b"StreamSid=1&" * (n // 12)),
    "legs": lambda n: Request(b"&".join(b"Legs[%d][Type]=1" % i for i in range(n // 16))),
    "one leg again": lambda n: Request(b"Legs[0][x]=1&" * (n // 13)),
    "a long key": lambda n: Request(b"a" * n),
    "a key of brackets": lambda n: Request(b"Stream" + b"[a]" * (n // 3)),
    "open brackets": lambda n: Request(b"Stream" + b"[" * n),
    "escapes of escapes": lambda n: Request(b"a=" + b"%25" * (n // 3)),
    "question marks": lambda n: Request(b"a=" + b"?a" * (n // 2)),
    "semicolons": lambda n: Request(b";a" * (n // 2)),
    "quotes": lambda n: Request(b"digits=" + b'"' * n),
    "backslashes": lambda n: Request(b'digits="' + b"\\" * n + b'"'),
    "blanks": lambda n: Request(b"CallSid=" + b"+" * n + b"1"),
    "lost pluses": lambda n: Request(b"From=+" + b"1" * n),
    "digits": lambda n: Request(b"Stream[Duration]=" + b"9" * n),
    "a long time": lambda n: Request(b"StartTime=0T" + b"0" * n),
    "bytes that are not UTF-8": lambda n: Request(b"a=" + b"\xff" * n),
    "an escaped JSON brace": lambda n: Request(b"Stream=" + b"%257B" * (n // 5)),
    "JSON of open braces": lambda n: Request(b"Stream=" + b"{" * n),
    "JSON of open members": lambda n: Request(b"Stream=" + b'{"a":' * (n // 5)),
    "JSON that repeats a member": lambda n: Request(b"Stream={" + b'"a":1,' * (n // 6) + b'"b":1}'),
    "JSON that is cut short": lambda n: Request(b"Stream={" + b'"a":1,' * (n // 6)),
    "JSON that repeats itself": lambda n: Request(b'Stream={"a":1}&' * (n // 15)),
    "JSON of legs": lambda n: Request(b"Legs=[" + b'{"Type":1},' * (n // 11) + b"{}]"),
    "JSON with a bare ampersand": lambda n: Request(b'Stream={"a":"' + b"&" * n + b'"}'),
}  # fmt: skip
BODIES: dict[str, Callable[[int], Request]] = {
    "form": lambda n: Request(b"", "POST", FORM, b"a=1&" * (n // 4)),
    "JSON members": lambda n: Request(b"", "POST", JSON, b"{" + b'"a":1,' * (n // 6) + b'"b":1}'),
    "JSON items": lambda n: Request(b"", "POST", JSON, b'{"a":[' + b"1," * (n // 2) + b"1]}"),
    "JSON depth": lambda n: Request(b"", "POST", JSON, b'{"a":' * (n // 5)),
    "multipart of nothing": lambda n: Request(b"", "POST", MULTIPART, b"--x" * (n // 3)),
    "multipart": lambda n: Request(
        b"", "POST", MULTIPART, b'--x\r\nX; name="a"\r\n\r\n1\r\n' * (n // 24)
    ),
    "multipart of names": lambda n: Request(
        b"", "POST", MULTIPART, b"--x\r\n" + b' name="' * (n // 7) + b"\r\n\r\n1"
    ),
}


def cost(request: Request) -> tuple[int, int, int]:
    """Of reading a request whole: calls, bytes of memory at most, characters that come out."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        passthru = parse(request)
        said = texts(passthru.noted) + texts(passthru.defects)
    finally:
        sys.setprofile(None)
    tracemalloc.start()
    try:
        parse(request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return calls, peak, sum(map(len, texts(passthru) + said))


def long_key(n: int) -> Request:
    return Request(b"", "POST", JSON, b'{"%s":[%s1]}' % (b"k" * (n // 2), b"1," * (n // 4)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [
        *(pytest.param(shape, id=name) for name, shape in (SHAPES | BODIES).items()),
        pytest.param(
            long_key,
            id="JSON items of a long key",
        ),
    ],
)
def test_a_request_costs_no_more_than_its_length(shape):
    """Twice the length, at most twice the calls; for a byte, a bounded number of bytes."""
    calls, _, _ = cost(shape(QUERY // 2))
    twice, memory, characters = cost(shape(QUERY))
    assert twice <= 2.1 * calls + 100
    assert memory <= 150 * QUERY
    assert characters <= 20 * QUERY


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_query_of_sixty_kilobytes_is_read(shape):
    passthru = parse(shape(QUERY))
    assert isinstance(passthru.defects, tuple)


@pytest.mark.slow
@pytest.mark.parametrize("shape", BODIES.values(), ids=BODIES)
def test_a_body_of_a_megabyte_is_read(shape):
    passthru = parse(shape(LONGEST_BODY))
    assert isinstance(passthru.defects, tuple)
