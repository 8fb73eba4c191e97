"""The text of `Stream[Error]` taken apart: code, what went wrong, where, and the close code in it.

The words are those of whoever may have written it: Go's network library (exotel-platform B.3),
Python, Node, Java, OpenSSL, nginx.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

import msgspec

from switchhook.exotel.close_codes import BROKEN, NO_TLS, close_code


class ErrorKind(StrEnum):
    """What went wrong on the way to the bot, or with the connection that stood."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    TLS_TO_PLAIN = "tls_to_plain"
    """Exotel spoke TLS to a port that doesn't."""
    PLAIN_TO_TLS = "plain_to_tls"
    """Exotel spoke plain HTTP to a port of TLS."""
    BAD_HANDSHAKE = "bad_handshake"
    UNREACHABLE = "unreachable"
    EOF = "eof"
    CLOSED = "closed"
    """The connection stood, and was closed with a close code."""
    DEADLINE = "deadline"
    OTHER = "other"


class StreamError(msgspec.Struct, frozen=True):
    """The text of `Stream[Error]`, taken apart; None is what it doesn't say.

    `host` and `port` are where Exotel tried to connect, or the name it could not look up.
    `close_code` is the WebSocket's.
    """

    code: int | None
    kind: ErrorKind
    host: str | None
    port: int | None
    close_code: int | None = None

    @property
    def was_open(self) -> bool:
        """Whether it speaks of a connection that once stood.

        1006 with Exotel's "failed to establish" does not: libraries say so of both.
        """
        if self.close_code in (None, BROKEN):
            return self.kind is ErrorKind.EOF and self.code != CONNECT_FAILED_CODE
        return self.close_code != NO_TLS


CONNECT_FAILED_CODE = 3009
"""Exotel's own: it failed to establish the connection."""

# Not the beginning of an address or of a date.
_CODE = re.compile(r"\s*([0-9]{3,5})(?!\.?\w|[-/:][0-9])")
_DIAL = re.compile(
    r"\bdial (?:tcp|udp)[46]? (\[[^\s\[\]]{1,255}\]|[^\s:\[\]]{1,255}):([0-9]{1,5})\b"
)
_LOOKUP = re.compile(r"\blookup ([^\s:,]{1,255})")
# What may hold any word and says nothing of what went wrong: an URL, aiohttp's settings of TLS, the
# port of an address or the line of a source file.
_BESIDE = re.compile(
    r"\b[a-z]{2,8}://[^\s\"'<>]+|\bssl:(?:default|none|true|false|<\S+)"
    r"|(?<![\w.-])(?=[\w-]*\.)[\w.-]+:[0-9]{1,5}\b"
)
# The beginning of a record of TLS is 15 03 where it is an alert, 16 03 where it is a handshake.
_PLAIN_TO_TLS = re.compile(
    r"\x15\x03|\\x15\\x03|\\u0015\\u0003"
    r"|request to an https server|request was sent to https port|plain http to an ssl"
    r"|host and port requires tls|ssl.{0,60}[:\]] ?http request|ssl/tls record: 474554"
)
_TLS_TO_PLAIN = re.compile(
    r"\x16\x03|\\x16\\x03|\\u0016\\u0003"
    r"|does not look like a tls handshake|http response to https client"
    r"|wrong version number|packet length too long|record layer failure"
    r"|ssl.{0,60}unknown protocol|recognized ssl message|ssl/tls record: 48545450"
    r"|invalidcontenttype|rx record too long|exceeded the maximum permissible length"
    r"|unexpected tls packet|corrupted frame was received|unexpected packet format"
)
# The order matters: "dial tcp: lookup x: i/o timeout" is DNS, "context deadline exceeded" before
# the plainer timeout, TLS before EOF ("tls: unexpected EOF"), "TLS handshake timeout" a timeout.
# An errno is Linux's, macOS' or Windows'; a blank here may be an underline in the text.
_KINDS = (
    (ErrorKind.DNS, ("no such host", "lookup ", "server misbehaving", "name resolution",
                     "name or service not known", "nodename nor servname", "getaddrinfo",
                     "enotfound", "unknownhost")),
    (ErrorKind.TLS, ("tls:", "x509", "certificate", "ssl", "handshake failure", "altname",
                     "certification path", "err tls", "leaf signature", "issuer cert",
                     "signed cert", "cert has", "cert not yet", "cert revoked")),
    (ErrorKind.DNS, ("dns",)),
    (ErrorKind.REFUSED, ("connection refused", "actively refused", "econnrefused", "[errno 111]",
                         "[errno 61]", "[errno 10061]")),
    (ErrorKind.BAD_HANDSHAKE, ("bad handshake", "unexpected http response", "unexpected status",
                               "unexpected server response", "rejected websocket",
                               "unauthorized", "unauthorised", "forbidden", "malformed http",
                               "valid http response", "expected http/", "permit the http upgrade",
                               "upgrade header")),
    (ErrorKind.UNREACHABLE, ("unreach", "no route to host", "host is down", "[errno 113]",
                             "[errno 101]", "[errno 65]", "[errno 51]")),
    (ErrorKind.DEADLINE, ("deadline exceeded",)),
    (ErrorKind.TIMEOUT, ("timeout", "timed out", "timedout", "[errno 110]", "[errno 60]")),
    (ErrorKind.EOF, ("eof", "connection reset", "broken pipe", "abnormal closure", "econnreset",
                     "epipe", "socket hang up", "prematurely closed", "no close frame",
                     "without closing handshake", "[errno 104]", "[errno 54]", "[errno 32]")),
    (ErrorKind.BAD_HANDSHAKE, ("handshake",)),
)  # fmt: skip

_LONGEST_ERROR = 2000  # characters looked at; the rest changes no verdict
_PORTS = 65536


def read_error(text: str) -> StreamError:
    """Take the text of `Stream[Error]` apart."""
    return _read(text[:_LONGEST_ERROR])


@lru_cache(maxsize=512)  # a bot that fails says the same of each caller
def _read(text: str) -> StreamError:
    code, dial, lookup = _CODE.match(text), _DIAL.search(text), _LOOKUP.search(text)
    host = dial[1].strip("[]") if dial else lookup[1] if lookup else None
    # A host's name says nothing of what went wrong: dns.example.com may have refused.
    low = (text.replace(dial[0], " ") if dial else text).lower()
    low = _BESIDE.sub(" ", low.replace(host.lower(), " ") if host else low)
    closed = close_code(low)
    kind = _KIND_OF.get(closed, ErrorKind.CLOSED) if closed is not None else _kind(low)
    port = int(dial[2]) if dial and int(dial[2]) < _PORTS else None
    return StreamError(int(code[1]) if code else None, kind, host, port, closed)


_KIND_OF: dict[int, ErrorKind] = {BROKEN: ErrorKind.EOF, NO_TLS: ErrorKind.TLS}


def _kind(low: str) -> ErrorKind:
    spaced = low.replace("_", " ")
    if _PLAIN_TO_TLS.search(spaced):
        return ErrorKind.PLAIN_TO_TLS
    if _TLS_TO_PLAIN.search(spaced):
        return ErrorKind.TLS_TO_PLAIN
    return next(
        (kind for kind, words in _KINDS if any(word in spaced for word in words)), ErrorKind.OTHER
    )
