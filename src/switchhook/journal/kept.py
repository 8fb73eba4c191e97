"""Reading the requests in records again: a passthru as it was read for its decision, a callback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.exotel.wire import passthru, status_callback
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.exotel.wire.status_callback import StatusCallback
    from switchhook.journal.receipt import Receipt, StatusReceived


def read_passthru(receipt: Receipt) -> Passthru:
    """The passthru that a receipt keeps; what of the request did not come whole is a defect."""
    request = Request(receipt.raw, receipt.method, receipt.content_type, receipt.body)
    found = passthru.parse(request, region=receipt.region)
    parts = (("head", receipt.head_problem), ("body", receipt.body_problem))
    unread = tuple(Defect(part, problem) for part, problem in parts if problem is not None)
    return msgspec.structs.replace(found, noted=unread + found.noted) if unread else found


def read_callback(received: StatusReceived) -> StatusCallback | None:
    """The StatusCallback that was received; None where it names neither a call nor a status."""
    request = Request(received.query, "POST", received.content_type, received.raw)
    return status_callback.parse(request)
