"""Every odd request that we know of, on the real protocol class and the real answerer.

Whatever it is: with the right secret it is decided and kept, and says what could not be read;
without, it never hears 200.
"""

from __future__ import annotations

import asyncio
import re
import socket
from base64 import b64encode
from itertools import pairwise
from typing import Any, NamedTuple, cast

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.answer.http.connections import Server
from switchhook.answer.http.head_parser import Headers, make_unread_head
from switchhook.answer.http.listening import serve
from switchhook.answer.http.messages import BODY_UNREAD, ConnectionLimits
from switchhook.answer.http.protocol import Connection
from switchhook.config import EndpointConfig, Mode, Secret
from switchhook.exotel.passthru import Defect
from switchhook.journal.receipt import (
    ANSWERED_UNREAD,
    UNREADABLE,
    Receipt,
    RecordKind,
    read_passthru,
)
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.decide import Option

from .desk import SECRET, TAKES_A, TAKES_B, Desk, MemoryJournal

LIMITS = ConnectionLimits(head_time=0.2, body_time=0.2, tick=0.02, linger_time=0.2)
SOON_S = 10.0

ODD_HEADERS = {
    "blank before the colon": b"Accept : x\r\n",
    "NUL in a value": b"Accept: a\0b\r\n",
    "NUL in a name": b"Acc\0ept: a\r\n",
    "no colon": b"Accept\r\n",
    "no name": b": x\r\n",
    "name not ASCII": "Añadido: x\r\n".encode(),
    "folded line": b"Accept: a\r\n b\r\n",
    "folded first line": b" Accept: a\r\n",
    "bare LF between lines": b"Accept: a\nVia: b\r\n",
    "bare CR in a value": b"Accept: a\rb\r\n",
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "length that is none": b"Content-Length: one\r\n",
    "negative length": b"Content-Length: -1\r\n",
    "length beyond 64 bits": b"Content-Length: 99999999999999999999\r\n",
    "length and chunks": b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "coding unknown": b"Transfer-Encoding: gzip\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "over-long header": b"Cookie: " + b"x" * 70_000 + b"\r\n",
    "too many headers": b"A: b\r\n" * 3_000,
    "head over 64 KB": b"".join(b"A%d: %s\r\n" % (n, b"x" * 900) for n in range(100)),
}
ODD_LINES = {
    "lower-case version": b"GET %s http/1.1\r\n",
    "version 3": b"GET %s HTTP/3.0\r\n",
    "version 2": b"GET %s HTTP/2.0\r\n",
    "method not ASCII": b"G\xc3\x89T %s HTTP/1.1\r\n",
    "method begins beyond ASCII": b"\xc3\x89T %s HTTP/1.1\r\n",
    "method with a NUL": b"GE\0T %s HTTP/1.1\r\n",
    "bare LFs only": b"GET %s HTTP/1.1\n",
}
CUT_LINES = {
    "no version": b"GET %s\r\n",
    "CRLF in the query": b"GET %s&x=1\r\ny HTTP/1.1\r\n",
    "request line over 64 KB": b"GET %s&x=" + b"x" * 70_000 + b" HTTP/1.1\r\n",
    "request line that never ends": b"GET %s&x=",
}


class Odd(NamedTuple):
    """An odd request: its bytes but for the target; `cut` is its request line not known whole."""

    form: bytes
    cut: bool = False

    def to(self, target: str) -> bytes:
        return self.form.replace(b"%s", target.encode())


