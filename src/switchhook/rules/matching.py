"""Rules in a row, and which of them is the first that is true.

Those that mean the same in Python are one function (`compiled`); the others are chained into few
expressions of CEL, for what costs time there is the call and each variable handed over. A chain
that an error spoils is asked again rule by rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from switchhook.rules.compiled import LEFT, NONE, compile_rule, function_of
from switchhook.rules.expression import GUARD, PLAIN, ask
from switchhook.rules.variables import FLAGS, SOMETIMES_ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from switchhook.rules.compiled import Compiled
    from switchhook.rules.expression import Expression, Language
    from switchhook.rules.variables import RuleInput

_UNBOUND = re.compile(r'No value with name "([^"]*)" found')
_NO_KEY = "Key not found in map"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rules as one expression, whose value is the place of the first that matches.

    `start` is the place of its first rule among all; `reads` the variables that any of its rules
    refers to; `guards` pairs of a name for the chain and the number whose presence it tells.
    `program` is None where one rule alone is nested too deeply to stand in a chain, `function`
    where not all of them mean the same in Python, or CEL is to decide.
    """

    start: int
    rules: tuple[Expression, ...]
    reads: tuple[tuple[str, Callable[[RuleInput], object]], ...] = field(repr=False)
    guards: tuple[tuple[str, str], ...]
    program: Any = field(repr=False, compare=False)
    function: Callable[[RuleInput], int] | None = field(default=None, repr=False, compare=False)


def chain(rules: Sequence[Expression], language: Language = PLAIN) -> tuple[Block, ...]:
    """Put rules into few blocks: those in a row that are compiled, and those that are not."""
    compiled = [
        None if rule.tree is None else compile_rule(rule.tree, language.variables, place)
        for place, rule in enumerate(rules)
    ]
    blocks: list[Block] = []
    for left, run in groupby(range(len(rules)), lambda place: compiled[place] is None):
        places = list(run)
        start, end = places[0], places[-1] + 1
        made = _chain(rules[start:end], start, language)
        known = [each for each in compiled[start:end] if each is not None]
        blocks += made if left else _compiled(made, known, start, language)
    return tuple(blocks)


def _compiled(
    blocks: Iterable[Block], rules: Sequence[Compiled], start: int, language: Language
) -> Iterator[Block]:
    """Blocks with their functions."""
    for block in blocks:
        own = rules[block.start - start :][: len(block.rules)]
        yield replace(block, function=function_of(own, block.start, language.variables))


def by_cel(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The same rules, decided by CEL alone."""
    return tuple(replace(block, function=None) for block in blocks)


def _chain(rules: Sequence[Expression], start: int, language: Language) -> tuple[Block, ...]:
    """As few blocks as the runtime's limits on depth and length allow."""
    if not rules:
        return ()
    try:
        program = language.chains.compile(_chained(rules, start))
    except RuntimeError:
        if len(rules) > 1:
            middle = len(rules) // 2
            return (
                *_chain(rules[:middle], start, language),
                *_chain(rules[middle:], start + middle, language),
            )
        program = None
    names = sorted({name for rule in rules for name in rule.names})
    needed = sorted({name for rule in rules for name in rule.needs})
    return (
        Block(
            start=start,
            rules=tuple(rules),
            reads=tuple((name, language.variables[name].read) for name in names),
            guards=tuple((GUARD + name, name) for name in needed),
            program=program,
        ),
    )


def _chained(rules: Sequence[Expression], start: int) -> str:
    # The line breaks end a comment at the end of a rule. The guards keep an absent number, which
    # is common, from spoiling the chain.
    links = (
        "".join(f"{GUARD}{name} && " for name in sorted(rule.needs))
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
        found = LEFT if block.function is None else block.function(seen)
        if found == LEFT:
            found, failed = _by_runtime(block, seen)
            failures += failed
        if found >= 0:
            return found, failures
    return NONE, failures


def first_match_judged(
    blocks: Sequence[Block], seen: RuleInput
) -> tuple[int, tuple[tuple[int, str], ...]]:
    """The same by CEL alone; where Python would say something else, that is a failure, too."""
    found, failures = first_match(by_cel(blocks), seen)
    quick, _ = first_match(blocks, seen)
    if quick == found:
        return found, failures
    return found, (*failures, (max(found, quick), OTHERWISE))


OTHERWISE = "compiled, it gives another answer than by CEL: set answer.compiled_rules = false"
"""What a rule is told of whose compiled form and CEL differ."""


def _by_runtime(block: Block, seen: RuleInput) -> tuple[int, tuple[tuple[int, str], ...]]:
    data: dict[str, object] = {}
    for name, read in block.reads:
        value = read(seen)
        if value is not None:
            data[name] = value
    for guard, name in block.guards:
        data[guard] = name in data
    found = None if block.program is None else ask(block.program, data)
    # An error is a str here, whatever it was; a bool can't come out of a chain.
    return (found, ()) if type(found) is int else _one_by_one(block, data)


def _one_by_one(
    block: Block, data: Mapping[str, object]
) -> tuple[int, tuple[tuple[int, str], ...]]:
    failures: list[tuple[int, str]] = []
    for place, rule in enumerate(block.rules, block.start):
        if any(name not in data for name in rule.needs):
            continue
        answer = ask(rule.program, data)
        if answer is True:
            return place, tuple(failures)
        if answer is not False and not _absent(rule, str(answer)):
            failures.append((place, _in_words(str(answer))))
    return NONE, tuple(failures)


def _absent(rule: Expression, error: str) -> bool:
    """Whether a rule failed only for lack of what the request or the account doesn't say."""
    unbound = _UNBOUND.search(error)
    if unbound:
        return unbound[1] in SOMETIMES_ABSENT
    return _NO_KEY in error and "extra" in rule.names


def _in_words(error: str) -> str:
    unbound = _UNBOUND.search(error)
    if unbound and unbound[1].startswith(FLAGS):
        return f"what {unbound[1]} is is not known here: no configuration declares it"
    words = re.sub(r"\A[A-Z_]+: | \[[A-Z_]+\]\Z", "", error)
    return (words[:1].lower() + words[1:])[:200]
