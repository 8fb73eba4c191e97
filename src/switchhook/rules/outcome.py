"""What a rule gives, by the kind of its endpoint: which keys it may have, and what they may say.

| kind | keys | what follows |
| --- | --- | --- |
| passthru | `option`, `select` | Option A or B; with A a keyword for a SwitchCase applet |
| | `promise`, `reason`, `class` | beside it, a callback is promised: why, and as which class |
| admit | `option`, `class` | A asks for room as that class; B refuses without asking |
| voicebot | `pool` | the bots that can take the call |
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Option(StrEnum):
    """The two outputs of a Passthru applet."""

    A = "A"
    B = "B"


class EndpointKind(StrEnum):
    """What an endpoint is asked."""

    PASSTHRU = "passthru"
    """Where the caller goes, by a Passthru applet."""
    ADMIT = "admit"
    """Whether there is room, by a Passthru applet before the Voicebot applet."""
    VOICEBOT = "voicebot"
    """Which bot takes the call, by the dynamic URL of a Voicebot or Stream applet."""


ORDINARY = "default"
"""The class of callers whom no rule gives one."""
DEFAULT = "default"
"""What a decision names as its rule when none matched."""
LONGEST_POOL = 64
LONGEST_REASON = 100
"""Of a promise; that of a rule which says none is the rule's name."""
SELECT = re.compile("[A-Za-z0-9_-]{1,64}")
SELECT_HINT = "1 to 64 of A-Z, a-z, 0-9, _ and -, as a SwitchCase applet compares it"
RESERVED = frozenset({"all", "any", "none", "foreign", "unknown"})
"""What pages and metrics call streams that are of no class, or of all."""

LONGEST_CLASS = 32
_CLASS = re.compile(f"[a-z0-9_-]{{1,{LONGEST_CLASS}}}")

