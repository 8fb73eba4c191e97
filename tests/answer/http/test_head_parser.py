"""The request line and the header lines, without a connection."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchhook.answer.http.head_parser import (
    HeaderReader,
    RequestLine,
    make_head,
    read_beginning,
    read_line,
)

PLAIN = b"Host: a.example\r\nUser-Agent: x\r\n\r\n"


@pytest.mark.parametrize(
    "target, path, query",
    [
        (b"/passthru/x?a=1", b"/passthru/x", b"a=1"),
        (b"/passthru/x", b"/passthru/x", b""),
        (b"/p?a=1?b=2", b"/p", b"a=1?b=2"),
        (b"/p?a=one two HTTP/1.1 three", b"/p", b"a=one two HTTP/1.1 three"),
        (b'/p?Stream={"Status":"completed"}', b"/p", b'Stream={"Status":"completed"}'),
        (b"/p?a=\x00\x01\x7f\xff\xf0", b"/p", b"a=\x00\x01\x7f\xff\xf0"),
        (b"/p?a=1\nb\r=2", b"/p", b"a=1\nb\r=2"),
        (b" /p?a=1", b"/p", b"a=1"),
        (b"*", b"*", b""),
        (b"p?a", b"p", b"a"),
        (b"/p?" + b"a" * 60_000, b"/p", b"a" * 60_000),
    ],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_target_is_all_between_first_blank_and_version(
    target: bytes, path: bytes, query: bytes, version: bytes
) -> None:
    line = read_line(b"GET " + target + b" HTTP/" + version)
    assert line == RequestLine("GET", path, query, None, version == b"1.0", None)


@pytest.mark.parametrize(
    "target, path, authority",
    [
        (b"http://a.example:80/p", b"/p", "a.example:80"),
        (b"HTTPS://user:word@a.example/p", b"/p", "a.example"),
        (b"http://a.example", b"/", "a.example"),
    ],
)
def test_absolute_target_loses_its_authority(target: bytes, path: bytes, authority: str) -> None:
    line = read_line(b"GET " + target + b"?q=http://b.example/ HTTP/1.1")
    assert (line.path, line.query, line.authority) == (path, b"q=http://b.example/", authority)
    assert line.problem is None


@pytest.mark.parametrize(
    "line, path, query, problem",
    [
        (b"GET /p?a=1", b"/p", b"a=1", "no HTTP/1.0"),
        (b"GET /p?a=1 HTTP/2.0", b"/p", b"a=1", "no HTTP/1.0"),
        (b"GET /p?a=1 http/1.1", b"/p", b"a=1", "no HTTP/1.0"),
        (b"GET /p?a HTTP/1.1\nHost: x HTTP/1.1", b"/p", b"a", "bare line feeds"),
        (b"GET /p?a HTTP/1.1\nHost: x", b"/p", b"a", "no HTTP/1.0"),
        (b"CONNECT a.example:80 HTTP/1.1", b"a.example:80", b"", "CONNECT"),
        (b"G\xffT /p HTTP/1.1", b"/p", b"", "no method"),
        (b"GET HTTP/1.1", b"", b"", "no target"),
        (b"GET  HTTP/1.1", b"", b"", "no target"),
        (b"", None, b"", "no HTTP/1.0"),
    ],
)
def test_refused_line_keeps_what_was_read(
    line: bytes, path: bytes | None, query: bytes, problem: str
) -> None:
    read = read_line(line)
    assert (read.path, read.query) == (path, query)
    assert problem in (read.problem or "")


def test_blanks_behind_the_version_are_no_problem() -> None:
    assert read_line(b"GET /p HTTP/1.1 \t") == RequestLine("GET", b"/p", b"", None, False, None)


@pytest.mark.parametrize(
    "received, path",
    [
        (b"GET /passthru/def", None),
        (b"GET /p?a=", b"/p"),
        (b"GET /p HT", b"/p HT"),
        (b"GET /p HTTP/1.1\r\nHost: a", b"/p"),
        (b"GET /p HTTP/1.1\nHost: a\n\n", b"/p"),
        (b"", None),
    ],
)
def test_beginning_of_a_head_names_a_path_only_when_its_end_is_known(
    received: bytes, path: bytes | None
) -> None:
    line = read_beginning(received, "late")
    assert (line and line.path) == path
    assert line is None or line.problem == "late"


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda b: b"GET " + b + b" HTTP/1.1"))
def test_reading_a_line_never_raises(line: bytes) -> None:
    assert isinstance(read_line(line), RequestLine)
    read_beginning(line, "x")


def test_headers_that_matter_are_seen_under_one_spelling() -> None:
    reader = HeaderReader()
    lines = b"HOST: a\r\nx-FORWARDED-for: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX: y\r\n\r\n"
    assert reader.read(lines) is None
    head = make_head(read_line(b"GET / HTTP/1.1"), reader.headers, "::1")
    assert (head.host, head.forwarded_for, head.forwarded) == ("a", "1.1.1.1, 2.2.2.2", True)
    assert (head.content_type, head.authorization, head.peer) == (None, None, "::1")
    assert head.mark is None


def test_the_mark_of_a_test_is_seen() -> None:
    reader = HeaderReader()
    assert reader.read(b"Host: a\r\nswitchhook-TEST: 1.2.3\r\n\r\n") is None
    assert make_head(read_line(b"GET /a HTTP/1.1"), reader.headers, "192.0.2.1").mark == "1.2.3"


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP", "X-Forwarded-Proto"]
)
def test_any_header_of_a_proxy_is_noticed(name: str) -> None:
    reader = HeaderReader()
    assert reader.read(f"{name}: x\r\n\r\n".encode()) is None
    head = make_head(read_line(b"GET / HTTP/1.1"), reader.headers, "")
    assert (head.forwarded, head.forwarded_for) == (True, None)


@pytest.mark.parametrize(
    "lines",
    [
        b"A: b\nC: d\r\n\r\n",
        b"A : b\r\n\r\n",
        b"A: \0\r\n\r\n",
        b"no colon\r\n\r\n",
        b" fold: x\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 1, 1\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        b"Transfer-Encoding: identity\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"a: b\r\n" * 2000 + b"\r\n",
    ],
)
def test_refused_header_lines(lines: bytes) -> None:
    """Lines that two readers could understand in two ways are refused by both of our states."""
    reader = HeaderReader()
    assert reader.read(lines) is not None
    assert reader.read(PLAIN) is None
    assert reader.read(lines) is not None


_LINES = st.lists(
    st.sampled_from(
        [
            b"Connection: close",
            b"Proxy-Connection: close",
            b"Connection: upgrade",
            b"Upgrade: h2c",
            b"Content-Length: 3",
            b"Content-Length: 0",
            b"Transfer-Encoding: chunked",
            b"Host: evil",
            b"A: \0",
            b"Expect: 100-continue",
        ]
    )
    | st.binary(max_size=20).filter(lambda b: b"\r\n" not in b and not b.endswith(b"\r") and b),
    max_size=5,
)


@given(_LINES)
@example([b"Proxy-Connection: close"])
@example([b"Transfer-Encoding: chunked"])
def test_a_request_leaves_nothing_to_the_next(lines: list[bytes]) -> None:
    reader = HeaderReader()
    for _ in range(2):
        reader.read(b"".join(line + b"\r\n" for line in lines) + b"\r\n")
        assert reader.read(PLAIN) is None
        assert reader.headers.seen == {b"host": b"a.example"}


@given(_LINES)
def test_what_is_said_again_is_read_as_the_first_time(lines: list[bytes]) -> None:
    reader, said = HeaderReader(), b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    first = reader.read(said), dict(reader.headers.seen)
    for between in (PLAIN, b"A: \0\r\n\r\n", said):
        reader.read(between)
        assert (reader.read(said), reader.headers.seen) == first


def test_heads_fill_no_memory() -> None:
    reader = HeaderReader()
    for number in range(1000):
        assert reader.read(b"X: %d\r\n\r\n" % number) is None
        assert reader.read(b"X: %d%s\r\n\r\n" % (number, b"n" * 1024)) is None
    assert len(reader._heads) <= 256
    assert max(map(len, reader._heads)) <= 1024


def test_many_long_names_are_not_remembered() -> None:
    """A sender's inventions don't fill memory."""
    reader = HeaderReader()
    for number in range(2000):
        assert reader.read(b"x%d: y\r\n%s: z\r\n\r\n" % (number, b"n" * 5000)) is None
    assert len(reader._known) <= 512
    assert max(map(len, reader._known)) <= 64
