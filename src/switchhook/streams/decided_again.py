"""A kept answer decided again from what its receipt holds: by its own release, or by another.

By the release that decided it the answer is the same bit for bit, a year later too: the rules
decide anew, and what else counted stands in the receipt: the budget and what of it was used, who
could take the call and with which weight. Another release decides by the same; what it would have
had to know and no receipt keeps is said as `unsure`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from switchhook.exotel.cause import Verdict, classify
from switchhook.exotel.passthru import Passthru
from switchhook.journal.receipt import AddressGiven, AdmissionGiven, read_passthru
from switchhook.rules.addressing import key_of_draw, with_address
from switchhook.rules.admission import BY_HAND, SAFE_RULE, ask_for_room
from switchhook.rules.bot_pool import Eligible, MemberState
from switchhook.rules.decide import Decision, Option, decide, flags_for
from switchhook.rules.flags import NOTHING_SET
from switchhook.rules.routing import Route, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.journal.receipt import Receipt
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.decide import Ruleset
    from switchhook.rules.flags import FlagSetting

ROOM_UNKNOWN = "what room there was is not kept, as the rules then refused the call"
POOL_UNKNOWN = "who of that pool could take the call then is not kept"
WEIGHTS_UNKNOWN = "with which weights its pool was set then is not known"
HEALTH_UNKNOWN = "whether the member drawn was well is not known: it took no calls then"
POOL_GONE = "its pool is configured no more"
FALLBACK_UNKNOWN = "whether the endpoint had a fallback is not kept"
_ANSWERED, _NO_ADDRESS = 200, 404


class ReadRequest(msgspec.Struct, frozen=True, gc=False):
    """What a receipt's request says, read once for all who decide it again."""

    passthru: Passthru
    verdict: Verdict


class PoolsTried(msgspec.Struct, frozen=True):
    """The pools that calls are drawn among in place of those of `then`, by name.

    Without `known`, nobody knows how they were set when the call was drawn: `then` is a guess.
    """

    now: Mapping[str, Pool]
    then: Mapping[str, Pool]
    known: bool = True


class DecidedAgain(msgspec.Struct, frozen=True):
    """What comes of deciding again; `route` is None where none was drawn.

    `unsure` says in words what could not be known, so that the answer might have been another.
    """

    decision: Decision
    route: Route | None = None
    unsure: str = ""


def read_request(receipt: Receipt) -> ReadRequest:
    """Read a receipt's request; raises whatever it can make its readers raise."""
    passthru = read_passthru(receipt)
    return ReadRequest(passthru, classify(passthru))


def asked_rules(receipt: Receipt) -> bool:
    """Whether rules decided it, anew: no repeat, nothing set by hand, no failure to decide."""
    if receipt.repeat_of is not None:
        return False
    if isinstance(receipt, AddressGiven):
        return receipt.route is not None
    if isinstance(receipt, AdmissionGiven) and receipt.admission is not None:
        return True
    return receipt.decision.rule not in (SAFE_RULE, BY_HAND)


def decide_again(
    receipt: Receipt, ruleset: Ruleset, read: ReadRequest | None = None
) -> DecidedAgain | None:
    """Decide a receipt again by the release that decided it.

    None where that is not possible: it is another's, it repeats another, or its rules were not
    asked, as deciding failed or a person had set what to answer.
    """
    if not asked_rules(receipt) or receipt.decision.release != ruleset.release:
        return None
    read = read or read_request(receipt)
    decision = _by_rules(receipt, read, ruleset)
    if isinstance(receipt, AdmissionGiven):
        if receipt.admission is None:
            return DecidedAgain(decision)
        return DecidedAgain(ask_for_room(decision, receipt.admission))
    if not isinstance(receipt, AddressGiven) or receipt.route is None:
        return DecidedAgain(decision)
    if decision.pool != _asked_pool(receipt.route):
        return DecidedAgain(decision)
    keys = {key_of_draw(read.passthru, sticky=sticky) for sticky in (False, True)}
    if receipt.route.key not in keys:
        return DecidedAgain(decision)
    return _given(receipt, decision, drawn(receipt.route, receipt.route.key))


def decide_by(
    receipt: Receipt,
    ruleset: Ruleset | None,
    pools: PoolsTried | None = None,
    read: ReadRequest | None = None,
    settings: Mapping[str, FlagSetting] = NOTHING_SET,
) -> DecidedAgain | None:
    """What other rules, or other pools, would have given, with all else as it was.

    Without a ruleset the rules decide as they did. A flag that the receipt lacks is what it was set
    to then, by `settings`, else as by default. None where no rules were asked: whatever they
    are, the answer is the same.
    """
    if not asked_rules(receipt):
        return None
    read = read or read_request(receipt)
    decision = None if ruleset is None else _by_rules(receipt, read, ruleset, settings)
    if isinstance(receipt, AddressGiven) and receipt.route is not None:
        return _address_by(receipt, receipt.route, decision, pools, read)
    if decision is None:
        return DecidedAgain(receipt.decision)
    if isinstance(receipt, AdmissionGiven) and decision.option is Option.A:
        return _room_for(receipt, decision)
    return DecidedAgain(decision)