KEYS: dict[EndpointKind, tuple[str, ...]] = {
    EndpointKind.PASSTHRU: ("option", "select", "promise", "reason", "class"),
    EndpointKind.ADMIT: ("option", "class"),
    EndpointKind.VOICEBOT: ("pool",),
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule, or the default, gives; the texts are empty where it does not say them.

    The option of a voicebot endpoint's is A: an address is given. `promise` is why a callback is
    promised, `class_` of a passthru endpoint's the one that it is promised as.
    """

    option: Option
    select: str = ""
    pool: str = ""
    class_: str = ""
    promise: str = ""


Complaint = tuple[str, str]
"""A problem, and how to mend it."""


def class_complaint(name: object) -> Complaint | None:
    """What is wrong with the name of a class; None where nothing is."""
    if not isinstance(name, str) or not _CLASS.fullmatch(name):
        hint = f"1 to {LONGEST_CLASS} of a-z, 0-9, _ and -"
        return f"no such class is possible: {str(name)[:40]!r}", hint
    if name in RESERVED:
        hint = f"{', '.join(sorted(RESERVED))} say what is of no class; choose another name"
        return f"class {name!r} is a reserved word", hint
    return None


def read_outcome(
    table: Mapping[str, object], kind: EndpointKind
) -> tuple[Outcome | None, tuple[Complaint, ...]]:
    """What a table of a rules file gives; None beside what is wrong with it."""
    found: list[Complaint] = []
    if kind is EndpointKind.VOICEBOT:
        outcome = Outcome(option=Option.A, pool=_pool(table.get("pool"), found))
    elif kind is EndpointKind.ADMIT:
        option = _option(table.get("option", "A"), found)
        outcome = Outcome(option=option, class_=_class(table.get("class"), option, found))
    else:
        option = _option(table.get("option"), found)
        select = _select(table.get("select"), option, found)
        reason, class_ = _promise(table, found)
        outcome = Outcome(option=option, select=select, class_=class_, promise=reason)
    return (None if found else outcome), tuple(found)


def unknown_keys(
    table: Iterable[str], kind: EndpointKind, others: tuple[str, ...]
) -> tuple[Complaint, ...]:
    """What is wrong with the keys of a rule, or of the default; `others` are known beside these."""
    known = (*others, *KEYS[kind])
    found: list[Complaint] = []
    for key in table:
        if key in known:
            continue
        kinds = [each for each, keys in KEYS.items() if key in keys]
        if kinds:
            problem = f'"{key}" is for rules of kind {" or ".join(kinds)}, these are of kind {kind}'
            found.append((problem, f"{_instead(kind)}, or set kind of the endpoint"))
            continue
        near = difflib.get_close_matches(key.lower(), known, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        found.append((f'unknown key "{key[:40]}"', f"{guess}known: {', '.join(known)}"))
    return tuple(found)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the one that was meant, else those there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names[:20])}" if names else "none is configured"


def _instead(kind: EndpointKind) -> str:
    return {
        EndpointKind.PASSTHRU: 'write option = "A" or "B"',
        EndpointKind.ADMIT: 'write option = "A" or "B", and class = "…" beside A',
        EndpointKind.VOICEBOT: 'write pool = "…"',
    }[kind]


def _option(said: object, found: list[Complaint]) -> Option:
    if isinstance(said, str) and said in ("A", "B"):
        return Option(said)
    problem = "it has no option" if said is None else f"no such option: {str(said)[:40]!r}"
    found.append((problem, 'option = "A" or option = "B"'))
    return Option.B


def _select(said: object, option: Option, found: list[Complaint]) -> str:
    if said is None:
        return ""
    if not isinstance(said, str) or not SELECT.fullmatch(said):
        found.append((f"no such select is possible: {str(said)[:40]!r}", SELECT_HINT))
        return ""
    if option is Option.B:
        hint = 'write option = "A" beside select: a SwitchCase applet stands behind A'
        found.append((f"select {said!r} is never read: B is the applet's other output", hint))
    return said


def _class(said: object, option: Option, found: list[Complaint]) -> str:
    if said is None:
        return ORDINARY if option is Option.A else ""
    if (wrong := class_complaint(said)) is not None:
        found.append(wrong)
        return ""
    if option is Option.B:
        hint = 'remove class, or write option = "A", which asks for room'
        found.append((f"class {said!r} is never used: B refuses without asking for room", hint))
    return str(said)


def _promise(table: Mapping[str, object], found: list[Complaint]) -> tuple[str, str]:
    """Why a callback is promised, and as which class; both empty where none is."""
    promised = table.get("promise", False)
    if not isinstance(promised, bool):
        problem = f"promise is neither true nor false: {str(promised)[:40]!r}"
        found.append((problem, "promise = true, without quotes"))
        return "", ""
    if not promised:
        for key, word in (("reason", "why a callback is promised"), ("class", "of a promise")):
            if key in table:
                more = ', or kind = "admit" of the endpoint' if key == "class" else ""
                hint = f"write promise = true beside it{more}"
                found.append((f'"{key}" says {word}, and none is promised', hint))
        return "", ""
    reason = table.get("reason", table.get("name", DEFAULT))
    if not _is_reason(reason):
        problem = f"no such reason is possible: {str(reason)[:40]!r}"
        hint = f"one line of at most {LONGEST_REASON} printable characters"
        found += [(problem, hint)] if "reason" in table else []
        reason = ""
    return str(reason), _class(table.get("class"), Option.A, found)


def _is_reason(said: object) -> bool:
    return (
        isinstance(said, str)
        and bool(said.strip())
        and len(said) <= LONGEST_REASON
        and said.isprintable()
    )


def _pool(said: object, found: list[Complaint]) -> str:
    hint = 'pool = "…", the name of a [bots.NAME] with members'
    if said is None:
        found.append(("it has no pool", hint))
        return ""
    if not isinstance(said, str) or not 0 < len(said) <= LONGEST_POOL:
        found.append((f"no such pool is possible: {str(said)[:40]!r}", hint))
        return ""
    return unicodedata.normalize("NFC", said)
