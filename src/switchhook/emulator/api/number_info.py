"""What the API knows of one number: the whitelist, and its metadata (exotel-platform E.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.api.refusal import RefusedRequestError
from switchhook.emulator.api.replies import reply
from switchhook.emulator.call.parameters import national
from switchhook.emulator.plan.numbers import number_of
from switchhook.exotel.wire.number_metadata import Dnd, NumberMetadata, build_metadata
from switchhook.exotel.wire.rest_error import invalid
from switchhook.exotel.wire.whitelist import WhitelistEntry, WhitelistStatus, build_whitelist

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine


class NumberInfo:
    """Answers for the people of an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def whitelist(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """Whether the account may call a number that wants no calls."""
        number = _asked(request)
        left_s = line.whitelisted_s(number, self._exchange.clock.date())
        if self._exchange.caller_of(number).unsubscribed:
            entry = WhitelistEntry(WhitelistStatus.BLACKLIST, "Customer")
        elif left_s:
            entry = WhitelistEntry(WhitelistStatus.WHITELIST, "Customer", left_s)
        else:
            entry = WhitelistEntry(WhitelistStatus.NEUTRAL)
        return reply(build_whitelist(entry, xml=xml), xml)

    async def metadata(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """Where a number is, and whether it wants no calls; all have one circle and operator."""
        number = _asked(request)
        indian = number.startswith("+91")
        wants_none = self._exchange.caller_of(number).dnd
        dnd = (Dnd.YES if wants_none else Dnd.NO) if indian else Dnd.UNAVAILABLE
        told = NumberMetadata(
            phone_number=national(number),
            circle="KA" if indian else "",
            circle_name="Karnataka" if indian else "",
            kind="Mobile",
            operator="EM" if indian else "",
            operator_name="Emulated" if indian else "",
            dnd=dnd,
        )
        return reply(build_metadata(told, xml=xml), xml)


def _asked(request: Request) -> str:
    text = request.path_params["number"]
    number = number_of(text)
    if number is None:
        raise RefusedRequestError(invalid("number", repr(text[:30]), "a phone number"))
    return number
