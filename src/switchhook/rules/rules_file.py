"""A file of rules, checked when it is loaded; `decide` says which option they give a passthru.

A rules file is TOML: any number of `[[rule]]`, each with a name, an expression and what it gives,
and at its very end a `[default]`, so that a file that was cut short is recognised. The language of
the expressions is `expression`'s business, what they see that of `variables`, what rules can give
that of `outcome`.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

from switchhook.errors import RuleError
from switchhook.rules.decide import DEFAULT, Decision, Option, Rule, Ruleset
from switchhook.rules.expression import Expression, Invalid, Language, check, language_of
from switchhook.rules.matching import Block, chain
from switchhook.rules.outcome import (
    ORDINARY,
    EndpointKind,
    Outcome,
    did_you_mean,
    read_outcome,
    unknown_keys,
)
from switchhook.rules.rules_layout import rule_lines, table_names
from switchhook.rules.rules_problems import RulesetError, RulesProblems
from switchhook.rules.variables import CHANGING, FLAGS, AccountFacts

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.rules.flags import Flag

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
_FLAG = re.compile(r"\bflags\s*\.\s*([a-z_][a-z0-9_]{0,63})\b")
_END_OF_FILE = MOST_RULES + 1


def load_rules(
    text: str | bytes,
    *,
    file: str,
    strict: bool = False,
    kind: EndpointKind = EndpointKind.PASSTHRU,
    pools: Collection[str] | None = None,
    selects: Collection[str] = (),
    flags: Collection[Flag] | None = None,
) -> Ruleset:
    """Read and check a rules file, `file` in messages, for an endpoint of that kind.

    `pools` are the pools there are, None where any may be; `selects` the keywords that the endpoint
    names, none where it names none; `flags` those that are declared, None where any may be, of any
    type. Rules that can't be what was meant are doubts of the ruleset, so that a file that ran goes
    on running after an upgrade; `strict` refuses them. Raises `RulesetError` with all problems.
    """
    whole = _decoded(text, file)
    document = _document(whole, file)
    problems, doubts = (
        RulesProblems(file, rule_lines(whole)),
        RulesProblems(file, rule_lines(whole)),
    )
    language = _language(whole, flags)
    rules, expressions = _rules(document, kind, language, problems)
    default = _default(document, whole, kind, problems)
    for key in sorted(document.keys() - {"rule", "default"}):
        problems.add(-1, f'unknown key "{key[:40]}"', hint="known: [[rule]] and [default]")
    _unreachable(expressions, problems)
    _doubt(expressions, rules, default, selects, problems if strict else doubts)
    _check_pools(rules, default, pools, problems)
    if problems.found or default is None:
        raise RulesetError(problems.in_order(), file=file)
    placed = [expression for _, _, expression in expressions]
    return _ruleset(whole, kind, rules, default, chain(placed, language=language), doubts, flags)


def _ruleset(
    whole: str,
    kind: EndpointKind,
    rules: list[tuple[int, Rule]],
    default: Outcome,
    blocks: tuple[Block, ...],
    doubts: RulesProblems,
    flags: Collection[Flag] | None,
) -> Ruleset:
    """What a file comes to that checked out."""
    release = hashlib.sha256(whole.encode()).hexdigest()
    named = {name for block in blocks for name, _ in block.reads}
    return Ruleset(
        rules=tuple(rule for _, rule in rules),
        default=default.option,
        text=whole,
        release=release,
        changing=any(name in CHANGING or name.startswith(FLAGS) for name in named),
        blocks=blocks,
        decisions=_decisions(rules, default, release),
        doubts=doubts.in_order(),
        kind=kind,
        flags=tuple(flag for flag in flags or () if FLAGS + flag.name in named),
    )


def _language(whole: str, flags: Collection[Flag] | None) -> Language:
    """What the expressions of a file may say; where any flag may be, those that it names."""
    if flags is not None:
        return language_of(tuple((flag.name, flag.type) for flag in flags))
    return language_of(tuple((name, "dyn") for name in sorted(set(_FLAG.findall(whole)))))


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
            promise=each.promise,
        )
        for name, why, each in reasons
    )


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
    document: dict[str, object], kind: EndpointKind, language: Language, problems: RulesProblems
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
        expression = _expression(entry, place, name, language, problems)
        if expression is not None:
            expressions.append((place, name, expression))
            if outcome is not None:
                rules.append((place, _rule(name, expression, outcome)))
    return rules, expressions


def _rule(name: str, expression: Expression, outcome: Outcome) -> Rule:
    return Rule(
        name,
        expression.text,
        outcome.option,
        outcome.select,
        outcome.pool,
        outcome.class_,
        outcome.promise,
    )


def _name(
    entry: dict[str, object], place: int, names: dict[str, int], problems: RulesProblems
) -> str:
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
    entry: dict[str, object], place: int, name: str, language: Language, problems: RulesProblems
) -> Expression | None:
    when = entry.get("when")
    if not isinstance(when, str):
        problem = "it has no expression" if when is None else "its expression is not a text"
        hint = "when = 'stream.cause == \"throttled\"'"
        problems.add(place, problem, rule=name, hint=hint)
        return None
    try:
        return check(when, language)
    except Invalid as invalid:
        for found in invalid.problems:
            problems.add_found(place, name, found)
        return None


def _default(
    document: dict[str, object], whole: str, kind: EndpointKind, problems: RulesProblems
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
    problems: RulesProblems,
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
    doubts: RulesProblems,
) -> None:
    """What can't be what was meant."""
    for place, name, expression in expressions:
        for each in expression.doubts:
            doubts.add_found(place, name, each)
    if default is not None:
        _doubt_selects(rules, default, selects, doubts)


def _doubt_selects(
    rules: list[tuple[int, Rule]], default: Outcome, selects: Collection[str], doubts: RulesProblems
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


def _unreachable(expressions: list[_Placed], problems: RulesProblems) -> None:
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
