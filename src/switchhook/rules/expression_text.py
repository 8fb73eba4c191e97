"""The text of an expression: its words, what can be told from them, and errors in plain words.

The runtime tells what is wrong in the words of its parser. Here they become sentences, with the
nearest name or the operator that was meant. Checks look at words and never at raw text, so that
nothing inside a quoted text or a comment sets one off.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from switchhook.rules.known_names import FUNCTIONS, MACROS, MEANT, nearest, nearest_function
from switchhook.rules.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.rules.variables import Variable

__all__ = [
    "MACROS",
    "Argument",
    "DottedName",
    "ExpressionProblem",
    "Token",
    "bare_clock_calls",
    "constant_arguments",
    "explain",
    "has_on_variables",
    "names_in",
    "nested_and",
    "tokens",
]

_CLOCK = {
    "getHours": "local.hour",
    "getMinutes": "local.minute",
    "getDayOfWeek": "local.weekday",
    "getDate": "local.date",
    "getDayOfMonth": "local.date",
    "getDayOfYear": "local.date",
    "getMonth": "local.date",
    "getFullYear": "local.date",
}

_TOKEN = re.compile(
    r"""
    (?P<blank> \s+ | //[^\n]* )
  | (?P<quoted>
        (?: [bB]?[rR] ) (?: \"{3} (?s:.*?) \"{3} | '{3} (?s:.*?) '{3} | "[^"\n]*" | '[^'\n]*' )
      | [bB]? (?: \"{3} (?: \\. | [^\\] )*? \"{3} | '{3} (?: \\. | [^\\] )*? '{3}
                | " (?: \\. | [^"\\\n] )* " | ' (?: \\. | [^'\\\n] )* ' ) )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<number> [0-9][0-9A-Za-z_]* (?: \.[0-9]+ (?: [eE][+-]?[0-9]+ )? )? )
  | (?P<sign> && | \|\| | [=!<>]= | . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One word of an expression; `start` counts characters from 0, `line` and `column` from 1."""

    kind: str
    text: str
    start: int
    line: int
    column: int


class ExpressionProblem(NamedTuple):
    """What is wrong with an expression, where in it (both from 1), and how to mend it."""

    line: int
    column: int
    text: str
    hint: str = ""


class Argument(NamedTuple):
    """The part of an expression that is handed to a function."""

    function: str
    text: str
    line: int
    column: int


def tokens(text: str) -> list[Token]:
    """Take an expression apart into words, without blanks and comments; total."""
    found, line, line_start = [], 1, 0
    for match in _TOKEN.finditer(text):
        kind, word, start = match.lastgroup or "sign", match[0], match.start()
        if kind != "blank":
            found.append(Token(kind, word, start, line, start - line_start + 1))
        if "\n" in word:
            line += word.count("\n")
            line_start = start + word.rfind("\n") + 1
    return found


class DottedName(NamedTuple):
    """A dotted name as it stands in the text: `stream . status` is `stream.status`."""

    text: str
    names: tuple[Token, ...]
    at: int

    @property
    def after(self) -> int:
        """The place of the word that follows."""
        return self.at + 2 * len(self.names) - 1


def _chains(parts: Sequence[Token]) -> Iterator[DottedName]:
    at = 0
    while at < len(parts):
        if parts[at].kind != "name":
            at += 1
            continue
        start, names = at, [parts[at]]
        at += 1
        while at + 1 < len(parts) and parts[at].text == "." and parts[at + 1].kind == "name":
            names.append(parts[at + 1])
            at += 2
        yield DottedName(".".join(name.text for name in names), tuple(names), start)


def names_in(
    parts: Sequence[Token], variables: Mapping[str, Variable] = VARIABLES
) -> frozenset[str]:
    """All variables that may be meant; too many would do no harm."""
    found = set()
    for chain in _chains(parts):
        before = parts[max(0, chain.at - 2) : chain.at]
        if [token.text for token in before][1:] == ["."] and before[0].text in (")", "]", "}"):
            continue  # a field of the value in front
        words = chain.text.split(".")
        found |= {".".join(words[:n]) for n in range(1, len(words) + 1)}
    return frozenset(found & variables.keys())


def nested_and(parts: Sequence[Token]) -> bool:
    """Whether an && stands inside brackets."""
    depth = 0
    for token in parts:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth and token.text == "&&":
            return True
    return False


def has_on_variables(
    parts: Sequence[Token], variables: Mapping[str, Variable] = VARIABLES
) -> Iterator[ExpressionProblem]:
    """Every has() on a variable: it would give the variable itself, not whether it is there."""
    for chain in _chains(parts):
        before = [token.text for token in parts[max(0, chain.at - 3) : chain.at]]
        start = chain.at - 2
        if before[-1:] == ["."]:  # .stream.status is stream.status too
            before.pop()
            start -= 1
        variable = variables.get(chain.text)
        if variable is None or before[-2:] != ["has", "("]:
            continue
        place = parts[start]
        instead = f"use {variable.present_if}" if variable.present_if else "it always has a value"
        problem = f"has({chain.text}) does not tell whether there is one"
        yield ExpressionProblem(place.line, place.column, problem, instead)


def bare_clock_calls(parts: Sequence[Token]) -> Iterator[ExpressionProblem]:
    """Every call such as now.getHours() without a zone, which is UTC and rarely meant so."""
    texts = [token.text for token in parts]
    for at, token in enumerate(parts):
        if token.text != "now" or texts[at - 1 : at] == ["."]:
            continue
        after = at + 1
        while texts[after : after + 1] == [")"]:
            after += 1
        dot, call, *brackets = (texts[after : after + 4] + [""] * 4)[:4]
        if dot == "." and call in _CLOCK and brackets == ["(", ")"]:
            problem = f"now.{call}() is in UTC"
            hint = f'use {_CLOCK[call]}, or name a zone: now.{call}("Asia/Kolkata")'
            yield ExpressionProblem(token.line, token.column, problem, hint)


def constant_arguments(parts: Sequence[Token], text: str) -> Iterator[Argument]:
    """Patterns of matches(), zones of getHours() and the like, texts of timestamp(), duration()."""
    for at, token in enumerate(parts[:-1]):
        clock = token.text.startswith("get")
        made = token.text in ("timestamp", "duration")
        if not (clock or made or token.text == "matches") or parts[at + 1].text != "(":
            continue
        method = at > 0 and parts[at - 1].text == "."
        given = _arguments(parts, at + 2)
        if made and (method or len(given) != 1 or [each.kind for each in given[0]] != ["quoted"]):
            continue
        if not method and (clock or len(given) != 2) and not made:  # matches(text, pattern)
            continue
        if given and given[-1]:
            first, last = given[-1][0], given[-1][-1]
            source = text[first.start : last.start + len(last.text)]
            yield Argument(token.text, source, first.line, first.column)


def _arguments(parts: Sequence[Token], at: int) -> list[list[Token]]:
    given: list[list[Token]] = [[]]
    depth = 0
    for token in parts[at:]:
        if token.text in (")", "]", "}") and depth == 0:
            return given
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == "," and depth == 0:
            given.append([])
        else:
            given[-1].append(token)
    return given


_ERROR = re.compile(r"^(?:[A-Z_]+: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_FIELDS = re.compile(r"expression of type '([^']*)' cannot be the operand of a select")
_UNEXPECTED = re.compile(
    r"Syntax error: (?:token recognition error at: |(?:mismatched|extraneous) input )'(.*?)'?"
    r"(?: expecting .*| \[INVALID_ARGUMENT\])?$"
)
_SIGNS = {"_?_:_": "? :", "_[_]": "[ ]"}


def explain(
    error: str, text: str, variables: Mapping[str, Variable] = VARIABLES
) -> list[ExpressionProblem]:
    """Turn the runtime's refusal of an expression into problems; at least one."""
    found = [(int(line), int(column), words) for line, column, words in _ERROR.findall(error)]
    if not found or "ecursion" in error:
        if "ecursion" in error:
            return [
                ExpressionProblem(1, 1, "nested too deeply, or too many terms", "split it into two")
            ]
        return [ExpressionProblem(1, 1, f"not an expression: {error.splitlines()[0][:200]}")]
    parts = tokens(text)
    if "Syntax error" in error or "reserved identifier" in error:
        # The parser stumbles on after its first mistake; what follows tells nothing.
        return [_syntax(*found[0], parts)]
    # What holds a mistake is a mistake too, of type *error*: only the first cause is told.
    mistakes = (mistake for mistake in found if "*error*" not in mistake[2])
    return [_mistake(*mistake, parts, variables) for mistake in mistakes]


def _syntax(line: int, column: int, words: str, parts: Sequence[Token]) -> ExpressionProblem:
    if "'<EOF>'" in words and "missing" in words:
        return ExpressionProblem(line, column, "a bracket is not closed")
    if "mismatched input '<EOF>'" in words or "no viable alternative" in words:
        hint = "is a bracket open?" if "')'" in words and "'('" not in words else ""
        return ExpressionProblem(line, column, "the expression ends too early", hint)
    if "reserved identifier" in words:
        name = words.rpartition(" ")[2]
        return ExpressionProblem(line, column, f'"{name}" is a reserved word of CEL')
    unexpected = _UNEXPECTED.search(words)
    if unexpected is None:
        return ExpressionProblem(line, column, words.removeprefix("Syntax error: ")[:200])
    word = unexpected[1].strip()
    if word[:1] in ('"', "'") and "token recognition" in words:
        if (line, column) in {(t.line, t.column) for t in parts if t.kind == "quoted"}:
            hint = "double each \\, or write the text raw: r'…'"
            return ExpressionProblem(line, column, "this text holds a \\ with no meaning", hint)
        return ExpressionProblem(
            line, column, "a text that starts here does not end", "quotes come in pairs"
        )
    if word in (")", "]", "}"):
        return ExpressionProblem(line, column, f'"{word}" closes nothing')
    before = [token.text for token in parts if (token.line, token.column) < (line, column)]
    hint = MEANT.get(word, "") or (MEANT.get(before[-1], "") if before[-1:] == ["not"] else "")
    return ExpressionProblem(
        line, column, f'unexpected "{word[:40] or ascii(unexpected[1])[1:-1]}"', hint
    )


def _mistake(
    line: int,
    column: int,
    words: str,
    parts: Sequence[Token],
    variables: Mapping[str, Variable],
) -> ExpressionProblem:
    undeclared = _UNDECLARED.match(words)
    if undeclared:
        return _unknown(undeclared[1], line, column, parts, variables)
    overload = _OVERLOAD.match(words)
    if overload:
        function = _SIGNS.get(overload[1]) or overload[1].strip("@_")
        types = overload[2].replace("null_type", "null")
        hint = 'write a list: in ["…"]' if function == "in" and "list" not in types else ""
        return ExpressionProblem(
            line, column, f"{function} does not work on ({types})", hint or _conversion(types)
        )
    fields = _FIELDS.match(words)
    if fields:
        return ExpressionProblem(line, column, f"a value of type {fields[1]} has no fields")
    return ExpressionProblem(line, column, (words[:1].lower() + words[1:])[:200])


def _conversion(types: str) -> str:
    given = types.split(", ")
    if given == ["int", "double"]:
        return "write the number without a point: 5"
    if "list(" in types:
        given = [each.removeprefix("list(").removesuffix(")") for each in given]
    kinds = set(given)
    if kinds == {"double", "int"}:
        return "write the number with a point: 5.0"
    if "null" in kinds:
        return 'an absent text is ""'
    if kinds == {"string", "int"}:
        return 'a text stands in quotes, a number does not; int("5") and string(5) convert'
    if kinds == {"string", "bool"}:
        return "true and false stand without quotes, a text stands in quotes"
    if kinds == {"int", "bool"}:
        return "true and false are no numbers"
    if kinds == {"google.protobuf.Timestamp", "string"}:
        return 'write the time as timestamp("2026-11-23T00:00:00+05:30")'
    return ""


def _unknown(
    name: str,
    line: int,
    column: int,
    parts: Sequence[Token],
    variables: Mapping[str, Variable],
) -> ExpressionProblem:
    """An unknown name, at its first letter; the runtime points at its last dot or bracket."""
    last = name.rpartition(".")[2]
    for chain in _chains(parts):
        first, end = chain.names[0], chain.names[-1]
        follows = [token.text for token in parts[chain.after : chain.after + 1]]
        if first.line != line or not first.column <= column <= end.column + len(end.text):
            continue
        if end.text == last and follows == ["("]:
            if name in FUNCTIONS:
                return ExpressionProblem(
                    end.line, end.column, f"{name}() does not take what it is given"
                )
            hint = nearest_function(name)
            return ExpressionProblem(end.line, end.column, f'unknown function "{name}"', hint)
        if chain.text == name or chain.text.startswith(name + "."):
            return ExpressionProblem(
                first.line, first.column, f'unknown name "{name}"', nearest(name, variables)
            )
    return ExpressionProblem(line, column, f'unknown name "{name}"', nearest(name, variables))
