"""What the configuration asks of an endpoint's rules, and rules read for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ConfigError
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import builtin_rules, load_rules

if TYPE_CHECKING:
    from switchhook.config.values import Config, EndpointConfig
    from switchhook.rules.decide import Ruleset
    from switchhook.rules.flags import Flag


class RulesTerms(msgspec.Struct, frozen=True):
    """What rules of an endpoint may say: its kind, the pools there are, the keywords it names.

    `pool` is the one of a voicebot endpoint without rules, `flags` are those that are declared.
    """

    kind: EndpointKind = EndpointKind.PASSTHRU
    pools: tuple[str, ...] = ()
    selects: tuple[str, ...] = ()
    pool: str = ""
    flags: tuple[Flag, ...] = ()

    def load(self, text: str | bytes, *, file: str, strict: bool = False) -> Ruleset:
        """Rules of the endpoint. Raises RulesetError with everything that is wrong with them."""
        return load_rules(
            text,
            file=file,
            strict=strict,
            kind=self.kind,
            pools=self.pools,
            selects=self.selects,
            flags=self.flags,
        )

    def takes(self, text: str | bytes) -> bool:
        """Whether rules are of this kind, and their pools are there."""
        try:
            self.load(text, file="")
        except ConfigError:
            return False
        return True

    @property
    def builtin(self) -> Ruleset:
        """The rules of the endpoint where it has none of its own."""
        return builtin_rules(self.kind, self.pool)


def terms_of(config: Config, point: EndpointConfig) -> RulesTerms:
    """What one endpoint of a configuration asks of its rules."""
    voicebot = point.kind is EndpointKind.VOICEBOT
    return RulesTerms(
        kind=point.kind,
        pools=tuple(each.name for each in config.pools) if voicebot else (),
        selects=tuple(point.selects),
        pool=point.pool if voicebot else "",
        flags=config.flags,
    )


def kinds_of(text: str) -> tuple[EndpointKind, ...]:
    """The kinds of endpoint that a text could be the rules of, whatever pools and flags."""
    found = []
    for kind in EndpointKind:
        try:
            load_rules(text, file="", kind=kind)
        except ConfigError:
            continue
        found.append(kind)
    return tuple(found)
