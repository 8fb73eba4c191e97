"""Which close code a text names, and that no other number is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.close_codes import CLOSE_CODES, close_code, meaning_of


@pytest.mark.parametrize(
    "text, code",
    [
        # Go: gorilla, gobwas, coder
        ("websocket: close 1006 (abnormal closure): unexpected eof", 1006),
        ("websocket: close 1005 (no status)", 1005),
        ("websocket: close 4401: unauthorized", 4401),
        ("ws closed: 1011 boom", 1011),
        ('failed to get reader: received close frame: status = statusgoingaway and reason', 1001),
        ("received close frame: status = statuscode(4001) and reason = bye", 4001),
        # JavaScript, Python, Java
        ('{"code":1006,"reason":"","wasclean":false}', 1006),
        ('{"closecode": 3000}', 3000),
        ("websocket closed with code 1001", 1001),
        ("received 1011 (internal error); then sent 1011 (internal error)", 1011),
        ("sent 1009 (message too big) over size limit; no close frame received", 1009),
        ("websocketdisconnect(code=1001)", 1001),
        ("websocket connection is closed. code=1006", 1006),
        ("closestatus[code=1009, reason=null]", 1009),
        ("closereason: code [1006], reason []", 1006),
        # Exotel's own, as far as anybody can guess
        ("1006", 1006),
        (" 4001 bye", 4001),
        ("3009 websocket: close 1011", 1011),
        ("streaming_ws_closed_1011", 1011),
        ("disconnected with code 4001", 4001),
    ],
)  # fmt: skip
def test_a_code_is_found_in_the_words_of_many(text, code):
    assert close_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "3009 failed to establish ws conn dial tcp 10.1.76.120:4001: connect: connection refused",
        "3012 something new",
        "dial tcp 192.0.2.7:1006: connect: permission denied",
        "[ssl: certificate_verify_failed] certificate verify failed (_ssl.c:1006)",
        "no close frame received or sent",
        "connection closed by 10.1.2.3:4001",
        "connection closed after 3000 ms",
        "closed 1000ms after the start",
        "closed: 4001.5",
        "close 2999",
        "close 5000",
        "1500",
        "4027:error:1408f09c:ssl routines:ssl3_get_record:http request",
        "http status code 400",
        "exit code 1001",
        "read 1006 bytes",
        "1011-12-01 was long ago",
        "",
    ],
)
def test_a_number_that_is_none_is_not_taken_for_a_code(text):
    assert close_code(text) is None


@given(st.sampled_from([*range(1000, 1016), 3000, 3999, 4000, 4999]))
def test_every_code_means_something(code):
    """The registered ones, and those of libraries and programs; who closed is always said."""
    assert close_code(f"websocket: close {code}") == code
    means = meaning_of(code)
    assert means.meaning
    assert "close" in means.who
    assert means.todo


def test_what_is_registered_is_known():
    """RFC 6455, section 7.4.1, and IANA's registry of WebSocket close codes."""
    assert set(CLOSE_CODES) == {*range(1000, 1016), 3000, 3003, 3008}


@given(st.text())
def test_whatever_the_text_it_is_looked_at(text):
    found = close_code(text)
    assert found is None or str(found) in text or "status" in text
