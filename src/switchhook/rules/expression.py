"""A rule's expression, in CEL: checked when it is loaded, asked when a caller waits.

The only module that knows the language's runtime. Two things about that runtime shape it:

- An error is a value, not an exception (rarely it is both), and it is true as a truth value. One
  error spoils a whole chain of rules. So a result counts only if it is exactly of the type asked
  for, and a spoilt chain is asked again rule by rule.
- What costs time is the call and each variable handed over, hardly the expression. So rules are
  chained into few expressions, and are handed only the variables that they refer to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
from switchhook.rules.variables import SOMETIMES_ABSENT, VARIABLES, RuleInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST = 4000
"""Characters of one expression."""

_GUARD = "said."  # said.stream.duration is true where the number is there; chains only
_TYPES = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "bool": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
    "map(string, string)": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
}
_DECLARED = {name: _TYPES[variable.type] for name, variable in VARIABLES.items()}
_RULES = cel.NewEnv(variables=_DECLARED)
_CHAINS = cel.NewEnv(
    variables=_DECLARED | {_GUARD + name: cel.Type.BOOL for name in SOMETIMES_ABSENT}
)
_UNBOUND = re.compile(r'No value with name "([^"]*)" found')
_NO_KEY = "Key not found in map"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


_MADE = {
    "timestamp": ("time", 'as in timestamp("2026-11-23T09:30:00+05:30")'),
    "duration": ("duration", 'as in duration("90s") or duration("1h30m")'),
}


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
    blanks and comments only; `doubts` what can't be what was meant, in the order of the text.
    """

    text: str
    names: frozenset[str]
    needs: frozenset[str]
    constant: bool | None
    shape: str
    doubts: tuple[ExpressionProblem, ...]
    program: Any = field(repr=False, compare=False)


def check(text: str) -> Expression:
    """Compile one expression, and find out all that can be known before a caller waits.

    Raises `Invalid` with every problem found, in the order of the text.
    """
    _refuse_unreadable(text)
    parts = tokens(text)
    problems = [*has_on_variables(parts), *bare_clock_calls(parts)]
    try:
        program = _RULES.compile(text)
    except RuntimeError as error:
        raise Invalid(sorted(problems or explain(str(error), text))) from None
    if not problems:
        problems = [*_not_bool(program.return_type()), *_bad_constants(text)]
    if problems:
        raise Invalid(sorted(problems))
    names = names_in(parts)
    value = _ask(program, {})
    constant = value if type(value) is bool else None
    return Expression(
        text=text,
        names=names,
        needs=_needs(text, names),
        # What comes out with nothing to look at comes out whatever there is to look at.
        constant=constant,
        shape=" ".join(token.text for token in parts),
        doubts=tuple(_doubts(program, text)) if constant is None else (),
        program=program,
    )


def _doubts(program: Any, text: str) -> list[ExpressionProblem]:
    try:
        found = impossible(read_tree(program.serialize()), text)
    except ValueError:  # another release of the runtime may write something else
        found = []
    return sorted([*found, *_bad_times(text)])


def _bad_times(text: str) -> Iterator[ExpressionProblem]:
    for argument in constant_arguments(tokens(text), text):
        if argument.function not in _MADE:
            continue
        program = _RULES.compile(f"string({argument.function}({argument.text})) == ''")
        if type(_ask(program, {})) is not bool:
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


def _not_bool(found: cel.Type) -> Iterator[ExpressionProblem]:
    # A type's == is the runtime's own; there is no other way to tell bool from dyn.
    if found == cel.Type.BOOL:
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
            answer = _ask(_RULES.compile(trial), {})
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


def _ask(program: Any, data: Mapping[str, object]) -> object:
    """The value, or the runtime's words where it has none."""
    try:
        return program.eval(None, data).value()
    except RuntimeError as error:  # its budget of 10,000 steps is spent
        return str(error)


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rules as one expression, whose value is the place of the first that matches.

    `start` is the place of its first rule among all; `reads` the variables that any of its rules
    refers to; `guards` pairs of a name for the chain and the number whose presence it tells.
    `program` is None where one rule alone is nested too deeply to stand in a chain.
    """

    start: int
    rules: tuple[Expression, ...]
    reads: tuple[tuple[str, Callable[[RuleInput], object]], ...] = field(repr=False)
    guards: tuple[tuple[str, str], ...]
    program: Any = field(repr=False, compare=False)


def chain(rules: Sequence[Expression], start: int = 0) -> tuple[Block, ...]:
    """Put rules into as few blocks as the runtime's limits on depth and length allow."""
    if not rules:
        return ()
    try:
        program = _CHAINS.compile(_chained(rules, start))
    except RuntimeError:
        if len(rules) > 1:
            middle = len(rules) // 2
            return chain(rules[:middle], start) + chain(rules[middle:], start + middle)
        program = None
    names = sorted({name for rule in rules for name in rule.names})
    needed = sorted({name for rule in rules for name in rule.needs})
    return (
        Block(
            start=start,
            rules=tuple(rules),
            reads=tuple((name, VARIABLES[name].read) for name in names),
            guards=tuple((_GUARD + name, name) for name in needed),
            program=program,
        ),
    )


def _chained(rules: Sequence[Expression], start: int) -> str:
    # The line breaks end a comment at the end of a rule. The guards keep an absent number, which
    # is common, from spoiling the chain.
    links = (
        "".join(f"{_GUARD}{name} && " for name in sorted(rule.needs))
        + f"(\n{rule.text}\n) ? {place} : "
        for place, rule in enumerate(rules, start)
    )
    return "".join(links) + "-1"


def first_match(
    blocks: Sequence[Block], seen: RuleInput
) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Find the first rule that is true; gives its place, or -1, and the rules that failed.

    A failure is a rule's place and what went wrong, in words.
    """
    failures: tuple[tuple[int, str], ...] = ()
    for block in blocks:
        data: dict[str, object] = {}
        for name, read in block.reads:
            value = read(seen)
            if value is not None:
                data[name] = value
        for guard, name in block.guards:
            data[guard] = name in data
        found = None if block.program is None else _ask(block.program, data)
        # An error is a str here, whatever it was; a bool can't come out of a chain.
        if type(found) is not int:
            found, failed = _one_by_one(block, data)
            failures += failed
        if found >= 0:
            return found, failures
    return -1, failures


def _one_by_one(
    block: Block, data: Mapping[str, object]
) -> tuple[int, tuple[tuple[int, str], ...]]:
    failures: list[tuple[int, str]] = []
    for place, rule in enumerate(block.rules, block.start):
        if any(name not in data for name in rule.needs):
            continue
        answer = _ask(rule.program, data)
        if answer is True:
            return place, tuple(failures)
        if answer is not False and not _absent(rule, str(answer)):
            failures.append((place, _in_words(str(answer))))
    return -1, tuple(failures)


def _absent(rule: Expression, error: str) -> bool:
    """Whether a rule failed only for lack of what the request or the account doesn't say."""
    unbound = _UNBOUND.search(error)
    if unbound:
        return unbound[1] in SOMETIMES_ABSENT
    return _NO_KEY in error and "extra" in rule.names


def _in_words(error: str) -> str:
    words = re.sub(r"\A[A-Z_]+: | \[[A-Z_]+\]\Z", "", error)
    return (words[:1].lower() + words[1:])[:200]
