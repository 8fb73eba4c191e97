"""A file of rules, checked when it is loaded; `decide` says which option they give a passthru.

A rules file is TOML: any number of `[[rule]]`, each with a name, an expression and an option, and
at its very end a `[default]`, so that a file that was cut short is recognised. The language of
the expressions is `expression`'s business, what they see that of `variables`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

from switchhook.errors import ConfigError, RuleError
from switchhook.rules.decide import DEFAULT, Decision, Option, Rule, Ruleset
from switchhook.rules.expression import Expression, Invalid, chain, check
from switchhook.rules.variables import CHANGING, AccountFacts

if TYPE_CHECKING:
    from switchhook.rules.expression_text import ExpressionProblem

__all__ = [
    "BUILTIN",
    "AccountFacts",
    "Decision",
    "Option",
    "Rule",
    "Ruleset",
    "RulesetError",
    "load_rules",
]

MOST_RULES = 200
LONGEST_FILE = 256 * 1024
"""Bytes of one rules file."""
LONGEST_NAME = 100


_RULE_KEYS = ("name", "when", "option")
_END_OF_FILE = MOST_RULES + 1


class RulesetError(ConfigError):
    """A rules file that doesn't check out: all that is wrong with it, one line each.

    `problems` stand in the order of the file.
    """

    def __init__(self, problems: tuple[RuleError, ...], *, file: str) -> None:
        super().__init__(f"{len(problems)} problems", file=file)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def load_rules(text: str | bytes, *, file: str, strict: bool = False) -> Ruleset:
    """Read and check a rules file; `file` is how messages name it.

    Rules that can't be what was meant are doubts of the ruleset, so that a file which ran before
    a release knew of them goes on running; `strict` refuses them. Raises `RulesetError` with
    everything that is wrong with it.
    """
    whole = _decoded(text, file)
    document = _document(whole, file)
    problems, doubts = _Problems(file, _lines(whole)), _Problems(file, _lines(whole))
    rules, expressions = _rules(document, problems)
    default = _default(document, whole, problems)
    for key in sorted(document.keys() - {"rule", "default"}):
        problems.add(-1, f'unknown key "{key[:40]}"', hint="known: [[rule]] and [default]")
    _unreachable(expressions, problems)
    for place, name, expression in expressions:
        for each in expression.doubts:
            (problems if strict else doubts).add_found(place, name, each)
    if problems.found or default is None:
        raise RulesetError(problems.in_order(), file=file)
    release = hashlib.sha256(whole.encode()).hexdigest()
    reasons = [(rule.option, rule.name, f'rule "{rule.name}" matched') for rule in rules]
    reasons.append((default, DEFAULT, "no rule matched, so the default was taken"))
    return Ruleset(
        rules=tuple(rules),
        default=default,
        text=whole,
        release=release,
        changing=any(expression.names & CHANGING for _, _, expression in expressions),
        blocks=chain([expression for _, _, expression in expressions]),
        decisions=tuple(Decision(option, name, release, why) for option, name, why in reasons),
        doubts=doubts.in_order(),
    )


class _Problems:
    """What is wrong, with its place: -1 before the rules, then a rule's, then the end's."""

    def __init__(self, file: str, lines: list[tuple[int, int]]) -> None:
        self.file, self._lines = file, lines
        self.found: list[tuple[int, RuleError]] = []

    def add(
        self,
        place: int,
        problem: str,
        *,
        rule: str = "",
        line: int = 1,
        column: int | None = None,
        hint: str = "",
    ) -> None:
        at = None
        if 0 <= place < len(self._lines):
            header, expression = self._lines[place]
            at = header if column is None else expression + line - 1
        error = RuleError(
            problem, file=self.file, rule=rule, line=line, column=column, at=at, hint=hint
        )
        self.found.append((place, error))

    def add_found(self, place: int, rule: str, found: ExpressionProblem) -> None:
        """What is wrong with a rule's expression."""
        line, column, problem, hint = found
        self.add(place, problem, rule=rule, line=line, column=column, hint=hint)

    def in_order(self) -> tuple[RuleError, ...]:
        by_place = sorted(self.found, key=lambda f: (f[0], f[1].line, f[1].column or 0))
        return tuple(error for _, error in by_place)


