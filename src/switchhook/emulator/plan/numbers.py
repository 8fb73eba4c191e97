"""A plan's telephone numbers, in whatever spelling, as E.164: so that they match one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from switchhook.emulator.plan.flow import Connect
from switchhook.exotel.asked_number import asked_number
from switchhook.exotel.fields import Unusable, e164

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.emulator.plan.flow import Flow
    from switchhook.emulator.plan.plan import Plan

_T = TypeVar("_T")


def number_of(text: str) -> str | None:
    """A whole number in E.164, Indian where it doesn't say; None for what is none.

    >>> number_of("0091 (91111) 00-001")
    '+919111100001'
    """
    found = asked_number(text)
    whole = e164(found, "IN") if found is not None else None
    return None if whole is None or isinstance(whole, Unusable) else whole


def same_number(text: str) -> str:
    """The number in E.164; as it is where it is none, such as a SIP address."""
    return number_of(text) or text


def with_e164(plan: Plan) -> Plan:
    """The plan with every number of it in E.164; what is none stays as it is."""
    return msgspec.structs.replace(
        plan,
        account={
            sid: msgspec.structs.replace(
                account, verified=tuple(map(same_number, account.verified))
            )
            for sid, account in plan.account.items()
        },
        number=_keyed(plan.number),
        agent=_keyed(plan.agent),
        flow={name: flow_with_e164(flow) for name, flow in plan.flow.items()},
        caller={
            name: msgspec.structs.replace(caller, number=same_number(caller.number))
            if caller.number is not None
            else caller
            for name, caller in plan.caller.items()
        },
        fault=tuple(
            msgspec.structs.replace(fault, number=same_number(fault.number))
            if fault.number is not None
            else fault
            for fault in plan.fault
        ),
        burst=tuple(
            msgspec.structs.replace(burst, number=same_number(burst.number))
            if burst.number is not None
            else burst
            for burst in plan.burst
        ),
    )


def flow_with_e164(flow: Flow) -> Flow:
    """The flow, with the numbers that its Connect applets ring in E.164."""
    applets = {
        name: msgspec.structs.replace(applet, numbers=tuple(map(same_number, applet.numbers)))
        if isinstance(applet, Connect)
        else applet
        for name, applet in flow.applet.items()
    }
    return msgspec.structs.replace(flow, applet=applets)


def _keyed(found: Mapping[str, _T]) -> dict[str, _T]:
    return {same_number(number): part for number, part in found.items()}
