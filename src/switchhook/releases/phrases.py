"""Whom a rule is about, in words: `throttled callers from flow 12`. Pure.

Common comparisons have words; what has none stands as it is written, between backquotes. Telephone
numbers are masked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from switchhook.exotel.phone_numbers import mask_text
from switchhook.rules.expression_text import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.rules.expression_text import Token

ALL = "all callers"
_CAUSES = {
    "throttled": "who were throttled",
    "connect_failed": "whose bot was not reached",
    "bot_dropped": "whom the bot dropped",
    "caller_left_early": "who left early",
    "caller_left": "who left",
    "bot_done": "whose bot was done",
    "ended_by_system": "whose stream the system ended",
    "running": "whose stream runs",
    "no_stream": "who had no stream",
    "unknown": "whose stream ended unclearly",
}
_DIRECTIONS = {"inbound": "who called", "outbound": "who were called"}
_ENDED_BY = {"bot": "whom the bot left", "user": "who hung up"}
_STATUS = {
    "failed": "whose stream failed",
    "completed": "whose stream completed",
    "cancelled": "whose stream was cancelled",
    "in-progress": "whose stream runs",
}

_TEXTS: dict[str, Callable[[str], str]] = {
    "stream.cause": lambda said: _CAUSES.get(said, f"with cause {said}"),
    "stream.status": lambda said: _STATUS.get(said, f"with stream status {said}"),
    "stream.disconnected_by": lambda said: _ENDED_BY.get(said, f"disconnected by {said}"),
    "stream.error_kind": lambda said: f"with stream error {said}",
    "call.direction": lambda said: _DIRECTIONS.get(said, f"with direction {said}"),
    "call.flow_id": lambda said: f"from flow {said}",
    "call.digits": lambda said: f"who pressed {said}" if said else "who pressed nothing",
    "call.from": lambda said: f"from {said}" if said else "without a number",
    "call.to": lambda said: f"who called {said}",
    "call.status": lambda said: f"with call status {said}",
    "call.dial_status": lambda said: f"with dial status {said}" if said else "who were not dialled",
    "local.weekday": lambda said: f"on {said.capitalize()}",
    "local.date": lambda said: f"on {said}",
}
"""What a variable says that is a text, by the text."""

_NUMBERS = {
    "stream.duration": ("after", "s of stream"),
    "call.dial_duration": ("after", "s of dialling"),
    "stream.error_code": ("with", "as the error's code"),
    "account.active": ("while", "streams are in use"),
    "account.headroom": ("while", "streams are left"),
    "account.allowed": ("while", "streams are allowed"),
    "account.age": ("when that is known for", "s"),
    "call.legs": ("after", "tries to reach somebody"),
    "local.hour": ("when the hour is", ""),
}
_COMPARED = {
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
    "==": "",
    "!=": "other than",
}
_FACTS = {
    "stream.present": ("who had a stream", "who had no stream"),
    "account.known": ("while the account's streams are known", "while they are not known"),
    "account.limit_known": ("while the account's limit is known", "while it is not known"),
}
_BEGINS = {"startsWith": "beginning with", "endsWith": "ending in", "contains": "with"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def callers_words(when: str) -> str:
    """Whom an expression is true for."""
    words = tokens(when)
    if not words:
        return "callers of no kind"
    if [token.text for token in words] == ["true"]:
        return ALL
    said = [_all_of(each, when) for each in _split(words, "||")]
    if len(_split(words, "?")) > 1:
        said = [[f"for whom `{_as_written(words, when)}`"]]
    throttled = _CAUSES["throttled"]
    if len(said) == 1 and throttled in said[0]:  # the commonest, and short
        said[0].remove(throttled)
        return mask_text(" ".join(("throttled callers", *said[0])))
    return mask_text(f"callers {' or '.join(map(' '.join, said))}")


def _all_of(words: Sequence[Token], when: str) -> list[str]:
    """What has words first; what begins alike is joined by an and."""
    said = [_part_words(part, when) for part in _split(words, "&&")]
    said.sort(key=lambda each: each.startswith("for whom"))
    return [
        f"and {each}" if at and each.split()[:1] == said[at - 1].split()[:1] else each
        for at, each in enumerate(said)
    ]


def _split(words: Sequence[Token], sign: str) -> list[list[Token]]:
    """The parts between signs that stand in no bracket."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in words:
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        if depth == 0 and token.text == sign:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _part_words(part: Sequence[Token], when: str) -> str:
    """One condition; a choice between some, in brackets, is one too."""
    inner = _unwrapped(part)
    found = [_known(_unwrapped(each)) for each in _split(inner, "||")]
    if all(found):
        return " or ".join(filter(None, found))
    return f"for whom `{_as_written(part, when)}`"