END = b"\r\n"
HOST = b"Host: bot.example.com\r\n"
ODDITIES = {
    **{name: Odd(b"GET %s HTTP/1.1\r\n" + HOST + odd + END) for name, odd in ODD_HEADERS.items()},
    **{name: Odd(line + HOST + END) for name, line in ODD_LINES.items()},
    **{name: Odd(line + HOST + END, True) for name, line in CUT_LINES.items()},
    "bare LFs only": Odd(b"GET %s HTTP/1.1\nHost: a\n\n"),
    "request line that never ends": Odd(CUT_LINES["request line that never ends"], True),
    "head that never ends": Odd(b"GET %s HTTP/1.1\r\nHost: "),
}
READ_ALL_THE_SAME = {
    "absolute target": b"GET http://bot.example.com%s HTTP/1.1\r\n" + HOST + END,
    "chunks that are bad": b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunks that never come": b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "body that never comes": b"POST %s HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    "two hosts": b"GET %s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "stray empty lines": b"\r\n\r\nGET %s HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0": b"GET %s HTTP/1.0\r\n\r\n",
    "unknown method": b"BREW %s HTTP/1.1\r\n\r\n",
}
NO_LINE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "PROXY protocol 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    "binary": bytes(range(256)),
    "empty lines only": b"\r\n" * 40_000,
    "half a path": b"GET /passthru/sal",
    "CONNECT": b"CONNECT bot.example.com:443 HTTP/1.1\r\n\r\n",
}
RIGHT, WRONG = f"/passthru/sales/{SECRET}", "/passthru/sales/wrong-secret-of-nobody"


class Settled(MemoryJournal):
    """A disk that takes each record at once."""

    def append(self, *args: Any, **more: Any) -> int | None:
        seq = super().append(*args, **more)
        asyncio.get_running_loop().call_soon(self.settle)
        return seq


def ask(data: bytes, **endpoint: Any) -> tuple[int, Desk]:
    """What one sender of these bytes hears first, from an endpoint with a secret."""

    async def go() -> tuple[int, Desk]:
        desk = Desk(
            EndpointConfig("sales", **{"secrets": (Secret(SECRET),), **endpoint}),
            journal=Settled(),
        )
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            server = await serve(sock, desk.answerer, LIMITS)
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(data)
            async with asyncio.timeout(SOON_S):
                line = await reader.readline()
            writer.transport.abort()
            await server.close(1.0)
        return int(line.split()[1]), desk

    return uvloop.run(go())


def receipt_of(desk: Desk) -> Receipt:
    (receipt,) = desk.journal.receipts()
    return receipt


@pytest.mark.parametrize("safe", list(Option))
@pytest.mark.parametrize("name", ODDITIES)
def test_with_the_right_secret_it_is_decided_and_kept_with_its_defect(name: str, safe: Option):
    odd = ODDITIES[name]
    for query, by_rules in ((TAKES_A, 200), (TAKES_B, 302)):
        for target in (f"{RIGHT}?{query}", f"/passthru/sales?secret={SECRET}&{query}"):
            status, desk = ask(odd.to(target), safe_option=safe)
            receipt = receipt_of(desk)
            (counted,) = (name for name in desk.answerer.counts if name.startswith(UNREADABLE))
            assert receipt.head_problem == counted.removeprefix(UNREADABLE)
            assert Defect("head", receipt.head_problem) in read_passthru(receipt).defects
            assert desk.answerer.counts[ANSWERED_UNREAD] == desk.answerer.counts["answered"] == 1
            assert any("in bad HTTP" in each for each in desk.answerer.alarms.values())
            assert SECRET.encode() not in desk.journal.bytes()
            if odd.cut:
                assert (status, receipt.decision.rule) == (
                    200 if safe is Option.A else 302,
                    SAFE_RULE,
                )
                assert "not whole" in receipt.decision.reason
            else:
                assert (status, receipt.decision.rule == SAFE_RULE) == (by_rules, False)
                assert receipt.raw.endswith(query.encode())
            assert receipt.http_status == status


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("safe", list(Option))
@pytest.mark.parametrize("name", [*ODDITIES, *READ_ALL_THE_SAME])
def test_without_the_secret_it_never_hears_200(name: str, safe: Option, mode: Mode):
    """Nor where nobody reads the answer: it is no answer to a passthru."""
    odd = ODDITIES.get(name) or Odd(READ_ALL_THE_SAME[name])
    for target in (f"{WRONG}?{TAKES_A}", f"/passthru/sales?{TAKES_A}", f"/passthru/no?{TAKES_A}"):
        status, desk = ask(odd.to(target), safe_option=safe, mode=mode)
        assert status in (403, 404)
        assert desk.journal.receipts() == []
        refused = desk.answerer.counts["secret wrong"] + desk.answerer.counts["secret missing"]
        assert refused + desk.answerer.counts["unknown endpoint"] == 1


