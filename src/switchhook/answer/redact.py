"""Secrets in a raw request, replaced by keyed fingerprints before it is kept or ruled on.

Works on the raw bytes, whatever their encoding, so that nothing has to be parsed first and
everything else stays as it came: the endpoint's secret, values of `secret=`, credentials in URLs
(`wss://user:pass@…`, `?token=…`), and the earlier passthru URL that Exotel echoes in `passthru`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from switchhook.answer.secret_signs import (
    AT,
    PASSTHRU,
    QUOTE,
    SECRET,
    find_ws,
    signs_of,
    standing_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_PERCENT = rb"%(?:25)*"
_COLON = rb"(?::|" + _PERCENT + rb"3[Aa])"
_SLASH = rb"\\{0,2}(?:" + _PERCENT + rb"5[Cc]){0,2}(?:/|" + _PERCENT + rb"2[Ff])"
_EQUALS = rb"(?:=|" + _PERCENT + rb"3[Dd])"
_START = rb"(?i)((?:wss?|https?)" + _COLON + _SLASH + _SLASH + rb")"
# User info: up to the last `@` before anything that would end the authority.
_USER_INFO = re.compile(
    _START + rb"((?:[^/?#&\"'\s<>%]|%(?!(?:25)*(?:2f|3f|23|22))){1,1024})(?=@|" + _PERCENT + rb"40)"
)
# A whole WebSocket URL: in a query it ends at the `&`, in a JSON string at the quote. Both always
# match to its end, so that no part of it is looked at twice.
_URL = re.compile(rb"(?i)wss?" + _COLON + _SLASH + _SLASH + rb"[^&\"\s]*")
_URL_IN_JSON = re.compile(rb"(?i)(?<=\")wss?:" + _SLASH + _SLASH + rb'[^"]*')
_SECRET_NAMES = (
    rb"(?:[a-z0-9_.-]{0,32}(?:token|secret|password|passwd|signature|credential|api[_-]?key)s?"
    rb"|access[_-]?key|authorization|auth|pass|pwd|sig|key)"
)
_URL_SECRET = re.compile(
    rb"(?i)((?:\?|&|" + _PERCENT + rb"(?:3f|26))" + _SECRET_NAMES + _EQUALS + rb")"
    rb"((?:[^&#\"'\s%}]|'(?!\s*(?:[,}\]]|\Z))|%(?!(?:25)*(?:26|23|22|7d)))+)"
)
_SECRET_NAME = re.compile(rb"(?i)" + _SECRET_NAMES)
_BLANKS = rb"(?:%0[AaDd]|\s){0,16}"
_PASSTHRU = re.compile(rb"(?i)((?:\A|[&?;])" + _BLANKS + rb"passthru=)([^&]*)")
_PASSTHRU_JSON = re.compile(rb'(?i)("passthru"\s{0,16}:\s{0,16})("(?:[^"\\]|\\.)*")')
_PASSTHRU_PART = re.compile(
    rb'(?i)(name="?passthru"?[^\r\n]{0,200}(?:\r?\n[^\r\n]{1,200}){0,4}\r?\n\r?\n)([^\r\n]*)'
)
_SECRET_PARAMETER = re.compile(rb"(?i)((?:\A|[&?;])" + _BLANKS + rb"secret=)([^&;]*)")
PREFIX = b"fp_"
"""What a fingerprint starts with."""
_MARK = re.compile(rb'"?' + PREFIX + rb'[0-9a-f]{16}"?')
_JSON_GOES_ON = re.compile(rb'"\s*(?:[,}\]]|\Z)')


def is_secret_name(name: str) -> bool:
    """Whether a parameter of a URL is taken for a secret, by its name."""
    return _SECRET_NAME.fullmatch(name.encode(errors="replace")) is not None


class Literals:
    """Texts to be looked for in a request, in a time that does not grow with their number.

    Of a request a piece of `PIECE` bytes is looked at each so many bytes, so few that whatever text
    stands in it has one of those pieces whole; so a request of whose pieces no text has any has
    none of the texts. Few texts are looked for one by one, and so are short ones.
    """

    PIECE, FEW = 8, 8

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = list(dict.fromkeys(texts))
        long = [each for each in self._texts if len(each) >= 2 * self.PIECE - 1]
        if len(long) <= self.FEW:
            long = []
        self._alone = [each for each in self._texts if each not in set(long)]
        shortest = min(map(len, long), default=0)
        self._every = max(1, (shortest - self.PIECE + 1) // self.PIECE)
        """Of how many pieces one is looked at: a text reaches over so many, and one more."""
        self._pieces = frozenset(
            int.from_bytes(each[at : at + self.PIECE], sys.byteorder)
            for each in long
            for at in range(len(each) - self.PIECE + 1)
        )

    def in_(self, raw: bytes) -> list[bytes]:
        """Those that stand in a request, in their order; nearly always none."""
        texts = self._alone
        if self._pieces:
            whole = len(raw) - len(raw) % self.PIECE
            pieces = memoryview(raw)[:whole].cast("Q")[:: self._every]
            texts = self._alone if self._pieces.isdisjoint(pieces) else self._texts
        return standing_in(raw, texts)


class Redactor:
    """Replaces secrets by fingerprints, keyed so that nobody without the key can try them out.

    Bots have few addresses, and most calls say one that came before: those in which nothing is
    secret are remembered, `MOST` of them at most.
    """

    MOST, LONGEST = 256, 512

    def __init__(self, key: bytes, secrets: Iterable[str] = ()) -> None:
        self._key = key
        self._literals = Literals(
            form.encode() for secret in secrets for form in (secret, quote(secret, safe=""))
        )
        self._harmless: set[bytes] = set()

    def __call__(self, raw: bytes) -> bytes:
        """The request text without its secrets; most have none and come back as they are."""
        for literal in self._literals.in_(raw):
            raw = raw.replace(literal, self.fingerprint(literal))
        signs, at = signs_of(raw)
        if signs & AT:
            raw = _USER_INFO.sub(self._replace, raw)
            at = find_ws(raw, 0)
        if at >= 0:
            raw = self._redact_urls(raw, at)
            if signs & QUOTE:
                raw = _URL_IN_JSON.sub(self._redact_url, raw)
        if signs & SECRET:
            raw = _SECRET_PARAMETER.sub(self._replace_parameter, raw)
        if signs & PASSTHRU:
            for pattern in (_PASSTHRU, _PASSTHRU_JSON, _PASSTHRU_PART):
                raw = pattern.sub(self._replace, raw)
        return raw

    def fingerprint(self, secret: bytes) -> bytes:
        """The same text has the same fingerprint, in one data folder."""
        digest = hashlib.blake2b(secret, key=self._key, digest_size=8).hexdigest()
        return PREFIX + digest.encode()

    def _redact_urls(self, raw: bytes, at: int) -> bytes:
        """As `_URL.sub` has it, which would try each byte; `at` is the place of the first `ws`."""
        parts, done, harmless = [], 0, self._harmless
        while at >= 0:
            found = _URL.match(raw, at)
            end = at + 1 if found is None else found.end()
            if found is not None and found[0] not in harmless:
                cleaned = self._redact_url(found) if _may_say(found[0]) else found[0]
                if cleaned != found[0]:
                    parts += [raw[done:at], cleaned]
                    done = end
                elif end - at <= self.LONGEST:
                    if len(harmless) >= self.MOST:
                        harmless.clear()
                    harmless.add(cleaned)
            at = find_ws(raw, end)
        return b"".join([*parts, raw[done:]]) if parts else raw

    def _redact_url(self, found: re.Match[bytes]) -> bytes:
        return _URL_SECRET.sub(self._replace, found[0])

    def _replace(self, found: re.Match[bytes]) -> bytes:
        head, secret = found[1], found[2]
        if not secret or _MARK.fullmatch(secret):
            return found[0]
        quoted = secret[:1] == secret[-1:] == b'"'
        mark = self.fingerprint(secret)
        return head + (b'"' + mark + b'"' if quoted else mark)

    def _replace_parameter(self, found: re.Match[bytes]) -> bytes:
        """The same; of one whose beginning was taken for that of a URL's the rest is secret too.

        What comes behind such a URL in JSON is not.
        """
        head, secret = found[1], found[2]
        if not secret.startswith(PREFIX):
            return self._replace(found)
        end = _JSON_GOES_ON.search(secret)
        secret, rest = (
            (secret, b"") if end is None else (secret[: end.start()], secret[end.start() :])
        )
        return head + (secret if _MARK.fullmatch(secret) else self.fingerprint(secret)) + rest


def _may_say(url: bytes) -> bool:
    """Whether a URL has what a secret of it stands behind: `?` or `&`, escaped once or twice."""
    find = url.lower().find
    return find(b"?") >= 0 or find(b"3f") >= 0 or find(b"26") >= 0
