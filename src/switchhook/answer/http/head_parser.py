"""Reads HTTP/1.1 requests: the request line and the header lines.

No I/O and no clock here: bytes in, values out. Nothing raises; what is refused comes back as a
problem, one short lower-case phrase without data of the request.
"""

from __future__ import annotations

import re

import httptools
import msgspec

from switchhook.answer.http.messages import CLOSE, KEEP, KEEP_OLD, Head
from switchhook.loopback import added_by_proxy
from switchhook.system.request_mark import HEADER


class RequestLine(msgspec.Struct, frozen=True, gc=False):
    """A request line, as far as it could be read. `path` is None when where it ends is unknown.

    What is `cut` may have gone on: its query is not known whole.
    """

    method: str
    path: bytes | None
    query: bytes
    authority: str | None
    old: bool  # HTTP/1.0
    problem: str | None
    cut: bool = False


class Headers(msgspec.Struct, frozen=True, gc=False):
    """What header lines come to: `seen` has those few that matter, by lower-case name.

    Text is Latin-1, as it came; absent is None. `wish` is what the sender wants to become of the
    connection in HTTP/1.1, KEEP or CLOSE.
    """

    seen: dict[bytes, bytes] = {}  # nobody changes it
    content_type: str | None = None
    authorization: str | None = None
    host: str | None = None
    forwarded_for: str | None = None
    forwarded: bool = False
    mark: str | None = None
    wish: int = KEEP
    announces_body: bool = False


_METHODS = {
    name.encode(): name for name in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
}
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)
_BARE_LINE_FEED = re.compile(rb" HTTP/1\.[01][ \t]*\n")
_VERSION = re.compile(rb"[ \t]+HTTP/[0-9.]+[ \t]*\Z", re.IGNORECASE)


def read_line(line: bytes) -> RequestLine:
    """Read a request line without its CRLF.

    The target is all from the first blank to the version: senders put raw blanks, quotes,
    line feeds and NULs into it, which no stock parser takes.
    """
    name, _, rest = line.partition(b" ")
    target = rest[:-9]
    version = rest[-9:]
    method = _METHODS.get(name)
    if method and version == b" HTTP/1.1" and target[:1] == b"/" and b"\n" not in target:
        path, _, query = target.partition(b"?")
        return RequestLine(method, path, query, None, False, None)
    return _read_odd_line(line)


def _read_odd_line(line: bytes) -> RequestLine:
    line = line.rstrip(b" \t")
    if not line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
        return _read_cut_line(line, "no HTTP/1.0 or HTTP/1.1 at the end of the request line")
    if _BARE_LINE_FEED.search(line):
        return _read_cut_line(line, "lines end with bare line feeds")
    name, _, rest = line.partition(b" ")
    method = _read_method(name)
    target, authority = _origin_form(rest[:-9])
    path, _, query = target.partition(b"?")
    problem = None
    if not method:
        problem = "no method at the start of the request line"
    elif method == "CONNECT":
        problem = "method CONNECT"
    elif not target:
        problem = "no target in the request line"
    return RequestLine(method, path, query, authority, line.endswith(b"0"), problem)


def read_beginning(received: bytes, problem: str) -> RequestLine | None:
    """Read what can be known of a head that will not become whole; None is nothing."""
    line, end, _ = received.partition(b"\r\n")
    if end:
        return msgspec.structs.replace(read_line(line), problem=problem)
    if _BARE_LINE_FEED.search(line):
        return _read_cut_line(line, problem)
    _, _, target = line.partition(b" ")
    if b"?" not in target and b" " not in target:
        return None
    return msgspec.structs.replace(_read_cut_line(line, problem), cut=True)


def _read_cut_line(line: bytes, problem: str) -> RequestLine:
    bare = _BARE_LINE_FEED.search(line)
    if bare:
        line = line[: bare.start()]
    method, _, target = line.partition(b" ")
    whole, versions = _VERSION.subn(b"", target)
    target, authority = _origin_form(whole)
    path, _, query = target.partition(b"?")
    cut = not (bare or versions)
    return RequestLine(_read_method(method), path or None, query, authority, True, problem, cut)


def _read_method(method: bytes) -> str:
    return method.decode("ascii") if _METHOD.fullmatch(method) else ""


def _origin_form(target: bytes) -> tuple[bytes, str | None]:
    target = target.lstrip(b" \t")
    absolute = _ABSOLUTE.match(target)
    if not absolute:
        return target, None
    rest = target[absolute.end() :]
    authority = absolute[1].rpartition(b"@")[2].decode("latin-1")
    return rest if rest[:1] == b"/" else b"/" + rest, authority


_MARK = HEADER.lower().encode()
_READ = frozenset(
    (
        b"host",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"authorization",
        b"x-forwarded-for",
        b"forwarded",
        _MARK,
    )
)
_PROXY = b"via"  # stands in `seen` for any of them

_HARMLESS_LINE = b"GET / HTTP/1.1\r\n"
_FEW_BYTES = 8 * 1024
_MANY_LINES = 256


