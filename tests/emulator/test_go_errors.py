"""Failures in the words of Go's libraries, which the backend's own reader understands."""

from __future__ import annotations

import errno
import ssl

import pytest

from switchhook.cause import ErrorKind, read_error
from switchhook.emulator.go_errors import (
    Failure,
    FailureKind,
    from_exception,
    go_text,
    stream_error,
)

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
