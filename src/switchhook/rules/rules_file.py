"""A file of rules, checked when it is loaded; `decide` says which option they give a passthru.

A rules file is TOML: any number of `[[rule]]`, each with a name, an expression and what it gives,
and at its very end a `[default]`, so that a file that was cut short is recognised. The language of
the expressions is `expression`'s business, what they see that of `variables`, what rules can give
that of `outcome`.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

from switchhook.errors import ConfigError, RuleError
from switchhook.rules.decide import DEFAULT, Decision, Option, Rule, Ruleset
from switchhook.rules.expression import Expression, Invalid, chain, check
from switchhook.rules.outcome import (
    ORDINARY,
    EndpointKind,
    Outcome,
    did_you_mean,
    read_outcome,
    unknown_keys,
)
from switchhook.rules.rules_layout import rule_lines, table_names
from switchhook.rules.variables import CHANGING, AccountFacts

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.rules.expression_text import ExpressionProblem

__all__ = [
    "BUILTIN",
    "AccountFacts",
    "Decision",
    "EndpointKind",
    "Option",
    "Rule",
    "Ruleset",
    "RulesetError",
    "builtin_rules",
    "load_rules",
]

MOST_RULES = 200
LONGEST_FILE = 256 * 1024
"""Bytes of one rules file."""
LONGEST_NAME = 100


_RULE_KEYS = ("name", "when")
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


def load_rules(
    text: str | bytes,
    *,
    file: str,
    strict: bool = False,
    kind: EndpointKind = EndpointKind.PASSTHRU,
    pools: Collection[str] | None = None,
    selects: Collection[str] = (),
) -> Ruleset:
    """Read and check a rules file, `file` in messages, for an endpoint of that kind.

    `pools` are the pools there are, None where any may be; `selects` the keywords that the endpoint
    names, none where it names none. Rules that can't be what was meant are doubts of the ruleset,
    so that a file that ran goes on running after an upgrade; `strict` refuses them. Raises
    `RulesetError` with all that is wrong.
    """
    whole = _decoded(text, file)
    document = _document(whole, file)
    problems, doubts = _Problems(file, rule_lines(whole)), _Problems(file, rule_lines(whole))
    rules, expressions = _rules(document, kind, problems)
    default = _default(document, whole, kind, problems)
    for key in sorted(document.keys() - {"rule", "default"}):
        problems.add(-1, f'unknown key "{key[:40]}"', hint="known: [[rule]] and [default]")
    _unreachable(expressions, problems)
    _doubt(expressions, rules, default, selects, problems if strict else doubts)
    _check_pools(rules, default, pools, problems)
    if problems.found or default is None:
        raise RulesetError(problems.in_order(), file=file)
    release = hashlib.sha256(whole.encode()).hexdigest()
    return Ruleset(
        rules=tuple(rule for _, rule in rules),
        default=default.option,
        text=whole,
        release=release,
        changing=any(expression.names & CHANGING for _, _, expression in expressions),
        blocks=chain([expression for _, _, expression in expressions]),
        decisions=_decisions(rules, default, release),
        doubts=doubts.in_order(),
        kind=kind,
    )


def _decisions(
    rules: list[tuple[int, Rule]], default: Outcome, release: str
) -> tuple[Decision, ...]:
    """Every decision without defects; the default's is the last."""
    reasons: list[tuple[str, str, Rule | Outcome]] = [
        (rule.name, f'rule "{rule.name}" matched', rule) for _, rule in rules
    ]
    reasons.append((DEFAULT, "no rule matched, so the default was taken", default))
    return tuple(
        Decision(
            each.option,
            name,
            release,
            why,
            select=each.select,
            pool=each.pool,
            class_=each.class_,
        )
        for name, why, each in reasons
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


def _rules(
    document: dict[str, object], kind: EndpointKind, problems: _Problems
) -> tuple[list[tuple[int, Rule]], list[_Placed]]:
    """The rules with their places, as far as they check out, and all expressions that do."""
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
        for problem, hint in unknown_keys(entry, kind, _RULE_KEYS):
            problems.add(place, problem, rule=name, hint=hint)
        outcome, wrong = read_outcome(entry, kind)
        for problem, hint in wrong:
            problems.add(place, problem, rule=name, hint=hint)
        expression = _expression(entry, place, name, problems)
        if expression is not None:
            expressions.append((place, name, expression))
            if outcome is not None:
                rules.append((place, _rule(name, expression, outcome)))
    return rules, expressions


def _rule(name: str, expression: Expression, outcome: Outcome) -> Rule:
    return Rule(name, expression.text, outcome.option, outcome.select, outcome.pool, outcome.class_)


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


def _default(
    document: dict[str, object], whole: str, kind: EndpointKind, problems: _Problems
) -> Outcome | None:
    below = 'pool = "…"' if kind is EndpointKind.VOICEBOT else 'option = "A" or "B"'
    end, hint = _END_OF_FILE, f"end the file with [default] and {below} below it"
    default = document.get("default")
    if default is None:
        problems.add(end, "there is no [default]: was the file cut short?", hint=hint)
        return None
    if not isinstance(default, dict) or "default" not in table_names(whole):
        problems.add(-1, "default is not a table of its own", hint=hint)
        return None
    if table_names(whole)[-1] != "default":
        problems.add(end, "[default] is not the last table", hint="move it to the end of the file")
    outcome, wrong = read_outcome(default, kind)
    for problem, mend in (*unknown_keys(sorted(default), kind, ()), *wrong):
        problems.add(end, f"[default]: {problem}", hint=mend)
    return outcome


def _check_pools(
    rules: list[tuple[int, Rule]],
    default: Outcome | None,
    pools: Collection[str] | None,
    problems: _Problems,
) -> None:
    if pools is None:
        return
    for place, rule in rules:
        if rule.pool and rule.pool not in pools:
            hint = did_you_mean(rule.pool, pools)
            problems.add(place, f"there is no pool {rule.pool!r}", rule=rule.name, hint=hint)
    if default is not None and default.pool and default.pool not in pools:
        hint = did_you_mean(default.pool, pools)
        problems.add(_END_OF_FILE, f"[default]: there is no pool {default.pool!r}", hint=hint)


def _doubt(
    expressions: list[_Placed],
    rules: list[tuple[int, Rule]],
    default: Outcome | None,
    selects: Collection[str],
    doubts: _Problems,
) -> None:
    """What can't be what was meant."""
    for place, name, expression in expressions:
        for each in expression.doubts:
            doubts.add_found(place, name, each)
    if default is not None:
        _doubt_selects(rules, default, selects, doubts)


def _doubt_selects(
    rules: list[tuple[int, Rule]], default: Outcome, selects: Collection[str], doubts: _Problems
) -> None:
    """What of keywords can't be what was meant."""
    where = "selects of the endpoint does not name it"
    for place, rule in rules:
        if selects and rule.select and rule.select not in selects:
            hint = f"{where}; {did_you_mean(rule.select, selects)}"
            doubts.add(place, f"select {rule.select!r} leads nowhere", rule=rule.name, hint=hint)
    if selects and default.select and default.select not in selects:
        hint = f"{where}; {did_you_mean(default.select, selects)}"
        doubts.add(_END_OF_FILE, f"[default]: select {default.select!r} leads nowhere", hint=hint)
    said = next((rule.select for _, rule in rules if rule.select), "")
    if said and not default.select and default.option is Option.A:
        problem = "[default]: it has no select, and rules have one"
        hint = f'select = "…" says where callers go whom no rule sends, such as {said!r}'
        doubts.add(_END_OF_FILE, problem, hint=hint)


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
"""The rules of a passthru endpoint that has none of its own."""


@functools.cache
def builtin_rules(kind: EndpointKind, pool: str = "") -> Ruleset:
    """The rules of an endpoint that has none of its own; `pool` is a voicebot endpoint's."""
    if kind is EndpointKind.PASSTHRU:
        return BUILTIN
    if kind is EndpointKind.ADMIT:
        text = f'# Everyone asks for room.\n[default]\noption = "A"\nclass = "{ORDINARY}"\n'
    else:
        quoted = pool.replace("\\", "\\\\").replace('"', '\\"')
        text = f'# All calls go to one pool.\n[default]\npool = "{quoted}"\n'
    return load_rules(text, file="built-in rules", kind=kind)
