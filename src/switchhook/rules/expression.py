"""A rule's expression, in CEL: checked when it is loaded, asked when a caller waits.

The only module that knows the language's runtime. There an error is a value, not an exception
(rarely it is both), and it is true as a truth value: a result counts only if it is exactly of the
type asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cel_expr_python import cel

from switchhook.rules.checked_tree import read_tree
from switchhook.rules.expression_text import (
    MACROS,
    ExpressionProblem,
    bare_clock_calls,
    constant_arguments,
    explain,
    has_on_variables,
    names_in,
    nested_and,
    tokens,
)
from switchhook.rules.impossible import impossible
from switchhook.rules.variables import (
    FLAGS,
    SOMETIMES_ABSENT,
    VARIABLES,
    Variable,
    flag_variable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.rules.checked_tree import Node
    from switchhook.rules.variables import Kind

ENGINE = f"1+cel-{version('cel-expr-python')}"
"""Which version of this engine decides: that of what is written here, and the runtime's.

The number goes up when the same rules may decide the same request in another way.
"""
LONGEST = 4000
"""Characters of one expression."""

GUARD = "said."
"""Begins the names that chains have beside variables: whether a number is there."""
_TYPES = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "bool": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
    "map(string, string)": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "list(string)": cel.Type.List(cel.Type.STRING),
    "dyn": cel.Type.DYN,
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


_MADE = {
    "timestamp": ("time", 'as in timestamp("2026-11-23T09:30:00+05:30")'),
    "duration": ("duration", 'as in duration("90s") or duration("1h30m")'),
}


@dataclass(frozen=True, slots=True)
class Language:
    """What expressions may say: the variables by name, and the runtime made for them.

    `any_flag` is whether flags stand for those of a configuration that is not at hand: their types
    are found out when they are asked for, and not before.
    """

    variables: Mapping[str, Variable]
    rules: Any = field(repr=False, compare=False)
    chains: Any = field(repr=False, compare=False)
    any_flag: bool = False


@lru_cache(64)
def language_of(flags: tuple[tuple[str, Kind], ...] = ()) -> Language:
    """The language with these flags, each with its type."""
    variables = VARIABLES | {FLAGS + name: flag_variable(name, type) for name, type in flags}
    declared = {name: _TYPES[variable.type] for name, variable in variables.items()}
    guards = {GUARD + name: cel.Type.BOOL for name in SOMETIMES_ABSENT}
    return Language(
        variables,
        cel.NewEnv(variables=declared),
        cel.NewEnv(variables=declared | guards),
        any(type == "dyn" for _, type in flags),
    )


PLAIN = language_of()
"""The language without flags."""


class Invalid(Exception):  # noqa: N818  it holds problems, and is none itself
    """An expression that does not check out; `problems` is all that is wrong with it."""

    def __init__(self, problems: Sequence[ExpressionProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.text for problem in problems))


@dataclass(frozen=True, slots=True)
class Expression:
    """One checked expression.

    `names` are the variables it refers to; `needs` those numbers without which it can't be true;
    `constant` its value where it is always the same; `shape` is equal for texts that differ in
    blanks and comments only; `doubts` what can't be what was meant, in the order of the text;
    `tree` is None where the runtime writes it in a way that we can't read.
    """

    text: str
    names: frozenset[str]
    needs: frozenset[str]
    constant: bool | None
    shape: str
    doubts: tuple[ExpressionProblem, ...]
    tree: Node | None = field(repr=False, compare=False)
    program: Any = field(repr=False, compare=False)


def check(text: str, language: Language = PLAIN) -> Expression:
    """Compile one expression, and find out all that can be known before a caller waits.

    Raises `Invalid` with every problem found, in the order of the text.
    """
    _refuse_unreadable(text)
    parts = tokens(text)
    problems = [*has_on_variables(parts, language.variables), *bare_clock_calls(parts)]
    try:
        program = language.rules.compile(text)
    except RuntimeError as error:
        found = problems or explain(str(error), text, language.variables)
        raise Invalid(sorted(found)) from None
    if not problems:
        problems = [*_not_bool(program.return_type(), language), *_bad_constants(text)]
    if problems:
        raise Invalid(sorted(problems))
    names = names_in(parts, language.variables)
    value = ask(program, {})
    constant = value if type(value) is bool else None
    tree = _tree(program)
    return Expression(
        text=text,
        names=names,
        needs=_needs(text, names),
        # What comes out with nothing to look at comes out whatever there is to look at.
        constant=constant,
        shape=" ".join(token.text for token in parts),
        doubts=tuple(_doubts(tree, text)) if constant is None else (),
        tree=tree,
        program=program,
    )


def _tree(program: Any) -> Node | None:
    try:
        return read_tree(program.serialize())
    except ValueError:  # another release of the runtime may write something else
        return None


def _doubts(tree: Node | None, text: str) -> list[ExpressionProblem]:
    found = [] if tree is None else impossible(tree, text)
    return sorted([*found, *_bad_times(text)])


def _bad_times(text: str) -> Iterator[ExpressionProblem]:
    for argument in constant_arguments(tokens(text), text):
        if argument.function not in _MADE:
            continue
        program = PLAIN.rules.compile(f"string({argument.function}({argument.text})) == ''")
        if type(ask(program, {})) is not bool:
            what, hint = _MADE[argument.function]
            problem = f"there is no such {what}"
            yield ExpressionProblem(argument.line, argument.column, problem, hint)


def _refuse_unreadable(text: str) -> None:
    if not text.strip():
        raise Invalid([ExpressionProblem(1, 1, "the expression is empty", 'always: when = "true"')])
    if len(text) > LONGEST:
        problem = f"the expression has {len(text):,} characters, the most is {LONGEST:,}"
        raise Invalid([ExpressionProblem(1, 1, problem, "split it into two rules")])
    control = _CONTROL.search(text)
    if control:
        line, column = text.count("\n", 0, control.start()) + 1, control.start() + 1
        column -= text.rfind("\n", 0, control.start()) + 1
        problem = f"control character {control[0]!r}"
        raise Invalid([ExpressionProblem(line, column, problem, "remove it, or write it as \\u….")])


def _not_bool(found: cel.Type, language: Language) -> Iterator[ExpressionProblem]:
    # A type's == is the runtime's own; there is no other way to tell bool from dyn.
    if found == cel.Type.BOOL or (language.any_flag and found == cel.Type.DYN):
        return
    name = found.name().lower()
    hint = {
        "string": 'compare it, as in stream.status == "failed"',
        "int": "compare it, as in stream.duration > 5",
        "dyn": "compare it with == and a constant",
    }.get(name, "compare it with something")
    yield ExpressionProblem(
        1, 1, f"this gives {name}, and a rule must give true or false (bool)", hint
    )


def _bad_constants(text: str) -> Iterator[ExpressionProblem]:
    """Regular expressions and time zones that are wrong whatever the request says.

    The runtime itself is asked, so that its dialect counts and no other.
    """
    for argument in constant_arguments(tokens(text), text):
        if argument.function in _MADE:
            continue
        if argument.function == "matches":
            trial, sign = f'"".matches({argument.text})', "invalid regular expression: "
        else:
            trial, sign = f"timestamp(0).{argument.function}({argument.text})", "Invalid timezone"
        try:
            answer = ask(PLAIN.rules.compile(trial), {})
        except RuntimeError:
            continue  # it holds a name that means something only inside the expression
        _, found, reason = str(answer).partition(sign)
        if not found or type(answer) is not str:
            continue
        if argument.function == "matches":
            problem = f"bad regular expression: {reason}"
            hint = "RE2 syntax; double each \\, or write it raw: r'…'"
        else:
            problem, hint = "unknown time zone", 'as in "Asia/Kolkata" or "+05:30"'
        yield ExpressionProblem(argument.line, argument.column, problem, hint)


def _needs(text: str, names: frozenset[str]) -> frozenset[str]:
    """The numbers without which the expression can't be true.

    Known only for plain terms joined by && at the outermost level: there the error that an
    absent number makes is never swallowed by another part, nor turned into its opposite.
    """
    parts = tokens(text)
    if any(token.text in ("||", "?") or token.text in MACROS for token in parts):
        return frozenset()
    return frozenset() if nested_and(parts) else names & SOMETIMES_ABSENT


def ask(program: Any, data: Mapping[str, object]) -> object:
    """The value, or the runtime's words where it has none."""
    try:
        return program.eval(None, data).value()
    except RuntimeError as error:  # its budget of 10,000 steps is spent
        return str(error)
