"""The words of whoever may have written a stream's error, and what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.stream_error import ErrorKind, read_error

REFUSED = "3009 failed to establish ws conn dial tcp 10.1.76.120:50: connect: connection refused"
BROKE = "websocket: close 1006 (abnormal closure): unexpected EOF"


@pytest.mark.parametrize(
    "text, code, kind, host, port",
    [
        (REFUSED, 3009, ErrorKind.REFUSED, "10.1.76.120", 50),
        (
            "3009 dial tcp: lookup bot.example.com on 10.0.0.2:53: no such host",
            3009,
            ErrorKind.DNS,
            "bot.example.com",
            None,
        ),
        ("dial tcp: lookup b.example.com: i/o timeout", None, ErrorKind.DNS, "b.example.com", None),
        ("dial tcp 192.0.2.7:443: i/o timeout", None, ErrorKind.TIMEOUT, "192.0.2.7", 443),
        (
            "dial tcp [2001:db8::7]:443: connect: network is unreachable",
            None,
            ErrorKind.UNREACHABLE,
            "2001:db8::7",
            443,
        ),
        (
            "dial tcp 192.0.2.7:443: connect: no route to host",
            None,
            ErrorKind.UNREACHABLE,
            "192.0.2.7",
            443,
        ),
        ("x509: certificate signed by unknown authority", None, ErrorKind.TLS, None, None),
        ("tls: unexpected EOF", None, ErrorKind.TLS, None, None),
        ("net/http: TLS handshake timeout", None, ErrorKind.TIMEOUT, None, None),
        ("3009 websocket: bad handshake", 3009, ErrorKind.BAD_HANDSHAKE, None, None),
        ("unexpected HTTP response status 401", None, ErrorKind.BAD_HANDSHAKE, None, None),
        ("context deadline exceeded", None, ErrorKind.DEADLINE, None, None),
        (BROKE, None, ErrorKind.EOF, None, None),
        ("read tcp: connection reset by peer", None, ErrorKind.EOF, None, None),
        ("3012 something new", 3012, ErrorKind.OTHER, None, None),
        ("", None, ErrorKind.OTHER, None, None),
        # A host's name says nothing of what went wrong.
        (
            "dial tcp dns.example.com:443: connect: connection refused",
            None,
            ErrorKind.REFUSED,
            "dns.example.com",
            443,
        ),
        ("dial tcp 192.0.2.7:99999: timeout", None, ErrorKind.TIMEOUT, "192.0.2.7", None),
    ],
)
def test_the_text_of_an_error_is_taken_apart(text, code, kind, host, port):
    found = read_error(text)
    assert (found.code, found.kind, found.host, found.port) == (code, kind, host, port)


@pytest.mark.parametrize(
    "text, kind, host, port",
    [
        # Go: net, crypto/tls, net/http, gorilla and coder websocket
        ("dial tcp [::1]:80: connect: connection refused", ErrorKind.REFUSED, "::1", 80),
        ("dial tcp4 192.0.2.7:80: connect: host is down", ErrorKind.UNREACHABLE, "192.0.2.7", 80),
        ("dial tcp 192.0.2.7:443: connect: permission denied", ErrorKind.OTHER, "192.0.2.7", 443),
        ("dial tcp 192.0.2.7:80: connect: operation timed out", ErrorKind.TIMEOUT, "192.0.2.7", 80),
        (
            "dial tcp: lookup bot.example on 192.0.2.2:53: read udp 192.0.2.9:55555->192.0.2.2:53:"
            " i/o timeout",
            ErrorKind.DNS,
            "bot.example",
            None,
        ),
        ("lookup bot.example: server misbehaving", ErrorKind.DNS, "bot.example", None),
        ("lookup x: Temporary failure in name resolution", ErrorKind.DNS, "x", None),
        ("proxyconnect tcp: dial tcp 192.0.2.3:3128: connect: connection refused",
         ErrorKind.REFUSED, "192.0.2.3", 3128),
        ("dial tcp 192.0.2.7:443: connectex: No connection could be made because the target machine"
         " actively refused it.", ErrorKind.REFUSED, "192.0.2.7", 443),
        ("tls: first record does not look like a TLS handshake", ErrorKind.TLS_TO_PLAIN, None,
         None),
        ("remote error: tls: handshake failure", ErrorKind.TLS, None, None),
        ("tls: failed to verify certificate: x509: certificate is valid for a, not b",
         ErrorKind.TLS, None, None),
        ("websocket: bad handshake (504 Gateway Timeout)", ErrorKind.BAD_HANDSHAKE, None, None),
        ("failed to WebSocket dial: expected handshake response status code 101 but got 403",
         ErrorKind.BAD_HANDSHAKE, None, None),
        ("websocket: close 4401: unauthorized", ErrorKind.CLOSED, None, None),
        ("unexpected EOF", ErrorKind.EOF, None, None),
        ("write tcp 192.0.2.9:41234->192.0.2.7:443: write: broken pipe", ErrorKind.EOF, None, None),
        ("context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
         ErrorKind.DEADLINE, None, None),
        ("websocket: close 1011 (internal server error)", ErrorKind.CLOSED, None, None),
        ("malformed ws or wss URL", ErrorKind.OTHER, None, None),
        # Python, nginx, Node: whoever stands between
        ("ConnectionRefusedError: [Errno 111] Connection refused", ErrorKind.REFUSED, None, None),
        ("timed out during opening handshake", ErrorKind.TIMEOUT, None, None),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)",
         ErrorKind.TLS, None, None),
        ("connect() failed (111: Connection refused) while connecting to upstream",
         ErrorKind.REFUSED, None, None),
        ("upstream timed out (110: Connection timed out) while reading response header",
         ErrorKind.TIMEOUT, None, None),
        ("connect ECONNREFUSED 192.0.2.7:8765", ErrorKind.REFUSED, None, None),
    ],
)  # fmt: skip
def test_errors_in_the_words_of_many_libraries(text, kind, host, port):
    """The same with Exotel's code before it, and in capitals."""
    found = read_error(text)
    assert (found.code, found.kind, found.host, found.port) == (None, kind, host, port)
    coded = read_error(f" 3009 failed to establish ws conn {text}")
    assert (coded.code, coded.kind, coded.host, coded.port) == (3009, kind, host, port)
    assert read_error(text.upper()).kind is kind


