"""The grammar of the fuzz: real requests, and what can be done to them. All by one chance."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable

from attack import ROOT
from attack.wire import Shot
from attack.world import SECRET

CASES = ROOT / "tests" / "exotel" / "wire" / "cases"
_HOST = b"Host: bot.example.com\r\n"
_ENDPOINTS = (b"sales", b"sales", b"people", b"later")
_LONGEST_QUERY = 40_000


class Maker:
    """Shots of every kind, by a chance. `routes` are the console's paths; `keys` ways into it."""

    def __init__(
        self, chance: random.Random, routes: list[str], keys: list[dict[str, str]]
    ) -> None:
        self._chance = chance
        self._routes, self._keys = routes, keys
        self._serial = 0
        self._queries = [
            each["query"].encode("utf-8", "surrogateescape")
            for name in ("passthru", "hostile")
            for line in (CASES / f"{name}.jsonl").read_text().splitlines()
            for each in [json.loads(line)]
            if len(each["query"]) < _LONGEST_QUERY
        ]
        self._kinds: list[tuple[int, Callable[[], Shot]]] = [
            (20, self._real),
            (25, self._mutated),
            (14, self._odd_headers),
            (8, self._odd_line),
            (8, self._body),
            (8, self._wrong_secret),
            (5, self._pipelined),
            (2, self._slow),
            (10, self._raw),
            (25, self._console),
        ]

    def make(self) -> Shot:
        """The next shot."""
        weights = [weight for weight, _ in self._kinds]
        return self._chance.choices([kind for _, kind in self._kinds], weights)[0]()

    # What requests are made of.

    def _marker(self) -> bytes:
        self._serial += 1
        return b"%08d" % self._serial

    def _query(self, marker: bytes, *, mutations: int = 0) -> bytes:
        query = self._chance.choice(self._queries)
        for _ in range(mutations):
            query = self._mutate(query)
        # What a line can't hold stands escaped, as a client would send it.
        safe = b"".join(
            b"%%%02X" % byte if byte <= 32 or byte == 127 else bytes([byte]) for byte in query
        )
        return b"fz=" + marker + b"z&" + safe[:_LONGEST_QUERY]

    def _target(self, query: bytes, secret: bytes = SECRET.encode()) -> bytes:
        endpoint = self._chance.choice(_ENDPOINTS)
        where = self._chance.random()
        if where < 0.8:
            return b"/passthru/" + endpoint + b"/" + secret + b"?" + query
        return b"/passthru/" + endpoint + b"?" + query + b"&secret=" + secret

    def _line(self, marker: bytes, *, method: bytes = b"GET", mutations: int = 0) -> bytes:
        target = self._target(self._query(marker, mutations=mutations))
        return method + b" " + target + b" HTTP/1.1\r\n"

    def _mutate(self, query: bytes) -> bytes:
        chance = self._chance
        pairs = query.split(b"&")
        at = chance.randrange(len(pairs))
        pair = pairs[at]
        spot = chance.randrange(len(pair) + 1)
        acts: list[Callable[[], bytes | list[bytes]]] = [
            lambda: [*pairs, pair],
            lambda: pairs[:at] + pairs[at + 1 :] or [b""],
            lambda: chance.sample(pairs, len(pairs)),
            lambda: query.replace(b"[", b"%5B").replace(b"]", b"%5D"),
            lambda: query.replace(b"[", b"[[", 1),
            lambda: query.replace(b"%", b"%25"),
            lambda: query.replace(b"=", b"", 1),
            lambda: query.replace(b"&", b";"),
            lambda: [
                *pairs[:at],
                pair[:spot] + chance.choice(_JUNK) + pair[spot:],
                *pairs[at + 1 :],
            ],
            lambda: [*pairs[:at], pair * chance.randrange(2, 50), *pairs[at + 1 :]],
            lambda: query[: chance.randrange(len(query) + 1)],
            lambda: query.swapcase(),
            lambda: [*pairs, b"Stream=" + chance.choice(_JSON)],
            lambda: [*pairs, b"Stream" + b"[a]" * chance.randrange(1, 500) + b"=1"],
            lambda: [*pairs, *(b"p%d=%d" % (n, n) for n in range(chance.randrange(1, 1500)))],
            lambda: [*pairs, b"digits=" + str(10 ** chance.randrange(1, 400)).encode()],
        ]
        made = chance.choice(acts)()
        return made if isinstance(made, bytes) else b"&".join(made)

    # Kinds of shots.

    def _real(self) -> Shot:
        marker = self._marker()
        method = self._chance.choice((b"GET",) * 8 + (b"HEAD", b"POST"))
        return Shot(
            "as captured", (self._line(marker, method=method) + _HOST + b"\r\n",), (marker,)
        )

    def _mutated(self) -> Shot:
        marker = self._marker()
        line = self._line(marker, mutations=self._chance.randrange(1, 5))
        return Shot("mutated query", (line + _HOST + b"\r\n",), (marker,))

    def _odd_headers(self) -> Shot:
        marker = self._marker()
        odd = self._chance.choice(_HEADERS)
        if callable(odd):
            odd = odd(self._chance)
        lines = [_HOST, odd]
        self._chance.shuffle(lines)
        return Shot("odd headers", (self._line(marker) + b"".join(lines) + b"\r\n",), (marker,))

    def _odd_line(self) -> Shot:
        marker = self._marker()
        target = self._target(self._query(marker, mutations=1))
        line = self._chance.choice(_LINES)(target, self._chance)
        return Shot("odd request line", (line + _HOST + b"\r\n",))

    def _body(self) -> Shot:
        marker, chance = self._marker(), self._chance
        body = chance.choice(
            (self._query(marker), chance.choice(_JSON), chance.randbytes(3000), b"")
        )
        kind = chance.choice(_TYPES)
        head = self._line(marker, method=b"POST") + _HOST + b"Content-Type: " + kind + b"\r\n"
        manner = chance.randrange(5)
        if manner == 0:
            sent = b"Content-Length: %d\r\n\r\n" % len(body) + body
        elif manner == 1:  # broken off
            sent = b"Content-Length: %d\r\n\r\n" % (len(body) + 100) + body
        elif manner == 2:
            half = len(body) // 2
            chunks = (
                b"%x;ext=1\r\n" % len(part) + part + b"\r\n"
                for part in (body[:half], body[half:])
                if part
            )
            sent = b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
        elif manner == 3:
            sent = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body
        else:
            sent = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        return Shot("body", (head + sent,), (marker,))

    def _wrong_secret(self) -> Shot:
        marker, chance = self._marker(), self._chance
        secret = chance.choice(
            (
                b"",
                b"x",
                SECRET[:-1].encode(),
                SECRET.upper().encode(),
                b"%00",
                SECRET.encode() + b"%20x",
            )
        )
        target = (
            b"/passthru/" + chance.choice(_ENDPOINTS) + b"/" + secret + b"?" + self._query(marker)
        )
        odd = chance.choice(_HEADERS) if chance.random() < 0.5 else b""
        if callable(odd):
            odd = odd(chance)
        return Shot(
            "wrong secret",
            (b"GET " + target + b" HTTP/1.1\r\n" + _HOST + odd + b"\r\n",),
            refused=True,
        )

    def _pipelined(self) -> Shot:
        made = [self._marker() for _ in range(self._chance.randrange(2, 8))]
        sent = b"".join(self._line(each, mutations=1) + _HOST + b"\r\n" for each in made)
        cut = self._chance.randrange(len(sent))
        return Shot(
            "pipelined", (sent[:cut], sent[cut:]), tuple(made), replies=len(made), pause_s=0.001
        )

    def _slow(self) -> Shot:
        marker = self._marker()
        sent = self._line(marker) + _HOST + b"\r\n"
        cuts = sorted(self._chance.sample(range(1, len(sent)), 8))
        parts = tuple(sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True))
        return Shot("slow", parts, (marker,), pause_s=0.02)

    def _raw(self) -> Shot:
        chance = self._chance
        marker = self._marker()
        sent = bytearray(self._line(marker, mutations=1) + _HOST + b"\r\n")
        manner = chance.randrange(4)
        if manner == 0:
            for _ in range(chance.randrange(1, 8)):
                sent[chance.randrange(len(sent))] = chance.randrange(256)
        elif manner == 1:
            del sent[chance.randrange(len(sent)) :]
        elif manner == 2:
            sent = bytearray(chance.choice(_PROTOCOLS))
        else:
            sent = bytearray(chance.randbytes(chance.randrange(1, 2000)))
        return Shot("raw bytes", (bytes(sent),), replies=0 if manner else 1)

    def _console(self) -> Shot:
        chance = self._chance
        path = chance.choice(self._routes)
        query = self._query(self._marker(), mutations=chance.randrange(4))
        wanted = chance.choice(_ASKED) + chance.choice(_JUNK)
        method = chance.choice(("GET",) * 6 + ("POST", "PUT", "DELETE", "HEAD")).encode()
        query = chance.choice((query, wanted, b"", b"q=" + wanted, b"fields=" + wanted))
        target = path.encode() + (b"?" + query if query else b"")
        if chance.random() < 0.1:
            target = chance.choice((b"/", b"//", b"/../", b"/%2e%2e/", b"/static/../../")) + target
        headers = b"".join(
            f"{name}: {value}\r\n".encode() for name, value in chance.choice(self._keys).items()
        )
        odd = chance.choice(_HEADERS) if chance.random() < 0.2 else b""
        if callable(odd):
            odd = odd(chance)
        body = (
            chance.choice((b"", chance.choice(_JSON), b"csrf=x&a=" + wanted))
            if method == b"POST"
            else b""
        )
        if body:
            headers += b"Content-Length: %d\r\n" % len(body)
        sent = method + b" " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + odd
        return Shot("console", (sent + b"Connection: close\r\n\r\n" + body,), side="console")


