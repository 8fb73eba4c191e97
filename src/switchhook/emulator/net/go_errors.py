"""What went wrong with a connection, and how Go's network library words it.

Exotel's Error texts end in such words (exotel-platform B.3); only 3009 is published.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from enum import StrEnum

import msgspec


class FailureKind(StrEnum):
    """Why there is no connection, or no answer."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    EOF = "eof"
    BAD_HANDSHAKE = "bad_handshake"
    OTHER = "other"


class Failure(msgspec.Struct, frozen=True):
    """A failed connection.

    `address` is where we dialled (`10.0.0.7:443`), or the name that could not be looked up. None
    where that is unknown; for a timeout, where the connection stood and what came after was late.
    `detail` is for people: what the library or the app said.
    """

    kind: FailureKind
    address: str | None = None
    detail: str = ""
    status: int | None = None
    """The HTTP status that a handshake was refused with."""
    location: str = ""
    """Where that answer sends on to."""


_ERRNOS = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.ECONNRESET: FailureKind.RESET,
    errno.ECONNABORTED: FailureKind.RESET,
    errno.EPIPE: FailureKind.RESET,
    errno.ETIMEDOUT: FailureKind.TIMEOUT,
    errno.ENETUNREACH: FailureKind.UNREACHABLE,
    errno.EHOSTUNREACH: FailureKind.UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.UNREACHABLE,
}
_UNTRUSTED = "failed to verify certificate: x509: certificate signed by unknown authority"
# What OpenSSL says, and what Go's crypto/tls says of the same; {} is the name OpenSSL quotes.
_TLS = (
    ("expired", "failed to verify certificate: x509: certificate has expired or is not yet valid"),
    ("not yet", "failed to verify certificate: x509: certificate has expired or is not yet valid"),
    (
        "ip address mismatch",
        "failed to verify certificate: x509: cannot validate certificate for {} because it doesn't"
        " contain any IP SANs",
    ),
    (
        "mismatch",
        "failed to verify certificate: x509: certificate is not valid for any names, but wanted to"
        " match {}",
    ),
    ("self", _UNTRUSTED),
    ("unable to get", _UNTRUSTED),
    ("wrong version number", "first record does not look like a TLS handshake"),
    ("record layer failure", "first record does not look like a TLS handshake"),
    ("http request", "first record does not look like a TLS handshake"),
    ("unsupported protocol", "server selected unsupported protocol version"),
    ("alert protocol version", "protocol version not supported"),
    ("handshake failure", "handshake failure"),
)
_QUOTED = re.compile(r"not valid for '([^']*)'")


def go_text(failure: Failure) -> str:
    """The words of Go's `net`, `crypto/tls` and of gorilla/websocket."""
    at = f" {failure.address}" if failure.address else ""
    match failure.kind:
        case FailureKind.REFUSED:
            return f"dial tcp{at}: connect: connection refused"
        case FailureKind.TIMEOUT if failure.address:
            return f"dial tcp{at}: i/o timeout"
        case FailureKind.TIMEOUT:
            return "context deadline exceeded"
        case FailureKind.DNS:
            return f"dial tcp: lookup {_host(failure.address)}: no such host"
        case FailureKind.TLS:
            return f"tls: {_tls(failure.detail)}"
        case FailureKind.UNREACHABLE:
            return f"dial tcp{at}: connect: network is unreachable"
        case FailureKind.RESET:
            return f"read tcp{at}: read: connection reset by peer"
        case FailureKind.EOF:
            return "EOF"
        case FailureKind.BAD_HANDSHAKE:
            return "websocket: bad handshake"
        case FailureKind.OTHER:
            return failure.detail


def stream_error(failure: Failure) -> str:
    """The text of `Stream[Error]`: 3009 before every kind (exotel-platform G-19)."""
    return f"3009 failed to establish ws conn {go_text(failure)}"


def from_exception(error: BaseException, address: str | None) -> Failure:
    """What an exception of a socket, of TLS or of a library over them means.

    The first in its chain of causes that says so decides.
    """
    seen: BaseException | None = error
    while seen is not None:
        found = _classify(seen)
        if found is not None:
            return Failure(found, address, str(seen))
        seen = seen.__cause__ or seen.__context__
    return Failure(FailureKind.OTHER, address, f"{type(error).__name__}: {error}"[:200])


def _classify(error: BaseException) -> FailureKind | None:
    match error:
        case TimeoutError():
            return FailureKind.TIMEOUT
        case socket.gaierror():
            return FailureKind.DNS
        case EOFError() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return FailureKind.EOF
        case ssl.SSLError():
            return FailureKind.TLS
        case ConnectionResetError(errno=None):
            # asyncio's word for a peer that ends in the middle of the TLS handshake.
            return FailureKind.EOF
        case OSError():
            return _ERRNOS.get(error.errno or 0)
        case _:
            return None


def _host(address: str | None) -> str:
    return (address or "").partition(":")[0]


def _tls(detail: str) -> str:
    low = detail.lower().replace("_", " ")
    words = next((text for mark, text in _TLS if mark in low), _UNTRUSTED)
    quoted = _QUOTED.search(detail)
    return words.replace("{}", quoted[1].rstrip(".") if quoted else "the host")
