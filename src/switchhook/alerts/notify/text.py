"""Messages as plain text that no service can take for anything else.

What comes from outside (the host of a bot, an account's name) may hold control characters, text
that runs from right to left, or what Slack, Teams, mail or Telegram take for markup, a link or a
call to everybody. All of it is shown, none of it does anything.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from switchhook.exotel.phone_numbers import holds_number, mask_text
from switchhook.exotel.times import EPOCH

if TYPE_CHECKING:
    from switchhook.alerts.message import Message

_LATE_S = 60
LONGEST_TITLE, LONGEST_LINE, LONGEST_BODY = 200, 400, 2_000
_LOOKALIKES = str.maketrans(
    {
        "<": "‹",
        ">": "›",
        "&": "＆",
        "@": "＠",
        "[": "［",
        "]": "］",
        "*": "∗",
        "`": "'",
        "~": "∼",
        "|": "¦",
        "\\": "＼",
    }
)
_LINKED = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2,})")
_HOST = re.compile(r"[('\"]*(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9-]+(?::[0-9]{1,5})?[),.;:'\"]*")
_LOCAL_PATH = re.compile(r"[('\"]*/[\w./-]*[),.;:'\"]*")
_WORDS = re.compile(r"(\s+)")
_SCHEME = re.compile(r":(?=//)")
_AT_START = re.compile(r"^(\s*)([#>=+-]|[0-9]+[.)])(?=\s)")
_JOINERS = "\u200c\u200d"  # Indian scripts need them
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def harmless(text: str, *, numbers: bool = False) -> str:
    r"""One line that shows everything and does nothing; without `numbers` those are masked.

    What can't be seen appears as `\u202e` and the like, what could be markup as a look-alike, and
    the dots of what could become a link between brackets: `bot(.)example/x`. The name of a host is
    whole, as is a file's path on this machine: they are there to be copied, and a link to a host
    says where it leads.
    """
    text = text if numbers else mask_text(text)
    words = (w if _is_whole(w) else _LINKED.sub("(.)", w) for w in _WORDS.split(text))
    text = _SCHEME.sub("∶", "".join(words))
    text = _AT_START.sub(r"\1·\2", text)
    shown = text.translate(_LOOKALIKES)
    return "".join(_visible(c) for c in shown)


def _is_whole(word: str) -> bool:
    return bool(_HOST.fullmatch(word) or (_LOCAL_PATH.fullmatch(word) and "//" not in word))


def _visible(c: str) -> str:
    if c not in _JOINERS and unicodedata.category(c) in _HIDDEN:
        # With the look-alike of the backslash, so that nothing unescapes it.
        return c.encode("unicode_escape", "backslashreplace").decode("ascii").replace("\\", "＼")
    return c


def compose(
    message: Message, *, url: str, zone: str, on_it: str = "/alerts", late_s: float = 0.0
) -> tuple[str, str]:
    """The title and the body of a message; `url` is the console's, empty where it has none.

    `on_it` is the path by which one says that one is on it, `late_s` how old the message is.
    """
    mark = f"{message.severity.value}: " if message.say.asks else ""
    title = _cut(mark + harmless(message.title), LONGEST_TITLE)
    lines = [_cut(harmless(line), LONGEST_LINE) for line in message.lines]
    if message.tell:  # the operator's own words, which are there to be called, or written to
        shown = "".join(map(_visible, message.tell))
        lines.append(_cut(f"Tell {shown}.", LONGEST_LINE))
    if message.since_ms is not None:
        lines.append(f"Since {_time(message.since_ms, zone)}.")
    if message.unknown_ms is not None:
        lines.append(f"Not known since {_time(message.unknown_ms, zone)}: its node is away.")
    if late_s >= _LATE_S:
        lines.insert(0, f"Late: so it was at {_time(message.at_ms, zone)}.")
    which = f", message {message.id}" if message.id else ""
    ending = [
        f"Switchhook, {_time(message.at_ms, zone)}{which}",
        *_links(message, url.rstrip("/"), on_it),
    ]
    return title, _cut("\n".join(lines), LONGEST_BODY) + "\n\n" + "\n".join(ending)


def _links(message: Message, url: str, on_it: str) -> list[str]:
    if not url:
        return []
    found = []
    if message.streams and not holds_number(message.streams):  # a bot's host may hold one
        found.append(f"The streams: {url}/streams?{urlencode({'q': message.streams})}")
    if message.issue:
        found.append(f"The issue: {url}/causes/{quote(message.issue)}")
    return [
        *found,
        f"I am on it: {url}{on_it}" if message.say.asks else f"{url}{message.page or '/alerts'}",
    ]


def _time(at_ms: int, zone: str) -> str:
    local = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))
    return f"{local:%d %b %H:%M:%S %Z}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