def _as_written(part: Sequence[Token], when: str) -> str:
    if not part:
        return ""
    text = when[part[0].start : part[-1].start + len(part[-1].text)]
    return re.sub(r"\s+", " ", text)


def _unwrapped(part: Sequence[Token]) -> Sequence[Token]:
    while part and (part[0].text, part[-1].text) == ("(", ")") and _balanced(part[1:-1]):
        part = part[1:-1]
    return part


def _balanced(part: Sequence[Token]) -> bool:
    depth = 0
    for token in part:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            return False
    return depth == 0


def _known(part: Sequence[Token]) -> str | None:
    """The words of one comparison; None where there are none."""
    name, rest = _name(part)
    if not name:
        return _turned(part) or _negated(part)
    if not rest:
        return _fact(name, holds=True)
    sign, *operand = rest
    if sign.text in _COMPARED and len(operand) == 1:
        return _compared(name, sign.text, operand[0])
    if sign.text == "in":
        return _among(name, operand)
    if sign.text == "." and len(operand) == 4 and operand[0].text in _BEGINS:
        return _tested(name, operand)
    return None


def _name(part: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The dotted name that comes first, and what follows; a function's name is none of it."""
    name, at = "", 0
    while at < len(part) and part[at].kind == "name" and part[at].text != "in":
        name = f"{name}.{part[at].text}" if name else part[at].text
        at += 1
        follows = [token.text for token in part[at : at + 3]]
        if follows[:1] != ["."] or follows[2:] == ["("]:
            break
        at += 1
    return name, part[at:]


def _turned(part: Sequence[Token]) -> str | None:
    """`5 > stream.duration`."""
    if len(part) < 3 or part[0].kind not in ("number", "quoted") or part[1].text not in _TURNED:
        return None
    name, rest = _name(part[2:])
    if not name or rest:
        return None
    return _compared(name, _TURNED[part[1].text], part[0])


def _negated(part: Sequence[Token]) -> str | None:
    if not part or part[0].text != "!":
        return None
    name, rest = _name(_unwrapped(part[1:]))
    return _fact(name, holds=False) if name and not rest else None


def _fact(name: str, *, holds: bool) -> str | None:
    if name.startswith("flags."):
        return f"while flag {name.removeprefix('flags.')} is {'on' if holds else 'off'}"
    return _FACTS[name][not holds] if name in _FACTS else None


def _compared(name: str, sign: str, operand: Token) -> str | None:
    if operand.text in ("true", "false") and sign in ("==", "!="):
        return _fact(name, holds=(operand.text == "true") == (sign == "=="))
    if name.startswith("flags."):
        flag = name.removeprefix("flags.")
        return " ".join(filter(None, ("while flag", flag, "is", _COMPARED[sign], operand.text)))
    if operand.kind == "number" and name in _NUMBERS:
        before, after = _NUMBERS[name]
        return " ".join(filter(None, (before, _COMPARED[sign], operand.text, after)))
    said = _quoted(operand)
    if said is None or name not in _TEXTS or sign not in ("==", "!="):
        return None
    words = _TEXTS[name](said)
    return words if sign == "==" else f"but not those {words}"


def _among(name: str, operand: Sequence[Token]) -> str | None:
    if [token.text for token in (*operand[:1], *operand[-1:])] != ["[", "]"]:
        return None
    said = [_quoted(part[0]) if len(part) == 1 else None for part in _split(operand[1:-1], ",")]
    if name not in _TEXTS or not said or None in said:
        return None
    words = [_TEXTS[name](each) for each in said if each is not None]
    first = words[0].split(" ")
    shared = 0
    while all(each.split(" ")[shared : shared + 1] == first[shared : shared + 1] for each in words):
        shared += 1
        if shared >= len(first) - 1:
            break
    head = " ".join(first[:shared])
    tails = [" ".join(each.split(" ")[shared:]) for each in words]
    return " ".join(filter(None, (head, " or ".join(tails))))


def _tested(name: str, operand: Sequence[Token]) -> str | None:
    test, opens, said, closes = operand
    text = _quoted(said)
    if (opens.text, closes.text) != ("(", ")") or text is None:
        return None
    how = _BEGINS[test.text]
    if name == "call.from":
        return f"from numbers {how} {text}"
    if name == "call.to":
        return f"who called numbers {how} {text}"
    return None


def _quoted(token: Token) -> str | None:
    """What a plain text says."""
    found = re.fullmatch(r"""(["'])([^"'\\\n]*)\1""", token.text)
    return found[2] if token.kind == "quoted" and found else None
