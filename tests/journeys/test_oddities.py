"""What is no good HTTP, on the real program: answered where it can be, and told to people."""

from __future__ import annotations

import socket

import pytest

from patience import PATIENCE_S
from program import http, running, until

SECRET = "aaaa-secret-of-sales-1"
CONFIG = """
[endpoints.sales]
secrets = ["aaaa-secret-of-sales-1"]
safe_option = "A"
"""
RIGHT, WRONG = f"/passthru/sales/{SECRET}", "/passthru/sales/wrong-secret-of-nobody"
ODD = {
    "blank before the colon": b"GET %s HTTP/1.1\r\nAccept : x\r\n\r\n",
    "NUL": b"GET %s HTTP/1.1\r\nAccept: a\0b\r\n\r\n",
    "folded line": b"GET %s HTTP/1.1\r\nAccept: a\r\n b\r\n\r\n",
    "head over 64 KB": b"GET %s HTTP/1.1\r\n" + b"Cookie: " + b"x" * 70_000 + b"\r\n\r\n",
    "lower-case version": b"GET %s http/1.1\r\n\r\n",
}
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def say(program, data: bytes) -> bytes:
    with socket.create_connection(program.address("answer"), timeout=PATIENCE_S) as sock:
        sock.sendall(data)
        return sock.recv(12)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oddities")
    file = folder / "switchhook.toml"
    file.write_text(CONFIG)
    with running(folder / "data", "--config", str(file)) as program:
        yield program


def test_odd_passthrus_are_decided_kept_and_told(program):
    """The right secret gets its answer and a receipt, the wrong one a refusal, whatever is odd."""
    for number, (name, form) in enumerate(ODD.items()):
        failed = f"CallSid=c{number}&Stream[Status]=failed"
        right = form.replace(b"%s", f"{RIGHT}?{failed}".encode())
        wrong = form.replace(b"%s", f"{WRONG}?{failed}".encode())
        assert (say(program, right), say(program, wrong)) == (b"HTTP/1.1 302", b"HTTP/1.1 403"), (
            name
        )
    receipts = program.receipts()
    assert {each["call_sid"] for each in receipts} == {f"c{n}" for n in range(len(ODD))}
    for each in receipts:
        assert "head" in {defect["field"] for defect in each["defects"]}
        assert each["decision"]["rule"] == "bot not reached"
    assert "endpoint sales was asked in bad HTTP" in str(program.health()["problems"])
    assert SECRET not in program.said
    until(lambda: "odd-passthrus" in firing(program), "the alert")
    assert "head: header lines" in page(program, "/endpoints")


def test_what_has_no_request_line_is_counted_and_told(program):
    """An applet with https in its URL, though the port speaks plain HTTP."""
    before = len(program.receipts())
    for _ in range(12):
        assert say(program, TLS_HELLO) == b"HTTP/1.1 302"
    until(lambda: "unreadable: TLS on a plain port" in page(program, "/endpoints"), "the count")
    assert 'switchhook_requests_unreadable_total{reason="tls_on_a_plain_port"} 12.0' in page(
        program, "/metrics"
    )
    assert len(program.receipts()) == before
    until(lambda: "unreadable" in states(program), "the alert, pending for a minute")


def page(program, path: str) -> str:
    return http(program.address("console"), path.encode(), headers=program.by_link).body.decode()


def states(program) -> dict[str, str]:
    return {each["rule"]: each["state"] for each in program.api("alerts")["alerts"]}


def firing(program) -> set[str]:
    return {rule for rule, state in states(program).items() if state == "firing"}