_SPELLINGS = 512
_SHORT = 64
_HEADS = 256
_SHORT_HEAD = 1024


def _headers_of(seen: dict[bytes, bytes]) -> Headers:
    text = {name: value.decode("latin-1") for name, value in seen.items()}
    forwarded_for = text.get(b"x-forwarded-for")
    return Headers(
        seen,
        text.get(b"content-type"),
        text.get(b"authorization"),
        text.get(b"host"),
        forwarded_for,
        forwarded_for is not None or b"forwarded" in seen or _PROXY in seen,
        text.get(_MARK),
        CLOSE if b"close" in seen.get(b"connection", b"").lower() else KEEP,
        b"content-length" in seen or b"transfer-encoding" in seen,
    )


def _canonical(name: bytes) -> bytes:
    """Give the name under which a header is kept; empty for those that nobody reads."""
    name = name.lower()
    if name in _READ:
        return name
    return _PROXY if added_by_proxy(name) else b""


class HeaderReader:
    """Reads header lines with httptools; one serves all connections, as heads come in whole.

    After `read`, `headers` has what they come to. Who asks again says the same lines again, but
    for the first: that is remembered.
    """

    __slots__ = ("_ended", "_heads", "_known", "_parser", "_seen", "_used", "headers")

    def __init__(self) -> None:
        self.headers = Headers()
        self._seen: dict[bytes, bytes] = {}
        self._known: dict[bytes, bytes] = {}  # names as they are spelt: folding costs more
        self._heads: dict[bytes, Headers] = {}
        self._renew()

    def _renew(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._used = False

    def read(self, lines: bytes) -> str | None:
        """Read the lines up to and with the empty one; a problem means they are refused.

        Those before the one with the problem have been read then.
        """
        heads = self._heads
        known = heads.get(lines)
        if known is not None:
            self.headers = known
            return None
        problem = self._read(lines)
        self.headers = _headers_of(self._seen)
        if problem is None and len(lines) <= _SHORT_HEAD:
            if len(heads) >= _HEADS:
                heads.clear()
            heads[lines] = self.headers
        return problem

    def _read(self, lines: bytes) -> str | None:
        if len(lines) > _FEW_BYTES and lines.count(b"\n") > _MANY_LINES:
            self._seen = {}
            return "too many header lines"
        problem = self._feed(lines)
        if problem is None and self._ended == 1 and b"connection" not in self._seen:
            self._used = True
            return None
        if problem is not None and self._used:
            # What the request before left in the parser must not be held against this one.
            self._renew()
            problem = self._feed(lines)
        # Only a parser that has seen the end of a plain message may read the next.
        self._renew()
        return self._check_framing() if problem is None and self._ended != 1 else problem

    def _feed(self, lines: bytes) -> str | None:
        self._seen = {}
        self._ended = 0
        try:
            self._parser.feed_data(_HARMLESS_LINE + lines)
        except httptools.HttpParserUpgrade:
            return None  # an offer to change the protocol; we go on with this one
        except httptools.HttpParserError as error:
            return f"header lines: {str(error).lower()}"
        return None

    def _check_framing(self) -> str | None:
        coding = self._seen.get(b"transfer-encoding")
        if coding is not None and coding.strip().lower() != b"chunked":
            return "transfer-encoding other than chunked"
        if coding is None and b"content-length" not in self._seen:
            return "header lines not whole"
        return None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header from httptools."""
        known = self._known
        kept = known.get(name)
        if kept is None:
            kept = _canonical(name)
            if len(name) <= _SHORT:
                if len(known) >= _SPELLINGS:
                    known.clear()
                known[name] = kept
        if kept:
            seen = self._seen
            seen[kept] = seen[kept] + b", " + value if kept in seen else value

    def on_message_complete(self) -> None:
        """Hear from httptools that the message has ended."""
        self._ended += 1


def make_unread_head(line: RequestLine | None, problem: str, headers: Headers, peer: str) -> Head:
    """Put together what could be read of a head; None is a line of which nothing could."""
    line = line or RequestLine("", None, b"", None, True, problem, cut=True)
    return msgspec.structs.replace(make_head(line, headers, peer), problem=problem, cut=line.cut)


def make_head(line: RequestLine, headers: Headers, peer: str) -> Head:
    """Put a request line and its headers together."""
    return Head(
        line.method,
        line.path or b"",
        line.query,
        headers.content_type,
        headers.authorization,
        line.authority or headers.host,
        headers.forwarded_for,
        headers.forwarded or line.old,
        peer,
        mark=headers.mark,
    )


def connection_wish(line: RequestLine, headers: Headers) -> int:
    """Say what the sender wants to become of the connection: KEEP, CLOSE or KEEP_OLD."""
    if not line.old or headers.wish == CLOSE:
        return headers.wish
    return KEEP_OLD if b"keep-alive" in headers.seen.get(b"connection", b"").lower() else CLOSE
