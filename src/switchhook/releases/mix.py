"""What a decision counts as in the mix that a back-test foretells and a canary is held against.

It is the release's own part in it: what room there was, or which member was well, is none, and may
be otherwise every minute.

| Candidate | Counts as |
| --- | --- |
| rules of a passthru endpoint | the option, its keyword and the rule: `A sales by "pressed 2"` |
| rules of an admit endpoint | the rule: `by "vip"` |
| rules of a voicebot endpoint | the pool and the rule: `sales by "default"` |
| pools | the member: `sales/vendor-a` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from switchhook.rules.decide import Decision
    from switchhook.rules.routing import Route

REPEAT = "repeat"
_NOT_BY_RULES = (SAFE_RULE, BY_HAND, REPEAT)


def mix_word(
    subject: str, kind: EndpointKind, decision: Decision, route: Route | None = None
) -> str:
    """What a decision counts as for a candidate of a subject; empty where it does not count.

    `kind` is the endpoint's; `route` is there for a voicebot endpoint's.
    """
    rule = decision.rule
    if rule in _NOT_BY_RULES:
        return ""
    if subject == POOLS:
        if route is None or route.hands or route.member is None:
            return ""
        return f"{route.pool}/{route.member}"
    if kind is EndpointKind.ADMIT:
        return f'by "{rule}"'
    if kind is EndpointKind.VOICEBOT:
        return f'{decision.pool} by "{rule}"'
    given = f"{decision.option} {decision.select}".rstrip()
    return f'{given} by "{rule}"'