_JUNK = (
    b"%", b"%zz", b"%00", b"%0d%0a", b"%c3%28", b"\xff\xfe", b"%u0041", b"<script>", b"'\"`",
    b"{{7*7}}", b"${x}", b"../..", b"%2e%2e%2f", b"\xe2\x80\xae", b"a" * 4000, b"(" * 500,
    b"*" * 200, b"NaN", b"-1", b"99999999999999999999", b"1e309", b"=", b"[]",
    b"[[", b"]", b"null", b"#",
)  # fmt: skip
_JSON = (
    b"{}", b"[]", b"null", b'{"a":', b'{"Status":"completed"}', b'{"Status":{"a":[1,2]}}',
    b"[" * 900, b'{"Status":1e999}', b'{"Status":"\\ud800"}', b'{"a":1,"a":2}', b'"\\u0000"',
)  # fmt: skip
_TYPES = (
    b"application/x-www-form-urlencoded", b"application/json", b"multipart/form-data; boundary=x",
    b"multipart/form-data", b"text/plain; charset=utf-16", b"", b"\xff/\xff",
)  # fmt: skip
_HEADERS: tuple[bytes | Callable[[random.Random], bytes], ...] = (
    b"X-Odd : 1\r\n",
    b"X-Nul: a\x00b\r\n",
    b"X-Folded: a\r\n b\r\n",
    b"X-Empty:\r\n",
    b"no colon at all\r\n",
    b": no name\r\n",
    b"X-High: \xff\xfe\r\n",
    b"X-Bare: a\nX-Line: b\r\n",
    b"X-Return: a\rb\r\n",
    b"Host: other.example.com\r\n",
    b"Host:\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: close, keep-alive\r\n",
    b"Authorization: Basic ////\r\n",
    b"Authorization: Basic\r\n",
    b"X-Forwarded-For: 1.2.3.4, unknown, ::::\r\n",
    b'Forwarded: for="[\r\n',
    b"Cookie: a=b; ; =; \xff\r\n",
    b"Range: bytes=0-\r\n",
    b"Expect: 200-ok\r\n",
    lambda chance: b"".join(b"X-%d: 1\r\n" % n for n in range(chance.choice((50, 300, 3000)))),
    lambda chance: b"X-Long: " + b"a" * chance.choice((9_000, 50_000, 70_000)) + b"\r\n",
)
_LINES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda target, _: b"GET " + target + b"\r\n",
    lambda target, _: b"GET  " + target + b"  HTTP/1.1\r\n",
    lambda target, _: b"get " + target + b" HTTP/1.1\r\n",
    lambda target, _: b"G\x00T " + target + b" HTTP/1.1\r\n",
    lambda target, _: b"GET " + target + b" HTTP/9.9\r\n",
    lambda target, _: b"GET " + target + b" HTTP/1.0\r\n",
    lambda target, _: b"GET http://bot.example.com" + target + b" HTTP/1.1\r\n",
    lambda target, _: b"GET " + target + b"#x HTTP/1.1\r\n",
    lambda target, _: b"GET " + target.replace(b"&", b" ", 1) + b" HTTP/1.1\r\n",
    lambda target, _: b"GET " + target.replace(b"/", b"//") + b" HTTP/1.1\r\n",
    lambda target, _: b"\r\n\r\nGET " + target + b" HTTP/1.1\r\n",
    lambda target, _: b"PATCH " + target + b" HTTP/1.1\n",
    lambda target, chance: (
        b"GET " + target + b"a" * chance.choice((30_000, 70_000)) + b" HTTP/1.1\r\n"
    ),
    lambda target, chance: b"GET " + target + chance.randbytes(20) + b" HTTP/1.1\r\n",
)
_PROTOCOLS = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"\x16\x03\x01" + struct.pack(">H", 200) + bytes(200),
    b"SSH-2.0-attack\r\n",
    b"\x00" * 50,
    b"\r\n" * 500,
    b"GET",
    b"*3\r\n$3\r\nSET\r\n",
    b"CONNECT bot.example.com:443 HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
)
_ASKED = (
    b"since=", b"until=", b"limit=", b"cursor=", b"cause=", b"status=", b"call_sid=", b"endpoint=",
    b"option=", b"format=", b"step=", b"facet=", b"next=", b"error:", b"from:", b"bot:", b"!cause:",
)  # fmt: skip
