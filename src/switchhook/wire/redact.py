"""Secrets in a raw request, replaced by keyed fingerprints before it is kept or ruled on.

Works on the raw bytes, whatever their encoding, so that nothing has to be parsed first and
everything else stays as it came: the endpoint's secret, values of `secret=`, credentials in URLs
(`wss://user:pass@…`, `?token=…`), and the earlier passthru URL that Exotel echoes (platform.md A.4).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_PERCENT = rb"%(?:25)*"
_COLON = rb"(?::|" + _PERCENT + rb"3[Aa])"
_SLASH = rb"\\{0,2}(?:" + _PERCENT + rb"5[Cc]){0,2}(?:/|" + _PERCENT + rb"2[Ff])"
_AT = rb"(?:@|" + _PERCENT + rb"40)"
# User info: up to the first `@`, never past what would end the authority.
_USER_INFO = re.compile(
    rb"(?i)((?:wss?|https?)" + _COLON + _SLASH + _SLASH + rb")"
    rb"((?:[^/?#&\"'\s<>@%]|%(?!(?:25)*(?:2f|3f|40|23|22)))+)(?=" + _AT + rb")"
)
_SECRET_NAMES = (
    rb"(?:[a-z0-9_.-]{0,32}(?:token|secret|password|passwd|signature|credential)"
    rb"|api[_-]?key|access[_-]?key|auth|authorization|apikey|pass|pwd|sig|key)"
)
_EQUALS = rb"(?:=|" + _PERCENT + rb"3[Dd])"
# A parameter inside a URL: after `?` or an escaped `&`, up to the next separator in any encoding.
_URL_SECRET = re.compile(
    rb"(?i)((?:\?|" + _PERCENT + rb"3f|" + _PERCENT + rb"26|&)" + _SECRET_NAMES + _EQUALS + rb")"
    rb"((?:[^&#\"'\s;%}]|%(?!(?:25)*(?:26|23|22|7d)))+)"
)
_PASSTHRU = re.compile(rb"(?i)((?:\A|[&?;])(?:%0[AaDd]|\s)*passthru=)([^&]*)")
_PASSTHRU_JSON = re.compile(rb'(?i)("passthru"\s*:\s*)("(?:[^"\\]|\\.)*")')
_PASSTHRU_PART = re.compile(
    rb'(?i)(name="?passthru"?[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n)([^\r\n]*)'
)
_SECRET_PARAMETER = re.compile(rb"(?i)((?:\A|[&?;])(?:%0[AaDd]|\s)*secret=)([^&;]*)")
_SUSPICIOUS = re.compile(rb"(?i)@|%(?:25)*40|passthru|token|secret|key|pass|pwd|sig|auth|credential")

PREFIX = b"fp_"
"""What a fingerprint starts with."""


class Redactor:
    """Replaces secrets by fingerprints, keyed so that nobody without the key can try them out."""

    def __init__(self, key: bytes, secrets: Iterable[str] = ()) -> None:
        self._key = key
        self._literals = [
            form
            for secret in secrets
            for form in dict.fromkeys((secret.encode(), quote(secret, safe="").encode()))
        ]

    def __call__(self, raw: bytes) -> bytes:
        """The request text without its secrets; most have none and come back as they are."""
        for literal in self._literals:
            if literal in raw:
                raw = raw.replace(literal, self.fingerprint(literal))
        if _SUSPICIOUS.search(raw) is None:
            return raw
        for pattern in (_PASSTHRU, _SECRET_PARAMETER, _PASSTHRU_JSON, _PASSTHRU_PART):
            raw = pattern.sub(self._replace, raw)
        raw = _USER_INFO.sub(self._replace, raw)
        return _URL_SECRET.sub(self._replace, raw)

    def fingerprint(self, secret: bytes) -> bytes:
        """The same text has the same fingerprint, in one data folder."""
        digest = hashlib.blake2b(secret, key=self._key, digest_size=8).hexdigest()
        return PREFIX + digest.encode()

    def _replace(self, found: re.Match[bytes]) -> bytes:
        head, secret = found[1], found[2]
        if not secret or secret.startswith(PREFIX):
            return found[0]
        quoted = secret[:1] == secret[-1:] == b'"'
        mark = self.fingerprint(secret)
        return head + (b'"' + mark + b'"' if quoted else mark)
