"""The request is found in whatever line a team has at hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.access_log import find_request

Q = "CallSid=a1&Stream[Status]=completed"
ALB = (
    "https 2026-11-23T10:00:00.000000Z app/lb/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.1:80 0.000 "
    f'0.001 0.000 200 200 34 366 "GET https://bot.example:443/passthru/default?{Q} HTTP/1.1" '
    '"curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337262" "bot.example"'
)
COMBINED = f'192.0.2.1 - - [23/Nov/2026:10:00:00 +0530] "GET /p?{Q} HTTP/1.1" 200 2 "-" "Exotel"'


@pytest.mark.parametrize(
    ("line", "form", "method", "query"),
    [
        (Q, "query", "GET", Q),
        (f"  ?{Q}\n", "query", "GET", Q),
        (f"https://bot.example/passthru/x?{Q}", "url", "GET", Q),
        (f"curl -s 'https://bot.example/x?{Q}' # tried", "url", "GET", Q),
        (f"/passthru/x?{Q}", "url", "GET", Q),
        (f"GET /passthru/x?{Q} HTTP/1.1", "request line", "GET", Q),
        (f"POST /passthru/x?{Q} HTTP/1.1", "request line", "POST", Q),
        ("GET /x?a=b c&d=e HTTP/1.1", "request line", "GET", "a=b c&d=e"),
        (COMBINED, "access log", "GET", Q),
        (
            r'h - - [t] "GET /p?a=\x22b\x22&c=\"d HTTP/1.1" 200',
            "access log",
            "GET",
            'a=%22b%22&c="d',
        ),
        (ALB, "access log", "GET", Q),
        ('{"request_uri": "/p?a=1", "request_method": "HEAD"}', "json log", "HEAD", "a=1"),
        ('{"request": "GET /p?a=1 HTTP/1.1", "status": 200}', "json log", "GET", "a=1"),
        ('{"request": {"method": "GET", "uri": "/p?a=1"}}', "json log", "GET", "a=1"),
        ('{"RequestMethod": "GET", "RequestPath": "/p?a=1"}', "json log", "GET", "a=1"),
        ('{"httpRequest": {"requestUrl": "https://h/p?a=1"}}', "json log", "GET", "a=1"),
        ('{"uri": "/p", "args": "a=1"}', "json log", "GET", "a=1"),
        ('{"query": "a=1", "method": "POST", "body": "b=2"}', "object", "POST", "a=1"),
        ('192.0.2.1 - - [t] "GET /healthz HTTP/1.1" 200 2', "access log", "GET", ""),
    ],
)
def test_the_request_in_a_line(line, form, method, query):
    found = find_request(line)
    assert found is not None
    assert (found.form, found.request.method) == (form, method)
    assert found.request.query == query.encode()


@pytest.mark.parametrize(
    "line", ["", "   ", "# a comment", "hello", "{", "{}", "[1]", '{"a": 1}', "2026-11-23 started"]
)
def test_a_line_without_a_request(line):
    assert find_request(line) is None


@given(st.text(max_size=200))
def test_any_line_is_read_without_raising(line):
    found = find_request(line)
    assert found is None or isinstance(found.request.query, bytes)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda c: st.dictionaries(st.text(), c)))
def test_any_object_is_read_without_raising(value):
    import json

    find_request(json.dumps(value))
