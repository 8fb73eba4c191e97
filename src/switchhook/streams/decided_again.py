"""A kept answer before the stream, decided again: bit for bit from what its receipt holds.

The rules decide anew; what else counted stands in the receipt: the budget and what of it was used,
who could take the call and with which weight. So it holds a year later, whatever pools are then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from switchhook.exotel.cause import classify
from switchhook.journal.receipt import AddressGiven, AdmissionGiven, read_passthru
from switchhook.rules.addressing import key_of_draw, with_address
from switchhook.rules.admission import ask_for_room
from switchhook.rules.decide import decide
from switchhook.rules.routing import drawn

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.journal.receipt import Receipt
    from switchhook.rules.decide import Decision, Ruleset
    from switchhook.rules.routing import Route


class DecidedAgain(msgspec.Struct, frozen=True):
    """What comes of deciding again; `route` is None where none was drawn."""

    decision: Decision
    route: Route | None = None


def decide_again(receipt: AdmissionGiven | AddressGiven, ruleset: Ruleset) -> DecidedAgain | None:
    """Decide a receipt again by the release that decided it.

    None where that is not possible: it repeats another, or its rules were not asked, as deciding
    failed or a person had set what to answer.
    """
    if receipt.repeat_of is not None or receipt.decision.release != ruleset.release:
        return None
    if isinstance(receipt, AdmissionGiven):
        decision = _by_rules(receipt, read_passthru(receipt), ruleset)
        if receipt.admission is None:
            return DecidedAgain(decision)
        return DecidedAgain(ask_for_room(decision, receipt.admission))
    if receipt.route is None:
        return None
    passthru = read_passthru(receipt)
    decision = _by_rules(receipt, passthru, ruleset)
    asked = receipt.route.asked or receipt.route.pool
    if decision.pool != asked:
        return DecidedAgain(decision)
    keys = {key_of_draw(passthru, sticky=sticky) for sticky in (False, True)}
    if receipt.route.key not in keys:
        return DecidedAgain(decision)
    route = drawn(receipt.route, receipt.route.key)
    status = receipt.http_status
    decision = with_address(decision, route, fallback=receipt.fallback, status=status)
    return DecidedAgain(decision, route)


def _by_rules(receipt: Receipt, passthru: Passthru, ruleset: Ruleset) -> Decision:
    at_ms, zone = receipt.received_us // 1000, ZoneInfo(receipt.zone)
    return decide(passthru, classify(passthru), receipt.facts, at_ms, zone, ruleset)
