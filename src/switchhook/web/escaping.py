"""Text from outside made harmless to look at: nothing in it acts, moves or hides on a page."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from markupsafe import Markup, escape

_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # seen as nothing
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidi
    "\ud800-\udfff"  # half characters
    "\U000e0000-\U000e007f]"  # tags
    "|(?<=[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"  # towers
)
"""ZWJ and ZWNJ stay: Devanagari and Tamil are not written right without them."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    r"""The text with every control, bidi and invisible character as `\u202e`."""
    return _ACTING.sub(lambda found: _code(found[0]), text)


def _code(character: str) -> str:
    number = ord(character)
    named = _NAMED.get(character)
    if named is not None:
        return named
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def visible(value: object, longest: int = 500, *, lines: bool = False) -> Markup:
    """A value as HTML: escaped, what would act shown as its code, cut to `longest` characters.

    `lines` keeps line breaks, for texts that we made.
    """
    text = str(value)
    cut = text[:longest]
    more = "…" if len(text) > longest else ""
    if _ACTING.search(cut) is None:
        return Markup(f"<bdi>{escape(cut)}{more}</bdi>")  # noqa: S704 - it has just been escaped
    parts = []
    at = 0
    for found in _ACTING.finditer(cut):
        parts.append(escape(cut[at : found.start()]))
        kept = lines and found[0] == "\n"
        code = Markup('<span class="ctl">{}</span>').format(_code(found[0]))
        parts.append(Markup("\n") if kept else code)
        at = found.end()
    parts.append(escape(cut[at:] + more))
    return Markup("<bdi>{}</bdi>").format(Markup("").join(parts))


def may_link(url: str | None, hosts: tuple[str, ...]) -> bool:
    """Whether a URL from outside may be clicked: https, its host on the operator's list, no login.

    A host of the list that begins with `*.` stands for every name below it.
    """
    if not url or _ACTING.search(url) or any(c in url for c in " \\"):
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        allowed = parts.scheme == "https" and parts.username is None and parts.port in (None, 443)
    except ValueError:
        return False
    return allowed and any(
        host == each.lower() or (each.startswith("*.") and host.endswith(each[1:].lower()))
        for each in hosts
    )
