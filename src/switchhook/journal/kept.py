"""Reading the request in a receipt again, as it was read for its decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.journal.receipt import Receipt


def read_passthru(receipt: Receipt) -> Passthru:
    """The passthru that a receipt keeps; what of the request did not come whole is a defect."""
    request = Request(receipt.raw, receipt.method, receipt.content_type, receipt.body)
    passthru = parse(request, region=receipt.region)
    parts = (("head", receipt.head_problem), ("body", receipt.body_problem))
    unread = tuple(Defect(part, problem) for part, problem in parts if problem is not None)
    return msgspec.structs.replace(passthru, noted=unread + passthru.noted) if unread else passthru
