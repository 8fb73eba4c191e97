"""The names that expressions may hold, and which one was meant by another."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from switchhook.rules.variables import FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.rules.variables import Variable

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map", "has"})
FUNCTIONS = [
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "size",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "duration",
    "timestamp",
    "type",
    "dyn",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
]
FUNCTIONS += sorted(MACROS)
MEANT = {
    "=": "to compare, write ==",
    "and": "write &&",
    "AND": "write &&",
    "&": "write &&",
    "or": "write ||",
    "OR": "write ||",
    "|": "write ||",
    "not": "write !",
    "True": "write true",
    "False": "write false",
    "None": 'an absent text is ""',
    "null": 'an absent text is ""',
    ">": "not equal is !=",
    "“": 'use plain quotes: "',
    "”": 'use plain quotes: "',
    "‘": 'use plain quotes: "',
    "’": 'use plain quotes: "',
}


def nearest(name: str, variables: Mapping[str, Variable]) -> str:
    """The name that was probably meant, else those that there are."""
    if name in MEANT:
        return MEANT[name]
    folded = {known.lower(): known for known in variables}
    if name.lower() in folded:
        return f"did you mean {folded[name.lower()]}?"
    group, _, last = name.lower().rpartition(".")
    groups = sorted({name.partition(".")[0] for name in variables if "." in name})
    if not group:
        known = [v for v in variables if v.startswith(last + ".")]
        close = get_close_matches(last, [v.rpartition(".")[2] for v in variables], n=1, cutoff=0.8)
        if close and not known:
            known = [v for v in variables if v.rpartition(".")[2] == close[0]]
        return f"known: {', '.join(known)}" if known else f'a text stands in quotes: "{name}"'
    if group not in groups:
        group = next(iter(get_close_matches(group, groups, n=1)), "")
    known = [v for v in variables if v.startswith(group + ".")] if group else []
    words = {v.partition(".")[2]: v for v in known}
    close = get_close_matches(last, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {words[close[0]]}?"
    if name.lower().startswith(FLAGS):
        declares = f"[{name}] in the configuration declares it, with its kind and default"
        return f"known: {', '.join(known)}; {declares}" if known else declares
    return f"known: {', '.join(known)}" if known else f"names start with {', '.join(groups)}"


def nearest_function(name: str) -> str:
    """The function that was probably meant."""
    folded = {known.lower(): known for known in FUNCTIONS} | {"len": "size"}
    close = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]}?" if close else "see docs/rules.md for what there is"
