"""Failures in the words of Go's libraries, which the backend's own reader understands."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from switchhook.emulator.net.go_errors import (
    Failure,
    FailureKind,
    from_exception,
    go_text,
    stream_error,
)
from switchhook.exotel.stream_error import ErrorKind, read_error

AT = "10.1.76.120:50"


@pytest.mark.parametrize(
    "failure, text, kind",
    [
        (
            Failure(FailureKind.REFUSED, AT),
            "dial tcp 10.1.76.120:50: connect: connection refused",
            ErrorKind.REFUSED,
        ),
        (Failure(FailureKind.TIMEOUT, AT), f"dial tcp {AT}: i/o timeout", ErrorKind.TIMEOUT),
        (
            Failure(FailureKind.DNS, "bot.example:443"),
            "dial tcp: lookup bot.example: no such host",
            ErrorKind.DNS,
        ),
        (
            Failure(FailureKind.TLS, AT, "self-signed certificate"),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            ErrorKind.TLS,
        ),
        (
            Failure(FailureKind.TLS, AT, "certificate has expired"),
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            ErrorKind.TLS,
        ),
        (
            Failure(FailureKind.UNREACHABLE, AT),
            f"dial tcp {AT}: connect: network is unreachable",
            ErrorKind.UNREACHABLE,
        ),
        (
            Failure(FailureKind.RESET, AT),
            f"read tcp {AT}: read: connection reset by peer",
            ErrorKind.EOF,
        ),
        (Failure(FailureKind.EOF, AT), "EOF", ErrorKind.EOF),
        (
            Failure(FailureKind.BAD_HANDSHAKE, AT, "401"),
            "websocket: bad handshake",
            ErrorKind.BAD_HANDSHAKE,
        ),
    ],
)
def test_each_kind_has_its_words_and_is_read_as_itself(failure, text, kind):
    assert go_text(failure) == text
    error = read_error(stream_error(failure))
    assert (error.code, error.kind) == (3009, kind)


@pytest.mark.parametrize(
    "error, kind",
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), FailureKind.REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "x"), FailureKind.RESET),
        (OSError(errno.EHOSTUNREACH, "x"), FailureKind.UNREACHABLE),
        (TimeoutError(), FailureKind.TIMEOUT),
        (ssl.SSLCertVerificationError("self-signed"), FailureKind.TLS),
        (EOFError(), FailureKind.EOF),
        (RuntimeError("odd"), FailureKind.OTHER),
    ],
)
def test_exceptions_are_read_through_their_causes(error, kind):
    wrapped = RuntimeError("around")
    wrapped.__cause__ = error
    assert from_exception(error, AT).kind is kind
    assert from_exception(wrapped, AT).kind is kind
    assert from_exception(error, AT).address == AT


X509 = "tls: failed to verify certificate: x509: "


@pytest.mark.parametrize(
    "openssl, go",
    [
        ("certificate has expired", "certificate has expired or is not yet valid"),
        ("certificate is not yet valid", "certificate has expired or is not yet valid"),
        (
            "Hostname mismatch, certificate is not valid for 'bot.example'.",
            "certificate is not valid for any names, but wanted to match bot.example",
        ),
        (
            "IP address mismatch, certificate is not valid for '10.0.0.7'.",
            "cannot validate certificate for 10.0.0.7 because it doesn't contain any IP SANs",
        ),
        ("unable to get local issuer certificate", "certificate signed by unknown authority"),
        ("injected", "certificate signed by unknown authority"),
    ],
)
def test_a_certificate_is_refused_in_the_words_of_x509(openssl, go):
    failure = Failure(FailureKind.TLS, AT, f"[SSL: CERTIFICATE_VERIFY_FAILED] ...: {openssl} (_x)")
    assert go_text(failure) == X509 + go
    assert read_error(stream_error(failure)).kind is ErrorKind.TLS


@pytest.mark.parametrize(
    "openssl, go",
    [
        ("[SSL: WRONG_VERSION_NUMBER]", "tls: first record does not look like a TLS handshake"),
        ("[SSL] record layer failure", "tls: first record does not look like a TLS handshake"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE]", "tls: handshake failure"),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION]", "tls: protocol version not supported"),
        ("[SSL: UNSUPPORTED_PROTOCOL]", "tls: server selected unsupported protocol version"),
    ],
)
def test_tls_that_fails_before_the_certificate(openssl, go):
    failure = Failure(FailureKind.TLS, AT, openssl)
    assert go_text(failure) == go
    plain = "first record" in go
    kind = ErrorKind.TLS_TO_PLAIN if plain else ErrorKind.TLS
    assert read_error(stream_error(failure)).kind is kind


@pytest.mark.parametrize(
    "kind, text",
    [
        (FailureKind.TIMEOUT, "context deadline exceeded"),
        (FailureKind.UNREACHABLE, "dial tcp: connect: network is unreachable"),
        (FailureKind.OTHER, "why not"),
    ],
)
def test_without_an_address_none_is_made_up(kind, text):
    failure = Failure(kind, None, "why not")
    assert go_text(failure) == text
    assert read_error(stream_error(failure)).host is None


def test_late_after_connecting_is_read_as_the_handshakes_deadline():
    error = read_error(stream_error(Failure(FailureKind.TIMEOUT)))
    assert error.kind is ErrorKind.DEADLINE


@pytest.mark.parametrize(
    "error, kind",
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), FailureKind.DNS),
        (ssl.SSLEOFError("EOF occurred in violation of protocol"), FailureKind.EOF),
        (ConnectionResetError(), FailureKind.EOF),
        (BrokenPipeError(errno.EPIPE, "x"), FailureKind.RESET),
        (OSError(errno.ETIMEDOUT, "x"), FailureKind.TIMEOUT),
        (OSError(errno.ENETUNREACH, "x"), FailureKind.UNREACHABLE),
        (OSError(errno.EMFILE, "x"), FailureKind.OTHER),
    ],
)
def test_what_the_standard_library_raises(error, kind):
    assert from_exception(error, AT).kind is kind