def _refuse(problem: str, file: str, hint: str = "") -> RulesetError:
    return RulesetError((RuleError(problem, file=file, hint=hint),), file=file)


def _decoded(text: str | bytes, file: str) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
        whole = data.decode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        problem = f"not UTF-8 text, at byte {error.start}"
        raise _refuse(problem, file, "save the file as UTF-8") from None
    if len(data) > LONGEST_FILE:
        problem = f"the file has {len(data):,} bytes, the most is {LONGEST_FILE:,}"
        raise _refuse(problem, file)
    if not whole.strip("\ufeff \t\r\n"):
        raise _refuse("the file is empty", file, 'the least is a [default] with option = "A"')
    return whole


def _document(whole: str, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(whole.removeprefix("\ufeff"))
    except ValueError as error:  # TOMLDecodeError, and what int() says of thousands of digits
        problem, hint = str(error), "put expressions between single quotes: when = '…'"
        if problem.endswith("(at end of document)"):
            hint = "was the file cut short? It must end with a [default] table"
        raise _refuse(f"not TOML: {problem[:1].lower() + problem[1:]}", file, hint) from None
    except RecursionError:
        raise _refuse("not TOML: nested too deeply", file) from None


_Placed = tuple[int, str, Expression]


def _rules(document: dict[str, object], problems: _Problems) -> tuple[list[Rule], list[_Placed]]:
    entries = document.get("rule", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.add(-1, "rule is not a list of tables", hint="start each rule with [[rule]]")
        return [], []
    if len(entries) > MOST_RULES:
        problems.add(-1, f"{len(entries)} rules, the most is {MOST_RULES}")
        return [], []
    rules, expressions, names = [], [], dict[str, int]()
    for place, entry in enumerate(entries):
        name = _name(entry, place, names, problems)
        for key in [key for key in entry if key not in _RULE_KEYS]:
            hint = f"known: {', '.join(_RULE_KEYS)}"
            problems.add(place, f'unknown key "{key[:40]}"', rule=name, hint=hint)
        option = _option(entry, place, name, problems)
        expression = _expression(entry, place, name, problems)
        if expression is not None:
            expressions.append((place, name, expression))
            if option is not None:
                rules.append(Rule(name, expression.text, option))
    return rules, expressions


def _name(entry: dict[str, object], place: int, names: dict[str, int], problems: _Problems) -> str:
    """The rule's name, or a stand-in such as #3 for the messages."""
    name, ordinal = entry.get("name"), f"#{place + 1}"
    if not isinstance(name, str) or not name.strip():
        problems.add(place, "it has no name", rule=ordinal, hint='name = "what it is for"')
        return ordinal
    if len(name) > LONGEST_NAME or not name.isprintable():
        problem = f"its name is not one line of at most {LONGEST_NAME} printable characters"
        problems.add(place, problem, rule=ordinal)
        return ordinal
    if name == DEFAULT:
        problems.add(place, f'"{DEFAULT}" names the default', rule=ordinal, hint="rename the rule")
    first = names.setdefault(name, place)
    if first != place:
        problem = f"rule #{first + 1} has the same name"
        problems.add(place, problem, rule=name, hint="receipts name the rule that decided")
    return name


def _option(table: dict[str, object], place: int, name: str, problems: _Problems) -> Option | None:
    said = table.get("option")
    if isinstance(said, str) and said in ("A", "B"):
        return Option(said)
    where = "" if place == _END_OF_FILE else name
    problem = "it has no option" if said is None else f"no such option: {str(said)[:40]!r}"
    if not where:
        problem = f"[default]: {problem}"
    problems.add(place, problem, rule=where, hint='option = "A" or option = "B"')
    return None


def _expression(
    entry: dict[str, object], place: int, name: str, problems: _Problems
) -> Expression | None:
    when = entry.get("when")
    if not isinstance(when, str):
        problem = "it has no expression" if when is None else "its expression is not a text"
        hint = "when = 'stream.cause == \"throttled\"'"
        problems.add(place, problem, rule=name, hint=hint)
        return None
    try:
        return check(when)
    except Invalid as invalid:
        for found in invalid.problems:
            problems.add_found(place, name, found)
        return None


def _default(document: dict[str, object], whole: str, problems: _Problems) -> Option | None:
    end, hint = _END_OF_FILE, 'end the file with [default] and option = "A" or "B" below it'
    default = document.get("default")
    if default is None:
        problems.add(end, "there is no [default]: was the file cut short?", hint=hint)
        return None
    if not isinstance(default, dict) or "default" not in _headers(whole):
        problems.add(-1, "default is not a table of its own", hint=hint)
        return None
    if _headers(whole)[-1] != "default":
        problems.add(end, "[default] is not the last table", hint="move it to the end of the file")
    for key in sorted(default.keys() - {"option"}):
        problems.add(end, f'[default]: unknown key "{key[:40]}"', hint="known: option")
    return _option(default, end, "", problems)


# Quoted texts and comments first, so that no header is seen inside them.
_HEADER = re.compile(
    r"""\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*"""
    r"""|^[ \t]*(?P<header>\[[^\r\n]*)""",
    re.MULTILINE | re.DOTALL,
)


def _headers(whole: str) -> list[str]:
    """The names of the tables in the order of the file, which a parsed document doesn't tell."""
    lines = [match["header"] for match in _HEADER.finditer(whole.removeprefix("\ufeff"))]
    return [_table(line) for line in lines if line]


_WHEN = re.compile(r"""^[ \t]*"?when"?[ \t]*=[ \t]*(?P<below>(?:\"{3}|'{3})\r?\n)?""", re.MULTILINE)


def _lines(whole: str) -> list[tuple[int, int]]:
    """The lines of the file that begin each rule, and its expression; for rules with a header."""
    whole = whole.removeprefix("\ufeff")
    headers = [found for found in _HEADER.finditer(whole) if found["header"]]
    ends = [found.start() for found in headers[1:]] + [len(whole)]
    found = []
    for header, end in zip(headers, ends, strict=False):
        if _table(header["header"]) != "rule":
            continue
        line = whole.count("\n", 0, header.start("header")) + 1
        when = _WHEN.search(whole, header.end(), end)
        expression = whole.count("\n", 0, when.end()) + 1 if when else line
        found.append((line, expression))
    return found


def _table(header: str) -> str:
    try:
        return next(iter(tomllib.loads(header)))
    except (tomllib.TOMLDecodeError, StopIteration):
        return ""  # a line of an array: no table, and no key of ours is an array of arrays


def _unreachable(expressions: list[_Placed], problems: _Problems) -> None:
    shapes: dict[str, tuple[int, str]] = {}
    always = ""
    for place, name, expression in expressions:
        first, twin = shapes.setdefault(expression.shape, (place, name))
        if always:
            problem = f'it is never reached: rule "{always}" before it is always true'
            problems.add(place, problem, rule=name, hint=f'move or remove "{always}"')
            return
        if expression.constant is False:
            hint = "remove it, or put # before its lines"
            problems.add(place, "it never matches: always false", rule=name, column=1, hint=hint)
        elif first != place:
            problem = f'it is never reached: rule "{twin}" has the same expression'
            problems.add(place, problem, rule=name, hint="remove one of them")
        if expression.constant:
            always = name


def _builtin() -> Ruleset:
    file = resources.files("switchhook.rules").joinpath("builtin_rules.toml")
    return load_rules(file.read_bytes(), file="built-in rules")


BUILTIN = _builtin()
"""The rules of an endpoint that has none of its own."""