@pytest.mark.parametrize("safe", list(Option))
@pytest.mark.parametrize("name", NO_LINE)
def test_without_a_line_it_is_counted_and_a_few_are_kept(name: str, safe: Option):
    status, desk = ask(NO_LINE[name], safe_option=safe)
    assert status in (302, 404)
    assert desk.journal.receipts() == []
    assert sum(n for what, n in desk.answerer.counts.items() if what.startswith(UNREADABLE)) == 1
    if status == 302:
        ((sample),) = desk.journal.of(RecordKind.SAMPLE)
        assert sample["endpoint"] == ""
        assert len(sample["raw"]) <= 8


@pytest.mark.parametrize("name", READ_ALL_THE_SAME)
def test_what_is_only_unusual_is_read(name: str):
    status, desk = ask(Odd(READ_ALL_THE_SAME[name]).to(f"{RIGHT}?{TAKES_A}"))
    assert (status, receipt_of(desk).head_problem) == (200, None)


def test_an_async_endpoint_hears_200_for_the_right_secret_only():
    odd = ODDITIES["blank before the colon"]
    assert ask(odd.to(f"{RIGHT}?{TAKES_B}"), mode=Mode.ASYNC)[0] == 200
    assert ask(odd.to(f"{WRONG}?{TAKES_B}"), mode=Mode.ASYNC)[0] == 403


@pytest.mark.parametrize("safe", list(Option))
def test_report_only_takes_no_safe_option_that_nobody_proved(safe: Option):
    """It answers by the rules, as it says; but where they aren't asked, a wrong secret gets B."""
    cut = ODDITIES["no version"]
    for target, right in ((RIGHT, safe), (WRONG, Option.B)):
        _, desk = ask(cut.to(f"{target}?{TAKES_A}"), auth="report-only", safe_option=safe)
        assert receipt_of(desk).decision.option is right
    status, desk = ask(
        ODDITIES["no colon"].to(f"{WRONG}?{TAKES_A}"), auth="report-only", safe_option=safe
    )
    assert (status, receipt_of(desk).auth.state) == (200, "wrong")


@pytest.mark.parametrize(
    "before, after, status", [(True, False, 200), (False, True, 403), (False, False, 403)]
)
def test_basic_counts_only_where_its_header_was_read(before: bool, after: bool, status: int):
    basic = b"Authorization: Basic " + b64encode(b"exotel:" + SECRET.encode()) + b"\r\n"
    odd = ODD_HEADERS["blank before the colon"]
    lines = basic * before + HOST + odd + basic * after
    heard, desk = ask(f"GET /passthru/sales?{TAKES_A} HTTP/1.1\r\n".encode() + lines + END)
    assert heard == status
    assert len(desk.journal.receipts()) == (status == 200)


def test_basic_counts_beside_an_odd_version():
    basic = b64encode(b"exotel:" + SECRET.encode()).decode()
    head = f"GET /passthru/sales?{TAKES_A} http/1.1\r\nAuthorization: Basic {basic}\r\n\r\n"
    assert ask(head.encode())[0] == 200


