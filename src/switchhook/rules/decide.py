"""From a passthru, its verdict, the facts and the time to a decision: the first rule that matches.

No I/O, no clock, no chance: the same arguments always give the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.rules.expression import Block, first_match
from switchhook.rules.outcome import EndpointKind, Option
from switchhook.rules.variables import seen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from switchhook.errors import RuleError
    from switchhook.exotel.cause import Verdict
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.variables import AccountFacts

__all__ = ["DEFAULT", "Decision", "EndpointKind", "Option", "Rule", "Ruleset", "decide"]

DEFAULT = "default"
"""What a decision names as its rule when none matched."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """One rule as written; the texts are empty where it does not say them.

    `option` is A for a voicebot endpoint's, `class_` the ordinary one for an admit endpoint's that
    names none.
    """

    name: str
    when: str
    option: Option
    select: str = ""
    pool: str = ""
    class_: str = ""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, rename={"class_": "class"}):
    """Which option was chosen, by which rule of which release, and why.

    `release` is the SHA-256 of the rules' text in hex; `reason` a sentence for people; `defects`
    the rules before it that could not be evaluated. `select` is the keyword for a SwitchCase applet
    behind A; `pool` the bots that a voicebot endpoint's rules chose, `class_` the class that an
    admit endpoint's rules ask for room as: each empty where the rules chose none.
    """

    option: Option
    rule: str
    release: str
    reason: str
    defects: tuple[Defect, ...] = ()
    select: str = ""
    pool: str = ""
    class_: str = ""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A rules file that checked out; made by `load_rules` only.

    `changing` is whether a rule reads the account or the time, so that the same question may get
    another answer later; `doubts` what can't be what was meant in them, in the order of the file;
    `kind` that of the endpoints that can run it.
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

    @property
    def otherwise(self) -> Decision:
        """The decision where no rule matches. Its select is the safe option's, where that is A."""
        return self.decisions[-1]

    @property
    def default_rule(self) -> Rule:
        """What stands for a rule where none matches, with why in the place of its expression."""
        last = self.otherwise
        return Rule(DEFAULT, "no rule matched", last.option, last.select, last.pool, last.class_)

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
) -> Decision:
    """Take the first rule that matches, else the default.

    `at_ms` is the moment in milliseconds since 1970, UTC; `zone` the endpoint's. The same
    arguments always give the same decision. A rule that fails does not match and is a defect; one
    that needs a number which is absent does not match.
    """
    found, failures = first_match(ruleset.blocks, seen(passthru, verdict, facts, at_ms, zone))
    decision = ruleset.decisions[found]  # -1, for none, is the default's
    if not failures:
        return decision
    defects = tuple(
        Defect(f"rule.{ruleset.rules[place].name}", f"could not be evaluated: {words}")
        for place, words in failures
    )
    return msgspec.structs.replace(decision, defects=defects)
