"""From a passthru, its verdict, the facts and the time to a decision: the first rule that matches.

No I/O, no clock, no chance: the same arguments always give the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.rules.caller import key_of_caller
from switchhook.rules.flags import NO_VALUES, NOTHING_SET, values_of
from switchhook.rules.matching import OTHERWISE, Block, by_cel, first_match, first_match_judged
from switchhook.rules.outcome import DEFAULT, EndpointKind, Option
from switchhook.rules.variables import seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from switchhook.errors import RuleError
    from switchhook.exotel.cause import Verdict
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.flags import Flag, FlagSetting, FlagValue
    from switchhook.rules.variables import AccountFacts

__all__ = [
    "DEFAULT",
    "Decision",
    "EndpointKind",
    "Option",
    "Rule",
    "Ruleset",
    "decide",
    "disputed",
    "flags_for",
]


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """One rule as written; the texts are empty where it does not say them.

    `option` is A for a voicebot endpoint's, `class_` the ordinary one for an admit endpoint's that
    names none, and for a promise that does. `promise` is the reason of the callback it promises.
    """

    name: str
    when: str
    option: Option
    select: str = ""
    pool: str = ""
    class_: str = ""
    promise: str = ""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """Which option was chosen, by which rule of which release, and why.

    `release` is the SHA-256 of the rules' text in hex; `reason` a sentence for people; `defects`
    the rules before it that could not be evaluated. `select` is the keyword for a SwitchCase applet
    behind A; `pool` the bots that a voicebot endpoint's rules chose, `class_` the class that an
    admit endpoint's rules ask for room as: each empty where the rules chose none. `promise` is why
    the caller is promised a callback, as `class_`; empty where none is.
    """

    option: Option
    rule: str
    release: str
    reason: str
    defects: tuple[Defect, ...] = ()
    select: str = ""
    pool: str = ""
    class_: str = ""
    promise: str = ""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A rules file that checked out; made by `load_rules` only.

    `changing` is whether a rule reads the account, the time or a flag, so that the same question
    may get another answer later; `doubts` what can't be what was meant in them, in the order of the
    file; `kind` that of the endpoints that can run it; `flags` those that its rules read; `judged`
    is whether CEL alone decides, and says where the compiled rules would decide otherwise.
    """

    rules: tuple[Rule, ...]
    default: Option
    text: str = field(repr=False)
    release: str
    changing: bool
    # Compiled, and every decision without defects ready made; the default's is the last.
    blocks: tuple[Block, ...] = field(repr=False, compare=False)
    decisions: tuple[Decision, ...] = field(repr=False, compare=False)
    doubts: tuple[RuleError, ...] = field(default=(), repr=False, compare=False)
    kind: EndpointKind = EndpointKind.PASSTHRU
    flags: tuple[Flag, ...] = field(default=(), hash=False)  # a default can be a list
    judged: bool = field(default=False, compare=False)

    def by_cel(self) -> Ruleset:
        """The same rules, none of them compiled."""
        return replace(self, blocks=by_cel(self.blocks))

    def judged_by_cel(self) -> Ruleset:
        """The same rules, to be tried before they run: see `judged`."""
        return replace(self, judged=True)

    @property
    def otherwise(self) -> Decision:
        """The decision where no rule matches. Its select is the safe option's, where that is A."""
        return self.decisions[-1]

    @property
    def default_rule(self) -> Rule:
        """What stands for a rule where none matches, with why in the place of its expression."""
        last = self.otherwise
        return Rule(
            DEFAULT,
            "no rule matched",
            last.option,
            last.select,
            last.pool,
            last.class_,
            last.promise,
        )

    @property
    def selects(self) -> tuple[str, ...]:
        """The keywords that it can answer, each once, the default's last."""
        return _said(each.select for each in self.decisions)

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that it can choose, each once, the default's last."""
        return _said(each.pool for each in self.decisions)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it can ask for room as, each once, the default's last."""
        return _said(each.class_ for each in self.decisions)


def _said(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in texts if each))


def decide(
    passthru: Passthru,
    verdict: Verdict,
    facts: AccountFacts,
    at_ms: int,
    zone: ZoneInfo,
    ruleset: Ruleset,
    flags: Mapping[str, FlagValue] = NO_VALUES,
) -> Decision:
    """Take the first rule that matches, else the default.

    `at_ms` is the moment in milliseconds since 1970, UTC; `zone` the endpoint's. `flags` are what
    flags are for the caller, as `flags_for` gives them; one that is not among them is as its
    default makes it. The same arguments always give the same decision. A rule that fails does not
    match and is a defect; one that needs a number which is absent does not match.
    """
    if ruleset.flags:
        flags = _completed(ruleset.flags, flags, passthru, at_ms)
    asked = seen(passthru, verdict, facts, at_ms, zone, flags)
    match = first_match_judged if ruleset.judged else first_match
    found, failures = match(ruleset.blocks, asked)
    decision = ruleset.decisions[found]  # -1, for none, is the default's
    if not failures:
        return decision
    defects = tuple(
        Defect(f"rule.{ruleset.rules[place].name}", f"could not be evaluated: {words}")
        for place, words in failures
    )
    return msgspec.structs.replace(decision, defects=defects)


def disputed(decision: Decision) -> str | None:
    """The rule that decides otherwise where it runs compiled than CEL judged; None where none."""
    return next(
        (
            defect.field.removeprefix("rule.")
            for defect in decision.defects
            if OTHERWISE in defect.problem
        ),
        None,
    )


def flags_for(
    ruleset: Ruleset, settings: Mapping[str, FlagSetting], passthru: Passthru, at_ms: int
) -> dict[str, FlagValue]:
    """What the flags that a ruleset reads are for a caller at a moment, as they are set."""
    return values_of(ruleset.flags, settings, key_of_caller(passthru), at_ms)


def _completed(
    flags: tuple[Flag, ...], known: Mapping[str, FlagValue], passthru: Passthru, at_ms: int
) -> Mapping[str, FlagValue]:
    """The flags' values, with those that are not known as their defaults make them."""
    missing = [flag for flag in flags if flag.name not in known]
    if not missing:
        return known
    return {**values_of(missing, NOTHING_SET, key_of_caller(passthru), at_ms), **known}