@pytest.mark.parametrize(
    "text, kind",
    [
        ("socket.gaierror: [Errno -2] Name or service not known", ErrorKind.DNS),
        ("[Errno 8] nodename nor servname provided, or not known", ErrorKind.DNS),
        ("getaddrinfo ENOTFOUND bot.example.com", ErrorKind.DNS),
        ("[Errno 11001] getaddrinfo failed", ErrorKind.DNS),
        ("[Errno 111] Connect call failed ('192.0.2.7', 8765)", ErrorKind.REFUSED),
        ("connect ETIMEDOUT 192.0.2.7:8765", ErrorKind.TIMEOUT),
        ("connect EHOSTUNREACH 192.0.2.7:8765", ErrorKind.UNREACHABLE),
        ("read ECONNRESET", ErrorKind.EOF),
        ("upstream prematurely closed connection while reading response header", ErrorKind.EOF),
        ("server rejected WebSocket connection: HTTP 403", ErrorKind.BAD_HANDSHAKE),
        ("Unexpected server response: 401", ErrorKind.BAD_HANDSHAKE),
    ],
)
def test_errors_in_the_words_of_python_node_and_nginx(text, kind):
    assert read_error(text).kind is kind


@pytest.mark.parametrize(
    "text, kind",
    [
        (
            'failed to WebSocket dial: failed to send handshake request: Get "https://dns.example/m":'
            " dial tcp 192.0.2.7:443: connect: connection refused",
            ErrorKind.REFUSED,
        ),
        (
            "Cannot connect to host bot.example:443 ssl:default [Errno 111] Connection refused",
            ErrorKind.REFUSED,
        ),
        ("dial tcp 192.0.2.7:1006: connect: permission denied", ErrorKind.OTHER),
        ("close code:1006", ErrorKind.EOF),
    ],
    ids=["a URL's name", "a setting", "a port", "no port"],
)
def test_what_surrounds_an_error_says_nothing_of_its_kind(text, kind):
    assert read_error(text).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.7:443: connection refused",
        "2026/11/24 10:31:58 [error] 7#7: *1 connect() failed (111: Connection refused)",
    ],
)
def test_not_every_number_at_the_beginning_is_a_code(text):
    assert read_error(text).code is None


