"""What went wrong with a connection, and how Go's network library words it.

Exotel's Error texts end in such words (platform.md B.3); only 3009 is published.
"""

from __future__ import annotations

import errno
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
    FORBIDDEN = "forbidden"
    OTHER = "other"


class Failure(msgspec.Struct, frozen=True):
    """A failed connection; `address` is where we dialled, or the name we could not look up."""

    kind: FailureKind
    address: str | None = None
    detail: str = ""


_ERRNOS = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.ECONNRESET: FailureKind.RESET,
    errno.EPIPE: FailureKind.RESET,
    errno.ETIMEDOUT: FailureKind.TIMEOUT,
    errno.ENETUNREACH: FailureKind.UNREACHABLE,
    errno.EHOSTUNREACH: FailureKind.UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.UNREACHABLE,
}
_X509 = (
    ("expired", "certificate has expired or is not yet valid"),
    ("not yet valid", "certificate has expired or is not yet valid"),
    ("mismatch", "certificate is not valid for any names"),
    ("doesn't match", "certificate is not valid for any names"),
    ("self", "certificate signed by unknown authority"),
    ("unable to get", "certificate signed by unknown authority"),
)


def go_text(failure: Failure) -> str:
    """The words of Go's `net`, `crypto/tls` and of gorilla/websocket."""
    at = failure.address or "0.0.0.0:0"
    match failure.kind:
        case FailureKind.REFUSED:
            return f"dial tcp {at}: connect: connection refused"
        case FailureKind.TIMEOUT:
            return f"dial tcp {at}: i/o timeout"
        case FailureKind.DNS:
            return f"dial tcp: lookup {at.partition(':')[0]}: no such host"
        case FailureKind.TLS:
            return f"tls: failed to verify certificate: x509: {_x509(failure.detail)}"
        case FailureKind.UNREACHABLE:
            return f"dial tcp {at}: connect: network is unreachable"
        case FailureKind.RESET:
            return f"read tcp {at}: read: connection reset by peer"
        case FailureKind.EOF:
            return "EOF"
        case FailureKind.BAD_HANDSHAKE:
            return "websocket: bad handshake"
        case FailureKind.FORBIDDEN:
            return f"dial tcp {at}: connect: permission denied"
        case FailureKind.OTHER:
            return failure.detail


def stream_error(failure: Failure) -> str:
    """The text of `Stream[Error]`: 3009 before every kind (G-19)."""
    return f"3009 failed to establish ws conn {go_text(failure)}"


def from_exception(error: BaseException, address: str | None) -> Failure:
    """What an exception of a socket, of TLS or of a library over them means."""
    seen: BaseException | None = error
    while seen is not None:
        found = _classify(seen)
        if found is not None:
            return Failure(found, address, str(seen))
        seen = seen.__cause__ or seen.__context__
    return Failure(FailureKind.OTHER, address, f"{type(error).__name__}: {error}"[:200])


def _classify(error: BaseException) -> FailureKind | None:
    if isinstance(error, TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(error, ssl.SSLError):
        return FailureKind.TLS
    if isinstance(error, EOFError):
        return FailureKind.EOF
    if isinstance(error, OSError):
        return _ERRNOS.get(error.errno or 0)
    return None


def _x509(detail: str) -> str:
    low = detail.lower()
    words = (text for mark, text in _X509 if mark in low)
    return next(words, "certificate signed by unknown authority")