def _by_rules(
    receipt: Receipt,
    read: ReadRequest,
    ruleset: Ruleset,
    settings: Mapping[str, FlagSetting] = NOTHING_SET,
) -> Decision:
    at_ms, zone, flags = receipt.received_us // 1000, ZoneInfo(receipt.zone), receipt.flags
    if settings and any(each.name not in flags for each in ruleset.flags):
        flags = {**flags_for(ruleset, settings, read.passthru, at_ms), **flags}
    return decide(read.passthru, read.verdict, receipt.facts, at_ms, zone, ruleset, flags)


def _room_for(receipt: AdmissionGiven, decision: Decision) -> DecidedAgain:
    if receipt.admission is None:
        return DecidedAgain(decision, unsure=ROOM_UNKNOWN)
    seen = msgspec.structs.replace(receipt.admission, class_=decision.class_)
    return DecidedAgain(ask_for_room(decision, seen))


def _address_by(
    receipt: AddressGiven,
    route: Route,
    by_others: Decision | None,
    pools: PoolsTried | None,
    read: ReadRequest,
) -> DecidedAgain:
    """The address by other rules' decision, None where the rules decide as they did."""
    decision = receipt.decision if by_others is None else by_others
    if by_others is not None and decision.pool != _asked_pool(route):
        key = key_of_draw(read.passthru, sticky=False)
        return DecidedAgain(decision, Route(pool=decision.pool, key=key), POOL_UNKNOWN)
    again, unsure = _drawn_among(route, read, pools)
    if by_others is None:
        if again == route:
            return DecidedAgain(decision, route, unsure)
        by_rules = decision.reason.partition("; ")[0]
        decision = msgspec.structs.replace(decision, option=Option.A, reason=by_rules)
    given = _given(receipt, decision, again)
    return msgspec.structs.replace(given, unsure=unsure or given.unsure)


def _drawn_among(route: Route, read: ReadRequest, pools: PoolsTried | None) -> tuple[Route, str]:
    """The draw anew, and what is not sure of it.

    Among other pools it is one of those who could take the call then and who is new. What a person
    set stands above both, so that where anything was, all is as it was.
    """
    if pools is None or route.hands or route.off:
        return drawn(route, route.key), ""
    now, then = pools.now.get(route.pool), pools.then.get(route.pool)
    if now is None:
        return drawn(route, route.key), POOL_GONE
    keys = {sticky: key_of_draw(read.passthru, sticky=sticky) for sticky in (False, True)}
    key = keys[now.sticky] if route.key in keys.values() else route.key
    drawn_with = {each.member: each.weight for each in route.eligible}
    eligible, fresh, fits = _reweighed(now, then, drawn_with)
    problem = "" if eligible else f"no member of pool {route.pool} is in"
    again = drawn(msgspec.structs.replace(route, eligible=eligible, problem=problem), key)
    if not (pools.known and fits):
        return again, WEIGHTS_UNKNOWN
    return again, HEALTH_UNKNOWN if again.member in fresh else ""


def _reweighed(
    now: Pool, then: Pool | None, drawn_with: Mapping[str, float]
) -> tuple[tuple[Eligible, ...], set[str], bool]:
    """Who of other pools could take a call: what was known of a member's health stays as it was.

    With that who of them is new, and whether what the call was drawn with fits the pool of then.
    """
    found, fresh, fits = [], set[str](), then is not None
    for member in now.members:
        before = None if then is None else then.member(member.name)
        full = before.weight if before is not None and before.state is MemberState.IN else 0
        weight = drawn_with.get(member.name)
        fits &= weight is None or weight <= full
        if member.state is not MemberState.IN or not member.weight:
            continue
        if weight is None:
            if full:
                continue
            fresh.add(member.name)
        # No rounding may change the draw, and nothing is known of one whose weight doesn't fit.
        if weight is None or weight > full:
            weight = float(member.weight)
        elif member.weight != full:
            weight = member.weight * weight / full
        found.append(Eligible(member.name, weight))
    return tuple(found), fresh, fits


def _asked_pool(route: Route) -> str:
    return route.asked or route.pool


def _given(receipt: AddressGiven, decision: Decision, route: Route) -> DecidedAgain:
    """The decision once the member is drawn; what went out for no member is known if it did."""
    fallback, status, unsure = receipt.fallback, receipt.http_status, ""
    if receipt.route is None or route.member != receipt.route.member:
        fallback, status = False, _ANSWERED if route.member else _NO_ADDRESS
        unsure = "" if route.member else FALLBACK_UNKNOWN
    decision = with_address(decision, route, fallback=fallback, status=status)
    return DecidedAgain(decision, route, unsure)
