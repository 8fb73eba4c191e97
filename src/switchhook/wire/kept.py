"""Reading the request in a receipt again, as it was read for its decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.wire.passthru import parse
from switchhook.wire.request import Request

if TYPE_CHECKING:
    from switchhook.passthru import Passthru
    from switchhook.receipt import Receipt


def read_passthru(receipt: Receipt) -> Passthru:
    """The passthru that a receipt keeps."""
    request = Request(receipt.raw, receipt.method, receipt.content_type, receipt.body)
    return parse(request, region=receipt.region)
