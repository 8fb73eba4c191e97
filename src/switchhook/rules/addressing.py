"""From a decision for a pool to the words of the address that is given: pure, as receipts need it.

What a voicebot endpoint's rules decide is a pool; `rules.routing` draws the member. Here is by what
is drawn, and what the decision says in the end, so that both can be done again from a receipt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.caller import key_of_caller
from switchhook.rules.decide import Decision, Option

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.routing import Route

__all__ = ["key_of_caller", "key_of_draw", "undecided", "with_address", "without_member"]

_GIVEN = 200


def key_of_draw(passthru: Passthru, *, sticky: bool) -> str:
    """What the member is drawn by: the CallSid, or where it is sticky the caller's key."""
    call = passthru.call_sid
    return call if call and not sticky else key_of_caller(passthru)


def with_address(decision: Decision, route: Route, *, fallback: bool, status: int) -> Decision:
    """The decision as it is kept once the member is drawn; its option is B without an address.

    `fallback` is whether the endpoint's fallback was given, `status` what was answered.
    """
    if route.member is not None and status == _GIVEN and not fallback:
        return msgspec.structs.replace(decision, reason=f"{decision.reason}; {_drawn(route)}")
    why = route.problem or f"no address of {route.member} is known"
    return msgspec.structs.replace(
        decision,
        option=_option(fallback),
        reason=f"{decision.reason}; {why}; {_left(fallback, status)}",
    )


def without_member(
    release: str, problem: str, rule: str, *, fallback: bool, status: int
) -> Decision:
    """The decision where none could be made, or a person made it: the fallback, by name."""
    return Decision(_option(fallback), rule, release, f"{problem}; {_left(fallback, status)}")


def undecided(release: str, problem: str, *, fallback: bool, status: int) -> Decision:
    """The decision where deciding failed."""
    return without_member(release, problem, SAFE_RULE, fallback=fallback, status=status)


def _option(fallback: bool) -> Option:
    return Option.A if fallback else Option.B


def _left(fallback: bool, status: int) -> str:
    return "the endpoint's fallback" if fallback else f"no address, {status}"


def _drawn(route: Route) -> str:
    among = len(route.eligible)
    words = f"{route.member} of pool {route.pool}"
    words += " alone can take it" if among == 1 else f", drawn among {among}"
    if route.asked:
        words += f", where a person moved the calls of pool {route.asked}"
    if route.degraded:
        words += "; all members have failed"
    return words
