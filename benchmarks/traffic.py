"""The requests: what Exotel sends after a voicebot, with a new CallSid and StreamSID each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple
from urllib.parse import quote_plus

HEADERS = (
    b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Exotel\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
)

# Where an applet's parameters stand, and how they are escaped, as in a request line of July 2024
# (tests/exotel/wire/cases, wild-dtmf-input), with the stream's parameters behind.
_CALL = (
    ("CallFrom", "09{number:09d}"),
    ("CallTo", "08047112233"),
    ("Direction", "incoming"),
    ("Created", "Tue, 24 Nov 2026 10:31:59"),
    ("StartTime", "2026-11-24 10:31:58"),
    ("CallType", "completed"),
    ("flow_id", "11754"),
    ("From", "09{number:09d}"),
    ("To", "08047112233"),
    ("CurrentTime", "2026-11-24 10:32:25"),
)


class Shape(NamedTuple):
    """How a stream ended; `option` is what the built-in rules answer."""

    option: str
    stream: tuple[tuple[str, str], ...]


_URL = ("StreamUrl", "wss://bot.example.com/media?lang=hi")
_RECORDING = ("RecordingUrl", "https://recordings.exotel.com/exotelrecordings/acme/a1b2c3d4.mp3")


def _ended(seconds: int, by: str) -> Shape:
    talk = (("Status", "completed"), ("Duration", str(seconds)), _URL, _RECORDING)
    return Shape("A", (*talk, ("DisconnectedBy", by)))


_THROTTLED = Shape(
    "B",
    (
        ("Status", "failed"),
        ("Duration", "0"),
        _URL,
        ("DetailedStatus", "Streaming_call_throttled"),
        ("DisconnectedBy", "NA"),
    ),
)
_REFUSED = Shape(
    "B",
    (
        ("Status", "failed"),
        ("Duration", "0"),
        _URL,
        ("Error", "3009 dial tcp 10.1.76.120:50: connect: connection refused"),
        ("DisconnectedBy", "NA"),
    ),
)
SHAPES = (
    _ended(28, "user"),
    _ended(64, "bot"),
    _ended(113, "user"),
    _THROTTLED,
    _ended(7, "bot"),
    _ended(41, "user"),
    _REFUSED,
    _ended(202, "bot"),
)


def build_query(shape: Shape, number: int) -> tuple[bytes, bytes, bytes]:
    """A query in three pieces: a CallSid goes after the first, a StreamSID after the second."""
    call = "".join(f"&{key}={quote_plus(text.format(number=number))}" for key, text in _CALL)
    stream = "".join(f"&Stream%5B{key}%5D={quote_plus(text)}" for key, text in shape.stream)
    return b"CallSid=", f"{call}&Stream%5BStreamSID%5D=".encode(), stream.encode()


PARAMETERS = 1 + len(_CALL) + 1 + len(SHAPES[0].stream)
_CALLERS = 64  # of each shape, so that no cache of ours sees one number only


def queries(start: int = 0) -> Iterator[tuple[bytes, str]]:
    """Endless queries with the option that the built-in rules answer; no SID comes twice."""
    pieces = [
        (*build_query(shape, 7_000_000 + 9973 * caller), shape.option)
        for caller in range(_CALLERS)
        for shape in SHAPES
    ]
    run = os.urandom(9).hex()  # each process's own
    for number in count(start):
        before, between, after, option = pieces[number % len(pieces)]
        sid = f"{run}{number:013x}".encode()
        yield b"%b%bc%b%bs%b" % (before, sid, between, sid, after), option


def requests(path: str, *, before_stream: bool = False) -> Iterator[bytes]:
    """Endless requests as bytes. Made of pieces, as it must cost less than any server does.

    Those `before_stream` are of calls that have none yet: an admission's, a dynamic URL's.
    """
    target = b"GET " + path.encode() + b"?"
    if before_stream:
        yield from _requests_before(target)
    pieces = [
        (target + before, between, after + HEADERS)
        for caller in range(_CALLERS)
        for shape in SHAPES
        for before, between, after in (build_query(shape, 7_000_000 + 9973 * caller),)
    ]
    run = os.urandom(9).hex()
    shapes = len(pieces)
    for number in count():
        before, between, after = pieces[number % shapes]
        sid = b"%b%013x" % (run.encode(), number)
        yield b"%bc%b%bs%b%b" % (before, sid, between, sid, after)


def posts(path: str, length: int) -> Iterator[bytes]:
    """The same as forms of so many bytes, most of which are a field of the flow's own."""
    before = b"POST " + path.encode() + HEADERS.removesuffix(b"\r\n")
    before += b"Content-Type: application/x-www-form-urlencoded\r\n"
    filler = b"anita+sharma+" * (length // 13 + 1)
    for number, (query, _) in enumerate(queries()):
        field = b"&CustomField=%d-" % number
        body = (query + field + filler)[:length]
        yield before + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _requests_before(target: bytes) -> Iterator[bytes]:
    shape = SHAPES[0]
    pieces = [
        (target + before, between.partition(b"&Stream")[0] + HEADERS)
        for caller in range(_CALLERS * len(SHAPES))
        for before, between, _ in (build_query(shape, 7_000_000 + 9973 * caller),)
    ]
    run = os.urandom(9).hex().encode()
    for number in count():
        before, after = pieces[number % len(pieces)]
        yield b"%bc%b%013x%b" % (before, run, number, after)