def test_a_body_behind_a_head_that_cannot_be_read_is_said_to_be_missing():
    head = f"POST {RIGHT}?{TAKES_B} HTTP/1.1\r\nAccept : x\r\nContent-Length: 5\r\n\r\na=b&c"
    status, desk = ask(head.encode())
    assert status == 302
    assert receipt_of(desk).body_problem == BODY_UNREAD
    assert Defect("body", BODY_UNREAD) in read_passthru(receipt_of(desk)).defects


def test_an_endpoint_without_a_secret_wants_a_head_that_shows_where_it_came_from():
    """What a proxy adds may stand behind the line that could not be read."""
    head = b"GET /passthru/sales?CallSid=c1 HTTP/1.1\r\nHost: 127.0.0.1\r\nA : b\r\n\r\n"
    assert ask(head, secrets=(), safe_option=Option.A)[0] == 403
    assert ask(head.replace(b"A :", b"A:"), secrets=())[0] == 200


class Wire:
    """The transport of a connection: what was written on it."""

    def __init__(self) -> None:
        self.written = b""

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return "192.0.2.1", 1

    def write(self, data: bytes) -> None:
        self.written += data

    def ignore(self, **_more: object) -> None:
        """The rest is nothing that a test asks about."""

    set_write_buffer_limits = pause_reading = resume_reading = write_eof = close = abort = ignore


_PARTS = st.sampled_from(
    [b"GET ", b"POST ", b" HTTP/1.1", b" http/1.1", b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":",
     b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Host: a", b"0\r\n\r\n", b"\r\n\r\n",
     b"Authorization: Basic eDp5", b"&CallSid=c1", b"http://x", b"\xc3\x89", b"HEAD "]
) | st.binary(max_size=4)  # fmt: skip
_HEAD = b"GET %s?CallSid=c1 HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n"


@given(
    right=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), _PARTS), max_size=4),
    cuts=st.lists(st.integers(1, 200), max_size=3),
    safe=st.sampled_from(Option),
)
@settings(deadline=None)
def test_whatever_is_sent_a_200_has_a_receipt_and_a_right_secret(right, changes, cuts, safe):
    """Parts put in or struck out anywhere, in pieces of any size, and then no more."""
    data = _HEAD.replace(b"%s", (RIGHT if right else WRONG).encode())
    for at, length, part in changes:
        data = data[:at] + part + data[at + length :]

    async def go() -> tuple[bytes, Desk]:
        desk = Desk(
            EndpointConfig("sales", secrets=(Secret(SECRET),), safe_option=safe),
            journal=MemoryJournal(),
        )
        server = Server(desk.answerer, LIMITS, asyncio.get_running_loop(), 100)
        connection, wire = Connection(server), Wire()
        connection.connection_made(cast(asyncio.Transport, wire))
        ends = sorted({*cuts, len(data)})
        for begin, end in pairwise([0, *ends]):
            connection.data_received(data[begin:end])
            desk.journal.settle()
            connection.go_on()
        connection.eof_received()
        for _ in range(20):
            desk.journal.settle()
            connection.go_on()
        assert (server.failures, len(server.slow)) == (0, 0)
        await server.close(0)
        return wire.written, desk

    written, desk = asyncio.run(go())
    receipts = desk.journal.receipts()
    heard = [int(line) for line in re.findall(rb"HTTP/1.1 ([0-9]+)", written)]
    assert heard.count(200) <= len([each for each in receipts if each.http_status == 200])
    assert all(each.auth.state == "ok" for each in receipts)
    assert right or not receipts
    assert heard or b"\r\n" * len(data) == data or not data


def test_noise_fills_neither_journal_nor_log(caplog: pytest.LogCaptureFixture):
    desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)))
    head = make_unread_head(None, "not HTTP", Headers(), "192.0.2.1")
    for _ in range(1000):
        desk.answerer.unreadable(head, b"\xff" * 99)
    assert len(desk.journal.of(RecordKind.SAMPLE)) == 5
    assert desk.answerer.counts == {"unreadable: not HTTP": 1000}
    assert not desk.answerer.alarms
    assert not caplog.messages