@pytest.mark.parametrize("text", ["3009", "3009: x", "3009. x", "3009, x", " 3009 x", "3009-x"])
def test_a_code_stands_at_the_beginning(text):
    assert read_error(text).code == 3009


PLAIN_TO_TLS = (
    # Go: net/http, gorilla, coder; what a TLS server answers to plain HTTP is an alert, 15 03
    r'malformed HTTP response "\x15\x03\x01\x00\x02\x02\x16"',
    r'net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x03"',
    "malformed HTTP response \x15\x03\x01",
    # Go's, nginx', Apache's and Tomcat's HTTPS servers, that tell in plain HTTP
    "bad handshake (400): Client sent an HTTP request to an HTTPS server.",
    "400 The plain HTTP request was sent to HTTPS port",
    "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
    "400 Bad Request: This combination of host and port requires TLS.",
    # OpenSSL in Node, Python and nginx; Python's websockets; Kotlin's okhttp; Netty
    "error:0A00009C:SSL routines::http request",
    "4027:error:1408F09C:SSL routines:ssl3_get_record:http request",
    "[SSL: HTTP_REQUEST] http request (_ssl.c:1006)",
    r"did not receive a valid HTTP response: expected HTTP/1.1: '\x15\x03\x03\x00\x02'",
    r"Unexpected status line: \u0015\u0003\u0003",
    "NotSslRecordException: not an SSL/TLS record: 474554202f",
)
TLS_TO_PLAIN = (
    # Go: crypto/tls, net/http
    "tls: first record does not look like a TLS handshake",
    "http: server gave HTTP response to HTTPS client",
    # OpenSSL of every age, in Node, Python, Ruby and nginx
    "write EPROTO 139:error:1408F10B:SSL routines:ssl3_get_record:wrong version number:s.c",
    "error:0A00010B:SSL routines::wrong version number",
    "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "SSL_connect returned=1 errno=0 state=error: wrong version number",
    "error:140770FC:SSL routines:SSL23_GET_SERVER_HELLO:unknown protocol",
    "[SSL: UNKNOWN_PROTOCOL] unknown protocol (_ssl.c:661)",
    "error:0A0000C6:SSL routines::packet length too long",
    "ERR_SSL_PACKET_LENGTH_TOO_LONG",
    "[SSL] record layer failure (_ssl.c:1006)",
    "SSL_do_handshake() failed (SSL: error:1408F10B:SSL routines:ssl3_get_record:wrong version"
    " number) while SSL handshaking to upstream",
    # Java, Netty, NSS, GnuTLS, rustls, .NET
    "javax.net.ssl.SSLException: Unrecognized SSL message, plaintext connection?",
    "javax.net.ssl.SSLException: Unsupported or unrecognized SSL message",
    "NotSslRecordException: not an SSL/TLS record: 485454502f312e31",
    "SSL_ERROR_RX_RECORD_TOO_LONG",
    "An unexpected TLS packet was received.",
    "received corrupt message of type InvalidContentType",
    "Cannot determine the frame size or a corrupted frame was received.",
    # A plain server that quotes what it got: a handshake of TLS, 16 03
    r"code 400, message Bad request version ('\x16\x03\x01\x02')",
)
CERTIFICATE = (
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current"
    " time 2026-11-29T03:00:00Z is after 2026-11-28T23:59:59Z",
    "x509: certificate signed by unknown authority",
    "x509: certificate is valid for a.example, not bot.example",
    "x509: cannot validate certificate for 192.0.2.7 because it doesn't contain any IP SANs",
    "x509: certificate relies on legacy Common Name field, use SANs instead",
    "remote error: tls: bad certificate",
    "CERT_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "Hostname/IP does not match certificate's altnames: Host: bot.example. is not in the cert's",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
    "PKIX path building failed: unable to find valid certification path to requested target",
    "java.security.cert.CertificateException: No subject alternative DNS name matching b found.",
    "invalid peer certificate: UnknownIssuer",
    "tls: handshake failure",
    "remote error: tls: protocol version not supported",
    "SSL routines:tls_process_server_certificate:certificate verify failed",
)


@pytest.mark.parametrize(
    "text, kind",
    [(text, ErrorKind.PLAIN_TO_TLS) for text in PLAIN_TO_TLS]
    + [(text, ErrorKind.TLS_TO_PLAIN) for text in TLS_TO_PLAIN]
    + [(text, ErrorKind.TLS) for text in CERTIFICATE],
)
def test_who_spoke_tls_to_whom_is_told_apart_from_certificates(text, kind):
    """The same behind Exotel's code and a host, and in capitals."""
    assert read_error(text).kind is kind
    assert read_error(f"3009 failed to establish ws conn {text}").kind is kind
    assert read_error(f"wss://ssl.example/tls: {text}").kind is kind
    assert read_error(text.upper().replace("\\X", "\\x")).kind is kind


@pytest.mark.parametrize(
    "text, kind",
    [
        ("EOF", ErrorKind.EOF),
        ("read tcp 192.0.2.9:4->192.0.2.7:443: read: connection reset by peer", ErrorKind.EOF),
        ("socket hang up", ErrorKind.EOF),
        ('malformed HTTP response "SSH-2.0-OpenSSH_9.2"', ErrorKind.BAD_HANDSHAKE),
        ("Parse Error: Expected HTTP/", ErrorKind.BAD_HANDSHAKE),
        ("did not receive a valid HTTP response", ErrorKind.BAD_HANDSHAKE),
        ("unknown protocol", ErrorKind.OTHER),
        ("tls: unexpected EOF", ErrorKind.TLS),
    ],
)
def test_what_does_not_tell_that_tls_met_plain_is_not_said_to(text, kind):
    assert read_error(text).kind is kind


@pytest.mark.parametrize(
    "text, code, kind, was_open",
    [
        ("websocket: close 1005 (no status)", 1005, ErrorKind.CLOSED, True),
        ("websocket: close 1009 (message too big)", 1009, ErrorKind.CLOSED, True),
        ("1011 internal error", 1011, ErrorKind.CLOSED, True),
        ("websocket: close 4401: unauthorized", 4401, ErrorKind.CLOSED, True),
        ("3009 failed to establish ws conn websocket: close 1008", 1008, ErrorKind.CLOSED, True),
        (BROKE, 1006, ErrorKind.EOF, True),
        # Libraries say 1006 of a connection that never stood, too; TLS is before the WebSocket.
        (f"3009 failed to establish ws conn {BROKE}", 1006, ErrorKind.EOF, False),
        ("close 1015", 1015, ErrorKind.TLS, False),
        (REFUSED, None, ErrorKind.REFUSED, False),
        (TLS_TO_PLAIN[0], None, ErrorKind.TLS_TO_PLAIN, False),
    ],
)  # fmt: skip
def test_a_close_code_means_that_it_was_open(text, code, kind, was_open):
    error = read_error(text)
    assert (error.close_code, error.kind, error.was_open) == (code, kind, was_open)


@given(st.text() | st.text("0123456789 :.[]dialtcp lookup", max_size=80))
def test_any_error_text_is_taken_apart(text):
    """What is found stands in the text; nothing is made up."""
    found = read_error(text)
    assert found.host is None or found.host in text
    assert found.port is None or (0 <= found.port < 65536 and str(found.port) in text)
    assert found.code is None or text.lstrip().lstrip("0").startswith(str(found.code).lstrip("0"))


def test_a_long_error_text_costs_no_more_than_its_beginning():
    """Only the first 2,000 characters are looked at."""
    assert read_error("a" * 2000 + " connection refused").kind is ErrorKind.OTHER
    assert read_error(" " * 2000 + "3009").code is None
